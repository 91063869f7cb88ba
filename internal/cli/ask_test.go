package cli

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
)

// person sits at the other end of a conversation: it reads the question, then
// does something.
func person(t *testing.T, then func(net.Conn)) net.Conn {
	t.Helper()
	here, there := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		question := make([]byte, len("Really? [y/N] "))
		if _, err := io.ReadFull(there, question); err != nil {
			return
		}
		then(there)
		_, _ = io.Copy(io.Discard, there)
	}()
	t.Cleanup(func() { here.Close(); there.Close(); <-done })
	return here
}

func TestAsk_OnlyYesIsYes(t *testing.T) {
	for answer, want := range map[string]error{"y\n": nil, "YES\n": nil, " yes \r\n": nil, "\n": errDeclined, "n\n": errDeclined, "yess\n": errDeclined} {
		terminal := person(t, func(c net.Conn) { _, _ = io.WriteString(c, answer) })
		if err := ask(t.Context(), terminal, "Really?"); !errors.Is(err, want) {
			t.Errorf("%q gives %v, want %v", answer, err, want)
		}
	}
}

func TestAsk_InterruptionEndsTheQuestion(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	terminal := person(t, func(net.Conn) { cancel() })
	if err := ask(ctx, terminal, "Really?"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
