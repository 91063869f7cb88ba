package startup_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/durable/crashfs"
	"github.com/holdfast-backup/holdfast/internal/startup"
)

// A restore of the engine's is cut after every few operations. The start settles
// it first, also where the data looks healthy, and what is there then is one of the
// two states, whole.
func TestPrepare_SettlesARestoreThatWasCut(t *testing.T) {
	settled := 0
	for n := 0; ; n += 3 {
		w := newWorld(t)
		w.repoDir = filepath.Join(t.TempDir(), "backups")
		w.fill(20)
		old := w.backup()
		w.fill(50)
		disk, err := crashfs.New(w.root, n)
		if err != nil {
			t.Fatal(err)
		}
		r, err := openRepo(t.Context(), w.repoDir)
		if err != nil {
			t.Fatal(err)
		}
		state := filepath.Join(w.root, "state")
		e, err := engine.New(engine.Options{
			Repository: r, Sources: []holdfast.Source{w.source}, StateDir: state, FS: disk, Now: w.clock,
			Settings: engine.Settings{EmergencyBackup: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, restoreErr := e.Restore(t.Context(), engine.RestoreRequest{Name: string(old), NoEmergency: true})
		cut, at := disk.WasCut(), disk.CutAt()
		if !cut && restoreErr != nil {
			t.Fatal(restoreErr)
		}
		if err := disk.Reboot(crashfs.Kill); err != nil {
			t.Fatal(err)
		}
		disk.Close()
		journal := filepath.Join(state, "restore-journal.json")
		if _, err := os.Stat(journal); err == nil {
			settled++
		}
		d := w.prepare()
		if _, err := os.Stat(journal); err == nil {
			t.Errorf("%s: the journal is left", at)
		}
		if d.Action != holdfast.StartKept {
			t.Errorf("%s: %+v", at, d)
		}
		if got := w.notes(); got != "20" && got != "50" {
			t.Errorf("%s: %s notes", at, got)
		}
		if !cut {
			break
		}
	}
	if settled < 5 {
		t.Errorf("only %d cuts left a journal", settled)
	}
}

// A Place that was cut after its plan is finished by the next start.
func TestPrepare_FinishesAPlaceThatWasCut(t *testing.T) {
	finished := 0
	for n := 0; ; n++ {
		w := newWorld(t)
		w.fill(20)
		fresh := filepath.Join(w.root, "fresh.db")
		sqlOn(t, fresh, "CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT); INSERT INTO notes VALUES(1, 'from memory')")
		data := read(t, fresh)
		disk, err := crashfs.New(w.root, n)
		if err != nil {
			t.Fatal(err)
		}
		_, err = startup.Place(t.Context(), disk, w.database, companions, filled(disk, string(data)), nil)
		cut := disk.WasCut()
		if !cut && err != nil {
			t.Fatal(err)
		}
		if err := disk.Reboot(crashfs.PowerCut); err != nil {
			t.Fatal(err)
		}
		disk.Close()
		w.opts.FS = durable.OS
		d := w.prepare()
		switch got := w.notes(); {
		case d.Action != holdfast.StartKept && d.Action != holdfast.StartNew, got != "1" && got != "20":
			t.Errorf("cut after %d operations: %s notes: %+v", n, got, d)
		case len(d.Aside) > 0:
			finished++
			wantWords(t, d.Reason, "has been finished")
			if sqlOn(t, d.Aside[0], "SELECT count(*) FROM notes") != "20" {
				t.Error("the old database is not aside")
			}
		}
		if !cut {
			break
		}
	}
	if finished < 3 {
		t.Errorf("only %d starts finished something", finished)
	}
}

// What cannot be checked in time counts as healthy, but not as sound.
func TestExamine_Budget(t *testing.T) {
	w := newWorld(t)
	w.fill(20)
	if c := startup.Examine(t.Context(), w.source, startup.ExamineOptions{Budget: time.Nanosecond}); c.State != startup.Healthy || c.Sound {
		t.Errorf("got %+v", c)
	}
}
