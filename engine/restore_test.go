package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

func TestRestore_BringsEverySourceBackAndBacksUpWhatItReplaces(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	w.forget()
	r := w.restore(engine.RestoreRequest{Name: "monday"})

	w.want("one")
	w.clean()
	if got := read(t, w.bot.path+"-wal"); got != "" {
		t.Errorf("a log lies beside the restored database: %q", got)
	}
	if got := w.asides(); len(got) != 0 {
		t.Errorf("kept although the emergency backup holds all of it: %v", got)
	}
	if !slices.Equal(r.Restored, []string{"bot", "chromadb"}) || r.Memory != "restored" || r.RolledBack {
		t.Errorf("result: %+v", r)
	}
	if !strings.HasPrefix(string(r.Emergency), "emergency_restore_") {
		t.Errorf("emergency backup is %q", r.Emergency)
	}
	info, err := w.repo.Stat(t.Context(), string(r.Emergency))
	if err != nil {
		t.Fatal(err)
	}
	if _, proven := info.Proven(); !proven || info.Metadata.Trigger != holdfast.TriggerEmergency {
		t.Errorf("the emergency backup was not verified: %+v", info)
	}
	want := []string{
		"choose finished", "preflight finished", "capture finished", "capture finished", "export finished", "commit finished",
		"verify finished", "check finished", "check finished", "emergency finished", "validate finished",
		"stage finished", "check finished", "stage finished", "check finished", "stop skipped", "swap finished",
		"memory finished", "start skipped", "confirm finished", "result finished",
	}
	if got := w.steps(); !slices.Equal(got, want) {
		t.Errorf("steps:\n got %v\nwant %v", got, want)
	}
}

func TestRestore_OntoNothing(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	for _, gone := range []string{filepath.Dir(w.bot.path), filepath.Dir(w.rag.path)} {
		if err := os.RemoveAll(gone); err != nil {
			t.Fatal(err)
		}
	}
	r := w.restore(engine.RestoreRequest{Name: "latest"})
	w.want("one")
	w.clean()
	if r.Emergency != "" || len(w.asides()) != 0 {
		t.Errorf("there was nothing to keep: %+v", r)
	}
}

func TestRestore_OntoAnEmptyDirectory(t *testing.T) {
	for name, disk := range map[string]func(w *world) durable.FS{
		"plain":       func(*world) durable.FS { return durable.OS },
		"mount point": func(w *world) durable.FS { return stubborn{durable.OS, w.rag.path} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.backup("monday")
			if err := errors.Join(os.RemoveAll(w.rag.path), os.Mkdir(w.rag.path, 0o755)); err != nil {
				t.Fatal(err)
			}
			w.opts.FS = disk(w)
			r := w.restore(engine.RestoreRequest{Name: "monday", Only: []string{"chromadb"}})
			w.want("one")
			w.clean()
			if r.Emergency != "" || len(r.Aside) != 0 || len(w.asides()) != 0 {
				t.Errorf("an empty directory is nothing to keep: %+v", r)
			}
			if _, err := w.engine().Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := read(t, w.rag.databasePath()); got != "" {
				t.Errorf("after the rollback there is %q", got)
			}
			w.clean()
		})
	}
}

func TestRestore_OnlyOneSource(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	w.restore(engine.RestoreRequest{Name: "monday", Only: []string{"bot"}})
	if got := read(t, w.bot.path); got != "one\none\n" {
		t.Errorf("bot holds %q", got)
	}
	if got := read(t, w.rag.databasePath()); got != "two\n" {
		t.Errorf("chromadb was touched: %q", got)
	}
	w.clean()
}

func TestRestore_MemoryAloneLeavesTheRest(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	r := w.restore(engine.RestoreRequest{Name: "monday", Only: []string{"memory"}})
	if got := read(t, w.rag.memoryPath("enhanced_rag_memory")); got != "memory-of-one\n" {
		t.Errorf("memory holds %q", got)
	}
	if got := read(t, w.rag.databasePath()) + read(t, w.bot.path); got != "two\ntwo\ntwo\n" {
		t.Errorf("more than memory was touched: %q", got)
	}
	if r.Memory != "restored" || len(r.Restored) != 0 {
		t.Errorf("result: %+v", r)
	}
	w.clean()
}

func TestRestore_MemoryOnlyWhereItIsEnhanced(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	w.rag.mode = "standard"
	_, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday", Only: []string{"memory"}})
	if !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("memory alone: %v", err)
	}
	w.want("two")
	r := w.restore(engine.RestoreRequest{Name: "monday"})
	if !strings.HasPrefix(r.Memory, "skipped: rag_mode of chromadb") {
		t.Errorf("the result does not say that memory was skipped: %q", r.Memory)
	}
	if !slices.ContainsFunc(r.Problems, func(p holdfast.Problem) bool { return p.Object == "memory" }) {
		t.Errorf("no problem tells it: %v", r.Problems)
	}
}

func TestRestore_WithoutEmergencyKeepsWhatItReplaced(t *testing.T) {
	for name, change := range map[string]func(w *world, req *engine.RestoreRequest){
		"declined":  func(_ *world, req *engine.RestoreRequest) { req.NoEmergency = true },
		"forbidden": func(w *world, _ *engine.RestoreRequest) { w.opts.Settings.EmergencyBackup = false },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.backup("monday")
			w.set("two")
			req := engine.RestoreRequest{Name: "monday"}
			change(w, &req)
			r := w.restore(req)
			w.want("one")
			if r.Emergency != "" || len(r.Aside) != 2 {
				t.Fatalf("result: %+v", r)
			}
			// The kept set opens as the database it was, log included.
			if got := read(t, r.Aside[0]) + read(t, r.Aside[0]+"-wal"); got != "two\ntwo\nlog of two" {
				t.Errorf("kept: %q", got)
			}
			if len(r.Problems) == 0 {
				t.Error("nothing tells what was kept")
			}
			w.clean()
		})
	}
}

func TestRestore_KeepsWhatNoBackupHolds(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	write(t, filepath.Join(w.rag.path, "foreign", "thesis.md"), "the only copy")
	r := w.restore(engine.RestoreRequest{Name: "monday"})
	w.want("one")
	if len(r.Aside) != 1 || read(t, filepath.Join(r.Aside[0], "foreign", "thesis.md")) != "the only copy" {
		t.Fatalf("kept: %v", r.Aside)
	}
	if p := r.Problems[len(r.Problems)-1]; !strings.Contains(p.Message, "thesis.md") {
		t.Errorf("the reason is not named: %v", p)
	}
}

func TestRestore_KeepsWhatWasWrittenAfterTheEmergencyBackup(t *testing.T) {
	for _, where := range []string{"-wal", ""} {
		w := newWorld(t)
		w.backup("monday")
		w.set("two")
		// The owner writes until it is stopped.
		w.opts.Hooks.Stop = "echo late >> '" + w.bot.path + where + "'"
		r := w.restore(engine.RestoreRequest{Name: "monday"})
		w.want("one")
		if len(r.Aside) != 1 || !strings.HasSuffix(read(t, r.Aside[0]+where), "late\n") {
			t.Errorf("the last write is lost: %v", r.Aside)
		}
		if _, err := w.engine().Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(read(t, w.bot.path+where), "late\n") {
			t.Error("the rollback did not bring it back")
		}
	}
}

func TestRestore_OfADamagedPresentGoesOnAndKeepsIt(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	w.bot.onCapture = func() error { return errors.New("file is not a database") }
	r := w.restore(engine.RestoreRequest{Name: "monday"})
	w.want("one")
	if r.Emergency != "" || len(r.Aside) != 2 {
		t.Errorf("the unreadable state was not kept: %+v", r)
	}
	w.clean()
}

func TestRestore_RefusesWithoutTouchingAnything(t *testing.T) {
	tests := map[string]struct {
		change func(w *world, req *engine.RestoreRequest)
		want   error
		text   string
	}{
		"unknown backup": {func(_ *world, req *engine.RestoreRequest) { req.Name = "tuesday" }, holdfast.ErrNotFound, "tuesday"},
		"unknown source": {func(_ *world, req *engine.RestoreRequest) { req.Only = []string{"web"} }, holdfast.ErrNotFound, "web"},
		"no name":        {func(_ *world, req *engine.RestoreRequest) { req.Name = "" }, holdfast.ErrUsage, "no name"},
		"source not configured": {
			func(w *world, _ *engine.RestoreRequest) { w.opts.Sources = w.opts.Sources[:1] },
			holdfast.ErrRefused, "chromadb",
		},
		"source of another kind": {func(w *world, _ *engine.RestoreRequest) { w.bot.files = true }, holdfast.ErrRefused, "is a sqlite in the backup"},
		"damaged bytes": {func(w *world, _ *engine.RestoreRequest) {
			w.corrupt("monday/bot/")
		}, holdfast.ErrDamaged, "bot_database.db"},
		"stage fails its check": {func(w *world, _ *engine.RestoreRequest) {
			w.bot.onCheck = func() []holdfast.Problem {
				return []holdfast.Problem{{Severity: holdfast.Damaged, Message: "row 5 missing from index"}}
			}
		}, holdfast.ErrDamaged, "row 5 missing"},
		"no room for the emergency backup": {func(w *world, _ *engine.RestoreRequest) {
			w.bot.onCapture = func() error { return holdfast.Kindf(holdfast.ErrRefused, "no room") }
		}, holdfast.ErrRefused, "no room"},
		"emergency backup may not read": {func(w *world, _ *engine.RestoreRequest) {
			w.bot.onCapture = func() error { return os.ErrPermission }
		}, os.ErrPermission, "emergency backup"},
		"directory where a file belongs": {func(w *world, _ *engine.RestoreRequest) {
			w.bot.path = w.rag.path
			w.opts.Sources = w.opts.Sources[:1]
			w.opts.Sources[0] = w.bot
		}, holdfast.ErrRefused, "is a directory now"},
		"online for a directory": {func(_ *world, req *engine.RestoreRequest) { req.Online, req.Only = true, []string{"chromadb"} }, holdfast.ErrUsage, "cannot be restored online"},
		"stop hook fails":        {func(w *world, _ *engine.RestoreRequest) { w.opts.Hooks.Stop = "echo no such unit; exit 1" }, nil, "no such unit"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.backup("monday")
			w.set("two")
			bot, chroma := *w.bot, *w.rag
			req := engine.RestoreRequest{Name: "monday"}
			test.change(w, &req)
			_, err := w.engine().Restore(t.Context(), req)
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("error %v, want one with %q", err, test.text)
			}
			w.bot, w.rag = &bot, &chroma
			w.want("two")
			w.clean()
			if len(w.asides()) > 0 {
				t.Errorf("moved aside: %v", w.asides())
			}
		})
	}
}

// corrupt flips a byte of the first stored object below a prefix.
func (w *world) corrupt(prefix string) {
	w.t.Helper()
	for info, err := range w.bucket.List(w.t.Context(), prefix) {
		if err != nil {
			w.t.Fatal(err)
		}
		err := w.bucket.Corrupt(info.Key, func(b []byte) []byte {
			b[len(b)/2] ^= 0x40
			return b
		})
		if err != nil {
			w.t.Fatal(err)
		}
		return
	}
	w.t.Fatalf("no object below %s", prefix)
}

func TestRestore_AFailureAfterTheSwapPutsThePreviousStateBack(t *testing.T) {
	count := 0
	tests := map[string]func(w *world){
		"start hook": func(w *world) { w.opts.Hooks.Start = `! grep -q one "` + w.bot.path + `"` },
		"confirmation": func(w *world) {
			w.bot.onInspect = func() error {
				if strings.HasPrefix(read(w.t, w.bot.path), "one") {
					return errors.New("unable to open database file")
				}
				return nil
			}
		},
		"second of two targets vanished": func(w *world) {
			w.rag.onInspect = func() error {
				if read(w.t, w.rag.databasePath()) == "one\n" {
					count++
					return errors.New("no such table: collections")
				}
				return nil
			}
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.backup("monday")
			w.set("two")
			change(w)
			r, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday"})
			if err == nil {
				t.Fatal("the restore did not fail")
			}
			if !r.RolledBack {
				t.Errorf("the result does not say so: %+v", r)
			}
			if !slices.Contains(w.steps(), "rollback finished") {
				t.Errorf("no step says so: %v", w.steps())
			}
			w.want("two")
			if got := read(t, w.bot.path+"-wal"); got != "log of two" {
				t.Errorf("the log is not back beside its database: %q", got)
			}
			w.clean()
			if len(w.asides()) > 0 {
				t.Errorf("still aside: %v", w.asides())
			}
		})
	}
}

func TestRestore_HooksRunAroundTheSwapAndAroundARollback(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	log := filepath.Join(w.dir, "hooks.log")
	record := func(word string) string {
		return `printf '` + word + `:%s ' "$(head -n1 '` + w.bot.path + `')" >> '` + log + `'`
	}
	w.opts.Hooks = engine.Hooks{Stop: record("stop"), Start: record("start")}
	w.restore(engine.RestoreRequest{Name: "monday"})
	if got := read(t, log); got != "stop:two start:one " {
		t.Errorf("hooks: %s", got)
	}
	w.set("two")
	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
	w.opts.Hooks.Start += "; ! grep -q one '" + w.bot.path + "'"
	if _, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday"}); err == nil {
		t.Fatal("the start hook failed, the restore did not")
	}
	if got := read(t, log); got != "stop:two start:one stop:one start:two " {
		t.Errorf("hooks around a rollback: %s", got)
	}
	w.want("two")
}

func TestRestore_Online(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	before, err := os.Stat(w.bot.path)
	if err != nil {
		t.Fatal(err)
	}
	r := w.restore(engine.RestoreRequest{Name: "monday", Only: []string{"bot"}, Online: true})
	after, err := os.Stat(w.bot.path)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, w.bot.path); got != "one\none\n" || !os.SameFile(before, after) {
		t.Errorf("the live file was not written in place: %q", got)
	}
	if r.Plan.Targets[0].Method != "online" {
		t.Errorf("method %q", r.Plan.Targets[0].Method)
	}
	w.clean()
	if _, err := w.engine().Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err = os.Stat(w.bot.path)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, w.bot.path); got != "two\ntwo\n" || !os.SameFile(before, after) {
		t.Errorf("the rollback was not online: %q", got)
	}
}

func TestRestore_KeepsModeOfTheTargetAndTheLinkThatLeadsToIt(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	real := filepath.Join(w.dir, "disk2", "ข้อมูล با فاصله")
	if err := os.MkdirAll(filepath.Dir(real), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Rename(w.rag.path, real), os.Symlink(real, w.rag.path), os.Chmod(real, 0o750)); err != nil {
		t.Fatal(err)
	}
	w.restore(engine.RestoreRequest{Name: "monday"})
	w.want("one")
	w.clean()
	if link, err := os.Readlink(w.rag.path); err != nil || link != real {
		t.Errorf("the link became %q, %v", link, err)
	}
	info, err := os.Stat(real)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o750 {
		t.Errorf("the directory's mode became %v", info.Mode())
	}
}

func TestRestore_ElsewhereGivesTheTreeAndTouchesNothing(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	to := filepath.Join(w.dir, "copy")
	r := w.restore(engine.RestoreRequest{Name: "monday", To: to})
	if got := read(t, filepath.Join(to, "bot", "bot_database.db")) + read(t, filepath.Join(to, "chromadb", "chroma.sqlite3")); got != "one\none\none\n" {
		t.Errorf("written: %q", got)
	}
	if got := read(t, filepath.Join(to, "memory_collection", "memories.json")); !strings.Contains(got, "memory-of-one") {
		t.Errorf("memories: %q", got)
	}
	if len(r.Restored) != 2 || r.Memory != "restored" || r.Emergency != "" {
		t.Errorf("result: %+v", r)
	}
	w.want("two")

	// Only a part, of a source that is not configured.
	w.opts.Sources = w.opts.Sources[1:]
	part := filepath.Join(w.dir, "part")
	w.restore(engine.RestoreRequest{Name: "monday", To: part, Only: []string{"bot", "memory"}})
	if read(t, filepath.Join(part, "bot", "bot_database.db")) == "" || read(t, filepath.Join(part, "memory_info.json")) == "" {
		t.Error("the parts are not there")
	}
	if _, err := os.Stat(filepath.Join(part, "chromadb")); !os.IsNotExist(err) {
		t.Errorf("more than the parts is there: %v", err)
	}

	for _, bad := range []string{to, w.rag.path, filepath.Join(w.rag.path, "inside"), w.dir} {
		if _, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday", To: bad}); !errors.Is(err, holdfast.ErrRefused) {
			t.Errorf("to %s: %v, want a refusal", bad, err)
		}
	}
}

func TestRestore_ElsewhereLeavesNothingOnDamage(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.corrupt("monday/bot/")
	to := filepath.Join(w.dir, "copy")
	if _, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday", To: to}); !errors.Is(err, holdfast.ErrDamaged) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(to); !os.IsNotExist(err) {
		t.Errorf("something was left: %v", err)
	}
}

func TestRestore_FromAnotherMachineWithAnotherFileName(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.bot.path = filepath.Join(w.dir, "new", "bot.db")
	w.restore(engine.RestoreRequest{Name: "monday", Only: []string{"bot"}})
	if got := read(t, w.bot.path); got != "one\none\n" {
		t.Errorf("restored %q", got)
	}
	w.clean()
}

func TestRestore_RefusesADamagedCaptureUnlessForced(t *testing.T) {
	w := newWorld(t)
	write(t, w.bot.path, broken+"\nrest\n")
	if r := w.backup("torn"); !r.Incomplete() {
		t.Fatalf("the damage was not noticed: %+v", r.Problems)
	}
	w.set("two")
	if _, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "torn", Only: []string{"bot"}}); !errors.Is(err, holdfast.ErrDamaged) {
		t.Errorf("got %v", err)
	}
	w.want("two")
	w.restore(engine.RestoreRequest{Name: "torn", Only: []string{"bot"}, Force: true})
	if got := read(t, w.bot.path); !strings.HasPrefix(got, broken) {
		t.Errorf("restored %q", got)
	}
}

func TestPlanRestore_TellsAndChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.rag.schema = 9
	w.backup("monday")
	w.set("two")
	write(t, w.bot.path, "a\nb\nc\n")
	w.rag.schema = 7
	before := tree(t, w.dir)
	p, err := w.engine().PlanRestore(t.Context(), engine.RestoreRequest{Name: "monday"})
	if err != nil {
		t.Fatal(err)
	}
	if after := tree(t, w.dir); after != before {
		t.Errorf("the plan changed something:\n%s\n%s", before, after)
	}
	now, _ := p.Targets[0].Now.Records()
	then, _ := p.Targets[0].Backup.Records()
	if now != 3 || then != 2 || p.Targets[0].Method != "rename" || p.Memory != "restore" || p.Bytes == 0 {
		t.Errorf("plan: %+v", p)
	}
	if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0].Message, "newer Chroma (release 9)") {
		t.Errorf("warnings: %v", p.Warnings)
	}
}

// tree describes every file below a directory.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			b.WriteString(path + " " + info.Mode().String() + " " + info.ModTime().String() + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
