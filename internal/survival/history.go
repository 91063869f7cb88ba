package survival

import (
	"fmt"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// survival puts what is known into words. reason is why no marker can be kept,
// holder who else has the lock of this storage.
func (s *state) survival(reason error, holder string) holdfast.Survival {
	me := s.me
	v := holdfast.Survival{Starts: me.Starts, Kept: me.Kept, Wiped: me.Wiped, LastWiped: me.LastWiped}
	if me.ID != "" {
		v.Since = &me.Since
	}
	history := historyOf(me)
	if reason != nil {
		v.State = holdfast.SurvivalUnknown
		v.Words = "unknown: " + reason.Error()
		return v
	}
	if holder != "" {
		v.State, v.Other = holdfast.SurvivalTwo, holder
		v.Words = joined("two instances are running on this storage, the other is "+holder, history)
		return v
	}
	if o, ok := s.telling(); ok {
		v.Other, v.OtherUntil = describe(o.Instance), &o.Expires
		if o.verdict == alive {
			v.State = holdfast.SurvivalTwo
			v.Words = joined("two instances are running, each with data of its own; the other is "+v.Other, history)
		} else {
			v.State = holdfast.SurvivalUnclear
			v.Words = joined("unclear: "+v.Other+" still runs, or ended without a word", history)
		}
		return v
	}
	switch {
	case s.wiped:
		v.State, v.Words = holdfast.SurvivalWiped, joined("this start found the storage wiped", history)
	case s.fresh:
		v.State, v.Words = holdfast.SurvivalFirst, "a first start: nothing is known of an earlier one"
		if !s.asked {
			v.Words = "a first start, as far as this storage tells"
		}
	default:
		v.State, v.Words = holdfast.SurvivalKept, history
	}
	return v
}

// telling is the other instance that decides the state: one that lives, or,
// as long as it matters whether it does, one that may.
func (s *state) telling() (other, bool) {
	for _, o := range s.others {
		if o.verdict == alive {
			return o, true
		}
	}
	if s.me.Open && len(s.others) > 0 {
		return s.others[0], true
	}
	return other{}, false
}

func describe(i repo.Instance) string {
	where := "on " + i.Host
	if i.Host == "" {
		where = i.ID[:8]
	}
	return fmt.Sprintf("the instance %s, started %s", where, i.Started)
}

// historyOf tells what is counted: "kept over 12 restarts; wiped twice, last on
// 2026-11-03". It is empty if there is nothing to tell.
func historyOf(r record) string {
	var parts []string
	switch {
	case r.Kept == 1:
		parts = append(parts, "kept over 1 restart")
	case r.Kept > 1:
		parts = append(parts, fmt.Sprintf("kept over %d restarts", r.Kept))
	}
	if r.Wiped > 0 {
		wiped, last := "wiped "+times(r.Wiped), ", last on "
		if r.Wiped == 1 {
			last = ", on "
		}
		if r.LastWiped != nil {
			wiped += last + r.LastWiped.UTC().Format("2006-01-02")
		}
		parts = append(parts, wiped)
	}
	return strings.Join(parts, "; ")
}

func times(n int64) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

// joined puts a sentence before the history, if there is one.
func joined(sentence, history string) string {
	if history == "" {
		return sentence
	}
	return sentence + "; " + history
}
