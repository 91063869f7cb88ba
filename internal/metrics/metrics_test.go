package metrics

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
)

var update = flag.Bool("update", false, "write golden files and generated tables anew")

var noon = time.Date(2024, 10, 30, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) *holdfast.Time { return new(holdfast.At(noon.Add(-d))) }

// whole is a sample that knows everything.
func whole() Sample {
	return Sample{
		Version: "1.2.3", At: noon, LastSuccess: noon.Add(-time.Minute),
		Status: &report.Status{
			Verdict: report.Stale,
			Sources: []report.SourceStatus{
				{Name: "bot", Exists: true, Bytes: 8192, Records: new(int64(3)), LastBackup: "auto", LastAt: before(time.Hour)},
				{Name: "docs", Error: "permission denied"},
			},
			Repository: report.RepositoryState{
				Exists: true, Backups: 2, Unusable: 1, LogicalBytes: 300, StoredBytes: 200, HeldBytes: 50, FreeBytes: new(int64(9000)), ProvenAt: before(2 * time.Hour),
			},
			Replicas: []report.Replica{
				{Name: "nas", Exists: true, Backups: 1, Behind: []holdfast.BackupName{"auto"}, NewestAt: before(3 * time.Hour)},
				{Name: "offsite", Error: "no answer"},
			},
			Programs: []holdfast.Standing{{
				Sources:  []holdfast.SourceStanding{{Name: "bot", DegradedSince: before(time.Hour)}},
				Backups:  holdfast.BackupStanding{Error: "locked"},
				Survival: &holdfast.Survival{State: holdfast.SurvivalTwo, Kept: 12, Wiped: 2, LastWiped: before(24 * time.Hour), OtherUntil: before(0)},
			}},
		},
		Backups: []report.Backup{
			{Name: "emergency", CreatedAt: before(time.Minute), Trigger: holdfast.TriggerEmergency, LogicalBytes: 1},
			{Name: "auto", CreatedAt: before(time.Hour), Trigger: holdfast.TriggerAuto, LogicalBytes: 100, StoredBytes: 10, DurationMS: 250, WriterStallMS: 1.5, Drilled: &report.Drilled{At: *before(time.Minute), RestoreMS: 900}},
			{Name: "monday", CreatedAt: before(3 * time.Hour), LogicalBytes: 200, Drilled: &report.Drilled{At: *before(2 * time.Hour), OK: true, RestoreMS: 700}},
		},
		Failures: map[holdfast.Trigger]int64{holdfast.TriggerScheduled: 4},
		Alarms:   map[string]int{"failure": 1, "silence": 0},
		Tasks:    []holdfast.TaskStanding{{Name: "drill", Runs: 5, Failures: 1, LastAt: before(time.Minute), NextAt: new(holdfast.At(noon.Add(time.Hour)))}},
		Jobs:     map[string]int{"running": 1, "queued": 0},
		Proxies:  []Proxy{{Listen: "l:1", Upstream: "u", Requests: map[string]int64{"read": 9, "write": 8}, Refused: 1, Unprotected: 2, Waiting: 3}, {Listen: "l:2", Upstream: "u"}},
	}
}

// scrape asks a registry as Prometheus does.
func scrape(t *testing.T, r *Registry) map[string]*dto.MetricFamily {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("a scrape ended with %d\n%s", w.Code, w.Body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// ours gives every value of a scrape by its name and labels: "name{label=value}".
func ours(t *testing.T, r *Registry) map[string]float64 {
	t.Helper()
	values := map[string]float64{}
	for name, family := range scrape(t, r) {
		if !strings.HasPrefix(name, namespace+"_") {
			continue
		}
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			value := m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			values[strings.TrimPrefix(name, namespace+"_")+"{"+strings.Join(labels, ",")+"}"] = value
		}
	}
	return values
}

// exercised is a registry in which everything has been seen once.
func exercised(t *testing.T) *Registry {
	t.Helper()
	r := New(whole)
	r.Observe(engine.Verb{Op: opBackup, Trigger: holdfast.TriggerAuto})
	answer := httptest.NewRecorder()
	r.Requests(http.NotFoundHandler()).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	return r
}

func TestNames_AreAsPrometheusWantsThem(t *testing.T) {
	problems, err := testutil.GatherAndLint(exercised(t).registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestNames_AreGolden holds every name with its type and labels: boards and alerts of
// others rely on them.
func TestNames_AreGolden(t *testing.T) {
	var lines []string
	for name, f := range families(t) {
		lines = append(lines, fmt.Sprintf("%s %s {%s}", name, strings.ToLower(f.GetType().String()), strings.Join(labelsOf(f), ",")))
	}
	slices.Sort(lines)
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile("testdata/names.golden", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/names.golden")
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("testdata/names.golden is not current; -update writes it anew\ngot:\n%s", got)
	}
}

// families are our metrics, each seen once.
func families(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	found := scrape(t, exercised(t))
	for name := range found {
		if !strings.HasPrefix(name, namespace+"_") {
			delete(found, name)
		}
	}
	return found
}

func labelsOf(f *dto.MetricFamily) []string {
	var names []string
	for _, l := range f.GetMetric()[0].GetLabel() {
		names = append(names, l.GetName())
	}
	return names
}

func TestSample_Values(t *testing.T) {
	got := ours(t, New(whole))
	at := func(d time.Duration) float64 { return float64(noon.Add(-d).Unix()) }
	for name, want := range map[string]float64{
		"status_timestamp_seconds{}": at(0),
		"safe{}":                     0, "verdict{verdict=stale}": 1, "verdict{verdict=safe}": 0,
		"last_success_timestamp_seconds{source=bot}":  at(time.Minute),
		"last_backup_timestamp_seconds{source=bot}":   at(time.Hour),
		"last_success_timestamp_seconds{source=docs}": 0,
		"source_present{source=bot}":                  1, "source_present{source=docs}": 0,
		"source_bytes{source=bot}": 8192, "source_records{source=bot}": 3,
		"last_proof_timestamp_seconds{kind=any}":   at(2 * time.Hour),
		"last_proof_timestamp_seconds{kind=drill}": at(2 * time.Hour),
		"last_drill_success{}":                     0, "last_drill_restore_seconds{}": 0.9,
		"repository_usable{}": 1, "backups{}": 2, "unusable_backups{}": 1, "logical_bytes{}": 300, "stored_bytes{}": 200, "held_bytes{}": 50, "free_bytes{}": 9000,
		"newest_backup_logical_bytes{}": 100, "newest_backup_stored_bytes{}": 10, "newest_backup_duration_seconds{}": 0.25, "writer_stall_seconds{}": 0.0015,
		"replica_usable{replica=nas}": 1, "replica_usable{replica=offsite}": 0, "replica_behind{replica=nas}": 1, "replica_lag_seconds{replica=nas}": 7200,
		"replica_newest_timestamp_seconds{replica=nas}": at(3 * time.Hour),
		"degraded{}": 1, "programs{}": 1, "programs_failing{}": 1, "divided{}": 1, "storage_wipes_total{}": 2, "storage_kept_total{}": 12,
		"storage_wiped_timestamp_seconds{}": at(24 * time.Hour),
		"alarm{kind=failure}":               1, "alarm{kind=silence}": 0, "jobs{state=running}": 1, "jobs{state=queued}": 0,
		"backup_attempt_failures_total{trigger=scheduled}": 4, "backup_attempt_failures_total{trigger=change}": 0,
		"task_runs_total{task=drill}": 5, "task_failures_total{task=drill}": 1, "task_last_run_timestamp_seconds{task=drill}": at(time.Minute), "task_next_run_timestamp_seconds{task=drill}": at(-time.Hour),
		"prune_hold{}": 0, "restore_pending{}": 0,
		"proxy_requests_total{kind=read,listen=l:1,upstream=u}": 9, "proxy_refused_total{listen=l:1,upstream=u}": 1, "proxy_refused_total{listen=l:2,upstream=u}": 0,
		"proxy_unprotected_total{listen=l:1,upstream=u}": 2, "proxy_waiting{listen=l:1,upstream=u}": 3,
	} {
		if value, there := got[name]; !there || value != want {
			t.Errorf("%s is %v (there: %t), want %v", name, value, there, want)
		}
	}
	for _, name := range []string{"replica_behind{replica=offsite}", "source_bytes{source=docs}", "last_backup_timestamp_seconds{source=docs}"} {
		if value, there := got[name]; there {
			t.Errorf("%s is %v, and nobody can know it", name, value)
		}
	}
}

// TestSample_ABackupSinceTheLastLookCounts: the list of backups is newer than what the
// status tells of each source.
func TestSample_ABackupSinceTheLastLookCounts(t *testing.T) {
	s := whole()
	s.Status.Sources[0].LastAt, s.LastSuccess = nil, time.Time{}
	s.Backups[0].Sources = []report.BackupSource{{Name: "bot"}} // an emergency backup holds what was replaced
	s.Backups[1].Sources = []report.BackupSource{{Name: "bot"}}
	got := ours(t, New(func() Sample { return s }))
	for _, name := range []string{"last_success_timestamp_seconds{source=bot}", "last_backup_timestamp_seconds{source=bot}"} {
		if want := float64(noon.Add(-time.Hour).Unix()); got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}

// TestSample_WhatNobodyKnowsIsNotThere: neither before the first look, nor while the
// repository cannot be asked, is anything told that would be wrong.
func TestSample_WhatNobodyKnowsIsNotThere(t *testing.T) {
	got := ours(t, New(func() Sample { return Sample{Version: "1.2.3"} }))
	for _, name := range []string{"safe{}", "backups{}", "status_timestamp_seconds{}"} {
		if _, there := got[name]; there {
			t.Errorf("%s is there before anything was looked at", name)
		}
	}
	s := whole()
	s.Status.Repository = report.RepositoryState{Error: "no answer"}
	s.Status.Sources[0].LastAt = nil
	got = ours(t, New(func() Sample { return s }))
	if got["repository_usable{}"] != 0 || got["last_success_timestamp_seconds{source=bot}"] != float64(noon.Add(-time.Minute).Unix()) {
		t.Errorf("what is still known is not told: %v", got)
	}
	if _, there := got["stored_bytes{}"]; there {
		t.Error("the size of a repository that cannot be asked is there")
	}
	s.LastSuccess = time.Time{}
	if _, there := ours(t, New(func() Sample { return s }))["last_success_timestamp_seconds{source=bot}"]; there {
		t.Error("it is said that the source was never saved, and nobody knows")
	}
}

func TestObserve(t *testing.T) {
	r := New(whole)
	names := []string{
		"operations_total{op=backup,trigger=auto}", "failures_total{op=backup,trigger=auto}", "unchanged_total{trigger=auto}", "backup_duration_seconds{}",
		"backup_stored_bytes_total{}", "operations_total{op=restore,trigger=none}", "failures_total{op=restore,trigger=none}", "restore_duration_seconds{}",
	}
	// Every series is there before its first event: an increase from nothing is none.
	was := ours(t, r)
	for _, name := range names {
		if value, there := was[name]; !there || value != 0 {
			t.Errorf("%s begins with %v (there: %t)", name, value, there)
		}
	}
	backup := engine.Verb{Op: opBackup, Trigger: holdfast.TriggerAuto, Stored: 100, Duration: time.Second}
	for _, change := range []func(*engine.Verb){
		func(*engine.Verb) {},
		func(v *engine.Verb) { v.Unchanged, v.Stored = true, 0 },
		func(v *engine.Verb) { v.Err = errors.New("no space") },
		func(v *engine.Verb) { v.Err = fmt.Errorf("backup: %w", context.Canceled) },
		func(v *engine.Verb) { v.Op, v.Trigger = opRestore, "" },
		func(v *engine.Verb) { v.Op, v.Trigger, v.Err = opRestore, "", holdfast.ErrRefused },
	} {
		v := backup
		change(&v)
		r.Observe(v)
	}
	got := ours(t, r)
	for i, want := range []float64{4, 1, 1, 1, 100, 2, 1, 1} {
		if got[names[i]] != want {
			t.Errorf("%s is %v, want %v", names[i], got[names[i]], want)
		}
	}
}

func TestRequests_MethodsOfOthersMakeNoSeries(t *testing.T) {
	r := New(whole)
	h := r.Requests(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("a stream cannot be flushed: %v", err)
		}
	}))
	for _, method := range []string{http.MethodGet, "BREW", "STIR"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, "/api/v1/backups/monday", nil))
	}
	got := ours(t, r)
	if got["http_requests_total{code=200,method=get}"] != 1 || got["http_requests_total{code=200,method=unknown}"] != 2 {
		t.Errorf("got %v", got)
	}
}

func TestRegistry_ScrapesWhileVerbsEnd(t *testing.T) {
	r := New(whole)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 25 {
				r.Observe(engine.Verb{Op: opBackup, Trigger: holdfast.TriggerChange})
			}
		})
		wg.Go(func() { scrape(t, r) })
	}
	wg.Wait()
	if got := ours(t, r)["operations_total{op=backup,trigger=change}"]; got != 100 {
		t.Errorf("counted %v of 100", got)
	}
}
