//go:build linux

package test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A hand is one of the bot's writers.
type hand struct{ run, writer int }

// A tally is how far each writer came: its rows are numbered without a gap.
type tally map[hand]int

// An ack is a row that the bot was told is committed.
type ack struct {
	hand
	n  int
	at time.Time // when the bot knew
}

// lacks names the first rows of want that are not in t; empty if none is.
func (t tally) lacks(want tally) string {
	for _, h := range slices.SortedFunc(maps.Keys(want), func(a, b hand) int {
		return slices.Compare([]int{a.run, a.writer}, []int{b.run, b.writer})
	}) {
		if t[h] < want[h] {
			return fmt.Sprintf("start %d, writer %d: %d rows, and %d were committed", h.run, h.writer, t[h], want[h])
		}
	}
	return ""
}

// with is t and what other has beyond it.
func (t tally) with(other tally) tally {
	out := maps.Clone(t)
	if out == nil {
		out = tally{}
	}
	for h, n := range other {
		out[h] = max(out[h], n)
	}
	return out
}

// onDisk counts the rows of a database with the C library.
func (m *machine) onDisk(db string) tally {
	m.t.Helper()
	if verdict := m.sqlite(db, "PRAGMA integrity_check;"); verdict != "ok" {
		m.t.Fatalf("%s is damaged: %s", db, verdict)
	}
	out := tally{}
	for line := range strings.Lines(m.sqlite(db, "SELECT run, writer, count(*), max(n) FROM entries GROUP BY run, writer;")) {
		var h hand
		var count, last int
		if _, err := fmt.Sscanf(strings.TrimSpace(line), "%d|%d|%d|%d", &h.run, &h.writer, &count, &last); err != nil {
			m.t.Fatalf("%q: %v", line, err)
		}
		if count != last {
			m.t.Fatalf("writer %v: %d rows up to number %d: there are gaps", h, count, last)
		}
		out[h] = last
	}
	return out
}

// heldBy gives what a backup holds, restored elsewhere by the holdfast command.
func (m *machine) heldBy(repository, backup string) tally {
	m.t.Helper()
	dir, err := os.MkdirTemp(m.dir, "held-")
	if err != nil {
		m.t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	m.must(0, "--repo", repository, "restore", backup, "--to", dir)
	found, err := filepath.Glob(filepath.Join(dir, "*", "*.db"))
	if err != nil || len(found) != 1 {
		m.t.Fatalf("%s holds %q, %v", backup, found, err)
	}
	rel, err := filepath.Rel(m.dir, found[0])
	if err != nil {
		m.t.Fatal(err)
	}
	return m.onDisk(rel)
}
