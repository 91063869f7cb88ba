package holdfast

import (
	"slices"
	"testing"
)

func TestWithObserver_TellsThoseAroundToo(t *testing.T) {
	var got []string
	tell := func(who string) Observer { return func(e Event) { got = append(got, who+" "+e.Op) } }
	ObserverOf(t.Context()).Send(Event{Op: "nobody hears"})
	ctx := WithObserver(WithObserver(t.Context(), tell("outer")), tell("inner"))
	ObserverOf(ctx).Send(Event{Op: "backup"})
	if want := []string{"outer backup", "inner backup"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOperationOf(t *testing.T) {
	if id := OperationOf(t.Context()); id != "" {
		t.Errorf("got %q of a context that carries none", id)
	}
	if id := OperationOf(WithOperation(t.Context(), "job-1")); id != "job-1" {
		t.Errorf("got %q", id)
	}
}
