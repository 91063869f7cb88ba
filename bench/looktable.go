//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"
)

// lookTable shows medians of what was seen from all places.
func lookTable(out *strings.Builder, v view, all []*lookout) {
	fmt.Fprintf(out, "### %s, a full backup and %d deltas\n\n| Backups in | What | Who | First answer s | Wall s | CPU s | Most memory MiB | Requests | MiB answered | Ratio of the wall |\n|---|---|---|--:|--:|--:|--:|--:|--:|--:|\n", v.title, lookDeltas)
	for _, l := range all {
		where := l.place.name
		for _, s := range l.seen {
			ratio := ""
			if len(s.peer) > 0 {
				ratio = fmt.Sprintf("**%.2g**", float64(median(readingsOf(s.ours), wallOf))/float64(median(readingsOf(s.peer), wallOf)))
			}
			fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", where, s.what, ours, sightCells(s.ours, s.streams), ratio)
			if len(s.peer) > 0 {
				fmt.Fprintf(out, "|  |  | %s | %s |  |\n", l.place.peer, sightCells(s.peer, false))
			}
			where = ""
		}
	}
	out.WriteString("\n")
}

// sightCells are the figures of one line.
func sightCells(all []sight, streams bool) string {
	rs := readingsOf(all)
	first := ""
	if streams {
		first = seconds(median(rs, func(r reading) time.Duration { return r.first }))
	}
	requests, bytes := "", ""
	if t := all[0].traffic; t.Requests > 0 {
		requests, bytes = fmt.Sprint(t.Requests), mib(t.Bytes)
	}
	return fmt.Sprintf("%s | %s | %s | %s | %s | %s", first, seconds(median(rs, wallOf)), seconds(median(rs, cpuOf)), mib(median(rs, memoryOf)), requests, bytes)
}

func readingsOf(all []sight) []reading {
	return pick(all, func(s sight) reading { return s.reading })
}
