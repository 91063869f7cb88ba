package chromatest

import (
	"fmt"
	"testing"
	"time"
)

// A load compared with the server it writes to, and with copies that are wrong
// in the ways a backup can be wrong.
func TestLoad_ChecksOneInstant(t *testing.T) {
	for _, v := range Versions() {
		t.Run(string(v), func(t *testing.T) {
			dir := t.TempDir()
			s := Start(t, v, dir)
			l := StartLoad(t, s, LoadOptions{Churn: true})
			for l.Requests() < 60 {
				time.Sleep(10 * time.Millisecond)
				if err := l.Failures(); err != nil {
					t.Fatal(err)
				}
			}
			early := l.Now()
			for n := l.Requests(); l.Requests() < n+20; {
				time.Sleep(10 * time.Millisecond)
			}
			l.Stop()
			if err := l.Failures(); err != nil {
				t.Fatal(err)
			}
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}

			again := Start(t, v, dir)
			c, ctx := again.Client(), t.Context()
			if err := l.Check(ctx, c, l.Now(), l.Now()); err != nil {
				t.Errorf("the state after the load: %v", err)
			}
			if err := l.Check(ctx, c, 0, early); err == nil {
				t.Error("a copy that holds later writes passes as one of an earlier instant")
			}
			target, err := c.Collection(ctx, "load-l2")
			if err != nil {
				t.Fatal(err)
			}
			records, err := c.Get(ctx, target.ID, nil)
			if err != nil || len(records) == 0 {
				t.Fatalf("%d records: %v", len(records), err)
			}
			if err := c.Delete(ctx, target.ID, []string{records[0].ID}); err != nil {
				t.Fatal(err)
			}
			if err := l.Check(ctx, c, l.Now(), l.Now()); err == nil {
				t.Error("a copy that lacks a record passes")
			}
			changed := records[0]
			changed.Document = new("something else")
			if err := c.Add(ctx, target.ID, []Record{changed}); err != nil {
				t.Fatal(err)
			}
			if err := l.Check(ctx, c, l.Now(), l.Now()); err == nil {
				t.Error("a copy with another document passes")
			}
			if err := l.Grow(ctx, c); err != nil {
				t.Errorf("new records: %v", err)
			}
		})
	}
}

func TestHistory_WindowsOfAbsence(t *testing.T) {
	h := &history{states: []state{{}, {version: 1, sent: 10, acked: 12}, {sent: 20, acked: 22}}}
	got, want := fmt.Sprint(h.windows(0)), fmt.Sprint([]window{{0, 12}, {20, never}})
	if got != want {
		t.Errorf("windows = %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(h.windows(1)), fmt.Sprint([]window{{10, 22}}); got != want {
		t.Errorf("windows = %s, want %s", got, want)
	}
}
