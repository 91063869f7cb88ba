package repo

import (
	"cmp"
	"slices"
)

// A blockRun is count blocks from at on in the payload of a reference.
type blockRun struct {
	ref       int
	at, count int64
}

// movedBlocks remembers which blocks of hidden backups were taken over, and by
// whom: the next backup that needs them refers to their new place.
type movedBlocks map[reference][]movedRun

// A movedRun is count blocks that lay from at on and lie from now on in to.
type movedRun struct {
	at, count int64
	to        reference
	now       int64
}

// split calls each for the pieces of count blocks of from, in order: m is where
// a piece is now, nil if it was not moved.
func (mb movedBlocks) split(from reference, at, count int64, each func(at, count int64, m *movedRun)) {
	runs := mb[from]
	i, _ := slices.BinarySearchFunc(runs, at, func(m movedRun, at int64) int { return cmp.Compare(m.at+m.count, at+1) })
	for end := at + count; at < end; {
		if i == len(runs) || runs[i].at >= end {
			each(at, end-at, nil)
			return
		}
		m := runs[i]
		if m.at > at {
			each(at, m.at-at, nil)
			at = m.at
		}
		n := min(m.at+m.count, end) - at
		each(at, n, &movedRun{at: at, count: n, to: m.to, now: m.now + at - m.at})
		at += n
		i++
	}
}

// add notes that count blocks of from were taken over by to. What somebody took
// before stays his.
func (mb movedBlocks) add(from reference, at, count int64, to reference, now int64) {
	var fresh []movedRun
	mb.split(from, at, count, func(piece, n int64, m *movedRun) {
		if m == nil {
			fresh = append(fresh, movedRun{at: piece, count: n, to: to, now: now + piece - at})
		}
	})
	runs := append(mb[from], fresh...)
	slices.SortFunc(runs, func(a, b movedRun) int { return cmp.Compare(a.at, b.at) })
	mb[from] = runs
}
