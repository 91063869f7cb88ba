package botapi

import (
	"context"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	ten := make([]any, 10)
	for i := range ten {
		ten[i] = i + 1
	}
	for name, c := range map[string]struct {
		chats []any // in turn
		calls int
		least time.Duration // how long they take together
		most  time.Duration
	}{
		"a few at once":        {[]any{5}, chatBurst, 0, 0},
		"a person":             {[]any{5}, chatBurst + 60, 60 * time.Second, 60 * time.Second},
		"a group":              {[]any{-5}, groupBurst + 20, time.Minute, time.Minute},
		"a channel":            {[]any{"@news"}, groupBurst + 20, time.Minute, time.Minute},
		"what is not shown":    {[]any{nil}, allBurst + 60, 1900 * time.Millisecond, 2100 * time.Millisecond},
		"two do not share":     {[]any{5, 6}, 2 * chatBurst, 0, 0},
		"ten people, together": {ten, 10 * (chatBurst + 10), 10 * time.Second, 11 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			k := &clock{at: time.Unix(1000, 0)}
			p := pace{now: k.now}
			began := k.now()
			for i := range c.calls {
				if err := p.await(t.Context(), c.chats[i%len(c.chats)], k.wait); err != nil {
					t.Fatal(err)
				}
			}
			if took := k.now().Sub(began); took < c.least-time.Millisecond || took > c.most+time.Millisecond {
				t.Errorf("%d calls took %s, want %s to %s", c.calls, took, c.least, c.most)
			}
		})
	}
}

func TestPace_WhatTelegramAsksHoldsForEverybodyInThatChat(t *testing.T) {
	k := &clock{at: time.Unix(1000, 0)}
	p := pace{now: k.now}
	p.hold(5, 9*time.Second)
	began := k.now()
	if err := p.await(t.Context(), 6, k.wait); err != nil || !k.now().Equal(began) {
		t.Errorf("another chat waits, too: %v", err)
	}
	if err := p.await(t.Context(), 5, k.wait); err != nil || k.now().Sub(began) != 9*time.Second {
		t.Errorf("it waited %s, %v", k.now().Sub(began), err)
	}
}

func TestPace_RemembersFewChats(t *testing.T) {
	k := &clock{at: time.Unix(1000, 0)}
	p := pace{now: k.now}
	for i := range 3 * mostChats {
		k.pass(time.Second)
		if err := p.await(t.Context(), i, k.wait); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.chats) > mostChats {
		t.Errorf("%d chats are remembered", len(p.chats))
	}
}

func TestPace_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := pace{now: time.Now}
	if err := p.await(ctx, 5, wait); err == nil {
		t.Error("it goes on")
	}
}
