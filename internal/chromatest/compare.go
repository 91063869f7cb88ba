package chromatest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Check compares what a server serves from a copy with what the load knows. It
// returns nil if the copy holds exactly the state of one instant between after
// and before: every record acknowledged by then, none half, none that was
// deleted, each with its document, metadata and embedding.
func (l *Load) Check(ctx context.Context, copy *Client, after, before Moment) error {
	served, err := copy.Collections(ctx)
	if err != nil {
		return err
	}
	var problems []error
	held := map[string][]Record{}
	for _, c := range served {
		records, err := copy.Get(ctx, c.ID, nil)
		if err != nil {
			problems = append(problems, fmt.Errorf("collection %s: %w", c.Name, err))
			continue
		}
		held[c.Name] = records
		problems = append(problems, checkGhosts(ctx, copy, c, records)...)
	}
	return l.judge(problems, held, after, before)
}

// CheckRecords is Check for a copy that is no directory: held are the records of each of
// its collections.
func (l *Load) CheckRecords(held map[string][]Record, after, before Moment) error {
	return l.judge(nil, held, after, before)
}

// judge adds what is wrong with the records of a copy to what was found before.
func (l *Load) judge(problems []error, held map[string][]Record, after, before Moment) error {
	seen := map[string]int{} // version by record id
	names := map[string]bool{}
	for name, records := range held {
		names[name] = true
		if strings.HasPrefix(name, "load-") {
			problems = append(problems, l.read(name, records, seen)...)
		} else if strings.HasPrefix(name, "churn-") {
			problems = append(problems, l.checkChurned(name, records, after)...)
		}
	}
	problems = append(problems, l.checkNames(names, after, before)...)
	if len(problems) == 0 {
		problems = append(problems, l.checkInstant(seen, after, before)...)
	}
	if n := len(problems); n > 8 {
		problems = append(problems[:8], fmt.Errorf("and %d more", n-8))
	}
	return errors.Join(problems...)
}

// read checks records one by one and notes their versions.
func (l *Load) read(collection string, records []Record, seen map[string]int) []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var problems []error
	for _, r := range records {
		h := l.ids[r.ID]
		if h == nil || h.collection != collection {
			problems = append(problems, fmt.Errorf("collection %s: record %s was never written", collection, r.ID))
			continue
		}
		number, _ := r.Metadata["version"].(json.Number)
		version, err := number.Int64()
		if err != nil || version < 1 || version > int64(h.version) {
			problems = append(problems, fmt.Errorf("record %s: version %q was never written", r.ID, number))
			continue
		}
		if err := Same(r, l.record(r.ID, int(version))); err != nil {
			problems = append(problems, err)
		}
		seen[r.ID] = int(version)
	}
	return problems
}

// checkInstant looks for one moment at which every record had the state in
// which it was found.
func (l *Load) checkInstant(seen map[string]int, after, before Moment) []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	span, narrowest := window{after, before}, ""
	var choices []choice
	for id, h := range l.ids {
		if h.uncertain {
			continue
		}
		ws := h.windows(seen[id])
		ws = slices.DeleteFunc(ws, func(w window) bool { return w.to < after || w.from > before })
		switch len(ws) {
		case 0:
			return []error{fmt.Errorf("record %s: version %d (0 = absent) is not one it had between %v and %v: %v", id, seen[id], after, before, h.states)}
		case 1:
			if ws[0].from > span.from {
				span.from, narrowest = ws[0].from, id
			}
			if ws[0].to < span.to {
				span.to = ws[0].to
			}
			if span.from > span.to {
				return []error{fmt.Errorf("records %s and %s are of different instants: version %d of the latter was visible from %v to %v", narrowest, id, seen[id], ws[0].from, ws[0].to)}
			}
		default:
			choices = append(choices, choice{id, ws})
		}
	}
	moments := []Moment{span.from}
	for _, c := range choices {
		for _, w := range c.windows {
			if w.from > span.from && w.from <= span.to {
				moments = append(moments, w.from)
			}
		}
	}
	for _, m := range moments {
		if !slices.ContainsFunc(choices, func(c choice) bool { return !c.holds(m) }) {
			return nil
		}
	}
	return []error{fmt.Errorf("no instant between %v and %v had all these records", span.from, span.to)}
}

// A choice is an id whose observed state was visible in several spans.
type choice struct {
	id      string
	windows []window
}

func (c choice) holds(m Moment) bool {
	return slices.ContainsFunc(c.windows, func(w window) bool { return w.from <= m && m <= w.to })
}

// checkChurned holds a short-lived collection to what was written to it.
func (l *Load) checkChurned(name string, records []Record, after Moment) []error {
	l.mu.Lock()
	life := l.churned[name]
	l.mu.Unlock()
	if life == nil {
		return []error{fmt.Errorf("collection %s was never created", name)}
	}
	var problems []error
	if life.filled <= after && len(records) != churnRecords {
		problems = append(problems, fmt.Errorf("collection %s: %d records, want %d", name, len(records), churnRecords))
	}
	for _, r := range records {
		if err := Same(r, l.record(r.ID, 1)); err != nil {
			problems = append(problems, fmt.Errorf("collection %s: %w", name, err))
		}
	}
	return problems
}

// checkNames looks for collections that must be there.
func (l *Load) checkNames(served map[string]bool, after, before Moment) []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var problems []error
	for _, c := range l.targets {
		if !served[c.Name] {
			problems = append(problems, fmt.Errorf("collection %s is missing", c.Name))
		}
	}
	for name, life := range l.churned {
		if life.filled <= after && life.dropped > before && !served[name] {
			problems = append(problems, fmt.Errorf("collection %s is missing", name))
		}
	}
	return problems
}

// checkGhosts searches for everything: a search must find records, and no
// record that get does not give.
func checkGhosts(ctx context.Context, copy *Client, c Collection, records []Record) []error {
	if len(records) == 0 {
		return nil
	}
	live := map[string]bool{}
	for _, r := range records {
		live[r.ID] = true
	}
	n, err := copy.Count(ctx, c.ID)
	if err != nil || n != len(records) {
		return []error{fmt.Errorf("collection %s: count %d (%v), but %d records", c.Name, n, err, len(records))}
	}
	found, err := copy.Query(ctx, c.ID, records[len(records)/2].Embedding, n+20)
	if err != nil {
		return []error{fmt.Errorf("collection %s: %w", c.Name, err)}
	}
	if len(found) == 0 {
		return []error{fmt.Errorf("collection %s: a search finds nothing among %d records", c.Name, n)}
	}
	for _, id := range found {
		if !live[id] {
			return []error{fmt.Errorf("collection %s: a search finds %s, which does not exist", c.Name, id)}
		}
	}
	return nil
}

// Grow adds new records to every collection of the load, enough for the server
// to persist its index, and looks for them by count, get and search.
func (l *Load) Grow(ctx context.Context, copy *Client) error {
	for _, target := range l.targets {
		c, err := copy.Collection(ctx, target.Name)
		if err != nil {
			return err
		}
		had, err := copy.Count(ctx, c.ID)
		if err != nil {
			return err
		}
		var added []Record
		for i := range l.o.SyncThreshold + 3 {
			added = append(added, l.record(fmt.Sprintf("grown-%d", i), 1))
		}
		if err := copy.Add(ctx, c.ID, added); err != nil {
			return err
		}
		has, err := copy.Count(ctx, c.ID)
		if err != nil {
			return err
		}
		if has != had+len(added) {
			return fmt.Errorf("collection %s: %d records after adding %d to %d", c.Name, has, len(added), had)
		}
		first, last := added[0], added[len(added)-1]
		got, err := copy.Get(ctx, c.ID, []string{first.ID, last.ID})
		if err != nil {
			return err
		}
		if len(got) != 2 {
			return fmt.Errorf("collection %s: %d of 2 new records", c.Name, len(got))
		}
		if err := errors.Join(Same(got[0], first), Same(got[1], last)); err != nil {
			return err
		}
		found, err := copy.Query(ctx, c.ID, last.Embedding, 1)
		if err != nil {
			return err
		}
		if len(found) != 1 || found[0] != last.ID {
			return fmt.Errorf("collection %s: a search for the new record %s finds %v", c.Name, last.ID, found)
		}
	}
	return nil
}

// Same compares two records, embeddings with a relative tolerance of 1e-5: the
// server of a cosine collection multiplies the normalised vector by its norm.
func Same(got, want Record) error {
	if got.ID != want.ID {
		return fmt.Errorf("record %s, want %s", got.ID, want.ID)
	}
	if g, w := text(got.Document), text(want.Document); g != w {
		return fmt.Errorf("record %s: document %s, want %s", got.ID, g, w)
	}
	if g, w := canonical(got.Metadata), canonical(want.Metadata); g != w {
		return fmt.Errorf("record %s: metadata %s, want %s", got.ID, g, w)
	}
	if len(got.Embedding) != len(want.Embedding) {
		return fmt.Errorf("record %s: embedding of %d numbers, want %d", got.ID, len(got.Embedding), len(want.Embedding))
	}
	for i := range got.Embedding {
		g, w := float64(got.Embedding[i]), float64(want.Embedding[i])
		if math.Abs(g-w) > 1e-5*math.Abs(w)+1e-9 {
			return fmt.Errorf("record %s: embedding[%d] is %v, want %v", got.ID, i, g, w)
		}
	}
	return nil
}

func text(s *string) string {
	if s == nil {
		return "absent"
	}
	return fmt.Sprintf("%q", *s)
}

// canonical writes metadata with sorted keys; numbers that were decoded as
// json.Number and numbers of Go give the same text.
func canonical(m map[string]any) string {
	b, err := json.Marshal(m)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
