package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// TestStatusOfProgramsIsGolden holds what status says of programs that run; how
// they stand is given.
func TestStatusOfProgramsIsGolden(t *testing.T) {
	now := time.Date(2024, 10, 30, 14, 30, 0, 0, time.UTC)
	before := func(d time.Duration) *holdfast.Time { return new(holdfast.At(now.Add(-d))) }
	source := func(name string) []report.SourceStatus {
		return []report.SourceStatus{{
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
	var out bytes.Buffer
	u := newUI(System{Stdout: &out, Stderr: &out, Now: func() time.Time { return now }}, &globals{})
	for _, c := range []struct {
		verdict, message, hint string
		programs               []holdfast.Standing
	}{
		{report.Safe, "Your data is safe.", "", []holdfast.Standing{well, standby}},
		{report.Degraded, "Look at it: bot lies in memory.", "make /data usable", []holdfast.Standing{well, degraded}},
		{report.Failing, "Your data may not be safe.", "look whether it can be reached from here", []holdfast.Standing{well, failing}},
	} {
		(&statusCmd{}).print(u, report.Status{
			Type: "status", Verdict: c.verdict, Message: c.message, Hint: c.hint, Sources: source("bot"), Programs: c.programs,
			Repository: report.RepositoryState{Location: "/backups", Exists: true, Backups: 1, LastProven: "monday", ProvenAt: before(time.Minute)},
		})
		u.print("\n")
	}
	goldenAt(t)("status-programs", out.String())
}
