//go:build linux

package test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// kills is how often each verb is killed at a random moment.
const kills = 30

// cutShort starts holdfast and kills it with SIGKILL after a random part of
// limit, and tells whether it was still running.
func (m *machine) cutShort(r *rand.Rand, limit time.Duration, args ...string) bool {
	m.t.Helper()
	c := m.command(args...)
	if err := c.Start(); err != nil {
		m.t.Fatal(err)
	}
	time.Sleep(time.Duration(r.Int64N(int64(limit))))
	_ = c.Process.Kill()
	return c.Wait() != nil
}

// measured gives how long one whole run of holdfast takes here.
func (m *machine) measured(args ...string) time.Duration {
	m.t.Helper()
	start := time.Now()
	m.must(0, args...)
	return time.Since(start)
}

func seeded(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, seed))
}

// A backup that is killed leaves nothing that counts as a backup, harms none
// that exists, and does not hinder the next.
func TestKill_Backup(t *testing.T) {
	t.Parallel()
	m, r := newMachine(t), seeded(t)
	m.sqlite("bot.db", "create table t(x blob); with recursive n(i) as (select 1 union all select i+1 from n where i<6000) insert into t select randomblob(900) from n;")
	backup := []string{"--sqlite", "bot.db", "--repo", "backups", "--yes", "backup", "--no-prune"}
	limit := m.measured(backup...)
	cut := 0
	for range kills {
		if m.cutShort(r, limit+limit/4, backup...) {
			cut++
		}
		m.must(0, "--repo", "backups", "list")
	}
	if cut == 0 {
		t.Fatal("no backup was cut: the kill came too late every time")
	}
	m.must(0, backup...)
	m.must(0, "--repo", "backups", "verify", "--all")
	entries, err := os.ReadDir(m.path("backups"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".tmp-") {
			t.Errorf("%s was left behind by a killed backup and not cleaned by the next", e.Name())
		}
	}
	t.Logf("%d of %d backups were cut", cut, kills)
}

// A restore that is killed leaves the old or the new database after the next
// command, never a mixture.
func TestKill_Restore(t *testing.T) {
	t.Parallel()
	m, r := newMachine(t), seeded(t)
	fill := func(db, rows string) {
		m.sqlite(db, "create table t(x blob); with recursive n(i) as (select 1 union all select i+1 from n where i<"+rows+") insert into t select randomblob(900) from n;")
	}
	fill("bot.db", "4000")
	m.must(0, "--sqlite", "bot.db", "--repo", "backups", "backup", "--name", "monday")
	monday := m.sum("bot.db")

	restore := []string{"--sqlite", "bot.db", "--repo", "backups", "--yes", "restore", "monday"}
	limit := m.measured(restore...)
	cut, old, restored := 0, 0, 0
	for i := range kills {
		if err := os.Remove(m.path("bot.db")); err != nil {
			t.Fatal(err)
		}
		fill("bot.db", "3000")
		present := m.sum("bot.db")
		if m.cutShort(r, limit+limit/4, restore...) {
			cut++
		}
		m.must(0, "--sqlite", "bot.db", "--repo", "backups", "recover")
		switch got := m.sum("bot.db"); got {
		case present:
			old++
		case monday:
			restored++
		default:
			t.Fatalf("kill %d: the database is neither the old nor the restored one", i)
		}
		for _, pattern := range []string{".holdfast-stage*", "bot.db.before-*"} {
			if left, _ := filepath.Glob(m.path(pattern)); len(left) != 0 {
				t.Fatalf("kill %d: %q left after recover", i, left)
			}
		}
	}
	if cut == 0 {
		t.Fatal("no restore was cut: the kill came too late every time")
	}
	m.must(0, "--repo", "backups", "--sqlite", "bot.db", "verify", "monday")
	t.Logf("%d of %d restores were cut: %d times the old state, %d times the new", cut, kills, old, restored)
}

// A delete that is killed leaves the backup whole or gone, and no other one
// harmed.
func TestKill_Delete(t *testing.T) {
	t.Parallel()
	m, r := newMachine(t), seeded(t)
	m.sqlite("bot.db", "create table t(x blob); insert into t values (randomblob(300000));")
	m.must(0, "--sqlite", "bot.db", "--repo", "backups", "backup", "--name", "keep", "--no-prune")
	m.must(0, "--sqlite", "bot.db", "--repo", "backups", "backup", "--name", "measure", "--no-prune")
	limit := m.measured("--repo", "backups", "--yes", "delete", "measure")
	for range kills {
		m.must(0, "--sqlite", "bot.db", "--repo", "backups", "backup", "--name", "gone", "--no-prune")
		m.cutShort(r, limit+limit/4, "--repo", "backups", "--yes", "delete", "gone")
		code, _, stderr := m.run("--repo", "backups", "verify", "gone")
		if code != 0 && code != 10 {
			t.Fatalf("after a killed delete, verify exits with %d: %s", code, stderr)
		}
		m.must(0, "--repo", "backups", "verify", "keep")
		if code == 0 {
			m.must(0, "--repo", "backups", "--yes", "delete", "gone")
		}
	}
}
