package boot

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// A bot that began in memory is on disk as soon as the storage works, with its
// marker, and nobody had to restart anything.
func TestMemory_FromTheStartThenBack(t *testing.T) {
	w := newWorld(t)
	f := failures(w, "read-only")
	f.fail()
	w.o.Migrations = migrations(first)
	s := w.start()
	if st := s.Status(); st.State != Degraded || !strings.Contains(st.Message, "memory") {
		t.Fatalf("the status: %s, %s", st.State, st.Message)
	}
	fill(t, s.DB(), 6)
	eventually(t, "a backup of memory", func() bool { return s.Status().Backups.Last != "" })
	f.mend()
	eventually(t, "back", func() bool { return s.Status().State == Ready })
	eventually(t, "a marker", func() bool { return s.Status().Survival.State != holdfast.SurvivalUnknown })
	eventually(t, "no problem", func() bool { return len(s.Status().Problems) == 0 })
	if st := s.Status(); st.Sources[0].At != "" || !st.Sources[0].Storage.Usable {
		t.Errorf("afterwards: %+v", st)
	}
	fill(t, s.DB(), 1)
	w.close(s)
	if n := rows(t, w.start()); n != 7 {
		t.Errorf("%d rows, want 7", n)
	}
}

// What somebody else wrote on disk meanwhile is kept and named.
func TestMemory_WhatChangedOnDiskIsKept(t *testing.T) {
	w := newWorld(t)
	f := failures(w, "full")
	s := w.start()
	fill(t, s.DB(), 4)
	w.close(s)
	f.fail()
	s = w.start()
	if st := s.Status(); st.State != Degraded {
		t.Fatalf("the state is %s", st.State)
	}
	fill(t, s.DB(), 1)
	foreign, err := os.OpenFile(w.o.Database, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := foreign.WriteAt([]byte{0, 0, 0, 99}, 60); err != nil { // its user_version
		t.Fatal(err)
	}
	if err := foreign.Close(); err != nil {
		t.Fatal(err)
	}
	f.mend()
	eventually(t, "back", func() bool { return s.Status().State == Ready })
	if n := rows(t, s); n != 5 {
		t.Errorf("%d rows, want 5", n)
	}
	eventually(t, "one problem", func() bool { return len(s.Status().Problems) == 1 })
	p := s.Status().Problems
	aside, _ := filepath.Glob(w.o.Database + ".before-*")
	if len(aside) == 0 || !strings.Contains(p[0].Object, aside[0]) {
		t.Errorf("kept aside: %v, told: %+v", aside, p)
	}
}

// An administrator can restore while the database lies in memory.
func TestMemory_IsRestoredThere(t *testing.T) {
	w := newWorld(t)
	f := failures(w, "read-only")
	s := w.start()
	fill(t, s.DB(), 3)
	if _, err := s.Backup(t.Context(), BackupOptions{Name: "three"}); err != nil {
		t.Fatal(err)
	}
	w.close(s)
	f.fail()
	s = w.start()
	run(t, s.DB(), "DELETE FROM users")
	r, err := s.Restore(t.Context(), "three")
	if err != nil || r.Backup != "three" || r.Emergency == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	if n := rows(t, s); n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
	if _, err := s.Rollback(t.Context()); err == nil || holdfast.HintOf(err) == "" {
		t.Errorf("a rollback in memory: %v", err)
	}
	file, err := s.OpenBackup(t.Context(), r.Emergency)
	if err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 15)
	if _, err := io.ReadFull(file, head); err != nil || string(head) != "SQLite format 3" {
		t.Errorf("the file in the backup begins with %q, %v", head, err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	f.mend()
	eventually(t, "back", func() bool { return s.Status().State == Ready })
	if n := rows(t, s); n != 3 {
		t.Errorf("%d rows on disk, want 3", n)
	}
}
