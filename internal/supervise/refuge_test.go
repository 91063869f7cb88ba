package supervise

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

func TestOwned_RefusesWhatIsNoFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := owned(filepath.Join(dir, "link")); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("a link gives %v", err)
	}
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := owned(folder); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others can look in: %v, %v", info.Mode(), err)
	}
}

// Whoever takes the name of our folder first neither gets our data nor keeps it
// from lying in memory, and the next start finds it again.
func TestRefugeAbove_WhereTheNameIsTaken(t *testing.T) {
	base, elsewhere := t.TempDir(), t.TempDir()
	if err := os.Symlink(elsewhere, filepath.Join(base, aboveName())); err != nil {
		t.Fatal(err)
	}
	if _, err := refugeAbove(base); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("one is found: %v", err)
	}
	made, err := makeAbove(base)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := refugeAbove(base); err != nil || found != made || filepath.Dir(found) != base || owned(found) != nil {
		t.Errorf("made %s, found %s: %v", made, found, err)
	}
	if left, err := os.ReadDir(elsewhere); err != nil || len(left) > 0 {
		t.Errorf("the link was followed: %v, %v", left, err)
	}
}

// Whether the disk was written to since the database left it is not a matter of
// clocks, which may have been set meanwhile.
func TestWrittenSince_WhateverTheClockSays(t *testing.T) {
	dir := t.TempDir()
	home, folder := filepath.Join(dir, "bot.db"), t.TempDir()
	away := filepath.Join(folder, "bot.db")
	write := func(path, content string, at time.Time) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	write(home, "as it was", now)
	if err := noteDeparture(home, folder); err != nil {
		t.Fatal(err)
	}
	for _, hours := range []time.Duration{-24, 24} {
		write(away, "what went on", now.Add(hours*time.Hour))
		if writtenSince(home, folder, away) {
			t.Errorf("memory, written %d h later by its clock, is taken for older", hours)
		}
	}
	write(home+"-wal", "more", now.Add(-time.Hour))
	if !writtenSince(home, folder, away) {
		t.Error("a log that came to the disk was not seen")
	}
}

// A start after a cut in the middle of the removal finds nothing, rather than
// half a database.
func TestDropRefuge_IsGoneAtOnce(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "above", "folder")
	if err := errors.Join(os.MkdirAll(filepath.Join(folder, "bot.db"), 0o700), os.MkdirAll(filepath.Join(folder+goneSuffix, "left"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := dropRefuge(folder); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(filepath.Dir(folder)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("left behind: %v", err)
		}
	}
}
