//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A step of a course.
type step string

// The steps in their order. Before the increment the subject is changed.
const (
	full      step = "full"
	increment step = "increment"
	unchanged step = "unchanged"
	restore   step = "restore"
)

var steps = []step{full, increment, unchanged, restore}

// words tells people what a step is.
func (s step) words() string {
	return map[step]string{
		full:      "full backup",
		increment: "backup after the change",
		unchanged: "backup with nothing changed",
		restore:   "restore of the last backup",
	}[s]
}

// A course leads one subject through all tools, step by step and in turns, so
// that a busy moment of the machine hits all of them.
type course struct {
	subject
	tools   []tool
	absent  []string // tools that are not installed
	steps   []step
	bytes   int64 // of the subject, on disk
	changes []changes
	rounds  map[step]map[string][]reading // by tool
}

// newCourse makes the course of a subject with the tools that are installed.
func (w *workshop) newCourse(s subject, o options) *course {
	c := &course{subject: s, rounds: map[step]map[string][]reading{}}
	for _, t := range tools(s) {
		if !o.tools.has(t.key) {
			continue
		}
		if command := t.missing(); command != "" {
			c.absent = append(c.absent, t.label)
			continue
		}
		c.tools = append(c.tools, t)
	}
	for _, st := range steps {
		if o.run.has(string(st)) {
			c.steps = append(c.steps, st)
			c.rounds[st] = map[string][]reading{}
		}
	}
	return c
}

// measure goes the whole course as often as asked for. A full backup that is
// not to be measured is made once, for the other steps to stand on.
func (c *course) measure(ctx context.Context, w *workshop, runs int) (err error) {
	if c.bytes, err = diskUse(w.live(c.subject)); err != nil {
		return err
	}
	number := 0
	for round := range runs {
		order := slices.Concat(c.tools[round%len(c.tools):], c.tools[:round%len(c.tools)])
		for _, st := range steps {
			wanted := slices.Contains(c.steps, st)
			if !wanted && (st != full || round > 0) {
				continue
			}
			switch st {
			case full, increment, unchanged:
				number++
			case restore:
			}
			if st == increment {
				if err := c.alter(ctx, w, round+1); err != nil {
					return err
				}
			}
			for _, t := range order {
				took, err := c.attempt(ctx, w, t, st, number, round+1)
				if err != nil {
					return fmt.Errorf("%s, %s, %s: %w", c.title, st.words(), t.label, err)
				}
				if wanted {
					c.rounds[st][t.key] = append(c.rounds[st][t.key], took)
					fmt.Fprintf(os.Stderr, "  run %d, %s: %.2f s, %s MiB, %s\n", round+1, st.words(), took.wall.Seconds(), mib(took.output), t.label)
				}
			}
		}
	}
	return nil
}

// alter changes the subject and notes what that did to its pages.
func (c *course) alter(ctx context.Context, w *workshop, round int) error {
	live, marks := w.live(c.subject), filepath.Join(w.dir, "marks")
	if err := w.child(ctx, nil, "marks", live, marks); err != nil {
		return err
	}
	args := slices.Concat(c.change[:1], c.change[1:], []string{c.target(live), strconv.Itoa(round)})
	if err := w.child(ctx, nil, args...); err != nil {
		return err
	}
	var did changes
	if err := w.child(ctx, &did, "changes", live, marks); err != nil {
		return err
	}
	c.changes = append(c.changes, did)
	return nil
}

// target is what the children that make and change the subject work on.
func (s subject) target(folder string) string {
	if s.make[0] == "database" {
		return filepath.Join(folder, s.database)
	}
	return folder
}

// attempt lets one tool do one step.
func (c *course) attempt(ctx context.Context, w *workshop, t tool, st step, number, round int) (reading, error) {
	place := filepath.Join(w.dir, "course", c.key, t.key)
	p := posting{
		dir: place, counts: filepath.Join(place, "repo"),
		env: []string{
			"S=" + w.live(c.subject), "N=" + strconv.Itoa(number), "ROUND=" + strconv.Itoa(round), "HOME=" + filepath.Join(place, "home"),
			"XDG_CACHE_HOME=" + filepath.Join(place, "home"), "XDG_STATE_HOME=" + filepath.Join(place, "home"),
			"RESTIC_REPOSITORY=" + filepath.Join(place, "repo"), "RESTIC_PASSWORD=bench",
			"BORG_REPO=" + filepath.Join(place, "repo"), "BORG_BASE_DIR=" + filepath.Join(place, "home"), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes",
		},
	}
	script := t.backup
	switch st {
	case full:
		if err := errors.Join(os.RemoveAll(place), os.MkdirAll(filepath.Join(place, "home"), 0o755)); err != nil {
			return reading{}, err
		}
		if _, err := w.time(ctx, p, t.init); err != nil {
			return reading{}, err
		}
	case increment:
		if t.increment != "" {
			script = t.increment
		}
		if t.grown != "" {
			p.counts = filepath.Join(place, t.grown)
			if err := os.RemoveAll(p.counts); err != nil {
				return reading{}, err
			}
		}
	case unchanged:
	case restore:
		if err := os.RemoveAll(filepath.Join(place, "restored")); err != nil {
			return reading{}, err
		}
		p.counts, script = filepath.Join(place, "restored"), t.restore
	}
	took, err := w.time(ctx, p, script)
	if t.follows && st == increment {
		took.wall, took.cpu = 0, 0 // it waits for the writer
	}
	if err != nil || st != restore {
		return took, err
	}
	return took, errors.Join(c.check(ctx, w, filepath.Join(place, "restored")), os.RemoveAll(filepath.Join(place, "restored")))
}

// check compares what was restored with the subject: what a query tells of the
// databases, and all other files byte for byte. A database restored from a copy
// by SQLite's backup differs in its header.
func (c *course) check(ctx context.Context, w *workshop, restored string) error {
	var found string
	err := filepath.WalkDir(restored, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == c.database && d.Type().IsRegular() {
			found = path
		}
		return err
	})
	if err != nil {
		return err
	}
	if found == "" {
		return fmt.Errorf("no %s was restored", c.database)
	}
	script := fmt.Sprintf(`sqlite3 "$F" %q
cd "$S"
find . -type f ! -name '%s*' -exec cmp {} "$(dirname "$F")"/{} \;`, c.state, c.database)
	got, err := w.output(ctx, script, "S="+w.live(c.subject), "F="+found)
	if err != nil {
		return err
	}
	want, err := w.output(ctx, script, "S="+w.live(c.subject), "F="+filepath.Join(w.live(c.subject), c.database))
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("what was restored is not what was backed up: %s instead of %s", strings.TrimSpace(got), strings.TrimSpace(want))
	}
	return nil
}
