package job

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// killed begins two jobs, of which one waits, and leaves them to the next process.
func killed(t *testing.T, work Work) (w *world, running, queued string) {
	t.Helper()
	w = newWorld(t)
	w.SetRules(Rules{Lanes: []Lane{{Kinds: []string{"verify"}, Most: 1}}})
	begun := make(chan struct{})
	a := w.begin("verify", func(ctx context.Context, h *Handle) (any, error) {
		_, _ = work(ctx, h)
		close(begun)
		return until(ctx, h)
	})
	<-begun
	b := w.begin("verify", quick)
	freeze(t, w)
	return w, a.ID, b.ID
}

// freeze opens a copy of the directory as it is now: the old process writes into its
// own and is none of the next one's.
func freeze(t *testing.T, w *world) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "jobs")
	if err := os.CopyFS(dir, os.DirFS(w.dir)); err != nil {
		t.Fatal(err)
	}
	w.dir, w.o.Dir = dir, dir
	w.clock.pass(time.Hour)
	w.open()
}

func TestSettle(t *testing.T) {
	w, running, queued := killed(t, func(ctx context.Context, h *Handle) (any, error) {
		h.SetBackup("monday")
		return chatty(10)(ctx, h)
	})
	var asked []Job
	if err := w.Settle(t.Context(), func(_ context.Context, j Job) Verdict {
		asked = append(asked, j)
		return Verdict{State: Succeeded, Outcome: "monday was committed", Result: "all of it"}
	}); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 1 || asked[0].ID != running || asked[0].Backup != "monday" || asked[0].Progress == nil || asked[0].Progress.Step != holdfast.StepCapture || string(asked[0].Request) == "" {
		t.Errorf("it was asked about %+v", asked)
	}
	j := w.end(running)
	if j.State != Succeeded || j.Outcome != "monday was committed" || string(j.Result) != `"all of it"` || j.EndedAt.After(j.StartedAt.Add(time.Minute)) {
		t.Errorf("what ran is %+v", j)
	}
	if j := w.end(queued); j.State != Interrupted || !strings.Contains(j.Outcome, "nothing was done") {
		t.Errorf("what waited is %+v", j)
	}
	events := w.all(running, 0)
	if got := numbers(t, events); len(got) != 12 || events[11].State != Succeeded {
		t.Errorf("the events are %+v", events)
	}
	// It is done once.
	w.leave()
	if err := w.Settle(t.Context(), func(context.Context, Job) Verdict { t.Error("asked again"); return Verdict{} }); err != nil {
		t.Fatal(err)
	}
}

func TestSettle_WithoutAnAnswer(t *testing.T) {
	for name, judge := range map[string]Judge{
		"none":   nil,
		"panics": func(context.Context, Job) Verdict { panic("oh no") },
		"says none": func(context.Context, Job) Verdict {
			return Verdict{State: Running, Outcome: "not known", Err: errors.New("unreachable")}
		},
	} {
		w, running, _ := killed(t, quick)
		if err := w.Settle(t.Context(), judge); err != nil {
			t.Fatal(err)
		}
		if j := w.end(running); j.State != Interrupted || !strings.Contains(j.Outcome, "not known") {
			t.Errorf("%s: %+v", name, j)
		}
	}
	w, running, _ := killed(t, quick)
	ctx, cancel := context.WithCancel(t.Context())
	err := w.Settle(ctx, func(context.Context, Job) Verdict { cancel(); return Verdict{State: Failed} })
	mustBe(t, err, context.Canceled)
	if j, err := w.Get(running); err != nil || j.State != Running {
		t.Errorf("cut short: %+v, %v", j, err)
	}
}

// Somebody who asks before the jobs are settled hears of it.
func TestSettle_IsWaitedFor(t *testing.T) {
	w, running, _ := killed(t, quick)
	heard := make(chan State)
	go func() {
		var last State
		for ev := range w.Events(t.Context(), running, 0) {
			last = ev.State
		}
		heard <- last
	}()
	if err := w.Settle(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != Interrupted {
		t.Errorf("the last event says %q", got)
	}
}

func TestOpen_PassesOverWhatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	good, bad := w.do("backup", quick), w.do("backup", quick)
	whole, err := os.ReadFile(w.store.recordPath(bad.ID))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty":       "",
		"torn":        string(whole[:len(whole)/2]),
		"zeros":       strings.Repeat("\x00", len(whole)),
		"no record":   "[]",
		"no version":  `{"id":"` + bad.ID + `","state":"running"}`,
		"future":      strings.Replace(string(whole), `"version":1`, `"version":7`, 1),
		"another job": strings.Replace(string(whole), bad.ID, good.ID, 1),
		"no state":    strings.Replace(string(whole), `"succeeded"`, `"asleep"`, 1),
		"no end":      strings.Replace(string(whole), `"ended_at"`, `"other"`, 1),
		"huge":        string(whole) + strings.Repeat(" ", mostRecord),
	} {
		if err := os.WriteFile(w.store.recordPath(bad.ID), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w.leave()
		if err := w.Settle(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		_, err := w.Get(bad.ID)
		mustBe(t, err, holdfast.ErrNotFound)
		if j, err := w.Get(good.ID); err != nil || j.State != Succeeded {
			t.Errorf("%s: the other is %+v, %v", name, j, err)
		}
		if !strings.Contains(w.log.String(), "passed over") {
			t.Errorf("%s: the log says\n%s", name, w.log)
		}
	}
	// It does not stay for ever.
	w.clock.mu.Lock()
	w.clock.at = time.Now().Add(40 * 24 * time.Hour)
	w.clock.mu.Unlock()
	w.leave()
	if left, err := filepath.Glob(filepath.Join(w.dir, "*")); err != nil || len(left) != 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

func TestKeep(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.KeepMost = 5 })
	running := w.begin("verify", until)
	var ids []string
	for range 8 {
		w.clock.pass(time.Minute)
		ids = append(ids, w.do("backup", quick).ID)
	}
	w.sweep()
	for i, id := range ids {
		_, err := w.Get(id)
		_, statErr := os.Stat(w.store.recordPath(id))
		if kept := i >= 3; (err == nil) != kept || (statErr == nil) != kept {
			t.Errorf("job %d: %v, %v", i, err, statErr)
		}
	}
	w.clock.pass(31 * 24 * time.Hour)
	w.sweep()
	if jobs, _, total := w.List(Filter{}, Page{}); total != 1 || jobs[0].ID != running.ID {
		t.Errorf("left are %+v", jobs)
	}
}

func TestList(t *testing.T) {
	w := newWorld(t)
	var ids []string
	for i := range 25 {
		w.clock.pass(time.Second)
		kind := []string{"backup", "verify"}[i%2]
		j, _, err := w.Start(kind, []string{"a", "b", "c"}[i%3], "", i, func(_ context.Context, h *Handle) (any, error) {
			h.SetBackup("monday")
			return "x", nil
		})
		if err != nil {
			t.Fatal(err)
		}
		w.end(j.ID)
		ids = append([]string{j.ID}, ids...)
	}
	// Pages go on where the last one ended, whatever is begun meanwhile.
	var got []string
	for after, pages := "", 0; pages == 0 || after != ""; pages++ {
		jobs, next, total := w.List(Filter{}, Page{Limit: 7, After: after})
		if total < 25 || len(jobs) > 7 {
			t.Fatalf("%d of %d", len(jobs), total)
		}
		for _, j := range jobs {
			if j.Request != nil || j.Result != nil {
				t.Errorf("%+v", j)
			}
			got = append(got, j.ID)
		}
		after = next
		w.clock.pass(time.Second)
		w.do("prune", quick)
	}
	if strings.Join(got, " ") != strings.Join(ids, " ") {
		t.Errorf("the pages gave\n%v, want\n%v", got, ids)
	}
	at := time.Date(2024, 10, 30, 14, 30, 11, 0, time.UTC)
	for name, c := range map[string]struct {
		filter Filter
		want   int
	}{
		"kind":   {Filter{Kind: "verify"}, 12},
		"by":     {Filter{By: "a"}, 9},
		"state":  {Filter{States: []State{Running, Failed}}, 0},
		"states": {Filter{States: []State{Succeeded}, Kind: "backup"}, 13},
		"backup": {Filter{Backup: "monday"}, 25},
		"time":   {Filter{Since: at, Until: at.Add(3 * time.Second)}, 3},
	} {
		if _, _, total := w.List(c.filter, Page{}); total != c.want {
			t.Errorf("%s: %d, want %d", name, total, c.want)
		}
	}
}
