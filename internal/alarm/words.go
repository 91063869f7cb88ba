package alarm

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize/english"
)

// span puts a duration into words of two units at most.
func span(d time.Duration) string {
	switch d = d.Round(time.Minute); {
	case d < time.Minute:
		return "less than a minute"
	case d < time.Hour:
		return english.Plural(int(d/time.Minute), "minute", "")
	case d < 48*time.Hour:
		hours, minutes := int(d/time.Hour), int(d%time.Hour/time.Minute)
		if minutes == 0 || hours >= 10 {
			return english.Plural(hours, "hour", "")
		}
		return fmt.Sprintf("%d h %d min", hours, minutes)
	}
	return english.Plural(int(d/(24*time.Hour)), "day", "")
}
