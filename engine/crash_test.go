package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/durable/crashfs"
	"github.com/holdfast-backup/holdfast/repo"
)

// A scenario is a verb that is cut after each of its file operations.
type scenario struct {
	// prepare brings the machine into the state before the verb.
	prepare func(w *world)
	// change alters the options of every engine, before and after the cut.
	change func(w *world, fsys durable.FS) durable.FS
	act    func(ctx context.Context, e *engine.Engine) error
	// old and new are the states that may be found afterwards.
	old, new string
	// state tells which it is; nil is world.state.
	state func(w *world) string
	// next makes a backup after each recovery, which also cleans up what a
	// cut leaves in the repository.
	next bool
	// lossless proves, in a new state, that the old one can be had back.
	lossless func(w *world)
}

// rollsBack proves that nothing was lost by undoing what was done.
func rollsBack(old string) func(w *world) {
	return func(w *world) {
		w.t.Helper()
		if _, err := w.engine().Rollback(w.t.Context()); err != nil {
			w.t.Errorf("the old state cannot be had back: %v", err)
			return
		}
		if got := w.state(); got != old {
			w.t.Errorf("rolled back to %q, want %q", got, old)
		}
	}
}

func prepared(w *world) {
	w.backup("monday")
	w.set("two")
}

// stubborn is a disk with a directory that cannot be renamed, as a mount
// point.
type stubborn struct {
	durable.FS
	path string
}

func (s stubborn) RenameNew(from, to string) error {
	if from == s.path || to == s.path {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: syscall.EBUSY}
	}
	return s.FS.RenameNew(from, to)
}

func inPlace(w *world, fsys durable.FS) durable.FS { return stubborn{fsys, w.rag.path} }

var scenarios = map[string]scenario{
	"restore": {
		prepare: prepared, next: true, old: "two", new: "one", lossless: rollsBack("two"),
		act: func(ctx context.Context, e *engine.Engine) error {
			_, err := e.Restore(ctx, engine.RestoreRequest{Name: "monday"})
			return err
		},
	},
	"restore without emergency backup": {
		prepare: prepared, old: "two", new: "one", lossless: rollsBack("two"),
		act: func(ctx context.Context, e *engine.Engine) error {
			_, err := e.Restore(ctx, engine.RestoreRequest{Name: "monday", NoEmergency: true})
			return err
		},
	},
	"restore of what its owner tidies up": {
		prepare: prepared, next: true, old: "two", new: "one", lossless: rollsBack("two"),
		change: func(w *world, fsys durable.FS) durable.FS { w.onStop = w.tidiesUp; return fsys },
		act: func(ctx context.Context, e *engine.Engine) error {
			r, err := e.Restore(ctx, engine.RestoreRequest{Name: "monday"})
			if err == nil && len(r.Aside) > 0 {
				err = fmt.Errorf("kept %v although the emergency backup holds it", r.Aside)
			}
			return err
		},
	},
	"restore in place": {
		prepare: prepared, old: "two", new: "one", change: inPlace, lossless: rollsBack("two"),
		act: func(ctx context.Context, e *engine.Engine) error {
			_, err := e.Restore(ctx, engine.RestoreRequest{Name: "monday", NoEmergency: true})
			return err
		},
	},
	"restore of memory": {
		prepare: prepared, old: "memory-of-two two", new: "memory-of-one two",
		state: func(w *world) string {
			return read(w.t, w.rag.memoryPath("enhanced_rag_memory"))[:len("memory-of-one")] + " " + read(w.t, w.rag.databasePath())[:3]
		},
		act: func(ctx context.Context, e *engine.Engine) error {
			_, err := e.Restore(ctx, engine.RestoreRequest{Name: "monday", Only: []string{"memory"}, NoEmergency: true})
			return err
		},
		lossless: rollsBack("two"),
	},
	"rollback from the emergency backup": {
		prepare: func(w *world) { prepared(w); w.restore(engine.RestoreRequest{Name: "monday"}) },
		old:     "one", new: "two",
		change: func(w *world, fsys durable.FS) durable.FS { w.opts.Settings.EmergencyBackup = false; return fsys },
		act: func(ctx context.Context, e *engine.Engine) error {
			_, err := e.Rollback(ctx)
			return err
		},
	},
	"rollback from what was kept": {
		prepare: func(w *world) { prepared(w); w.restore(engine.RestoreRequest{Name: "monday", NoEmergency: true}) },
		old:     "one", new: "two",
		change: func(w *world, fsys durable.FS) durable.FS { w.opts.Settings.EmergencyBackup = false; return fsys },
		act: func(ctx context.Context, e *engine.Engine) error {
			_, err := e.Rollback(ctx)
			return err
		},
	},
	"recovery that goes back": {
		prepare: func(w *world) { prepared(w); w.cut(w.rag.path) }, old: "two", new: "two", act: recovery,
	},
	"recovery that goes forward": {
		prepare: func(w *world) {
			prepared(w)
			w.cutBefore(func(op, name string) bool { return op == "create" && strings.Contains(name, "last-restore") })
		},
		old: "one", new: "one", act: recovery, lossless: rollsBack("two"),
	},
	"backup": {
		prepare: prepared, old: "1 backups", new: "2 backups", state: backups, next: true,
		act: func(ctx context.Context, e *engine.Engine) error {
			_, err := e.Backup(ctx, engine.BackupRequest{Name: "tuesday"})
			return err
		},
	},
	"backup with a mirror": {
		prepare: func(w *world) { inMirror(w, nil); prepared(w) }, change: inMirror,
		old: "1 backups, a whole mirror", new: "2 backups, a whole mirror", next: true,
		state: func(w *world) string {
			w.t.Helper()
			if got := read(w.t, w.opts.Mirrors["bot"]); got != "one\none\n" && got != "two\ntwo\n" {
				return fmt.Sprintf("a mirror that holds %q", got)
			}
			return backups(w) + ", a whole mirror"
		},
		act: func(ctx context.Context, e *engine.Engine) error {
			_, err := e.Backup(ctx, engine.BackupRequest{Name: "tuesday"})
			return err
		},
		lossless: func(w *world) {
			w.t.Helper()
			if got := read(w.t, w.opts.Mirrors["bot"]); got != "two\ntwo\n" {
				w.t.Errorf("after the next backup the mirror holds %q", got)
			}
		},
	},
	"backup of nothing new": {
		prepare: func(w *world) {
			inMemory(w, nil)
			if _, err := w.engine().Backup(w.t.Context(), engine.BackupRequest{Trigger: holdfast.TriggerStartup}); err != nil {
				w.t.Fatal(err)
			}
		},
		change: inMemory, old: "1 backups", new: "1 backups", state: backups, next: true,
		act: func(ctx context.Context, e *engine.Engine) error {
			r, err := e.Backup(ctx, engine.BackupRequest{Trigger: holdfast.TriggerStartup, IfChanged: true})
			if err == nil && !r.Unchanged {
				err = errors.New("a backup was made although nothing had changed")
			}
			return err
		},
	},
	"backup that shrinks": {
		prepare: func(w *world) { prepared(w); w.records(0, 0) }, old: "1 backups", new: "2 backups, on hold",
		state: func(w *world) string {
			w.t.Helper()
			state := backups(w)
			if len(w.names()) > 1 && w.hold() != "" {
				state += ", on hold"
			}
			return state
		},
		change: func(w *world, fsys durable.FS) durable.FS { w.opts.Settings.ShrinkHold = 50; return fsys },
		next:   true,
		act: func(ctx context.Context, e *engine.Engine) error {
			_, err := e.Backup(ctx, engine.BackupRequest{Name: "tuesday"})
			return err
		},
	},
	"prune": {
		prepare: func(w *world) {
			prepared(w)
			for _, name := range []string{"later", "last"} {
				w.now = w.now.Add(30 * 24 * time.Hour)
				w.backup(name)
			}
		},
		old: "3 backups", new: "2 backups", state: backups, next: true,
		change: func(w *world, fsys durable.FS) durable.FS {
			w.opts.Settings.Retention.KeepLast = 2
			w.now = w.now.Add(90 * 24 * time.Hour)
			return fsys
		},
		act: func(ctx context.Context, e *engine.Engine) error {
			_, err := e.Prune(ctx)
			return err
		},
	},
}

func recovery(ctx context.Context, e *engine.Engine) error {
	_, err := e.Recover(ctx)
	return err
}

// backups counts the backups and verifies each.
func backups(w *world) string {
	w.t.Helper()
	names := w.names()
	for _, n := range names {
		if _, err := w.engine().Verify(w.t.Context(), engine.VerifyRequest{Name: string(n)}); err != nil {
			w.t.Errorf("backup %s: %v", n, err)
		}
	}
	return fmt.Sprintf("%d backups", len(names))
}

// TestEveryCrashLeavesOldOrNew cuts each verb after every single operation on
// a file, in every way a machine can stop, and lets the next command recover.
func TestEveryCrashLeavesOldOrNew(t *testing.T) {
	for name, s := range scenarios {
		for _, mode := range crashfs.Modes() {
			t.Run(name+"/"+mode.String(), func(t *testing.T) {
				t.Parallel()
				s.everyCut(t, mode)
			})
		}
	}
}

func (s scenario) everyCut(t *testing.T, mode crashfs.Mode) {
	base := t.TempDir()
	root, template := filepath.Join(base, "disk"), filepath.Join(base, "template")
	w := onDisk(t, root, unsynced{durable.OS})
	w.set("one")
	s.prepare(w)
	if err := os.Rename(root, template); err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		if err := errors.Join(os.RemoveAll(root), os.CopyFS(root, os.DirFS(template))); err != nil {
			t.Fatal(err)
		}
		if done := s.cutAfter(t, root, n, mode); done || t.Failed() {
			return
		}
	}
}

func (s scenario) cutAfter(t *testing.T, root string, n int, mode crashfs.Mode) (done bool) {
	disk, err := crashfs.New(root, n)
	if err != nil {
		t.Fatal(err)
	}
	w := s.machine(t, root, disk)
	owner := w.owned()
	acted := s.act(t.Context(), w.engine())
	cut := disk.CutAt()
	if cut == "" && acted != nil {
		t.Fatalf("without a cut: %v", acted)
	}
	if err := errors.Join(disk.Reboot(mode), disk.Close()); err != nil {
		t.Fatal(err)
	}

	w = s.machine(t, root, unsynced{durable.OS})
	next := w.owned()
	if _, err := w.engine().Recover(t.Context()); err != nil {
		t.Errorf("recover: %v", err)
	}
	state := w.state
	if s.state != nil {
		state = func() string { return s.state(w) }
	}
	got := state()
	if got != s.new && (got != s.old || cut == "") {
		t.Errorf("the state is %q, want %q or %q", got, s.old, s.new)
	}
	if s.next { // it finds nothing in its way
		if _, err := w.engine().Backup(t.Context(), engine.BackupRequest{Name: "afterwards"}); err != nil {
			t.Errorf("the next backup: %v", err)
		}
	}
	w.clean()
	s.wantStarted(w, owner, next)
	if got == s.new && s.lossless != nil {
		s.lossless(w)
	}
	if t.Failed() {
		t.Logf("cut: %s (%s)", cut, mode)
	}
	return cut == ""
}

// unsynced leaves out all syncs, for disks that have been through their crash
// already.
type unsynced struct{ durable.FS }

type unsyncedFile struct{ durable.File }

func (unsyncedFile) Sync() error { return nil }

func (u unsynced) Create(name string, perm fs.FileMode) (durable.File, error) {
	f, err := u.FS.Create(name, perm)
	return unsyncedFile{f}, err
}

func (unsynced) SyncDir(string) error  { return nil }
func (unsynced) SyncFile(string) error { return nil }

// machine is the world of a scenario over a disk.
func (s scenario) machine(t *testing.T, root string, fsys durable.FS) *world {
	w := onDisk(t, root, fsys)
	w.opts.FS = fsys
	if s.change != nil {
		w.opts.FS = s.change(w, fsys)
	}
	return w
}

// onDisk is a world whose repository is a directory beside its sources.
func onDisk(t *testing.T, root string, fsys durable.FS) *world {
	t.Helper()
	return onDiskWith(t, root, filepath.Join(root, "data", "chromadb_backup"), fsys)
}

func onDiskAt(t *testing.T, root, repository string) *world {
	t.Helper()
	return onDiskWith(t, root, repository, durable.OS)
}

func onDiskWith(t *testing.T, root, repository string, fsys durable.FS) *world {
	t.Helper()
	if err := os.MkdirAll(root, 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := dir.New(repository, dir.Options{FS: fsys})
	if err != nil {
		t.Fatal(err)
	}
	w := bare(t, root)
	if w.repo, err = repo.Open(t.Context(), b, repo.Options{}); errors.Is(err, holdfast.ErrNotFound) {
		w.repo, err = repo.Init(t.Context(), b, repo.Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	w.opts.Repository = w.repo
	w.opts.Settings.Compress = false
	w.opts.Settings.AllowLiveHandles = true // what scans /proc is tested by itself
	return w
}
