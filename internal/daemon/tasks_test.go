package daemon

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// proofs counts the proofs of a kind that all backups have.
func (w *world) proofs(kind holdfast.ProofKind) (n int) {
	w.t.Helper()
	for _, i := range w.backups() {
		for _, p := range i.Proofs {
			if p.Kind == kind {
				n++
			}
		}
	}
	return n
}

// meanwhile lets time pass while something is done: it may have to wait for its turn.
func (w *world) meanwhile(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	for {
		select {
		case <-done:
			return
		case <-time.After(20 * time.Millisecond):
			w.clock.Leap(time.Second)
		}
	}
}

var morning = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func TestTasks_WhatWasMissedIsCaughtUpWith(t *testing.T) {
	w := newWorld(t, map[string]string{"schedule.every": "6h"}).simulated(morning)
	l := w.start()
	w.eventually("the first backup is made", func() bool { return len(w.backups()) == 1 })
	l.stop()
	w.write("changed while nobody looked")
	w.clock.Leap(13 * time.Hour)
	l = w.start()
	w.eventually("the missed one is made", func() bool { return len(w.backups()) == 2 })
	l.stop()
	if newest := w.backups()[0]; newest.Metadata.Trigger != holdfast.TriggerScheduled {
		t.Errorf("its trigger is %s", newest.Metadata.Trigger)
	}
}

// On a machine that never runs for a whole day, what the rules no longer keep goes at the
// next start, without another backup.
func TestTasks_APruningThatWasMissedIsCaughtUpWith(t *testing.T) {
	const days, hours = 8, 2
	w := newWorld(t, map[string]string{"schedule.every": "off", "verify.every": "off", "drill.every": "off", "retention.days": "30"}).simulated(morning)
	for day := range days {
		l := w.start()
		w.write(fmt.Sprint("of day ", day))
		code, answer := 0, ""
		w.meanwhile(func() { code, answer = l.ask("POST", "/api/v1/backups", `{}`) })
		if code/100 != 2 {
			t.Fatal(code, answer)
		}
		w.clock.Through(hours*time.Hour, 10*time.Minute)
		l.stop()
		w.clock.Leap((24 - hours) * time.Hour)
	}
	if n := len(w.backups()); n != days {
		t.Fatalf("%d backups, want %d", n, days)
	}
	w.set("retention.days", "3")
	l := w.start()
	w.eventually("three days are left", func() bool { n := len(w.backups()); return n == 3 || n == 4 })
	l.stop()
}

func TestTasks_DrillsInTheirTime(t *testing.T) {
	w := newWorld(t, map[string]string{"schedule.every": "6h", "drill.every": "7d", "verify.every": "off", "retention.days": "0"}).simulated(morning)
	l := w.start()
	w.eventually("the first backup is made", func() bool { return len(w.backups()) == 1 })
	w.clock.Through(3*time.Hour, 10*time.Minute)
	w.eventually("a drill was held", func() bool { return w.proofs(holdfast.ProofDrill) == 1 })
	w.clock.Through(6*24*time.Hour, time.Hour)
	if n := w.proofs(holdfast.ProofDrill); n != 1 {
		t.Errorf("%d drills after six days", n)
	}
	w.clock.Through(36*time.Hour, time.Hour)
	w.eventually("the second drill was held", func() bool { return w.proofs(holdfast.ProofDrill) == 2 })
	l.stop()

	// A start is no reason for another one.
	l = w.start()
	w.clock.Through(3*time.Hour, 10*time.Minute)
	l.stop()
	if n := w.proofs(holdfast.ProofDrill); n != 2 {
		t.Errorf("%d drills after a start", n)
	}
	entries, err := os.ReadDir(w.path("repository/.holdfast/drill"))
	for _, e := range entries {
		if e.IsDir() {
			t.Errorf("scratch is left: %s", e.Name())
		}
	}
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
}

func TestTasks_EveryBackupIsReadAgain(t *testing.T) {
	w := newWorld(t, map[string]string{"schedule.every": "off", "drill.every": "off", "verify.every": "4d", "retention.days": "0"}).simulated(morning)
	l := w.start()
	for _, name := range []string{"one", "two", "three"} {
		w.write(name)
		var code int
		var body string
		w.meanwhile(func() { code, body = l.ask("POST", "/api/v1/backups", `{"name":"`+name+`"}`) })
		if code/100 != 2 {
			t.Fatalf("%d %s", code, body)
		}
	}
	for range 3 {
		w.clock.Through(4*24*time.Hour, time.Hour)
		for _, i := range w.backups() {
			var last time.Time
			for _, p := range i.Proofs {
				last = p.At.Time
			}
			if age := w.clock.Now().Sub(last); age > 4*24*time.Hour {
				t.Errorf("%s was last read %s ago", i.Name, age)
			}
		}
	}
	l.stop()
}

func TestTasks_ThoseWhoWantToKnowAreTold(t *testing.T) {
	w := newWorld(t, map[string]string{"schedule.every": "6h"}).simulated(morning)
	h := &heard{}
	l := w.start(func(o *Options) { o.Sender = h })
	w.eventually("the first backup is made", func() bool { return len(w.backups()) == 1 })
	if err := os.Rename(w.path("docs"), w.path("gone")); err != nil {
		t.Fatal(err)
	}
	w.clock.Through(10*time.Minute, time.Minute)
	w.eventually("they are told that the source is gone", func() bool { return strings.Contains(h.all(), "docs is gone") })
	if _, body := l.get("/api/v1/alarms"); !strings.Contains(body, `"missing"`) {
		t.Errorf("alarms: %s", body)
	}
	if _, body := l.get("/metrics"); !strings.Contains(body, `kind="missing"`) {
		t.Errorf("metrics: %s", body)
	}
	told := h.all()
	if err := os.Rename(w.path("gone"), w.path("docs")); err != nil {
		t.Fatal(err)
	}
	w.clock.Through(2*time.Hour, time.Minute)
	w.eventually("they are told that it is back", func() bool { return len(h.all()) > len(told) })
	l.stop()
}

// Where the backups cannot be read no drill can be held: that is told once, at the start,
// and is not tried again and again.
func TestTasks_NoDrillWithoutAKey(t *testing.T) {
	w := newWorld(t, map[string]string{"encrypt_to": "age1clmk635yrque2my246hgntdefvgulwmxxq4a7lkpgr25hj7qtdxqact4sn", "drill.every": "1h"})
	l := w.start()
	if _, body := l.get("/api/v1/tasks"); strings.Contains(body, `"drill"`) || !strings.Contains(body, `"verify"`) {
		t.Errorf("the tasks: %s", body)
	}
	l.stop()
	if log := l.log.String(); strings.Count(log, "no drill is held") != 1 {
		t.Errorf("it is not told once: %s", log)
	}
}

// A daemon that makes no backups by itself says so.
func TestTasks_NoScheduleIsTold(t *testing.T) {
	w := newWorld(t, map[string]string{"schedule.every": "off", "schedule.on_change": "off"})
	l := w.start()
	l.stop()
	if log := l.log.String(); !strings.Contains(log, "no backup is made by itself") {
		t.Errorf("not told: %s", log)
	}
}
