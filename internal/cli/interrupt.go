package cli

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/holdfast-backup/holdfast"
)

// Interruptible gives a context that the first SIGINT or SIGTERM cancels, so
// that work in hand is cleaned up; the second leaves at once. A command that
// passes signals on to a program of its own takes them with takeSignals.
func Interruptible(parent context.Context, signals <-chan os.Signal, leave func(code int)) (context.Context, context.CancelFunc) {
	r := &relay{}
	ctx, cancel := context.WithCancel(context.WithValue(parent, relayKey{}, r))
	go func() {
		for {
			select {
			case s := <-signals:
				if r.pass(s) {
					continue
				}
				cancel()
				<-signals
				leave(holdfast.ExitInterrupted)
			case <-ctx.Done():
			}
			return
		}
	}()
	return ctx, cancel
}

// relayKey finds the relay of a context.
type relayKey struct{}

// A relay gives signals to whoever takes them, instead of ending the command.
type relay struct {
	mu sync.Mutex
	to chan<- os.Signal
}

// pass gives a signal away, if somebody takes them.
func (r *relay) pass(s os.Signal) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.to == nil {
		return false
	}
	select {
	case r.to <- s:
	default: // so many are waiting that one more says nothing new
	}
	return true
}

// waitingSignals bounds the signals that wait to be passed on.
const waitingSignals = 16

// takeSignals gives the signals that ask this process to end, until giveBack is
// called: meanwhile they end nothing by themselves. The end of the session
// (SIGHUP) and SIGQUIT are among them, unless they are ignored as by nohup; so
// are more, if they are named.
func takeSignals(ctx context.Context, more ...os.Signal) (signals <-chan os.Signal, giveBack func()) {
	to := make(chan os.Signal, waitingSignals)
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGQUIT} {
		if !signal.Ignored(s) {
			signal.Notify(to, s)
		}
	}
	if len(more) > 0 { // none would be all
		signal.Notify(to, more...)
	}
	r, ok := ctx.Value(relayKey{}).(*relay)
	if !ok {
		r = &relay{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = to
	return to, func() {
		signal.Stop(to)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.to = nil
	}
}
