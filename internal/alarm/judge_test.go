package alarm

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/repo"
)

// ago is a moment before the start of every script.
func ago(d time.Duration) *holdfast.Time {
	t := holdfast.At(start.Add(-d))
	return &t
}

// healthy are facts of which nothing is wrong.
func healthy(t *testing.T) Facts {
	t.Helper()
	c, err := config.Load(config.Flags{}, []string{"HOLDFAST_REPOSITORY=" + t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	free := int64(50 << 30)
	return Facts{
		Config: c, Now: start, Began: start.Add(-60 * day), LastSuccess: start.Add(-time.Hour), LastDrill: start.Add(-3 * day),
		Status: report.Status{
			Verdict:    report.Safe,
			Sources:    []report.SourceStatus{{Name: "bot", Exists: true, LastBackup: "b2"}},
			Repository: report.RepositoryState{Exists: true, Backups: 2, FreeBytes: &free, ProvenAt: ago(day)},
			Replicas:   []report.Replica{{Name: "offsite", Exists: true}},
		},
		Backups: []report.Backup{
			{Name: "b2", CreatedAt: ago(time.Hour), Form: report.FormDelta, StoredBytes: 10 << 20},
			{Name: "b1", CreatedAt: ago(50 * day), Form: report.FormFull, StoredBytes: 5 << 30},
		},
	}
}

func TestJudge(t *testing.T) {
	free := func(n int64) func(*Facts) { return func(f *Facts) { f.Status.Repository.FreeBytes = &n } }
	program := func(change func(*holdfast.Standing)) func(*Facts) {
		return func(f *Facts) {
			p := holdfast.Standing{Sources: []holdfast.SourceStanding{{Name: "bot"}}}
			change(&p)
			f.Status.Programs = append(f.Status.Programs, p)
		}
	}
	for name, c := range map[string]struct {
		change func(*Facts)
		want   []string // kind, object, grace: a part of the message
	}{
		"nothing": {func(*Facts) {}, nil},
		"a failure": {
			func(f *Facts) { f.Failed, f.Failure = 1, "no room" }, []string{"failure  2m0s: the backup failed: no room"},
		},
		"nothing can be proven without a key": {
			func(f *Facts) {
				f.Config.Encryption.To, f.LastDrill = []string{"age1"}, start.Add(-60*day)
				f.Status.Repository.ProvenAt = nil
			}, nil,
		},
		"another repository in the place of the first": {
			func(f *Facts) { f.Gone = start.Add(-minute) }, []string{"missing backups 0s: the repository is gone with all earlier backups"},
		},
		"failures": {
			func(f *Facts) { f.Failed, f.Failure = 4, "no room" }, []string{"failure  2m0s: 4 backups failed in a row"},
		},
		"locked": {
			func(f *Facts) { f.Failed, f.Failure, f.Locked = 1, "in use", true }, []string{"failure  30m0s: the backup failed"},
		},
		"silence": {
			func(f *Facts) { f.LastSuccess = start.Add(-18*hour - minute) }, []string{"silence  15m0s: no backup has succeeded for 18 hours"},
		},
		"not yet a silence": {func(f *Facts) { f.LastSuccess = start.Add(-18*hour + minute) }, nil},
		"a silence from the beginning": {
			func(f *Facts) { f.LastSuccess, f.Began = time.Time{}, start.Add(-19*hour) }, []string{"silence  15m0s: no backup has succeeded in the 19 hours since they should be made"},
		},
		"a beginning":                 {func(f *Facts) { f.LastSuccess, f.Began = time.Time{}, start.Add(-hour) }, nil},
		"no schedule is never silent": {func(f *Facts) { f.Config.Schedule.Every, f.LastSuccess = 0, start.Add(-40*day) }, nil},
		"a silence of cron": {
			func(f *Facts) {
				f.Config.Schedule.Every, f.Config.Schedule.Cron = 0, []string{"0 3 * * *"} // it is 05:00
				f.LastSuccess = start.Add(-2*day - 3*hour)
			}, []string{"silence  15m0s: no backup has succeeded for 2 days"},
		},
		"not yet a silence of cron": {
			func(f *Facts) {
				f.Config.Schedule.Every, f.Config.Schedule.Cron = 0, []string{"0 3 * * *"}
				f.LastSuccess = start.Add(-2*day - hour)
			}, nil,
		},
		"damaged backups": {
			func(f *Facts) {
				f.Backups[0].Error = "its metadata is torn"
				f.Disproven = map[holdfast.BackupName]string{"b1": "a file is missing"}
			}, []string{"damage b2 0s: the backup b2 is damaged: its metadata is torn", "damage b1 0s: the backup b1 is damaged: a file is missing"},
		},
		"very many": {
			func(f *Facts) {
				for n := range 30 {
					f.Backups = append(f.Backups, report.Backup{Name: holdfast.BackupName(fmt.Sprint("c", n)), Error: "torn"})
				}
				f.Backups = f.Backups[2:]
			}, append(func() (all []string) {
				for n := range mostDamaged {
					all = append(all, fmt.Sprintf("damage c%d 0s: ", n))
				}
				return all
			}(), "damage backups 0s: 30 backups are damaged"),
		},
		"a damaged source": {
			func(f *Facts) {
				f.Backups[0].Problems = []holdfast.Problem{{Source: "bot", Severity: holdfast.Damaged, Message: "page 7"}, {Source: "bot", Severity: holdfast.Damaged, Message: "page 8"}, {Severity: holdfast.Warning}}
			}, []string{"damage source bot 0s: the source bot itself is damaged, as the backup b2 found: page 7"},
		},
		"a hold": {
			func(f *Facts) {
				f.Status.Hold = &report.Hold{Since: ago(hour), Shrunk: []repo.Shrink{}, Message: "bot holds 1 % of what it held"}
			}, []string{"shrink  0s: a backup is suspiciously small, and nothing is pruned: bot holds 1 %"},
		},
		"little room":      {free(6 << 30), nil},
		"too little room":  {func(f *Facts) { f.Backups[1].StoredBytes = 1; free(1000 << 20)(f) }, []string{"space  2m0s: the repository has only 1000 MiB left"}},
		"none for a full":  {free(4 << 30), []string{"space  2m0s: the repository has 4.0 GiB left, but the next full backup needs about 5.0 GiB"}},
		"a bucket's room":  {func(f *Facts) { f.Status.Repository.FreeBytes = nil }, nil},
		"a replica lags":   {func(f *Facts) { f.Status.Replicas[0].Behind = []holdfast.BackupName{"b1", "b2"} }, []string{"replica offsite 0s: the replica offsite lacks 2 backups"}},
		"not for long":     {func(f *Facts) { f.Status.Replicas[0].Behind = []holdfast.BackupName{"b2"} }, nil},
		"nobody knows":     {func(f *Facts) { f.Status.Replicas[0].Behind = []holdfast.BackupName{"b9"} }, []string{"replica offsite 24h0m0s: the replica offsite lacks 1 backup"}},
		"cannot be asked":  {func(f *Facts) { f.Status.Replicas[0].Error = "no route" }, []string{"replica offsite 24h0m0s: nothing is known of the replica offsite: no route"}},
		"never proven":     {func(f *Facts) { f.Status.Repository.ProvenAt = nil }, []string{"unproven  0s: no backup was ever proven"}},
		"proven long ago":  {func(f *Facts) { f.Status.Repository.ProvenAt = ago(31 * day) }, []string{"unproven  0s: no backup was proven to restore for 31 days"}},
		"nobody asks":      {func(f *Facts) { f.Status.Repository.ProvenAt, f.Config.Verify.Every, f.Config.Drill.Every = nil, 0, 0 }, nil},
		"no drill":         {func(f *Facts) { f.LastDrill = start.Add(-15 * day) }, []string{"unproven drill 0s: no drill was made for 15 days"}},
		"a drill is known": {func(f *Facts) { f.LastDrill, f.Backups[1].Drilled = time.Time{}, &report.Drilled{At: *ago(day)} }, nil},
		"a new start":      {func(f *Facts) { f.LastDrill, f.Began = time.Time{}, start.Add(-day) }, nil},
		"a source is gone": {
			func(f *Facts) { f.Status.Sources[0].Exists = false }, []string{"missing bot 2m0s: the source bot is gone; the newest backup that has it is b2"},
		},
		"a source never was": {func(f *Facts) { f.Status.Sources[0].Exists, f.Status.Sources[0].LastBackup = false, "" }, nil},
		"a source is closed": {func(f *Facts) { f.Status.Sources[0].Error = "permission denied" }, []string{"missing bot 2m0s: the source bot cannot be read: permission denied"}},
		"the repository is gone": {
			func(f *Facts) {
				f.Status.Verdict, f.Status.Message, f.Status.Hint = report.Lost, "only replicas have backups", "restore from one"
				f.Backups[0].Error = "what is known of it is old"
			}, []string{"missing repository 2m0s: the repository cannot be used: only replicas have backups", "damage unknown", "shrink unknown", "space unknown", "unproven unknown"},
		},
		"the backups cannot be listed": {
			func(f *Facts) { f.Unlisted, f.Backups, f.Disproven = true, nil, nil }, []string{"damage unknown", "shrink unknown", "space unknown", "unproven unknown"},
		},
		"a restore was cut": {func(f *Facts) { f.Status.Pending = &report.Pending{Op: "restore", Begun: *ago(hour)} }, []string{"failure restore 1h0m0s: a restore was cut"}},
		"in memory": {
			program(func(p *holdfast.Standing) { p.Sources[0].DegradedSince, p.Sources[0].Reason = ago(hour), "no room" }),
			[]string{"degraded bot 0s: the source bot lies in memory, because its storage cannot hold it: no room"},
		},
		"a program fails": {
			program(func(p *holdfast.Standing) { p.Backups.Failed, p.Backups.Error = 2, "no room" }), []string{"failure bot 2m0s: 2 backups of the program with bot failed: no room"},
		},
		"another instance's business": {program(func(p *holdfast.Standing) { p.Backups.Failed, p.Backups.Standby = 2, "process 7" }), nil},
		"wiped": {
			program(func(p *holdfast.Standing) {
				p.Survival = &holdfast.Survival{State: holdfast.SurvivalWiped, Words: "wiped twice", LastWiped: ago(day)}
			}), []string{"wiped bot 0s: the storage of bot was wiped between two starts: wiped twice"},
		},
		"two": {
			program(func(p *holdfast.Standing) { p.Survival = &holdfast.Survival{State: holdfast.SurvivalTwo} }), []string{"wiped bot (two instances) 0s: two instances run with bot"},
		},
		"the panel hears nobody": {
			func(f *Facts) {
				f.Panel = &holdfast.Problem{Object: "telegram", Severity: holdfast.Warning, Message: "the panel in the chat gets no updates"}
			}, []string{"panel telegram 5m0s: the panel in the chat gets no updates"},
		},
		"kept": {program(func(p *holdfast.Standing) { p.Survival = &holdfast.Survival{State: holdfast.SurvivalKept} }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := healthy(t)
			c.change(&f)
			var got []string
			for _, found := range Judge(f) {
				if found.Unknown {
					got = append(got, found.Kind+" unknown")
					continue
				}
				if !slices.Contains(config.AlarmKinds(), found.Kind) || found.Hint == "" && found.Kind != KindDamage || found.Severity == "" {
					t.Errorf("incomplete: %+v", found)
				}
				got = append(got, fmt.Sprintf("%s %s %s: %s", found.Kind, found.Object, found.Grace, found.Message))
			}
			if len(got) != len(c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], c.want[i]) {
					t.Errorf("got %q, want %q", got[i], c.want[i])
				}
			}
		})
	}
}

func TestJudge_EveryKindHasItsWords(t *testing.T) {
	for _, kind := range config.AlarmKinds() {
		if labels[kind] == "" {
			t.Errorf("%s has no words", kind)
		}
	}
	if len(labels) != len(config.AlarmKinds()) {
		t.Errorf("%d kinds have words, %d are known", len(labels), len(config.AlarmKinds()))
	}
}
