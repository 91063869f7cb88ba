package api

import (
	"fmt"
	"math"
)

// everything is the window of lists that are short enough to remember whole.
const everything = math.MaxInt

// mostNames is how long such a list can be: one that does not end is no list.
const mostNames = 1_000_000

// Pages overlap by a part of their length, and so often in a row a page that does not
// join the one before is looked for further ahead.
const (
	overlapPart = 10
	stepsBack   = 3
	// leastWindow is how many pages must be remembered for that.
	leastWindow = stepsBack + 2
)

// pages goes through a list that the server gives by offset, and that changes meanwhile.
// What is deleted before the offset moves the rest ahead: so pages overlap, and where
// one does not join what came before, the reading steps back.
type pages[T any] struct {
	size   int // of a page
	window int // how many keys are remembered to leave out what came already
	most   int // entries that the list may have; 0 is any number
	key    func(T) string
	fetch  func(offset, limit int) ([]T, error)
}

// all is an iter.Seq2.
func (p pages[T]) all(yield func(T, error) bool) {
	seen := newRecent(p.window)
	offset, back := 0, 0
	full := 0 // what the server gives at once, if it has a limit of its own
	for {
		page, err := p.fetch(offset, p.size)
		if err != nil {
			var none T
			yield(none, err)
			return
		}
		full = max(full, len(page))
		overlap := max(1, full/overlapPart)
		var fresh []T
		for _, item := range page {
			if !seen.has(p.key(item)) {
				fresh = append(fresh, item)
			}
		}
		joins := offset == 0 || len(fresh) < len(page)
		if !joins && back < stepsBack {
			back++
			offset = max(0, offset-full+overlap)
			continue
		}
		back = 0
		if p.most > 0 && len(seen.keys)+len(fresh) > p.most {
			var none T
			yield(none, fmt.Errorf("the server lists more than %d, and no end of them is in sight", p.most))
			return
		}
		for _, item := range fresh {
			seen.add(p.key(item))
			if !yield(item, nil) {
				return
			}
		}
		if p.last(len(page), len(fresh)) {
			return
		}
		offset += max(1, len(page)-min(overlap, len(page)-1))
	}
}

// last tells whether a page is the last one. A server that has a limit of its own gives
// less than was asked for without a word, and its limit is a round number, for people or
// for machines.
func (p pages[T]) last(length, fresh int) bool {
	const round, binary = 50, 64
	return fresh == 0 || length < p.size && length%round != 0 && length%binary != 0
}

// recent remembers the last keys of a list.
type recent struct {
	keys map[string]struct{}
	row  []string // in their order, around
	next int
	most int
}

func newRecent(most int) *recent { return &recent{keys: map[string]struct{}{}, most: most} }

func (r *recent) has(key string) bool {
	_, ok := r.keys[key]
	return ok
}

func (r *recent) add(key string) {
	r.keys[key] = struct{}{}
	switch {
	case r.most == everything:
	case len(r.row) < r.most:
		r.row = append(r.row, key)
	default:
		delete(r.keys, r.row[r.next])
		r.row[r.next] = key
		r.next = (r.next + 1) % r.most
	}
}
