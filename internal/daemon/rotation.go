package daemon

import (
	"cmp"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// The rotation reads every backup again before the time of verify.every is over. A
// backup is wanted when half of that has passed since it was last read; of those that
// are wanted a few are read at each turn, those that waited longest, so that what was made
// at one moment is read over a quarter of the time. When three quarters have passed
// something is behind: a machine that was off, a repository that could not be reached.
// Then the largest come first and turns follow each other, for they are what could be
// late.
//
// To read a backup is to read all it is made of, whatever earlier backups
// hold of it, deleted ones too.

// mostTurn is the longest time between two turns.
const mostTurn = time.Hour

// atOneTurn is how many backups one turn reads, so that all are read in a quarter of the time.
func atOneTurn(backups int, turn, within time.Duration) int {
	turns := max(int(within/4/turn), 1)
	return (backups + turns - 1) / turns
}

// A reading is when a backup was last read.
type reading struct {
	name holdfast.BackupName
	at   time.Time // when it was made, if it was never read since
	size int64
}

// readings tells of each backup when all of it was last read. What cannot be used is left
// to status, and to whoever repairs it.
func readings(all []repo.Info) []reading {
	var out []reading
	for _, i := range all {
		if i.Err != nil || i.Metadata == nil {
			continue
		}
		r := reading{name: i.Name, at: i.Metadata.CreatedAt.Time, size: i.Metadata.LogicalBytes}
		for _, p := range i.Proofs { // one that failed has read everything, too
			if p.At.After(r.at) {
				r.at = p.At.Time
			}
		}
		out = append(out, r)
	}
	return out
}

// nextReading tells which backup is to be read at this turn, and whether something is
// behind.
func nextReading(all []reading, now time.Time, within time.Duration) (next reading, behind, due bool) {
	oldest := func(a, b reading) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.name, b.name))
	}
	largest := func(a, b reading) int { return cmp.Or(cmp.Compare(b.size, a.size), oldest(a, b)) }
	late := slices.DeleteFunc(slices.Clone(all), func(r reading) bool { return now.Sub(r.at) < within/4*3 })
	if len(late) > 0 {
		return slices.MinFunc(late, largest), true, true
	}
	wanted := slices.DeleteFunc(slices.Clone(all), func(r reading) bool { return now.Sub(r.at) < within/2 })
	if len(wanted) == 0 {
		return reading{}, false, false
	}
	return slices.MinFunc(wanted, oldest), false, true
}
