package survival

import (
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// A state is what this process knows about its storage and the other instances.
// It decides; it does no input or output.
type state struct {
	me    record
	begun bool
	// before is the record that the marker had at this start.
	before record
	// fresh tells that this start found no marker of its own; wiped that it
	// took over the history of a storage that is gone.
	fresh, wiped bool
	asked        bool // the repository was asked
	none         bool // it did not exist yet when this start began
	recorded     bool // this process wrote its record
	trusted      string
	seen         map[string]*sight
	others       []other // that may live
}

// An other is another instance that lives or may live.
type other struct {
	repo.Instance
	verdict verdict
}

// begin counts a start on a storage with this marker, nil if there is none.
func (s *state) begin(found *marker, run string, now holdfast.Time) {
	s.begun = true
	if found == nil {
		s.reborn(run, now)
		return
	}
	s.before = found.record
	s.me = found.record
	s.me.Run, s.me.Started, s.me.Ended = run, now, nil
	s.me.Starts++
	s.me.Kept++
}

// reborn begins a storage of which nothing is known yet.
func (s *state) reborn(run string, now holdfast.Time) {
	s.fresh, s.before = true, record{}
	s.me = record{ID: newID(), Run: run, Created: now, Since: now, Started: now, Open: true, Starts: 1}
}

// identify looks at the own record before it is written. If somebody else wrote
// it, there are two storages with one marker: this one was set back to an earlier
// state, or copied. Then this one takes an id of its own. It tells whether what
// is known of it changed.
func (s *state) identify(list []repo.Instance) bool {
	s.asked = true
	i := slices.IndexFunc(list, func(i repo.Instance) bool { return i.ID == s.me.ID })
	if i < 0 || list[i].Run == s.me.Run {
		return false
	}
	if !s.recorded {
		own, known := list[i], s.before
		if own.Starts < known.Starts || own.Starts == known.Starts && own.Run == known.Run {
			return false // it is behind the marker, or level: the repository was not reached
		}
		s.reborn(s.me.Run, s.me.Started)
		return true
	}
	s.me.ID = newID()
	return true
}

// settle judges the other instances and, once none of them may live that this
// storage could have taken the place of, takes over their history. It gives the
// ids of those whose records are of no use any more, and tells whether what is
// known of this storage changed.
func (s *state) settle(list []repo.Instance, c clocks) (obsolete []string, changed bool) {
	if s.seen == nil {
		s.seen = map[string]*sight{}
	}
	if i := slices.IndexFunc(list, func(i repo.Instance) bool { return i.ID == s.me.ID && i.Run == s.me.Run }); i >= 0 {
		c.store = list[i].Modified
	}
	var past []repo.Instance
	s.others = nil
	listed := map[string]bool{}
	for _, i := range list {
		if i.ID == s.me.ID {
			continue
		}
		listed[i.ID] = true
		if s.seen[i.ID] == nil {
			s.seen[i.ID] = new(sight)
		}
		s.seen[i.ID].look(i, c)
		if v := s.seen[i.ID].verdict; v == gone {
			if !s.none || !i.Created.After(s.me.Created.Time) {
				past = append(past, i) // else it began after this one, beside it
			}
			obsolete = append(obsolete, i.ID)
		} else {
			s.others = append(s.others, other{i, v})
		}
	}
	for id := range s.seen {
		if !listed[id] {
			delete(s.seen, id)
		}
	}
	switch {
	case !s.me.Open:
		return obsolete, false
	case len(s.others) > 0:
		return nil, false // whose place this is will show
	}
	s.inherit(past, holdfast.At(c.wall))
	return obsolete, true
}

// inherit takes over the history of storages that are gone: of the newest that
// had settled, which holds that of all before it, and of those that went since,
// before they could.
func (s *state) inherit(past []repo.Instance, now holdfast.Time) {
	s.me.Open = false
	slices.SortFunc(past, newestFirst)
	for _, i := range past {
		s.me.Starts += i.Starts
		s.me.Kept += i.Kept
		s.me.Wiped += i.Wiped + 1
		if i.Since.Before(s.me.Since.Time) {
			s.me.Since = i.Since
		}
		s.me.LastWiped = &now
		s.wiped = s.fresh
		if !i.Open {
			return
		}
	}
}

// newestFirst orders records by the clock of the store, which all of them have in
// common. Some stores tell whole seconds only, in which a program can have lived
// twice: there the clocks of the hosts decide, which mostly are one.
func newestFirst(a, b repo.Instance) int {
	if c := b.Modified.Compare(a.Modified); c != 0 {
		return c
	}
	return b.Seen.Compare(a.Seen.Time)
}
