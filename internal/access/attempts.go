package access

import (
	"container/list"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

const (
	// freeAttempts is how often an address may be wrong before it has to wait; each
	// further failure doubles the time.
	freeAttempts = 5
	firstWait    = time.Second
	longestWait  = 5 * time.Minute
	// forgetAfter is how long the failures of an address count.
	forgetAfter = time.Hour
	// failuresOfAll is how many failures of all addresses are answered in a minute.
	// Beyond them only who has not failed lately is.
	failuresOfAll = 100
)

// attempts are the logins that failed, by the network they came from. An attempt counts
// as failed from its beginning, so that many at once count, too.
type attempts struct {
	now func() time.Time

	mu     sync.Mutex
	of     map[string]*list.Element
	recent *list.List // of *attempt, the latest first
	minute int64
	failed int // in that minute
}

type attempt struct {
	client   string
	failures int
	last     time.Time
	atWork   bool
}

func newAttempts(now func() time.Time) *attempts {
	return &attempts{now: now, of: map[string]*list.Element{}, recent: list.New()}
}

// begin tells how long a client has to wait; zero lets it try, and counts it as a failure
// until end tells something else.
func (t *attempts) begin(client string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if minute := now.Unix() / 60; minute != t.minute {
		t.minute, t.failed = minute, 0
	}
	e := t.of[client]
	if e != nil {
		one := e.Value.(*attempt)
		age := now.Sub(one.last)
		if age >= forgetAfter || age < 0 {
			one.failures, one.last = 0, now
		}
		if wait := waitAfter(one.failures) - now.Sub(one.last); one.failures > freeAttempts && wait > 0 {
			return wait
		}
		if one.atWork {
			return firstWait
		}
		if one.failures > 0 && t.failed >= failuresOfAll {
			return time.Duration(60-now.Unix()%60) * time.Second
		}
	} else {
		for t.recent.Len() >= mostBuckets {
			delete(t.of, t.recent.Remove(t.recent.Back()).(*attempt).client)
		}
		e = t.recent.PushFront(&attempt{client: client})
		t.of[client] = e
	}
	one := e.Value.(*attempt)
	one.failures++
	one.last, one.atWork = now, true
	t.failed++
	t.recent.MoveToFront(e)
	return 0
}

// waitAfter gives how long somebody waits who has failed so often.
func waitAfter(failures int) time.Duration {
	wait := firstWait
	for range failures - freeAttempts - 1 {
		if wait *= 2; wait >= longestWait {
			return longestWait
		}
	}
	return wait
}

// end ends an attempt. One that is right forgets the failures before it; one that could
// not be judged counts as none.
func (t *attempts) end(client string, right, unknown bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if right || unknown {
		t.failed = max(0, t.failed-1)
	}
	e := t.of[client]
	if e == nil {
		return
	}
	one := e.Value.(*attempt)
	one.atWork = false
	switch {
	case right:
		t.recent.Remove(e)
		delete(t.of, client)
	case unknown:
		one.failures--
	}
}

// loginClient names where a login comes from. IPv6 networks count as one from 48 bits on,
// which a single customer may have.
func loginClient(r *http.Request) string {
	if client := behindProxy(r); client != "" {
		return client
	}
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return network(at.Addr())
}

// behindProxy names the client for whom a reverse proxy on this machine asks; empty if
// none does. All of them come from its address, so what it says of them counts: or one
// could lock out all others.
func behindProxy(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !at.Addr().Unmap().IsLoopback() {
		return ""
	}
	said := r.Header.Values("X-Forwarded-For")
	if len(said) == 0 {
		return ""
	}
	last := said[len(said)-1]
	if i := strings.LastIndexByte(last, ','); i >= 0 {
		last = last[i+1:]
	}
	addr, err := netip.ParseAddr(strings.TrimSpace(last))
	if err != nil {
		return ""
	}
	return "behind " + network(at.Addr()) + ": " + network(addr)
}

func network(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	network, err := addr.Prefix(48)
	if err != nil {
		return addr.String()
	}
	return network.String()
}
