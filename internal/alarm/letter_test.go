package alarm

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// mailbags is a postman with two services, of which the first can be down.
type mailbags struct {
	down bool
	got  [2][]string
}

func (p *mailbags) Names() []string { return []string{"mail", "hook"} }

func (p *mailbags) SendTo(_ context.Context, name string, m Message) error {
	i := slices.Index(p.Names(), name)
	if i == 0 && p.down {
		return errors.New("451 come back later")
	}
	p.got[i] = append(p.got[i], m.Text)
	return nil
}

func (p *mailbags) Send(ctx context.Context, m Message) []error {
	return []error{p.SendTo(ctx, "mail", m), p.SendTo(ctx, "hook", m)}
}

// Who could not be told is told later, of everything and in its order, also by the next
// process; who was told is not told again.
func TestBoard_WhoCouldNotBeToldIsToldLater(t *testing.T) {
	s := newScene(t)
	p := &mailbags{down: true}
	s.o.Sender = p
	s.restart()
	gone := Condition{Kind: KindMissing, Object: "bot", Message: "the source bot is gone"}
	s.board.Update(t.Context(), []Condition{gone})
	for range 60 {
		s.now = s.now.Add(time.Minute)
		s.board.Update(t.Context(), nil)
	}
	if len(p.got[1]) != 2 || len(p.got[0]) != 0 {
		t.Fatalf("the hook was told %q, mail %q", p.got[1], p.got[0])
	}
	s.restart()
	p.down = false
	for range 20 {
		s.now = s.now.Add(time.Minute)
		s.board.Update(t.Context(), nil)
	}
	if len(p.got[1]) != 2 || len(p.got[0]) != 2 {
		t.Fatalf("in the end the hook was told %q, mail %q", p.got[1], p.got[0])
	}
	for i, want := range []string{"ALARM: the source bot is gone", "OVER: the source bot is gone"} {
		if got := p.got[0][i]; !strings.Contains(got, want) || !strings.HasPrefix(got, "This was to be told at 2026-03-04 0") {
			t.Errorf("mail %d: %q", i, got)
		}
	}
	if left := len(s.board.letters); left != 0 {
		t.Errorf("%d letters are left", left)
	}
}
