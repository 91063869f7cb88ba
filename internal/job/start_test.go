package job

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

type asked struct {
	Name string `json:"name"`
	Full bool   `json:"full"`
}

func TestKey_TheSameRequestIsTheSameJob(t *testing.T) {
	w := newWorld(t)
	request := asked{"monday", true}
	first, existing, err := w.Start("backup", "a", "key", request, quick)
	if err != nil || existing {
		t.Fatalf("%t, %v", existing, err)
	}
	w.end(first.ID)
	for _, where := range []string{"the same process", "the next process"} {
		// Written otherwise it asks for the same.
		again, existing, err := w.Start("backup", "a", "key", map[string]any{"full": true, "name": "monday"}, quick)
		if err != nil || !existing || again.ID != first.ID || again.State != Succeeded || len(again.Result) == 0 {
			t.Errorf("%s: %+v, %t, %v", where, again, existing, err)
		}
		for name, c := range map[string]struct {
			kind    string
			request any
		}{"another request": {"backup", asked{"tuesday", true}}, "another kind": {"verify", request}, "none": {"backup", nil}} {
			_, _, err := w.Start(c.kind, "a", "key", c.request, quick)
			mustBe(t, err, holdfast.ErrRefused)
			if err == nil || !strings.Contains(err.Error(), first.ID) {
				t.Errorf("%s: %s says %v", where, name, err)
			}
		}
		w.leave()
	}
	other, existing, err := w.Start("backup", "b", "key", request, quick)
	if err != nil || existing || other.ID == first.ID {
		t.Errorf("another caller got %+v, %t, %v", other, existing, err)
	}
	w.end(other.ID)
	w.clock.pass(31 * 24 * time.Hour)
	w.sweep()
	if late, existing, err := w.Start("backup", "a", "key", request, quick); err != nil || existing || late.ID == first.ID {
		t.Errorf("after a month: %+v, %t, %v", late, existing, err)
	}
}

func TestKey_OfManyAtOnceOneBegins(t *testing.T) {
	w := newWorld(t)
	letGo := make(chan struct{})
	ids := make(chan string, 20)
	var all sync.WaitGroup
	for range cap(ids) {
		all.Go(func() {
			j, _, err := w.Start("backup", "a", "key", nil, held(letGo))
			if err != nil {
				t.Error(err)
			}
			ids <- j.ID
		})
	}
	all.Wait()
	close(letGo)
	first := <-ids
	for range cap(ids) - 1 {
		if id := <-ids; id != first {
			t.Errorf("job %s beside %s", id, first)
		}
	}
}

func TestKey_Refused(t *testing.T) {
	w := newWorld(t)
	for _, key := range []string{"a b", "\n", "tab\t", "ключ", "\x00", "\x7f", strings.Repeat("k", mostKey+1)} {
		_, _, err := w.Start("backup", "a", key, nil, quick)
		mustBe(t, err, holdfast.ErrUsage)
	}
	_, _, err := w.Start("backup", "a", "", strings.Repeat("x", mostRequest), quick)
	mustBe(t, err, holdfast.ErrUsage)
	if j, _, err := w.Start("backup", "a", strings.Repeat("k", mostKey), nil, quick); err != nil || w.end(j.ID).State != Succeeded {
		t.Errorf("the longest key: %v", err)
	}
}

func TestLanes(t *testing.T) {
	w := newWorld(t)
	w.SetRules(Rules{Lanes: []Lane{{Kinds: []string{"verify", "drill"}, Most: 2}, {Kinds: []string{"restore", "rollback"}, Most: 1, Refuse: true}}})
	first, second, rest := make(chan struct{}), make(chan struct{}), make(chan struct{})
	a, b := w.begin("verify", held(first)), w.begin("drill", held(second))
	c, d, e := w.begin("verify", held(rest)), w.begin("drill", held(rest)), w.begin("verify", held(rest))
	for _, j := range []Job{a, b} {
		if j.State != Running || j.StartedAt == nil {
			t.Errorf("%+v", j)
		}
	}
	for _, j := range []Job{c, d, e} {
		if j.State != Queued || j.StartedAt != nil {
			t.Errorf("%+v", j)
		}
	}
	if j := w.do("backup", quick); j.State != Succeeded {
		t.Errorf("a backup beside them: %+v", j)
	}
	// One that waits can be cancelled, and its work is never begun.
	if _, err := w.Cancel(c.ID); err != nil {
		t.Fatal(err)
	}
	if c = w.end(c.ID); c.State != Cancelled || c.StartedAt != nil || !strings.Contains(c.Outcome, "before it had begun") {
		t.Errorf("%+v", c)
	}
	close(first)
	w.end(a.ID)
	for ev := range w.Events(t.Context(), d.ID, 0) {
		if ev.State == Running {
			break
		}
	}
	if j, err := w.Get(e.ID); err != nil || j.State != Queued {
		t.Errorf("a third runs: %+v, %v", j, err)
	}
	close(second)
	close(rest)
	w.end(d.ID)
	w.end(e.ID)

	letGo := make(chan struct{})
	restore := w.begin("restore", held(letGo))
	for _, kind := range []string{"restore", "rollback"} {
		_, _, err := w.Start(kind, "", "", nil, quick)
		mustBe(t, err, holdfast.ErrLocked)
		if err == nil || !strings.Contains(err.Error(), restore.ID) {
			t.Errorf("it says %v", err)
		}
	}
	close(letGo)
	w.end(restore.ID)
	if j := w.do("rollback", quick); j.State != Succeeded {
		t.Errorf("%+v", j)
	}
}

// A bound holds however jobs come and go.
func TestLanes_NeverMoreThanTheirMost(t *testing.T) {
	w := newWorld(t)
	const most = 2
	w.SetRules(Rules{Lanes: []Lane{{Kinds: []string{"verify"}, Most: most}}})
	var mu sync.Mutex
	running, worst := 0, 0
	work := func(context.Context, *Handle) (any, error) {
		mu.Lock()
		running++
		worst = max(worst, running)
		mu.Unlock()
		time.Sleep(time.Millisecond)
		mu.Lock()
		running--
		mu.Unlock()
		return nil, nil
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 15 {
				j, _, err := w.Start("verify", "", "", nil, work)
				if err != nil {
					t.Error(err)
					return
				}
				if j, err = w.Wait(t.Context(), j.ID); err != nil || j.State != Succeeded {
					t.Errorf("%+v, %v", j, err)
				}
			}
		})
	}
	all.Wait()
	if worst > most || worst == 0 {
		t.Errorf("%d ran side by side", worst)
	}
}

func TestStart_BoundsWhatWaits(t *testing.T) {
	w := newWorld(t)
	w.SetRules(Rules{Lanes: []Lane{{Kinds: []string{"verify"}, Most: 0}}})
	w.mostActive = 20
	for range w.mostActive {
		w.begin("verify", quick)
	}
	_, _, err := w.Start("backup", "", "", nil, quick)
	mustBe(t, err, holdfast.ErrLocked)
}

func TestClose(t *testing.T) {
	w := newWorld(t)
	w.SetRules(Rules{Lanes: []Lane{{Kinds: []string{"verify"}, Most: 1}}})
	letGo := make(chan struct{})
	finishes, stays, waits := w.begin("backup", held(letGo)), w.begin("verify", until), w.begin("verify", quick)
	ctx, cancel := context.WithCancel(t.Context())
	closed := make(chan struct{})
	go func() {
		w.Close(ctx)
		close(closed)
	}()
	if j := w.end(waits.ID); j.State != Interrupted || j.StartedAt != nil || !strings.Contains(j.Outcome, "nothing was done") {
		t.Errorf("what waited is %+v", j)
	}
	_, _, err := w.Start("backup", "", "", nil, quick)
	mustBe(t, err, ErrClosed)
	mustBe(t, err, context.Canceled)
	close(letGo)
	if j := w.end(finishes.ID); j.State != Succeeded {
		t.Errorf("what could finish is %+v", j)
	}
	select {
	case <-closed:
		t.Fatal("Close did not wait")
	default:
	}
	cancel()
	<-closed
	if j := w.end(stays.ID); j.State != Interrupted || j.Outcome != "the daemon was shut down" {
		t.Errorf("what stayed is %+v", j)
	}
	w.Close(t.Context()) // a second time is nothing
	w.open()
	for _, id := range []string{finishes.ID, stays.ID, waits.ID} {
		if j, err := w.Get(id); err != nil || !j.State.Ended() {
			t.Errorf("the next process reads %+v, %v", j, err)
		}
	}
}
