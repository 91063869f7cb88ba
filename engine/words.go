package engine

import "fmt"

// count gives a number with its noun: "1 record", "3 records".
func count[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
