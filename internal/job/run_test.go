package job

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

func TestStart_RecordsBeforeTheWorkBegins(t *testing.T) {
	w := newWorld(t)
	var found record
	var failed error
	j := w.do("backup", func(_ context.Context, h *Handle) (any, error) {
		found, failed = w.store.read(h.ID())
		return nil, nil
	})
	if failed != nil || found.State != Running || found.StartedAt == nil || found.Kind != "backup" || found.By != "tester" || string(found.Request) != `{"kind":"backup"}` {
		t.Errorf("when the work began the record was %+v, %v", found, failed)
	}
	if j.State != Succeeded || j.EndedAt == nil || j.Result != nil {
		t.Errorf("the job is %+v", j)
	}
	info, err := os.Stat(w.store.recordPath(j.ID))
	if err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("the record: %v, %v", info, err)
	}
}

func TestEnd_IsRecordedBeforeAnybodyIsTold(t *testing.T) {
	w := newWorld(t)
	letGo := make(chan struct{})
	j := w.begin("backup", held(letGo))
	told := make(chan error)
	go func() {
		for ev := range w.Events(t.Context(), j.ID, 0) {
			if !ev.State.Ended() || ev.State == "" {
				continue
			}
			rec, err := w.store.read(j.ID)
			if err == nil && (rec.State != Succeeded || rec.Events != ev.Seq) {
				err = fmt.Errorf("the record says %s after %d events, the event %d", rec.State, rec.Events, ev.Seq)
			}
			told <- err
		}
	}()
	close(letGo)
	if err := <-told; err != nil {
		t.Error(err)
	}
	if got := w.end(j.ID); string(got.Result) != `"let go"` {
		t.Errorf("the result is %s", got.Result)
	}
}

func TestRun_EachWayToEnd(t *testing.T) {
	broken := errors.New("the disk broke")
	for name, c := range map[string]struct {
		work  Work
		state State
		code  string
		says  string
	}{
		"done":            {quick, Succeeded, "", ""},
		"failed":          {func(context.Context, *Handle) (any, error) { return nil, broken }, Failed, "failed", "the disk broke"},
		"damaged":         {func(context.Context, *Handle) (any, error) { return 1, holdfast.ErrDamaged }, Failed, "damaged", "damaged"},
		"incomplete":      {func(context.Context, *Handle) (any, error) { return 1, holdfast.ErrIncomplete }, Incomplete, "incomplete", "incomplete"},
		"in part":         {func(_ context.Context, h *Handle) (any, error) { h.SetIncomplete(); return 1, nil }, Incomplete, "", ""},
		"panic":           {func(context.Context, *Handle) (any, error) { panic("oh no") }, Failed, "failed", "oh no"},
		"goexit":          {func(context.Context, *Handle) (any, error) { runtime.Goexit(); return nil, nil }, Failed, "failed", "fault"},
		"another context": {func(context.Context, *Handle) (any, error) { return nil, context.Canceled }, Failed, "interrupted", "interrupted"},
		"unspeakable":     {func(context.Context, *Handle) (any, error) { return math.Inf(1), nil }, Succeeded, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			j := w.do("verify", c.work)
			if j.State != c.state {
				t.Errorf("it is %s, want %s", j.State, c.state)
			}
			if (j.Error == nil) != (c.code == "") || j.Error != nil && (j.Error.Code != c.code || j.Error.Command != "verify" || !strings.Contains(j.Error.Message, c.says)) {
				t.Errorf("the error is %+v", j.Error)
			}
			w.leave()
			again, err := w.Get(j.ID)
			if err != nil || again.State != c.state || string(again.Result) != string(j.Result) {
				t.Errorf("the next process reads %+v, %v", again, err)
			}
			for _, word := range []string{"job started", "job ended", "op_id=" + j.ID, "state=" + string(c.state)} {
				if !strings.Contains(w.log.String(), word) {
					t.Errorf("the log lacks %q:\n%s", word, w.log)
				}
			}
		})
	}
}

func TestRun_TheWorkKnowsItsOperation(t *testing.T) {
	w := newWorld(t)
	var id string
	j := w.do("backup", func(ctx context.Context, h *Handle) (any, error) {
		id = holdfast.OperationOf(ctx)
		holdfast.ObserverOf(ctx).Send(holdfast.Event{Op: "backup", Step: holdfast.StepCommit, State: holdfast.Finished})
		h.SetBackup("monday")
		return nil, nil
	})
	if id != j.ID {
		t.Errorf("the operation is %q, the job %q", id, j.ID)
	}
	events := w.all(j.ID, 0)
	if len(events) != 3 || events[0].State != Running || events[1].Event == nil || events[1].Event.Step != holdfast.StepCommit || events[2].State != Succeeded {
		t.Errorf("the events are %+v", events)
	}
	if j.Backup != "monday" || j.Progress == nil || j.Progress.Step != holdfast.StepCommit {
		t.Errorf("the job is %+v", j)
	}
}

func TestCancel(t *testing.T) {
	begun, letGo := make(chan struct{}, 1), make(chan struct{})
	deaf := func(result any, err error) Work {
		return func(context.Context, *Handle) (any, error) {
			begun <- struct{}{}
			<-letGo
			return result, err
		}
	}
	w := newWorld(t)
	j := w.begin("backup", until)
	if _, err := w.Cancel(j.ID); err != nil {
		t.Fatal(err)
	}
	if j = w.end(j.ID); j.State != Cancelled || j.Outcome != "cancelled on request" || j.Error == nil || j.Error.Exit != holdfast.ExitInterrupted {
		t.Errorf("it was %+v", j)
	}
	again, err := w.Cancel(j.ID)
	if err != nil || again.State != Cancelled {
		t.Errorf("a second time: %+v, %v", again, err)
	}
	for name, c := range map[string]struct {
		work  Work
		state State
	}{
		"done before it took notice":   {deaf("all of it", nil), Succeeded},
		"failed before it took notice": {deaf(nil, errors.New("broken")), Failed},
	} {
		j := w.begin("backup", c.work)
		<-begun
		if _, err := w.Cancel(j.ID); err != nil {
			t.Fatal(err)
		}
		letGo <- struct{}{}
		if j = w.end(j.ID); j.State != c.state {
			t.Errorf("%s: it is %s", name, j.State)
		}
	}
}

func TestSetResult_IsToldBeforeTheEnd(t *testing.T) {
	w := newWorld(t)
	letGo := make(chan struct{})
	j := w.begin("backup", func(ctx context.Context, h *Handle) (any, error) {
		h.SetResult("committed")
		<-letGo
		return nil, errors.New("the copy failed")
	})
	early, err := w.WaitResult(t.Context(), j.ID)
	if err != nil || early.State != Running || string(early.Result) != `"committed"` {
		t.Errorf("it is %+v, %v", early, err)
	}
	if rec, err := w.store.read(j.ID); err != nil || string(rec.Result) != `"committed"` {
		t.Errorf("the record has %s, %v", rec.Result, err)
	}
	close(letGo)
	if late := w.end(j.ID); late.State != Failed || string(late.Result) != `"committed"` {
		t.Errorf("at the end it is %+v", late)
	}
	failed := w.begin("backup", func(context.Context, *Handle) (any, error) { return nil, errors.New("no room") })
	if j, err := w.WaitResult(t.Context(), failed.ID); err != nil || j.State != Failed {
		t.Errorf("without a result: %+v, %v", j, err)
	}
}

// An id from outside never becomes a path.
func TestGet_RefusesWhatIsNoID(t *testing.T) {
	w := newWorld(t)
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(filepath.Dir(w.dir), "secret.json")
	if err := os.WriteFile(secret, []byte(`{"version":1,"id":"../secret","state":"succeeded"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"", ".", "..", "../secret", "/etc/passwd", "a\x00b", "20241030T143000123-K7Q2M9XA/../../secret", "20241030T143000123-k7q2m9xa", "20241030T143000123-K7Q2M9XA\n", strings.Repeat("A", 1<<16), "20241030T143000123-K7Q2M9XA"} {
		_, err := w.Get(id)
		mustBe(t, err, holdfast.ErrNotFound)
		_, err = w.Cancel(id)
		mustBe(t, err, holdfast.ErrNotFound)
		_, err = w.Wait(t.Context(), id)
		mustBe(t, err, holdfast.ErrNotFound)
		for _, err := range w.Events(t.Context(), id, 0) {
			mustBe(t, err, holdfast.ErrNotFound)
			if len(err.Error()) > 200 {
				t.Errorf("the error repeats %d bytes", len(err.Error()))
			}
		}
	}
}

func TestIDs_SortByTime(t *testing.T) {
	w := newWorld(t)
	last := ""
	for range 50 { // the clock stands still
		j := w.begin("backup", quick)
		if j.ID <= last || !idPattern.MatchString(j.ID) {
			t.Fatalf("%s after %s", j.ID, last)
		}
		last = j.ID
		w.end(j.ID)
	}
}
