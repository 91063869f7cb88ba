package operation

import (
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/repo"
)

func TestBackup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var out report.BackupResult
	j, err := w.Backup(t.Context(), "tester", "key", BackupRequest{Name: "monday", Note: "before the upload", Pin: true})
	j = w.done(&out, j, err)
	if j.Backup != "monday" || j.By != "tester" || j.Kind != KindBackup {
		t.Errorf("the job is %+v", j)
	}
	if out.Type != "backup" || out.Backup == nil || out.Backup.Name != "monday" || !out.Backup.Pinned || out.Backup.Note != "before the upload" || out.Incomplete || out.Reused {
		t.Errorf("the result is %s", j.Result)
	}
	if w.changed.Load() == 0 {
		t.Error("nobody was told that the list is another one")
	}
	again, err := w.Backup(t.Context(), "tester", "key", BackupRequest{Name: "monday", Note: "before the upload", Pin: true})
	if err != nil || again.ID != j.ID {
		t.Errorf("the same key gave %+v, %v", again, err)
	}
	taken := w.end(w.Backup(t.Context(), "tester", "", BackupRequest{Name: "monday"}))
	if taken.State != job.Failed || taken.Error == nil {
		t.Errorf("a name that is taken: %+v", taken)
	}
}

func TestBackup_AutoTellsARecentOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	auto := func(q BackupRequest) report.BackupResult {
		t.Helper()
		var out report.BackupResult
		q.Trigger = holdfast.TriggerAuto
		j, err := w.Backup(t.Context(), "tester", "", q)
		j = w.done(&out, j, err)
		if out.Backup == nil || j.Backup != out.Backup.Name || out.Reused != (j.Outcome != "") {
			t.Errorf("the job is %+v", j)
		}
		return out
	}
	w.rest() // what was written this moment may have been written after the capture
	first := auto(BackupRequest{})
	if first.Reused || first.Backup.Trigger != holdfast.TriggerAuto {
		t.Errorf("the first is %+v", first)
	}
	if second := auto(BackupRequest{Note: "why"}); !second.Reused || second.Backup.Name != first.Backup.Name {
		t.Errorf("nothing was written, and it made %+v", second.Backup)
	}
	for name, q := range map[string]BackupRequest{
		"never": {Reuse: "0s"}, "a name": {Name: "mine", Reuse: "1m"}, "full": {Full: true}, "pinned": {Pin: true},
	} {
		if out := auto(q); out.Reused {
			t.Errorf("%s: it told %s", name, out.Backup.Name)
		}
	}
	w.write()
	if out := auto(BackupRequest{Reuse: "10m"}); out.Reused {
		t.Errorf("a row was written, and it told %s", out.Backup.Name)
	}
}

func TestStands(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	recent := func(typ holdfast.Type, memory bool, problems ...holdfast.Problem) *engine.BackupResult {
		return &engine.BackupResult{Backup: repo.Info{Metadata: &holdfast.Metadata{Type: typ, IncludesMemory: memory}}, Problems: problems}
	}
	damaged := holdfast.Problem{Severity: holdfast.Damaged}
	for name, c := range map[string]struct {
		recent *engine.BackupResult
		asked  BackupRequest
		want   bool
	}{
		"whatever":         {recent(holdfast.Standard, false), BackupRequest{}, true},
		"the type":         {recent(holdfast.Enhanced, true), BackupRequest{Type: holdfast.Enhanced}, true},
		"another type":     {recent(holdfast.Standard, false), BackupRequest{Type: holdfast.Enhanced}, false},
		"with memory":      {recent(holdfast.Enhanced, true), BackupRequest{Memory: &yes}, true},
		"without memory":   {recent(holdfast.Enhanced, true), BackupRequest{Memory: &no}, false},
		"damaged":          {recent(holdfast.Standard, false, damaged), BackupRequest{}, false},
		"nothing is known": {&engine.BackupResult{}, BackupRequest{}, false},
	} {
		if got := stands(c.recent, c.asked); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Of many that ask at once before their uploads most find the backup of another.
func TestBackup_ManyAutoAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.rest()
	w.backup("before")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			j, err := w.Backup(t.Context(), "tester", "", BackupRequest{Trigger: holdfast.TriggerAuto})
			if err == nil {
				j, err = w.jobs.Wait(t.Context(), j.ID)
			}
			if err != nil || j.State != job.Succeeded {
				t.Errorf("%+v, %v", j, err)
			}
		})
	}
	all.Wait()
	if n := len(w.backups()); n != 1 {
		t.Errorf("%d backups of the same", n)
	}
}

func TestBackup_AutoWhileItIsOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"auto_backup": "false"})
	var out report.BackupResult
	j, err := w.Backup(t.Context(), "tester", "", BackupRequest{Trigger: holdfast.TriggerAuto})
	j = w.done(&out, j, err)
	if !strings.Contains(out.Skipped, "AUTO_BACKUP_ENABLED") || out.Backup != nil || j.Backup != "" || j.Outcome == "" {
		t.Errorf("the job is %+v", j)
	}
	if w.backup("by-hand").Backup == nil {
		t.Error("a backup by hand was not made")
	}
}

func TestBackup_RefusesWhatAClientMayNotAsk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for name, q := range map[string]BackupRequest{
		"a path":            {Name: "../../etc/passwd"},
		"hidden":            {Name: ".monday"},
		"latest":            {Name: "latest"},
		"a separator":       {Name: `a\b`},
		"emergency":         {Trigger: holdfast.TriggerEmergency},
		"startup":           {Trigger: holdfast.TriggerStartup},
		"shutdown":          {Trigger: holdfast.TriggerShutdown},
		"change":            {Trigger: holdfast.TriggerChange},
		"made up":           {Trigger: "because\x1b[2J"},
		"type":              {Type: "deluxe"},
		"long note":         {Note: strings.Repeat("x", holdfast.MaxNote+1)},
		"controls":          {Note: "a\x1b[2Jb"},
		"no text":           {Note: "\xff"},
		"reuse too long":    {Reuse: "11m"},
		"reuse of the past": {Reuse: "-1s"},
		"reuse no time":     {Reuse: "soon"},
	} {
		_, err := w.Backup(t.Context(), "tester", "", q)
		mustBe(t, name, err, holdfast.ErrUsage)
		if err != nil && (strings.Contains(err.Error(), "\x1b") || strings.Contains(err.Error(), "\xff")) {
			t.Errorf("%s: the error repeats %q", name, err)
		}
	}
	if jobs, _, _ := w.jobs.List(job.Filter{}, job.Page{}); len(jobs) != 0 {
		t.Errorf("there are %+v", jobs)
	}
}

// The backup is told when it is committed; copies and pruning go on, and are told at
// the end.
func TestBackup_WhatFollowsIsPartOfIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"retention.days": "0", "retention.keep_last": "1"})
	withReplica(t, w)
	first := w.backup("first")
	if len(first.Replicas) != 1 || !first.Replicas[0].OK || len(first.Replicas[0].Copied) != 1 {
		t.Errorf("the copies are %+v", first.Replicas)
	}
	w.write()
	second := w.backup("second")
	if len(second.Pruned) != 1 || second.Pruned[0].Name != "first" {
		t.Errorf("pruned were %+v", second.Pruned)
	}
	j, err := w.Backup(t.Context(), "tester", "", BackupRequest{Name: "third"})
	if err != nil {
		t.Fatal(err)
	}
	early, err := w.jobs.WaitResult(t.Context(), j.ID)
	var out report.BackupResult
	if w.read(&out, early); err != nil || out.Backup == nil || out.Backup.Name != "third" {
		t.Errorf("early it is %+v, %v", early, err)
	}
	w.end(j, nil)
}
