package engine_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// mirrored gives the bot's database a mirror.
func (w *world) mirrored() string {
	w.t.Helper()
	path := filepath.Join(w.dir, "mirror", "bot_database.db.backup")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	w.opts.Mirrors = map[string]string{"bot": path}
	return path
}

// wantMirror wants the mirror to be what a backup holds of the bot's database.
func (w *world) wantMirror(path string, r *engine.BackupResult, content string) fs.FileInfo {
	w.t.Helper()
	if len(r.Problems) > 0 {
		w.t.Errorf("problems: %+v", r.Problems)
	}
	info, err := os.Stat(path)
	if err != nil {
		w.t.Fatal(err)
	}
	if got := read(w.t, path); got != content {
		w.t.Errorf("the mirror holds %q, want %q", got, content)
	}
	if !info.ModTime().Equal(r.Backup.Metadata.CreatedAt.Time) {
		w.t.Errorf("the mirror is of %v, the backup of %v", info.ModTime(), r.Backup.Metadata.CreatedAt)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		w.t.Errorf("beside the mirror: %v, %v", entries, err)
	}
	return info
}

func TestMirror_IsTheNewestBackup(t *testing.T) {
	w := newWorld(t).remembering()
	path := w.mirrored()
	first := w.wantMirror(path, w.backup("monday"), "one\none\n")
	if first.Mode().Perm() != 0o600 {
		t.Errorf("a new mirror has the mode %v", first.Mode())
	}
	w.set("two")
	second := w.wantMirror(path, w.backup("tuesday"), "two\ntwo\n")
	if os.SameFile(first, second) {
		t.Error("the mirror was written in place: who reads it meets half of it")
	}
	third := w.wantMirror(path, w.backup("wednesday"), "two\ntwo\n")
	if !os.SameFile(second, third) {
		t.Error("nothing changed, but the mirror was written again")
	}
	if r := w.again(holdfast.TriggerStartup); !r.Unchanged || !os.SameFile(third, w.wantMirror(path, r, "two\ntwo\n")) {
		t.Errorf("unchanged %v, or the mirror was written again", r.Unchanged)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	w.set("three")
	if info := w.wantMirror(path, w.backup("thursday"), "three\nthree\n"); info.Mode().Perm() != 0o644 {
		t.Errorf("the mode that somebody gave it became %v", info.Mode())
	}
	w.restore(engine.RestoreRequest{Name: "monday"})
	if got := read(t, path); got != "three\nthree\n" {
		t.Errorf("the emergency backup of a restore went into the mirror: %q", got)
	}
}

// Whatever became of the mirror, the next backup makes it what it should be.
func TestMirror_ComesBack(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"removed":       os.Remove,
		"cut":           func(path string) error { return os.Truncate(path, 3) },
		"written to":    func(path string) error { return os.WriteFile(path, []byte("one\nONE\n"), 0o600) },
		"never stamped": func(path string) error { return os.Chtimes(path, later, later) },
		"opened and left": func(path string) error {
			return errors.Join(os.WriteFile(path+"-wal", []byte("stale"), 0o600), os.WriteFile(path+"-shm", nil, 0o600), os.WriteFile(path+"-journal", nil, 0o600))
		},
		"a write of it was cut": func(path string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(path), durable.TempName(filepath.Base(path))), []byte("on"), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).remembering()
			path := w.mirrored()
			w.backup("monday")
			for _, next := range []func() *engine.BackupResult{
				func() *engine.BackupResult { return w.again(holdfast.TriggerStartup) },
				func() *engine.BackupResult { return w.backup("tuesday") },
			} {
				if err := harm(path); err != nil {
					t.Fatal(err)
				}
				w.wantMirror(path, next(), "one\none\n")
			}
		})
	}
}

var later = time.Now().Add(time.Hour)

// What belongs to others beside the mirror stays.
func TestMirror_CleansUpOnlyItsOwn(t *testing.T) {
	w := newWorld(t)
	path := w.mirrored()
	others := []string{durable.TempName("another.db"), durable.TempName(filepath.Base(path) + "-2"), "notes"}
	for _, name := range others {
		write(t, filepath.Join(filepath.Dir(path), name), "x")
	}
	w.backup("monday")
	for _, name := range others {
		if read(t, filepath.Join(filepath.Dir(path), name)) != "x" {
			t.Errorf("%s is gone", name)
		}
	}
}

func TestMirror_ThatCannotBeWrittenIsAWarning(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, w *world, path string)
		says    string
	}{
		"a directory has its name":   {func(t *testing.T, _ *world, path string) { write(t, filepath.Join(path, "inside"), "x") }, "something else than a file"},
		"its directory is missing":   {func(_ *testing.T, w *world, path string) { w.opts.Mirrors["bot"] = filepath.Join(path, "deep", "x.db") }, "no such file"},
		"it is the database":         {func(_ *testing.T, w *world, _ string) { w.opts.Mirrors["bot"] = w.bot.path }, "in the place of the source bot"},
		"it is the log":              {func(_ *testing.T, w *world, _ string) { w.opts.Mirrors["bot"] = w.bot.path + "-wal" }, "in the place of the source bot"},
		"it lies in another source":  {func(_ *testing.T, w *world, _ string) { w.opts.Mirrors["bot"] = filepath.Join(w.rag.path, "m.db") }, "in the place of the source chromadb"},
		"a link leads into a source": {func(t *testing.T, w *world, path string) { link(t, w.rag.databasePath(), path) }, "in the place of the source chromadb"},
		"the disk is full": {func(_ *testing.T, w *world, path string) {
			w.opts.FS = faulty{durable.OS, func(op, name string) error {
				if op == "create" && filepath.Dir(name) == filepath.Dir(path) {
					return syscall.ENOSPC
				}
				return nil
			}}
		}, "no space left"},
		"it cannot be read back": {func(_ *testing.T, w *world, _ string) { w.sealed() }, "key"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			path := w.mirrored()
			c.prepare(t, w, path)
			r := w.backup("monday")
			i := slices.IndexFunc(r.Problems, func(p holdfast.Problem) bool { return strings.Contains(p.Message, "the mirror") })
			if i < 0 || r.Problems[i].Severity != holdfast.Warning || r.Problems[i].Hint == "" || r.Problems[i].Source != "bot" || !strings.Contains(r.Problems[i].Message, c.says) {
				t.Errorf("problems: %+v", r.Problems)
			}
			if r.Incomplete() {
				t.Error("the backup counts as incomplete")
			}
			w.want("one")
			w.clean()
			if _, err := w.engine().Verify(t.Context(), engine.VerifyRequest{Name: "monday"}); err != nil {
				t.Error(err)
			}
		})
	}
}

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}
