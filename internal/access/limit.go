package access

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// defaultPerMinute is serve.requests_per_minute where nothing is configured.
	defaultPerMinute = 1200
	// failuresPerMinute is how many refused tokens of one address are answered
	// and written down. The right token gets in whatever others at the same
	// address try: a limit must not lock the owner out.
	failuresPerMinute = 10
	// mostBuckets bounds what is remembered of clients; the one that was quiet
	// for longest is forgotten first.
	mostBuckets = 4096
)

// buckets limit how often each of many clients may do something in a minute.
type buckets struct {
	now func() time.Time

	mu        sync.Mutex
	perMinute int64
	of        map[string]*list.Element
	recent    *list.List // of *bucket, the most recently used first
}

type bucket struct {
	client  string
	limiter *rate.Limiter
}

func newBuckets(now func() time.Time) *buckets {
	return &buckets{now: now, of: map[string]*list.Element{}, recent: list.New()}
}

// set changes the limit, of those that are known, too.
func (b *buckets) set(perMinute int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.perMinute == perMinute {
		return
	}
	b.perMinute = perMinute
	b.recent.Init()
	clear(b.of)
}

// take lets a client do it once more, or says after which time it may.
func (b *buckets) take(client string) (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.of[client]
	if e == nil {
		for b.recent.Len() >= mostBuckets {
			oldest := b.recent.Back()
			delete(b.of, b.recent.Remove(oldest).(*bucket).client)
		}
		e = b.recent.PushFront(&bucket{client: client, limiter: rate.NewLimiter(rate.Limit(float64(b.perMinute)/60), int(b.perMinute))})
		b.of[client] = e
	}
	b.recent.MoveToFront(e)
	now := b.now()
	r := e.Value.(*bucket).limiter.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return wait, false
	}
	return 0, true
}

// clientAt names the client at an address. One that has an IPv6 network of its
// own has all of its addresses, so they count as one.
func clientAt(remote string) string {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	addr := at.Addr().Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	network, err := addr.Prefix(64)
	if err != nil {
		return addr.String()
	}
	return network.String()
}
