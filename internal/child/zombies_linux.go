package child

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// onlyZombies tells whether nothing of the group runs any more: what is left of it
// has ended and waits for a parent that may never ask for it, as in a container
// whose first process reaps nobody.
func (g *group) onlyZombies() bool {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return false
	}
	for _, name := range stats {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // gone meanwhile
		}
		// PID (name) STATE PARENT GROUP …, where the name may hold anything.
		fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
		if len(fields) > 2 && string(fields[2]) == strconv.Itoa(g.id) && string(fields[0]) != "Z" && string(fields[0]) != "X" {
			return false
		}
	}
	return true
}
