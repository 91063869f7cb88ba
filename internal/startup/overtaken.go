package startup

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// Overtaken looks whether a backup was made after the last change of data that
// was kept, and holds something else: then it was made by another instance, or
// while the data lay elsewhere (in memory, on another disk), and what it holds is
// not in the data. Nil says that there is none. It asks the repository and the
// replicas, so it is for the background, after the start.
//
// It compares what a backup says of itself with a glance at the data (tables,
// collections, rows), and so can miss a difference, but tells none that is not
// there. It opens the data: do not call it while a foreign SQLite library of this
// process has the database open.
func Overtaken(ctx context.Context, o Options) (*holdfast.Problem, error) {
	o = o.withDefaults()
	p := &preparation{Options: o, target: o.Source.Target()}
	changed, err := lastChange(p.target)
	if err != nil || changed.IsZero() {
		return nil, err
	}
	var f offer
	if err := p.surveyEngine(ctx, &f); err != nil {
		return nil, err
	}
	slices.SortStableFunc(f.candidates, before)
	if len(f.candidates) == 0 || f.candidates[0].rank > 0 || !f.candidates[0].at.After(changed.Add(settled)) {
		return nil, nil
	}
	newest := f.candidates[0]
	now, err := o.Source.Inspect(ctx, holdfast.InspectOptions{Counts: true})
	if err != nil {
		return nil, err
	}
	difference := differ(now.Facts, newest.facts)
	if difference == "" {
		return nil, nil
	}
	if again, err := lastChange(p.target); err != nil || !again.Equal(changed) {
		return nil, err // its owner is at work
	}
	return &holdfast.Problem{
		Source: o.Source.Name(), Object: string(newest.name), Severity: holdfast.Warning,
		Message: fmt.Sprintf("this backup is of %s, after the last change of %s on %s, and holds something else (%s): it comes from another instance or another disk",
			newest.at.UTC().Format(time.DateTime), p.subject(), changed.UTC().Format(time.DateTime), difference),
		Hint: "healthy data is never replaced at a start; if the backup is the truth, run `holdfast restore " + string(newest.name) + "`",
	}, nil
}

// settled is by how much a backup must be later than the last change for that
// change to be in it for certain.
const settled = 2 * time.Second

// lastChange is when the data was last written, as far as the times of its files
// tell; zero if there is none.
func lastChange(t holdfast.Target) (time.Time, error) {
	paths := []string{t.Path}
	if t.Dir {
		paths = nil
		for _, name := range t.LiveFiles {
			paths = append(paths, filepath.Join(t.Path, name))
		}
	}
	for _, c := range t.Companions {
		paths = append(paths, t.Path+c)
	}
	var last time.Time
	for _, path := range paths {
		info, err := os.Lstat(path)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return last, explain("look at", path, err)
		}
		if info.Size() > 0 && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last, nil
}

// differ names the first thing that is not the same in both; empty if nothing is
// known to differ.
func differ(now, then holdfast.Facts) string {
	switch {
	case now.SQLite != nil && then.SQLite != nil:
		return differRows("table", now.SQLite.Tables, then.SQLite.Tables, now.SQLite.Rows != nil)
	case now.Chroma != nil && then.Chroma != nil:
		return differRows("collection", collections(now.Chroma), collections(then.Chroma), true)
	}
	return ""
}

func collections(f *holdfast.ChromaFacts) map[string]int64 {
	rows := map[string]int64{}
	for _, c := range f.Collections {
		rows[c.Name] = c.Records
	}
	return rows
}

// differRows compares numbers of rows. Unless all of now were counted, one that
// is absent means nothing.
func differRows(kind string, now, then map[string]int64, all bool) string {
	for _, name := range slices.Sorted(maps.Keys(then)) {
		if n, ok := now[name]; ok && n != then[name] {
			return fmt.Sprintf("%s %s: %d there, %d here", kind, name, then[name], n)
		}
		if _, ok := now[name]; !ok && all {
			return fmt.Sprintf("%s %s is not here", kind, name)
		}
	}
	return ""
}
