package startup_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/startup"
	"github.com/holdfast-backup/holdfast/repo"
)

// mirrored is a world with a mirror of the database as it was with n notes, from
// some time.
func (w *world) mirrored(n string, at time.Time) {
	w.t.Helper()
	w.mirror = filepath.Join(w.root, "bot_database.db.backup")
	w.opts.Mirror = w.mirror
	sqlOn(w.t, w.mirror, `CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT UNIQUE);
		WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < `+n+`) INSERT INTO notes SELECT i, 'mirrored ' || i FROM c`)
	if err := os.Chtimes(w.mirror, at, at); err != nil {
		w.t.Fatal(err)
	}
}

func TestPrepare_Mirror(t *testing.T) {
	early, late := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		at     time.Time
		repo   bool
		harm   func(w *world)
		notes  string
		passed int
	}{
		"newer than the repository": {at: late, repo: true, notes: "7"},
		"older than the repository": {at: early, repo: true, notes: "10"},
		"newer but damaged": {at: late, repo: true, notes: "10", passed: 1, harm: func(w *world) {
			os.Truncate(w.mirror, 4096)
			os.Chtimes(w.mirror, late, late)
		}},
		"newer but empty": {at: late, repo: true, notes: "10", harm: func(w *world) {
			os.Truncate(w.mirror, 0)
			os.Chtimes(w.mirror, late, late)
		}},
		"older, and the repository is damaged": {at: early, repo: true, notes: "7", passed: 1, harm: func(w *world) {
			list, _ := os.ReadDir(w.repoDir)
			for _, e := range list {
				if e.IsDir() && e.Name()[0] != '.' {
					flip(w.t, filepath.Join(w.repoDir, e.Name(), "bot"))
				}
			}
		}},
		"alone":                  {at: late, notes: "7"},
		"the repository is gone": {at: early, repo: true, notes: "7", harm: func(w *world) { os.RemoveAll(w.repoDir) }},
		"the repository is out of reach": {at: early, repo: true, notes: "7", passed: 1, harm: func(w *world) {
			w.opts.Engine = func(context.Context) (*engine.Engine, error) { return nil, errors.New("connection refused") }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.repo {
				w.fill(10)
				w.backup()
			}
			w.wipe()
			w.mirrored("7", c.at)
			if c.harm != nil {
				c.harm(w)
			}
			d := w.prepare()
			if d.Action != holdfast.StartRestored || len(d.Passed) != c.passed {
				t.Fatalf("got %+v", d)
			}
			if c.notes == "7" != (d.From == w.mirror) {
				t.Errorf("it comes from %q", d.From)
			}
			if got := w.notes(); got != c.notes {
				t.Errorf("%s notes came back, want %s", got, c.notes)
			}
			for _, p := range d.Passed {
				wantWords(t, d.Reason, p.Object)
			}
		})
	}
}

// The mirror that a backup writes names that backup, and comes after it.
func TestPrepare_TheMirrorOfTheNewestBackup(t *testing.T) {
	w := newWorld(t)
	w.mirror = filepath.Join(w.root, "bot_database.db.backup")
	w.opts.Mirror = w.mirror
	w.fill(10)
	name := w.backup()
	w.wipe()
	if d := w.prepare(); d.Backup != name || d.From == w.mirror {
		t.Fatalf("got %+v", d)
	}
	flip(t, filepath.Join(w.repoDir, string(name), "bot"))
	w.wipe()
	d := w.prepare()
	if d.Backup != name || d.From != w.mirror || len(d.Passed) != 1 {
		t.Fatalf("got %+v", d)
	}
	if w.notes() != "10" {
		t.Error("the notes did not come back")
	}
}

// A damaged database goes aside for a mirror, with its log.
func TestPrepare_TheMirrorInPlaceOfDamage(t *testing.T) {
	w := newWorld(t)
	w.mirrored("7", time.Now())
	write(t, w.database, make([]byte, 8192))
	write(t, w.database+"-wal", []byte("a log of something else"))
	var steps []string
	w.opts.Observer = func(e holdfast.Event) { steps = append(steps, string(e.Step)+" "+string(e.State)) }
	d := w.prepare()
	if got, want := strings.Join(steps, ", "), "stage started, stage finished, check started, check finished, result finished"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	if d.Action != holdfast.StartRestored || len(d.Aside) < 2 {
		t.Fatalf("got %+v", d)
	}
	wantWords(t, d.Reason, "was no database", "its mirror", d.Aside[0])
	if w.notes() != "7" || len(read(t, d.Aside[0])) != 8192 {
		t.Error("something is not where it should be")
	}
}

func TestPrepare_FromAReplicaOnly(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	name := w.backup()
	offsite := filepath.Join(w.root, "offsite")
	if err := os.Rename(w.repoDir, offsite); err != nil {
		t.Fatal(err)
	}
	w.replicas = []engine.Replica{{
		Name: "offsite", Location: offsite,
		Open: func(ctx context.Context) (*repo.Repository, error) { return openRepo(ctx, offsite) },
	}}
	w.wipe()
	d := w.prepare()
	if d.Action != holdfast.StartRestored || d.Backup != name || d.From != "offsite" || w.notes() != "10" {
		t.Fatalf("got %+v", d)
	}
	wantWords(t, d.Reason, "from replica offsite")
}

func TestOvertaken(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	old := read(t, w.database)
	w.backup()
	w.opts.Engine = w.engine
	if p, err := startup.Overtaken(t.Context(), w.opts); p != nil || err != nil {
		t.Fatalf("just backed up: %+v, %v", p, err)
	}
	w.fill(30)
	newer := w.backup()
	write(t, w.database, old)
	for name, c := range map[string]struct {
		age  time.Duration
		want bool
	}{"changed before the backup": {-10 * 365 * 24 * time.Hour, true}, "changed after the backup": {10 * 365 * 24 * time.Hour, false}} {
		if err := os.Chtimes(w.database, time.Time{}, time.Now().Add(c.age)); err != nil {
			t.Fatal(err)
		}
		p, err := startup.Overtaken(t.Context(), w.opts)
		if err != nil || (p != nil) != c.want {
			t.Fatalf("%s: %+v, %v", name, p, err)
		}
		if p != nil {
			wantWords(t, p.Message, "table notes: 30 there, 10 here")
			wantWords(t, p.Object, string(newer))
		}
	}
	w.wipe()
	if p, err := startup.Overtaken(t.Context(), w.opts); p != nil || err != nil {
		t.Errorf("without data: %+v, %v", p, err)
	}
}
