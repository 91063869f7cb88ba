//go:build linux

package test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Any bit that flips and any file that loses its tail anywhere in a backup is
// found by verify and refused by restore, both naming the file, and the target
// is not touched.
func TestDamage_IsFoundNamedAndRefused(t *testing.T) {
	t.Parallel()
	m, r := newMachine(t), seeded(t)
	m.sqlite("bot.db", "create table t(x); with recursive n(i) as (select 1 union all select i+1 from n where i<3000) insert into t select 'message number '||i from n;")
	if err := os.MkdirAll(m.path("docs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.path("docs", "note.txt"), []byte("a small file, stored raw"), 0o644); err != nil {
		t.Fatal(err)
	}
	global := []string{"--sqlite", "bot.db", "--files", "docs", "--repo", "backups", "--yes"}
	run := func(want int, args ...string) (string, string) { return m.must(want, append(global, args...)...) }
	run(0, "backup", "--name", "monday")
	before := m.sum("bot.db")

	var stored []string
	err := filepath.WalkDir(m.path("backups", "monday"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			stored = append(stored, p)
		}
		return err
	})
	if err != nil || len(stored) < 5 {
		t.Fatalf("the backup holds %q, %v", stored, err)
	}
	for _, p := range stored {
		whole, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(p)
		damage := func(what string, data []byte) {
			t.Helper()
			if err := os.WriteFile(p, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, stderr := run(12, "verify", "monday"); !strings.Contains(stderr, name) {
				t.Errorf("%s of %s: verify does not name the file:\n%s", what, name, stderr)
			}
			if code, _, stderr := m.run(append(global, "restore", "monday")...); code != 12 || !strings.Contains(stderr, name) {
				t.Errorf("%s of %s: restore exits with %d, want 12 and the file named:\n%s", what, name, code, stderr)
			}
			if m.sum("bot.db") != before {
				t.Fatalf("%s of %s: a refused restore changed the target", what, name)
			}
		}
		for range 3 {
			flipped := append([]byte(nil), whole...)
			flipped[r.IntN(len(flipped))] ^= 1 << r.IntN(8)
			damage("a flipped bit", flipped)
		}
		damage("a truncation", whole[:r.IntN(len(whole))])
		if err := os.WriteFile(p, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(0, "verify", "monday")
	run(0, "restore", "monday")
}

// A missing file is damage too.
func TestDamage_MissingFile(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.sqlite("bot.db", "create table t(x); insert into t values (1);")
	global := []string{"--sqlite", "bot.db", "--repo", "backups", "--yes"}
	m.must(0, append(global, "backup", "--name", "monday")...)
	if err := os.Remove(m.path("backups", "monday", "manifest.json")); err != nil {
		t.Fatal(err)
	}
	if _, stderr := m.must(12, append(global, "restore", "monday")...); !strings.Contains(stderr, "manifest.json") {
		t.Errorf("restore does not name what is missing:\n%s", stderr)
	}
}
