//go:build linux

package test

import (
	"fmt"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// s3Kills is how often each verb is killed at a random moment: after each the
// lease has to run out.
const s3Kills = 3

// A command that is killed while it changes a bucket harms no backup, shows no
// half one, and the next settles what it left as soon as its lease is over.
func TestS3Kill(t *testing.T) {
	t.Parallel()
	for _, verb := range []struct {
		name    string
		prepare func(m *machine, round int) // before each kill
		command []string
		settled func(t *testing.T, s *store, m *machine)
	}{
		{
			"backup",
			func(m *machine, _ int) { m.touch("bot.db") },
			[]string{"backup", "--no-prune"},
			func(*testing.T, *store, *machine) {},
		},
		{
			"delta",
			func(m *machine, _ int) { m.touch("bot.db") },
			[]string{"backup", "--no-prune", "--trigger", "scheduled"},
			func(*testing.T, *store, *machine) {},
		},
		{
			"prune",
			chainOfThree,
			[]string{"prune"},
			func(t *testing.T, _ *store, m *machine) {
				if n := len(m.list().Backups); n != 2 {
					t.Errorf("%d backups are left, two are kept by rule", n)
				}
			},
		},
		{
			"compact",
			func(m *machine, round int) {
				chainOfThree(m, round)
				m.must(0, "--yes", "delete", fmt.Sprintf("base%d", round))
			},
			[]string{"compact"},
			func(t *testing.T, s *store, m *machine) {
				if l := m.list(); len(l.Hidden) != 0 {
					t.Errorf("compact left %v", l.Hidden)
				}
				for round := range s3Kills {
					if left := s.objects(fmt.Sprintf("backups/base%d/", round)); len(left) != 0 {
						t.Errorf("compact left %v", left)
					}
				}
			},
		},
	} {
		t.Run(verb.name, func(t *testing.T) {
			t.Parallel()
			s, r := newStore(t), seeded(t)
			m := newUser(t, s.at("backups"))
			m.with("HOLDFAST_RETENTION_DAYS=0", "HOLDFAST_RETENTION_KEEP_LAST=2")
			m.grow("bot.db", 1000)
			kept := ledger{}
			m.must(0, "backup", "--name", "first")
			kept.note(m)
			limit := m.measured(append(verb.command, "--quiet")...)
			kept.note(m)
			cut := 0
			for round := range s3Kills {
				verb.prepare(m, round)
				kept.note(m)
				if m.cutShort(r, limit+limit/2, verb.command...) {
					cut++
				}
				kept.note(m)
				kept.check(m)
				m.afterLease(verb.command...)
				kept.note(m)
				verb.settled(t, s, m)
				kept.check(m)
			}
			m.must(0, "verify", "--all")
			if entries := s.objects("backups/.holdfast/stages/"); len(entries) != 0 {
				t.Errorf("stages are left: %v", entries)
			}
			t.Logf("%d of %d were cut", cut, s3Kills)
		})
	}
}

// chainOfThree makes a full and two deltas, of one state of the database.
func chainOfThree(m *machine, round int) {
	m.touch("bot.db")
	m.must(0, "backup", "--no-prune", "--full", "--name", fmt.Sprintf("base%d", round))
	for i := range 2 {
		m.must(0, "backup", "--no-prune", "--trigger", "scheduled", "--name", fmt.Sprintf("delta%d_%d", round, i))
	}
}

// A copy that is killed is no copy; the next run completes it.
func TestS3Kill_Replicate(t *testing.T) {
	t.Parallel()
	s, r := newStore(t), seeded(t)
	m := newMachine(t)
	m.with(s3test.Environment()...)
	m.file("holdfast.yaml", fmt.Sprintf("repository: backups\nsources: {bot: {type: sqlite, path: bot.db}}\nreplicas: [{name: offsite, url: %q}]\n", s.at("vault")))
	m.grow("bot.db", 2000)
	kept := ledger{}
	m.must(0, "backup")
	kept.note(m)
	m.touch("bot.db")
	m.must(0, "backup", "--no-replicate", "--full")
	kept.note(m)
	limit := m.measured("replicate")
	cut := 0
	for range s3Kills {
		for range 2 {
			m.touch("bot.db")
			m.must(0, "backup", "--no-replicate", "--trigger", "scheduled")
			kept.note(m)
		}
		if m.cutShort(r, limit+limit/4, "replicate") {
			cut++
		}
		for _, b := range m.list("--repo", s.at("vault")).Backups {
			kept.restores(m, b.Name, "--repo", s.at("vault"))
		}
		m.afterLease("--repo", s.at("vault"), "compact")
		m.must(0, "replicate")
		if behind := m.status()["offsite"].Behind; len(behind) != 0 {
			t.Errorf("replicate left %q out", behind)
		}
	}
	m.must(0, "verify", "--replica", "all", "--all")
	t.Logf("%d of %d were cut", cut, s3Kills)
}
