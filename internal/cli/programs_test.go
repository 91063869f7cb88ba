package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// TestStatusOfProgramsIsGolden holds what status says of programs that run; how
// they stand is given.
func TestStatusOfProgramsIsGolden(t *testing.T) {
	now := time.Date(2024, 10, 30, 14, 30, 0, 0, time.UTC)
	before := func(d time.Duration) *holdfast.Time { return new(holdfast.At(now.Add(-d))) }
	source := func(name string) []sourceStatus {
		return []sourceStatus{{
			Name: name, Kind: holdfast.KindSQLite, Path: "/data/" + name + ".db", Exists: true, Bytes: 8192, LastBackup: "monday", LastAt: before(time.Minute), AgeSeconds: 60,
		}}
	}
	well := holdfast.Standing{
		State: holdfast.StandingReady, PID: 41, Started: *before(time.Hour), Sources: []holdfast.SourceStanding{{Name: "bot"}},
		Survival: &holdfast.Survival{Words: "kept over 12 restarts"},
		Backups:  holdfast.BackupStanding{Last: "monday", LastAt: before(time.Minute), Unsaved: before(2 * time.Second)},
	}
	well.Problems = []holdfast.Problem{{Source: "docs", Object: "/data/docs", Severity: holdfast.Incomplete, Message: "it does not exist, so it is in no backup"}}
	degraded := holdfast.Standing{
		Problems: []holdfast.Problem{{Source: "bot", Severity: holdfast.Incomplete, Message: "DEGRADED: /data is mounted read-only"}},
		State:    holdfast.StandingDegraded, PID: 42, Started: *before(time.Hour),
		Sources: []holdfast.SourceStanding{{
			Name: "bot", Path: "/data/bot.db", At: "/dev/shm/bot.db", DegradedSince: before(time.Hour), Reason: "/data is mounted read-only",
		}},
	}
	failing := holdfast.Standing{
		Problems: []holdfast.Problem{{Severity: holdfast.Incomplete, Message: "the last backup failed: repository s3://b: no answer", Hint: "look whether it can be reached from here"}},
		State:    holdfast.StandingReady, PID: 43, Started: *before(time.Hour),
		Backups: holdfast.BackupStanding{Error: "repository s3://b: no answer", Failed: 3, Last: "monday", LastAt: before(time.Hour)},
	}
	standby := holdfast.Standing{
		State: holdfast.StandingReady, PID: 44, Started: *before(time.Hour),
		Backups: holdfast.BackupStanding{Error: "locked", Standby: "process 41"},
	}
	infos := []repo.Info{{Name: "monday", Metadata: &holdfast.Metadata{Sources: []holdfast.SourceMetadata{{Name: "bot"}}}}}
	var out bytes.Buffer
	u := newUI(System{Stdout: &out, Stderr: &out, Now: func() time.Time { return now }}, &globals{})
	for _, c := range []struct {
		verdict  string
		programs []holdfast.Standing
	}{
		{verdictSafe, []holdfast.Standing{well, standby}},
		{verdictDegraded, []holdfast.Standing{well, degraded}},
		{verdictFailing, []holdfast.Standing{well, failing}},
	} {
		o := statusObject{
			Type: "status", Sources: source("bot"), Programs: c.programs,
			Repository: repositoryState{Location: "/backups", Exists: true, Backups: 1, LastProven: "monday", ProvenAt: before(time.Minute)},
		}
		command := &statusCmd{MaxAge: 36 * time.Hour}
		command.judge(&o, infos, now)
		if o.Verdict != c.verdict {
			t.Errorf("the verdict is %s, want %s", o.Verdict, c.verdict)
		}
		command.print(u, o)
		u.print("\n")
	}
	goldenAt(t)("status-programs", out.String())
}
