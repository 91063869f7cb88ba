//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// startTable has a row for each program of each start. A start is compared with
// the last program of its kind, by difference and not by ratio: what it adds does
// not depend on what the program itself needs.
func startTable(all []lineup, foot string) string {
	var b strings.Builder
	b.WriteString("### Starts\n\n| Start with | Program | Ready: least ms | median ms | adds, median ms | CPU ms | Memory MiB | End ms |\n|---|---|--:|--:|--:|--:|--:|--:|\n")
	for _, l := range all {
		base := l.entries[len(l.entries)-1]
		name := l.name
		for _, e := range l.entries {
			if len(e.launches) == 0 {
				fmt.Fprintf(&b, "| %s | %s | not installed here; bench/peers.sh installs it | | | | | |\n", name, e.label)
				name = ""
				continue
			}
			ready := pick(e.launches, readyOf)
			adds := ""
			if e.label != base.label {
				adds = "**" + milliseconds(middle(ready)-middle(pick(base.launches, readyOf))) + "**"
			}
			end := ""
			if e.serves {
				end = milliseconds(middle(pick(e.launches, func(l launch) time.Duration { return l.end })))
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %d | %s |\n", name, e.label, milliseconds(slices.Min(ready)), milliseconds(middle(ready)), adds,
				milliseconds(middle(pick(e.launches, func(l launch) time.Duration { return l.cpu }))),
				middle(pick(e.launches, func(l launch) int64 { return l.memory }))>>20, end)
			name = ""
		}
	}
	return b.String() + "\n" + foot
}

func readyOf(l launch) time.Duration { return l.ready }

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()*1000) }
