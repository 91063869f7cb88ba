package boot

import (
	"context"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// Two instances with storages of their own and one repository are told, each of
// the other, and when one ends the other is alone.
func TestInstances_OnStoragesOfTheirOwnAreTold(t *testing.T) {
	w := newWorld(t)
	a := w.start()
	fill(t, a.DB(), 1)
	eventually(t, "a backup", func() bool { return a.Status().Backups.Last != "" })
	w.o.Database = filepath.Join(w.dir, "other", "bot.db")
	b := w.start()
	for _, s := range []*Store{a, b} {
		eventually(t, "two", func() bool { return s.Status().Survival.State == holdfast.SurvivalTwo })
	}
	w.close(a)
	eventually(t, "one", func() bool { return b.Status().Survival.Other == "" })
}

// A wiped storage is told from one that was kept.
func TestInstances_AWipeIsTold(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	fill(t, s.DB(), 1)
	eventually(t, "a backup", func() bool { return s.Status().Backups.Last != "" })
	eventually(t, "survival", func() bool { return s.Status().Survival.State == holdfast.SurvivalFirst })
	w.close(s)
	if err := os.RemoveAll(filepath.Dir(w.o.Database)); err != nil {
		t.Fatal(err)
	}
	s = w.start()
	eventually(t, "wiped", func() bool { return s.Status().Survival.State == holdfast.SurvivalWiped })
	if words := s.Status().Survival.Words; !strings.Contains(words, "wiped") {
		t.Errorf("in words: %q", words)
	}
}

// What is damaged is restored; without a backup the start says what to do.
func TestStart_Damaged(t *testing.T) {
	w := newWorld(t)
	damage := func() {
		t.Helper()
		f, err := os.OpenFile(w.o.Database, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt([]byte(strings.Repeat("damage", 600)), 4096); err != nil {
			t.Fatal(err)
		}
	}
	s := w.start()
	fill(t, s.DB(), 400)
	w.close(s)
	damage()
	s = w.start()
	if d := decision(t, s); d.Action != holdfast.StartRestored || len(d.Aside)+len(d.Reason) == 0 {
		t.Errorf("the decision: %+v", d)
	}
	if n := rows(t, s); n != 400 {
		t.Errorf("%d rows, want 400", n)
	}
	w.close(s)
	if err := os.RemoveAll(w.o.Repository); err != nil {
		t.Fatal(err)
	}
	damage()
	if err := w.fails(); !errors.Is(err, holdfast.ErrDamaged) || holdfast.HintOf(err) == "" {
		t.Errorf("without a backup: %v", err)
	}
}

// The backups of a lost database cannot be reached: nothing is begun beside them.
func TestStart_OutOfReachIsNoFirstStart(t *testing.T) {
	w := newWorld(t)
	w.unreachable()
	err := w.fails()
	if !strings.Contains(err.Error(), "out of reach") {
		t.Errorf("the error: %v", err)
	}
	if _, err := os.Stat(w.o.Database); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a database was made: %v", err)
	}
}

func TestOptions_Mistakes(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*Options){
		"no database":  func(o *Options) { o.Database = "" },
		"a bad name":   func(o *Options) { o.Name = "a/b" },
		"mirror is it": func(o *Options) { o.Mirror = o.Database },
		"no path":      func(o *Options) { o.Database = ":memory:" },
		"a URI":        func(o *Options) { o.Database = "file:bot.db?mode=ro" },
		"no time":      func(o *Options) { o.ShutdownTimeout = -time.Second },
		"opens nothing": func(o *Options) {
			o.Open = func(context.Context, string) (driver.Conn, error) { return nil, nil }
		},
	} {
		o := w.o
		change(&o)
		if s, err := Start(t.Context(), o); !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("%s: %v", name, err)
			if err == nil {
				s.Close()
			}
		}
	}
}

func TestOptions_AnObserverThatPanics(t *testing.T) {
	w := newWorld(t)
	var calls atomic.Int64
	w.o.Observer = func(holdfast.Event) { calls.Add(1); panic("oh") }
	s := w.start()
	fill(t, s.DB(), 1)
	if _, err := s.Backup(t.Context(), BackupOptions{Name: "one"}); err != nil {
		t.Error(err)
	}
	if r, err := s.Restore(t.Context(), "one"); err != nil || r.Backup != "one" {
		t.Errorf("%+v, %v", r, err)
	}
	w.close(s)
	if n := calls.Load(); n != 1 {
		t.Errorf("it was called %d times", n)
	}
}

// What is set in code wins over the environment, and that over the file.
func TestOptions_AndTheConfiguration(t *testing.T) {
	w := newWorld(t)
	mirror := filepath.Join(w.dir, "mirror.db")
	yaml := "sources:\n  shop: {type: sqlite, path: " + w.o.Database + ", mirror: " + mirror + "}\n  other: {type: files, path: /etc}\nschedule: {every: 2h, on_change: 3m}\n"
	if err := os.WriteFile("holdfast.yaml", []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOLDFAST_SCHEDULE_EVERY", "4h")
	w.o.OnChange = Never
	set, err := w.o.settle()
	if err != nil {
		t.Fatal(err)
	}
	if set.source.Name != "shop" || set.source.Mirror != mirror || len(set.config.Sources) != 1 {
		t.Errorf("the source: %+v of %d", set.source, len(set.config.Sources))
	}
	if c := set.config.Schedule; c.Every != 4*time.Hour || c.OnChange != 0 || c.ShutdownTimeout != 9*time.Second {
		t.Errorf("the schedule: %+v", c)
	}
	w.o.Name, w.o.Every = "mine", time.Hour
	if set, err = w.o.settle(); err != nil || set.source.Name != "mine" || set.config.Schedule.Every != time.Hour {
		t.Errorf("set in code: %+v, %v", set, err)
	}
}

func TestTask_RunsAndIsShown(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	ran := make(chan struct{}, 100)
	if err := s.Task("auto_unblock_task", 20*time.Millisecond, func(context.Context) error { ran <- struct{}{}; panic("oh") }); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"auto_unblock_task", "backup_task", ""} {
		if err := s.Task(name, time.Minute, func(context.Context) error { return nil }); !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("%q: %v", name, err)
		}
	}
	<-ran
	<-ran
	eventually(t, "the status", func() bool {
		tasks := s.Status().Tasks
		return len(tasks) == 2 && tasks[0].Name == "backup_task" && tasks[1].Failures > 0 && strings.Contains(tasks[1].Error, "oh")
	})
	w.close(s)
	if s.Context().Err() == nil {
		t.Error("the context goes on after Close")
	}
}
