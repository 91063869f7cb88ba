package access

import (
	"context"
	"errors"
	"sync"
	"time"
)

// mostAtOnce bounds the requests of one caller that are being answered at the same
// time, streams included: connections are bounded, and one caller must not have
// them all.
const mostAtOnce = 128

// crowd counts the requests of each client that are being answered.
type crowd struct {
	mu sync.Mutex
	of map[string]int
}

// enter lets a client in once more, unless it has as many requests as it may.
func (c *crowd) enter(client string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[client] >= mostAtOnce {
		return false
	}
	c.of[client]++
	return true
}

func (c *crowd) leave(client string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[client]--; c.of[client] <= 0 {
		delete(c.of, client)
	}
}

// errNoLonger ends the answer to a caller who would be refused by now.
var errNoLonger = errors.New("the caller is not let in any more")

// whileGood gives a context that ends within a second after its caller would not be
// let in any more: who may ask is decided when a request begins, and a stream may
// last for days. Done must be called at the end of the request.
func (a *Access) whileGood(ctx context.Context, c Caller) (_ context.Context, done func()) {
	if c.Name == "" {
		return ctx, func() {} // the pages that are open to everybody
	}
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	// Most requests are over before the first look, and cost a timer only.
	first := time.AfterFunc(lookAgain, func() {
		defer close(ended)
		every := time.NewTicker(lookAgain)
		defer every.Stop()
		for a.good(c) {
			select {
			case <-every.C:
			case <-ctx.Done():
				return
			}
		}
		cancel(errNoLonger)
	})
	return ctx, func() {
		cancel(nil)
		if !first.Stop() {
			<-ended
		}
	}
}

// good tells whether a caller would still be let in.
func (a *Access) good(c Caller) bool {
	if c.Session != "" {
		s, ok := a.sessions.byID(c.Session)
		if !ok {
			return false
		}
		_, good, _ := a.of(context.Background(), s)
		return good
	}
	if c.Token == "" {
		return a.Open()
	}
	all, err := a.tokens.records()
	if err != nil {
		return false
	}
	for _, r := range all {
		if r.ID == c.Token {
			return !r.Expired(a.now())
		}
	}
	return false
}
