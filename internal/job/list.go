package job

import (
	"slices"
	"strings"
	"time"
)

// A Filter chooses jobs; its zero value is all of them.
type Filter struct {
	Kind   string
	States []State // none: every state
	By     string
	Backup string
	Since  time.Time // asked for then or later
	Until  time.Time // asked for before
}

// A Page is a part of a list.
type Page struct {
	Limit int    // at most so many; 0 is 100
	After string // the id at which the page before ended
}

const (
	defaultPage = 100
	mostPage    = 1000
)

// List gives jobs, the newest first, without their requests and results. Next is where
// the next page begins, empty if there is none; total counts all that the filter
// chooses.
func (r *Runner) List(f Filter, p Page) (jobs []Job, next string, total int) {
	if p.Limit <= 0 {
		p.Limit = defaultPage
	}
	p.Limit = min(p.Limit, mostPage)
	all := r.chosen(f)
	total = len(all)
	if p.After != "" {
		at, _ := slices.BinarySearchFunc(all, p.After, func(j Job, id string) int { return strings.Compare(id, j.ID) })
		for at < len(all) && all[at].ID >= p.After {
			at++
		}
		all = all[at:]
	}
	if len(all) > p.Limit {
		all = all[:p.Limit]
		next = all[p.Limit-1].ID
	}
	return all, next, total
}

// chosen are all jobs that a filter chooses, the newest first.
func (r *Runner) chosen(f Filter) []Job {
	var found []*Job // sorted by reference: pages ask for all of a thousand
	r.mu.Lock()
	for _, e := range r.jobs {
		if j, _ := e.snapshot(); f.chooses(&j) {
			found = append(found, new(j))
		}
	}
	r.mu.Unlock()
	slices.SortFunc(found, func(a, b *Job) int { return strings.Compare(b.ID, a.ID) })
	all := make([]Job, len(found))
	for i, j := range found {
		all[i] = *j
		all[i].Request, all[i].Result = nil, nil
	}
	return all
}

func (f *Filter) chooses(j *Job) bool {
	switch {
	case f.Kind != "" && f.Kind != j.Kind,
		len(f.States) > 0 && !slices.Contains(f.States, j.State),
		f.By != "" && f.By != j.By,
		f.Backup != "" && f.Backup != string(j.Backup),
		!f.Since.IsZero() && j.CreatedAt.Before(f.Since),
		!f.Until.IsZero() && !j.CreatedAt.Before(f.Until):
		return false
	}
	return true
}
