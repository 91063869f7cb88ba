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

func TestPrepare_AFirstStartHasNothingAnywhere(t *testing.T) {
	for name, make := range map[string]func(w *world){
		"missing":           func(*world) {},
		"missing directory": func(w *world) { w.wipe() },
		"empty":             func(w *world) { write(w.t, w.database, nil) },
		"no engine":         func(w *world) { w.opts.Engine = nil },
		"empty repository":  func(w *world) { makeRepo(w.t, w.repoDir) },
		"the repository holds an empty database": func(w *world) {
			write(w.t, w.database, nil)
			makeRepo(w.t, w.repoDir)
			e, err := w.engine(w.t.Context())
			if err == nil {
				_, err = e.Backup(w.t.Context(), engine.BackupRequest{})
			}
			if err != nil {
				w.t.Fatal(err)
			}
			w.wipe()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			make(w)
			d := w.prepare()
			if d.Action != holdfast.StartNew {
				t.Fatalf("got %+v", d)
			}
			wantWords(t, d.Reason, "first start")
			w.fill(3) // the directory is there
		})
	}
}

func TestPrepare_KeepsHealthyData(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	w.backup()
	w.fill(20)
	before := snapshot(t, filepath.Dir(w.database))
	w.opts.Engine = func(context.Context) (*engine.Engine, error) {
		t.Error("a healthy start asked for the repository")
		return nil, nil
	}
	d := w.prepare()
	if d.Action != holdfast.StartKept || d.Found != "healthy" {
		t.Fatalf("got %+v", d)
	}
	if after := snapshot(t, filepath.Dir(w.database)); after != before {
		t.Errorf("the check changed the data:\n%s\nbecame\n%s", before, after)
	}
	wantWords(t, w.log.String(), "action=kept", "passes its check")
}

func TestPrepare_RestoresWhatIsLost(t *testing.T) {
	for name, c := range map[string]struct {
		harm  func(w *world)
		found string
		words string
		aside bool // what was there is kept
	}{
		"missing":   {func(w *world) { w.wipe() }, "missing", "the database was missing", false},
		"file gone": {func(w *world) { os.Remove(w.database) }, "missing", "the database was missing", false},
		"empty":     {func(w *world) { os.Truncate(w.database, 0) }, "empty", "the database was empty", false},
		"text":      {func(w *world) { write(w.t, w.database, []byte("not here\n")) }, "not a database", "is text", true},
		"zeros":     {func(w *world) { write(w.t, w.database, make([]byte, 8192)) }, "not a database", "zeros", true},
		"cut":       {func(w *world) { os.Truncate(w.database, 8192) }, "damaged", "fails its check", true},
		"a header that cannot be": {func(w *world) {
			data := read(w.t, w.database)
			copy(data[16:], []byte{0, 3})
			write(w.t, w.database, data)
		}, "damaged", "header is damaged", true},
		"pages overwritten": {func(w *world) {
			data := read(w.t, w.database)
			for i := 4096; i < len(data); i += 4096 {
				copy(data[i:], strings.Repeat("x", 200))
			}
			write(w.t, w.database, data)
		}, "damaged", "fails its check", true},
		"the schema overwritten": {func(w *world) {
			data := read(w.t, w.database)
			i := strings.Index(string(data), "CREATE TABLE notes")
			copy(data[i:], "CRAZY!")
			write(w.t, w.database, data)
		}, "damaged", "fails its check", true},
		"empty, with a log": {func(w *world) {
			write(w.t, w.database, nil)
			write(w.t, w.database+"-wal", make([]byte, 5000))
		}, "damaged", "its -wal is not", true},
		"only a log": {func(w *world) {
			os.Remove(w.database)
			write(w.t, w.database+"-wal", make([]byte, 5000))
		}, "missing", "only its -wal does", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fill(200)
			name := w.backup()
			c.harm(w)
			lost := snapshot(t, filepath.Dir(w.database))
			d := w.prepare()
			if d.Action != holdfast.StartRestored || d.Backup != name || d.Found != c.found || d.BackupAt == nil {
				t.Fatalf("got %+v", d)
			}
			wantWords(t, d.Reason, c.words, "restored "+string(name), "from the repository")
			wantWords(t, w.log.String(), "action=restored", string(name))
			if got := w.notes(); got != "200" {
				t.Errorf("%s notes came back, want 200", got)
			}
			if got := w.sql("PRAGMA integrity_check"); got != "ok" {
				t.Error(got)
			}
			if c.aside != (len(d.Aside) > 0) {
				t.Fatalf("kept aside: %q", d.Aside)
			}
			for _, line := range strings.Split(strings.TrimSpace(lost), "\n") {
				f := strings.SplitN(line, " ", 2)
				if c.aside && !strings.Contains(snapshot(t, filepath.Dir(w.database)), f[1]) {
					t.Errorf("%s is nowhere any more:\n%s", line, snapshot(t, filepath.Dir(w.database)))
				}
			}
			if d := w.prepare(); d.Action != holdfast.StartKept {
				t.Errorf("the next start: %+v", d)
			}
		})
	}
}

func TestPrepare_PassesOverWhatDoesNotRestore(t *testing.T) {
	w := newWorld(t)
	w.fill(100)
	good := w.backup()
	w.fill(200)
	w.opts.Budget = time.Minute
	damaged := w.backup()
	flip(t, filepath.Join(w.repoDir, string(damaged), "bot"))
	w.wipe()
	d := w.prepare()
	if d.Action != holdfast.StartRestored || d.Backup != good || len(d.Passed) != 1 || d.Passed[0].Object != string(damaged) {
		t.Fatalf("got %+v", d)
	}
	wantWords(t, d.Reason, "restored "+string(good), string(damaged)+" was passed over: ")
	if w.notes() != "100" {
		t.Errorf("%s notes came back, want 100", w.notes())
	}
}

// flip damages every stored file of a directory.
func flip(t *testing.T, dir string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil || len(list) == 0 {
		t.Fatalf("%s holds %d files: %v", dir, len(list), err)
	}
	for _, e := range list {
		data := read(t, filepath.Join(dir, e.Name()))
		data[len(data)/2] ^= 0x40
		write(t, filepath.Join(dir, e.Name()), data)
	}
}

func TestPrepare_FailsRatherThanBeginAnew(t *testing.T) {
	unreachable := func(context.Context) (*engine.Engine, error) {
		return nil, &holdfast.Error{Op: "open repository", Object: "s3://bucket", Err: errors.New("connection refused"), Hint: "look at the network"}
	}
	t.Run("the repository is out of reach", func(t *testing.T) {
		w := newWorld(t)
		w.opts.Engine = unreachable
		d, err := w.refuse(startup.ErrOutOfReach)
		wantWords(t, d.Reason, "the database was missing", "connection refused")
		if errors.Is(err, startup.ErrNothingUsable) {
			t.Error("an unreachable repository is not one without backups")
		}
	})
	t.Run("a replica is out of reach", func(t *testing.T) {
		w := newWorld(t)
		w.replicas = []engine.Replica{{Name: "offsite", Open: func(context.Context) (*repo.Repository, error) { return nil, errors.New("no route to host") }}}
		d, _ := w.refuse(startup.ErrOutOfReach)
		wantWords(t, d.Reason, "offsite", "no route to host")
	})
	t.Run("every backup is damaged", func(t *testing.T) {
		w := newWorld(t)
		w.fill(10)
		flip(t, filepath.Join(w.repoDir, string(w.backup()), "bot"))
		w.wipe()
		d, err := startup.Prepare(t.Context(), w.opts)
		if !errors.Is(err, startup.ErrNothingUsable) || !errors.Is(err, holdfast.ErrDamaged) || d.Action != holdfast.StartFailed || len(d.Passed) != 1 {
			t.Fatalf("got %+v, %v", d, err)
		}
	})
	t.Run("damaged without a backup", func(t *testing.T) {
		w := newWorld(t)
		write(t, w.database, []byte("something else, and dear to somebody"))
		w.refuse(startup.ErrNothingUsable)
	})
	t.Run("a directory in its place", func(t *testing.T) {
		w := newWorld(t)
		w.fill(10)
		w.backup()
		os.Remove(w.database)
		if err := os.Mkdir(w.database, 0o700); err != nil {
			t.Fatal(err)
		}
		d, _ := w.refuse(holdfast.ErrRefused)
		wantWords(t, d.Reason, "is a directory")
	})
	t.Run("cancelled", func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if d, err := startup.Prepare(ctx, w.opts); !errors.Is(err, context.Canceled) || d.Action != holdfast.StartFailed {
			t.Errorf("got %+v, %v", d, err)
		}
	})
}

func TestPrepare_TakesWhatIsTrustedUnread(t *testing.T) {
	w := newWorld(t)
	w.fill(50)
	data := read(t, w.database)
	copy(data[4096:], strings.Repeat("x", 4000))
	write(t, w.database, data)
	if err := os.Chtimes(w.database, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	peeker := w.source.(holdfast.Peeker)
	var state string
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		s, settled, err := peeker.Peek()
		if err != nil {
			t.Fatal(err)
		}
		if settled {
			state = s
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the database never settles")
		}
	}
	if c := startup.Examine(t.Context(), w.source, startup.ExamineOptions{Trusted: state}); c.State != startup.Healthy || !c.Sound {
		t.Errorf("trusted, it is %+v", c)
	}
	if c := startup.Examine(t.Context(), w.source, startup.ExamineOptions{Trusted: state + "?"}); c.State != startup.DamagedData {
		t.Errorf("in another state, it is %+v", c)
	}
}

func TestPrepare_RestoresThroughALink(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	w.backup()
	real := filepath.Join(w.root, "elsewhere", "real.db")
	os.Remove(w.database)
	if err := os.Symlink(real, w.database); err != nil {
		t.Fatal(err)
	}
	if d := w.prepare(); d.Action != holdfast.StartRestored {
		t.Fatalf("got %+v", d)
	}
	if info, err := os.Lstat(w.database); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v %v", info, err)
	}
	if sqlOn(t, real, "SELECT count(*) FROM notes") != "10" {
		t.Error("nothing came back behind the link")
	}
}
