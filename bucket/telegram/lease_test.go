package telegram

import (
	"errors"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// hold writes the lease of somebody else into the chat.
func hold(t *testing.T, c *chat, d leaseDoc) {
	t.Helper()
	must(t, open(t, c.stateless(t)).change(t.Context(), nil, func(x *index) error {
		x.Lease = &d
		return nil
	}))
}

func TestLease_OfSomebodyElse(t *testing.T) {
	theirs := leaseDoc{Owner: holdfast.Owner{Host: "there", PID: 7}, Token: "theirs", TTL: 180}
	gone := theirs
	gone.Space, gone.Process = space(), 1<<22+1 // more than a process can have
	elsewhere := theirs
	elsewhere.Space, elsewhere.Process = "another machine", 1<<22+1
	for name, tt := range map[string]struct {
		doc   leaseDoc
		after time.Duration
		free  bool
	}{
		"just renewed":                      {theirs, time.Second, false},
		"within the skew of clocks":         {theirs, 3*time.Minute + 30*time.Second, false},
		"over":                              {theirs, 5 * time.Minute, true},
		"of a process here that is no more": {gone, time.Second, space() != ""},
		"of such a process elsewhere":       {elsewhere, time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChat()
			hold(t, c, tt.doc)
			c.pass(tt.after)
			l, err := open(t, c.stateless(t)).Lock(t.Context(), holdfast.Owner{Host: "here", PID: 1})
			if tt.free {
				must(t, err)
				must(t, l.Release())
				return
			}
			held, ok := errors.AsType[*holdfast.LockedError](err)
			if !ok || held.Owner.Host != "there" || holdfast.HintOf(err) == "" {
				t.Errorf("got %v, want who holds it and for how long", err)
			}
		})
	}
}

// A writer that slept through its lease, while another wrote, changes nothing.
func TestLease_AWriterThatSlept(t *testing.T) {
	ctx := t.Context()
	c := newChat()
	slow, fast := open(t, c.stateless(t)), open(t, c.stateless(t))
	first, err := slow.Lock(ctx, holdfast.Owner{Host: "slow", PID: 1})
	must(t, err)
	st, err := slow.Stage(ctx, "slow", bucket.StageOptions{Marker: "marker"})
	must(t, err)
	must(t, write(ctx, st, "large", noise(1, 200_000)))
	c.pass(time.Hour)
	second, err := fast.Lock(ctx, holdfast.Owner{Host: "fast", PID: 1})
	must(t, err)
	must(t, tree(ctx, fast, "fast", 5))
	for what, err := range map[string]error{
		"Commit": st.Commit(ctx, nil), "Put": slow.Put(ctx, "x", nil, bucket.Replace),
		"an upload": func() error {
			_, err := slow.upload(ctx, slow.holder(), joined{}, false)
			if err == nil {
				err = slow.holder().check(ctx)
			}
			return err
		}(),
	} {
		if !errors.Is(err, holdfast.ErrLocked) {
			t.Errorf("%s: %v", what, err)
		}
	}
	<-first.Lost()
	must(t, errors.Join(first.Release(), second.Release()))
	got := held(t, open(t, c.stateless(t)))
	if len(got) != 5 || got["fast/marker"] != "whole" {
		t.Errorf("%d objects", len(got))
	}
}
