//go:build unix

package supervise

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
)

// A source that the program has not made yet keeps no other from being backed up,
// and is backed up as soon as it is there.
func TestRun_WhatIsStillToBeMadeKeepsNothingElseFromBeingBackedUp(t *testing.T) {
	w := newWorld(t)
	later := filepath.Join(w.dir, "data", "later.db")
	w.flag.Sources = append(w.flag.Sources, config.Source{Name: "later", Kind: holdfast.KindSQLite, Path: later})
	l := w.begin(bot(t, "stay"))
	l.prints("rows 1")
	names := func() string {
		var names []string
		if _, err := os.Stat(filepath.Join(w.dir, "repo", "repository.json")); err != nil {
			return ""
		}
		if infos := w.backups(); len(infos) > 0 {
			for _, s := range infos[0].Metadata.Sources {
				names = append(names, s.Name)
			}
		}
		return strings.Join(names, " ")
	}
	l.until("the one that is there is backed up", func() bool { return names() == "bot" })
	if st := l.s.board.standing(); st.Backups.Error != "" || !strings.Contains(st.Message, "except for what it has not made yet") {
		t.Errorf("the status says %q, %+v", st.Message, st.Backups)
	}
	data, err := os.ReadFile(w.database())
	if err == nil {
		err = os.WriteFile(later, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	l.until("both are backed up", func() bool { return names() == "bot later" })
	if err := os.Remove(later); err != nil {
		t.Fatal(err)
	}
	l.signals <- terminate
	if exit, err := l.end(); exit != holdfast.ExitIncomplete || err != nil || !l.warned("last backup") {
		t.Errorf("one that was there is gone: exit %d, %v\n%s", exit, err, l)
	}
}

// A program that uses another path than it was given shows in its code, in words
// that say what to do.
func TestRun_AProgramThatMadeNoDataIsTold(t *testing.T) {
	w := newWorld(t)
	elsewhere := filepath.Join(w.dir, "elsewhere.db")
	l := w.begin(sh("exit 0"), "DATABASE_PATH="+elsewhere)
	if exit, err := l.end(); exit != holdfast.ExitIncomplete || err != nil {
		t.Errorf("exit %d, %v", exit, err)
	}
	if len(l.problems) != 2 || !l.warned("it was "+elsewhere+", and the program gets "+w.database()) || !l.warned("the program ended without having made it") {
		t.Errorf("told was %s", l)
	}
	st := l.s.board.standing()
	if st.Backups.Error != "" || st.Backups.Unsaved != nil {
		t.Errorf("the status says %+v", st.Backups)
	}
	if len(l.said) == 0 || l.said[0] != "storage: a first start: nothing is known of an earlier one" {
		t.Errorf("said was %s", l)
	}
}

// What can never be a repository is found out before the program runs.
func TestRun_AFileIsNoRepository(t *testing.T) {
	w := newWorld(t)
	if err := os.WriteFile(w.flag.Repository, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	exit, err := Run(t.Context(), Options{Config: w.config(), Args: sh("echo started"), Stdout: &said})
	if exit != holdfast.ExitUsage || err == nil || !strings.Contains(err.Error(), "not a directory") || said.Len() > 0 {
		t.Errorf("exit %d, %v, %s", exit, err, said.String())
	}
}
