package keeper

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
)

// large is more than is proven at once other than by a daemon.
const large = proveBelow * 10

func TestDaemon_ProvesItsNewestBackupWhateverItsSize(t *testing.T) {
	for _, trigger := range []holdfast.Trigger{holdfast.TriggerScheduled, holdfast.TriggerManual, holdfast.TriggerAuto, holdfast.TriggerChange} {
		t.Run(string(trigger), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, _ := daemonOf(config.Schedule{Cron: []string{"0 3 1 6 *"}}, newSeen("bot"))
				k, f := newFake(t, o)
				f.size, f.verifies = large, time.Minute
				stop := run(t, k)
				time.Sleep(time.Hour) // what was made at the start is proven
				begun := time.Now()
				if _, err := k.Backup(t.Context(), engine.BackupRequest{Trigger: trigger}); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begun); took > 0 {
					t.Errorf("the backup waited %s for its proof", took)
				}
				time.Sleep(2 * time.Minute)
				if got := f.proven(); !slices.Equal(got, []string{"backup_1", "backup_2"}) {
					t.Errorf("proven are %v", got)
				}
				stop()
			})
		})
	}
}

func TestDaemon_RestsBetweenProofs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen("bot")
		o, _ := daemonOf(config.Schedule{OnChange: time.Minute}, s)
		k, f := newFake(t, o)
		f.size, f.verifies = large, time.Minute
		stop := run(t, k)
		for range 100 { // minutes
			s.write()
			time.Sleep(time.Minute)
		}
		if backups, proofs := len(f.all()), len(f.proven()); backups < 100 || proofs < 9 || proofs > 11 {
			t.Errorf("%d backups and %d proofs", backups, proofs)
		}
		time.Sleep(15 * time.Minute)
		if newest := f.all()[len(f.all())-1].name; !slices.Contains(f.proven(), string(newest)) {
			t.Errorf("the newest is never proven: %v", f.proven())
		}
		stop()
	})
}

func TestDaemon_LeavesProofsToWhomeverIfTheyAreOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := daemonOf(config.Schedule{Every: time.Hour}, newSeen("bot"))
		o.Config.Verify.Every = 0
		k, f := newFake(t, o)
		f.size = large
		stop := run(t, k)
		time.Sleep(time.Hour)
		stop()
		if got := f.proven(); len(got) != 0 {
			t.Errorf("proven are %v", got)
		}
	})
}

// What was made before it came up is proven as well.
func TestDaemon_ProvesWhatItFinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := daemonOf(config.Schedule{Every: 100 * time.Hour}, newSeen("bot"))
		before, f := newFake(t, o)
		if _, err := before.Backup(t.Context(), engine.BackupRequest{}); err != nil {
			t.Fatal(err)
		}
		k, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		f.serve(k)
		stop := run(t, k)
		time.Sleep(time.Minute)
		stop()
		if got := f.proven(); !slices.Equal(got, []string{"backup_1"}) {
			t.Errorf("proven are %v", got)
		}
	})
}

func TestDaemon_ADamagedBackupIsMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := daemonOf(config.Schedule{Every: 100 * time.Hour}, newSeen("bot"))
		k, f := newFake(t, o)
		f.size, f.damaged = large, true
		stop := run(t, k)
		time.Sleep(time.Minute)
		stop()
		if b := f.all(); len(b) != 2 || !b[1].request.Full || !slices.Equal(f.proven(), []string{"backup_1", "backup_2"}) {
			t.Errorf("made were %+v, looked at %v", b, f.proven())
		}
		if p := k.Problems(); len(p) != 0 {
			t.Errorf("after all: %+v", p)
		}
	})
}

// The end of a daemon does not wait for a proof, and waits for a backup and its copy.
func TestFinish_WaitsForWhatWasBegun(t *testing.T) {
	for _, c := range []struct {
		name          string
		backup, proof time.Duration
		copying       time.Duration
		limit         time.Duration
		took          time.Duration
		cut           bool
	}{
		{name: "nothing", limit: time.Minute},
		{name: "a proof", proof: time.Hour, limit: time.Minute},
		{name: "a backup", backup: 20 * time.Second, limit: time.Minute, took: 20 * time.Second},
		{name: "a copy", copying: 30 * time.Second, limit: time.Minute, took: 30 * time.Second},
		{name: "both", backup: 20 * time.Second, copying: 30 * time.Second, limit: time.Minute, took: 50 * time.Second},
		{name: "a backup that takes too long", backup: time.Hour, limit: time.Minute, took: time.Minute, cut: true},
		{name: "a copy that takes too long", copying: time.Hour, limit: time.Minute, took: time.Minute, cut: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSeen("bot")
				o, _ := daemonOf(config.Schedule{Every: 10 * time.Second}, s)
				k, f := newFake(t, o)
				f.takes, f.verifies, f.size = c.backup, c.proof, large
				f.replicate = func(ctx context.Context) (*engine.ReplicateResult, error) {
					return &engine.ReplicateResult{}, sleep(ctx, c.copying)
				}
				stop := run(t, k)
				limit, cancel := context.WithTimeout(t.Context(), c.limit)
				defer cancel()
				begun := time.Now()
				err := k.Finish(limit)
				if took := time.Since(begun); took != c.took {
					t.Errorf("it took %s, want %s", took, c.took)
				}
				if c.cut != (holdfast.ExitCode(err) == holdfast.ExitInterrupted) || !c.cut && err != nil {
					t.Errorf("finished: %v", err)
				}
				made := len(f.all())
				s.write()
				time.Sleep(time.Hour) // nothing is begun any more
				synctest.Wait()       // and what ends just now has ended
				if now := len(f.all()); now != made || k.Busy() {
					t.Errorf("%d backups, and then %d; busy %t", made, now, k.Busy())
				}
				stop()
				if err := k.Finish(t.Context()); err != nil {
					t.Errorf("after the end: %v", err)
				}
			})
		})
	}
}

func TestRecent_IsWhatHoldsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen("bot")
		o, _ := daemonOf(config.Schedule{Every: 6 * time.Hour}, s)
		k, _ := newFake(t, o)
		if _, ok := k.Recent(time.Hour); ok {
			t.Error("there is none")
		}
		stop := run(t, k)
		time.Sleep(10 * time.Second)
		if r, ok := k.Recent(time.Minute); !ok || r.Backup.Name != "backup_1" || !r.Unchanged {
			t.Errorf("of ten seconds ago: %+v, %t", r, ok)
		}
		if _, ok := k.Recent(5 * time.Second); ok {
			t.Error("that is too old")
		}
		s.write()
		if _, ok := k.Recent(time.Minute); ok {
			t.Error("something was written since")
		}
		stop()
	})
}

// A look that found nothing new is a success as well.
func TestLastSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := daemonOf(config.Schedule{Every: 6 * time.Hour}, newSeen("bot"))
		k, _ := newFake(t, o)
		begun := time.Now()
		stop := run(t, k)
		if at := k.LastSuccess(); !at.Equal(begun) {
			t.Errorf("the first was at %s", at)
		}
		time.Sleep(6*time.Hour + time.Minute)
		if at := k.LastSuccess(); at.Before(begun.Add(6 * time.Hour)) {
			t.Errorf("the second was at %s", at)
		}
		if c := k.Counts(); c.Backups != 1 || c.Unchanged != 1 {
			t.Errorf("counted were %+v", c)
		}
		stop()
	})
}

func TestCounts_TellFailuresByTheirTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := daemonOf(config.Schedule{}, newSeen("bot"))
		k, f := newFake(t, o)
		f.fail = errors.New("disk is full")
		for _, trigger := range []holdfast.Trigger{"", holdfast.TriggerAuto, holdfast.TriggerAuto} {
			if _, err := k.Backup(t.Context(), engine.BackupRequest{Trigger: trigger}); !errors.Is(err, f.fail) {
				t.Fatal(err)
			}
		}
		c := k.Counts()
		c.Failures[holdfast.TriggerQuick] = 7 // it is a copy
		if c := k.Counts(); c.Failures[holdfast.TriggerManual] != 1 || c.Failures[holdfast.TriggerAuto] != 2 || len(c.Failures) != 2 {
			t.Errorf("counted were %+v", c)
		}
	})
}

// A disk on which nothing reads back as it was written is not filled with backups that
// take the place of one another.
func TestDisproven_ComesLaterEachTime(t *testing.T) {
	for name, size := range map[string]int64{"proven by what follows": 1 << 20, "proven beside": large} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, _ := daemonOf(config.Schedule{Every: 100 * time.Hour}, newSeen("bot"))
				k, f := newFake(t, o)
				f.rotten, f.size = true, size
				stop := run(t, k)
				time.Sleep(time.Hour)
				if n := len(f.all()); n < 3 || n > 10 {
					t.Errorf("%d backups in an hour", n)
				}
				time.Sleep(day)
				before := len(f.all())
				if before > 40 {
					t.Errorf("%d backups in a day", before)
				}
				f.set(func(f *fake) { f.rotten = false })
				time.Sleep(2 * time.Hour) // the disk is good again
				made := len(f.all())
				time.Sleep(day)
				if made == before || len(f.all()) != made {
					t.Errorf("then %d, and a day later %d", made-before, len(f.all())-made)
				}
				// The next one begins anew.
				f.set(func(f *fake) { f.damaged = true })
				if _, err := k.Backup(t.Context(), engine.BackupRequest{Trigger: holdfast.TriggerManual, Full: true, IfChanged: false}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Minute)
				if n := len(f.all()) - made; n != 2 {
					t.Errorf("%d backups, of which one takes the place of the other", n)
				}
				stop()
			})
		})
	}
}
