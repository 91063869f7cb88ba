package activity_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/activity"
)

var now = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)

func at(before time.Duration) holdfast.Time { return holdfast.At(now.Add(-before)) }

func done(kind string, before time.Duration, by string, backup holdfast.BackupName) job.Job {
	begun, end := at(before), at(before-2*time.Second)
	return job.Job{ID: fmt.Sprintf("%09d", 1e8-int64(before/time.Second)), Kind: kind, State: job.Succeeded, By: by, Backup: backup, CreatedAt: begun, StartedAt: &begun, EndedAt: &end}
}

func made(name holdfast.BackupName, before time.Duration, trigger holdfast.Trigger) report.Backup {
	t := at(before)
	return report.Backup{Name: name, CreatedAt: &t, Trigger: trigger}
}

// Every backup is told once: by its job, or by itself; what belongs to a restore is told
// by that.
func TestEntries_TellEveryBackupOnce(t *testing.T) {
	jobs := []job.Job{
		done(operation.KindBackup, time.Hour, "ragpdf", "auto"),
		done(operation.KindRestore, 2*time.Hour, "nok", "auto"),
		done(operation.KindVerify, 3*time.Hour, "nok", "nightly"),
	}
	backups := []report.Backup{
		made("auto", time.Hour-time.Second, holdfast.TriggerAuto),
		made("emergency", 2*time.Hour-time.Second, holdfast.TriggerEmergency),
		made("nightly", 4*time.Hour, holdfast.TriggerScheduled),
		made("older_emergency", 5*time.Hour, holdfast.TriggerEmergency),
		{Name: "unusable"},
	}
	var got []string
	for _, e := range activity.Entries(jobs, backups, now) {
		got = append(got, fmt.Sprint(e.Kind, " ", e.Backup, " ", e.By, e.Trigger, " ", e.Alone()))
	}
	want := "[backup auto ragpdf false restore auto nok false verify nightly nok false backup nightly scheduled true backup older_emergency emergency false]"
	if fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}

func TestEntries_ABackupWithDamageIsNotGood(t *testing.T) {
	b := made("a", time.Hour, holdfast.TriggerScheduled)
	b.Problems = []holdfast.Problem{{Severity: holdfast.Incomplete}}
	if e := activity.Entries(nil, []report.Backup{b}, now); e[0].State != job.Incomplete {
		t.Errorf("%+v", e)
	}
}

// Pages hold everything once, although something new comes between two of them.
func TestBuild_PagesHoldEverythingOnce(t *testing.T) {
	var jobs []job.Job
	for i := range 137 {
		jobs = append(jobs, done(operation.KindBackup, time.Duration(i)*time.Minute, "a", ""))
	}
	seen := map[string]int{}
	q := activity.Query{}
	for page := 0; ; page++ {
		all := append([]job.Job{done(operation.KindVerify, -time.Duration(page)*time.Hour, "later", "")}, jobs...)
		m := activity.Build(activity.Entries(all, nil, now), q)
		for _, e := range m.Entries {
			if e.By != "later" {
				seen[e.ID]++
			}
		}
		if m.Total != 138 {
			t.Errorf("page %d tells of %d", page, m.Total)
		}
		if m.Next == "" {
			break
		}
		q.After = m.Next
	}
	for _, j := range jobs {
		if seen[j.ID] != 1 {
			t.Errorf("%s is on %d pages", j.ID, seen[j.ID])
		}
	}
}

func TestBuild_ChoosesWhatIsAskedFor(t *testing.T) {
	failed := done(operation.KindReplicate, 4*time.Hour, "schedule", "")
	failed.State, failed.Error = job.Failed, &report.Error{Message: "copy to Singapore: 503"}
	running := done(operation.KindBackup, time.Minute, "owner", "ก่อนเปิดเทอม")
	running.State, running.EndedAt = job.Running, nil
	all := activity.Entries([]job.Job{
		done(operation.KindBackup, time.Hour, "ragpdf", "auto"), failed, running,
	}, []report.Backup{made("nightly", 9*time.Hour, holdfast.TriggerScheduled), made("mine", 10*time.Hour, holdfast.TriggerManual)}, now)
	for _, c := range []struct {
		q    activity.Query
		want int
	}{
		{activity.Query{}, 5},
		{activity.Query{Kind: operation.KindBackup}, 4},
		{activity.Query{State: activity.StateBad}, 1},
		{activity.Query{State: activity.StateGood}, 3},
		{activity.Query{State: activity.StateWork}, 1},
		{activity.Query{State: string(job.Failed)}, 1},
		{activity.Query{By: "ragpdf"}, 1},
		{activity.Query{By: activity.ItSelf}, 1},
		{activity.Query{Text: "SINGAPORE 503"}, 1},
		{activity.Query{Text: "เปิดเทอม"}, 1},
		{activity.Query{Text: "singapore nightly"}, 0},
		{activity.Query{Kind: operation.KindBackup, State: activity.StateGood, By: "ragpdf", Text: "auto"}, 1},
	} {
		if m := activity.Build(all, c.q); len(m.Entries) != c.want || m.Total != c.want {
			t.Errorf("%+v gives %d of %d, want %d", c.q, len(m.Entries), m.Total, c.want)
		}
	}
	if m := activity.Build(all, activity.Query{}); fmt.Sprint(m.Makers) != "[owner ragpdf schedule]" {
		t.Errorf("makers %v", m.Makers)
	}
}

func TestLines_GroupRefusalsThatAreTheSame(t *testing.T) {
	refusal := func(before time.Duration, route string) access.Entry {
		return access.Entry{ID: "x", Time: at(before), Route: route, Outcome: access.Refused, Status: 401}
	}
	lines := activity.Lines([]access.Entry{
		refusal(1*time.Minute, "/login"), refusal(2*time.Minute, "/login"), refusal(3*time.Minute, "/login"),
		{ID: "y", Time: at(4 * time.Minute), Route: "/login", Outcome: access.Done, Job: "J"},
		refusal(5*time.Minute, "/login"), refusal(6*time.Minute, "/api/v1/backups"),
	}, func(id string) string { return "kind of " + id })
	var got []string
	for _, l := range lines {
		got = append(got, fmt.Sprint(l.Times, l.Route, now.Sub(l.First), l.Kind))
	}
	if want := "[3/login3m0s 1/login4m0skind of J 1/login5m0s 1/api/v1/backups6m0s]"; fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}
