package alarm

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A service beside those of the configuration is told the same, in words of its own;
// one that fails gets its letter later, and nobody else gets it twice.
func TestTogether_EachIsToldOnce(t *testing.T) {
	var got []Message
	var chat error
	first := &mailbags{}
	sc := newScene(t)
	sc.o.Sender = Together(first, Service{Name: "chat", Send: func(_ context.Context, m Message) error {
		if chat == nil {
			got = append(got, m)
		}
		return chat
	}})
	sc.restart()
	chat = errors.New("no network")
	gone := Condition{Kind: KindMissing, Object: "bot", Message: "the source bot is gone"}
	sc.board.Update(t.Context(), []Condition{gone})
	if len(got) != 0 || len(first.got[0]) != 1 {
		t.Fatalf("the chat got %+v, mail %q", got, first.got[0])
	}
	chat = nil
	sc.restart() // a letter outlives the process, with its news
	sc.now = sc.now.Add(firstRetry)
	sc.board.Update(t.Context(), []Condition{gone})
	if len(got) != 1 || got[0].Written == nil || len(got[0].News) != 1 || got[0].News[0].Turn != Begun || got[0].News[0].Alarm.Object != "bot" {
		t.Fatalf("the letter: %+v", got)
	}
	for range 70 {
		sc.now = sc.now.Add(time.Minute)
		sc.board.Update(t.Context(), nil)
	}
	if len(got) != 2 || got[1].Written != nil || got[1].News[0].Turn != Over || got[1].News[0].EndedAt == nil || len(first.got[0]) != 2 {
		t.Fatalf("the end: %+v; mail %q", got, first.got[0])
	}
}

func TestTogether_NobodyIsNobody(t *testing.T) {
	if Together(nil) != nil {
		t.Error("a sender without anybody to tell")
	}
	one := Together(nil, Service{Name: "chat", Send: func(context.Context, Message) error { return nil }})
	if errs := one.Send(t.Context(), Message{}); len(errs) != 1 || errs[0] != nil {
		t.Errorf("told: %v", errs)
	}
	if err := one.(postman).SendTo(t.Context(), "other", Message{}); err == nil {
		t.Error("a service that is not there was told")
	}
}
