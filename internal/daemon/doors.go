package daemon

import (
	"context"
	"crypto/tls"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/api"
	"github.com/holdfast-backup/holdfast/internal/chromaproxy"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/web"
	"github.com/holdfast-backup/holdfast/internal/web/site"
)

// doors are the addresses that are listened on now.
type doors struct {
	mu  sync.Mutex
	now doorSet
}

// A doorSet is what one configuration listens on. What an earlier one had open already
// is used again.
type doorSet struct {
	api     *door // nil: none
	proxies []proxyDoor
	answers map[*door]answer
	fresh   []*door              // opened for this set
	made    []*chromaproxy.Proxy // made for this set
}

// A proxyDoor is the door of a Chroma server.
type proxyDoor struct {
	*door
	proxy    *chromaproxy.Proxy
	to       config.ChromaProxy
	settings config.Proxy
}

// An answer is who answers at a door.
type answer struct {
	handler http.Handler
	tls     *tls.Config
}

// all gives every door of the set.
func (s *doorSet) all() []*door {
	var out []*door
	if s.api != nil {
		out = append(out, s.api)
	}
	for _, p := range s.proxies {
		out = append(out, p.door)
	}
	return out
}

// bind opens what a configuration wants to listen on. Nothing answers there before the
// set is swapped in; an error leaves everything as it was.
func (d *daemon) bind(ctx context.Context, c *core) (set doorSet, err error) {
	d.doors.mu.Lock()
	before := d.doors.now
	d.doors.mu.Unlock()
	set.answers = map[*door]answer{}
	defer func() {
		if err != nil {
			set.discard()
		}
	}()
	at := func(name, address string, a answer) (*door, error) {
		for _, old := range before.all() {
			// Several may want any free port.
			if _, taken := set.answers[old]; !taken && old.name == name && old.wanted == address {
				set.answers[old] = a
				return old, nil
			}
		}
		opened, err := openDoor(ctx, name, address, d.log)
		if err != nil {
			return nil, err
		}
		set.fresh = append(set.fresh, opened)
		set.answers[opened] = a
		return opened, nil
	}
	serve := c.config.Serve
	if serve.Listen != "" {
		certs, err := d.access.TLS()
		if err != nil {
			return set, err
		}
		if err := d.access.MayListen(serve.Listen, certs != nil); err != nil {
			return set, err
		}
		for _, p := range d.access.Problems(serve.Listen, certs != nil) {
			d.log.Warn(p.Message, keyAddress, p.Object, keyHint, p.Hint)
		}
		if set.api, err = at("serve.listen", serve.Listen, answer{d.handler(), certs}); err != nil {
			return set, err
		}
	}
	for _, p := range serve.ChromaProxies {
		if !access.Loopback(p.Listen) {
			d.log.Warn("whoever reaches this address reaches the Chroma server behind it, which asks nobody who he is", keyAddress, p.Listen, keyUpstream, p.Upstream,
				keyHint, "let only the programs that use it reach it: loopback, a network of containers, or a reverse proxy that authenticates")
		}
		next := proxyDoor{to: p, settings: c.config.Proxy}
		for _, old := range before.proxies {
			if old.to == p && old.settings == c.config.Proxy { // it knows which burst goes on
				next.proxy = old.proxy
			}
		}
		if next.proxy == nil {
			if next.proxy, err = d.newProxy(c, p); err != nil {
				return set, err
			}
			set.made = append(set.made, next.proxy)
		}
		if next.door, err = at("serve.chroma_proxy", p.Listen, answer{handler: next.proxy}); err != nil {
			return set, err
		}
		set.proxies = append(set.proxies, next)
	}
	return set, nil
}

// discard closes what was opened and made for a set that does not take its place.
func (s *doorSet) discard() {
	for _, fresh := range s.fresh {
		fresh.discard()
	}
	for _, made := range s.made {
		made.Close()
	}
}

// handler answers at the door of the API and the pages.
func (d *daemon) handler() http.Handler {
	pages := web.New(site.Options{
		Core: d.present, Access: d.access, Version: d.o.ToolVersion, Logger: d.log, Now: d.o.Now, Closing: d.closing,
	})
	d.access.RefuseBy(pages.Refuse)
	return d.metrics.Requests(api.New(api.Options{
		Core: d.present, Access: d.access, Version: d.o.ToolVersion, Logger: d.log,
		Metrics: d.metrics.Handler(), Pages: pages, Now: d.o.Now, Closing: d.closing,
	}))
}

// newProxy makes what answers at the door of a Chroma server.
func (d *daemon) newProxy(c *core, p config.ChromaProxy) (*chromaproxy.Proxy, error) {
	return chromaproxy.New(chromaproxy.Options{
		Upstream: p.Upstream, Burst: c.config.Proxy.Burst, MaxWait: c.config.Proxy.MaxWait, OnFailure: c.config.Proxy.OnFailure,
		Backup: d.backupBefore, Now: d.o.Now, Logger: d.log.With(keyAddress, p.Listen),
	})
}

// swap lets a set answer, and gives what is not used any more.
func (s *doors) swap(set doorSet) (unused unusedDoors) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, a := range set.answers {
		at.answer(a.handler, a.tls)
	}
	for _, fresh := range set.fresh {
		fresh.open()
	}
	for _, old := range s.now.all() {
		if _, used := set.answers[old]; !used {
			unused.doors = append(unused.doors, old)
		}
	}
	for _, old := range s.now.proxies {
		if !slices.ContainsFunc(set.proxies, func(p proxyDoor) bool { return p.proxy == old.proxy }) {
			unused.proxies = append(unused.proxies, old.proxy)
		}
	}
	s.now = set
	return unused
}

// unusedDoors are what an earlier set had, and the present one has not.
type unusedDoors struct {
	doors   []*door
	proxies []*chromaproxy.Proxy
}

// close lets what is being answered come to its end, until ctx ends. Writes that wait for a
// backup are refused at once: their clients can send them again, and hold nothing up.
func (u unusedDoors) close(ctx context.Context) {
	var closing sync.WaitGroup
	for _, one := range u.proxies {
		closing.Go(one.Close)
	}
	for _, one := range u.doors {
		closing.Go(func() { one.close(ctx) })
	}
	closing.Wait()
}

// serving tells what is listened on, with the real ports.
func (s *doors) serving() Serving {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out Serving
	if at := s.now.api; at != nil {
		scheme := "http"
		if at.tls.Load() != nil {
			scheme = "https"
		}
		out.Address, out.URL = at.addr, scheme+"://"+at.addr
	}
	for _, p := range s.now.proxies {
		out.Proxies = append(out.Proxies, config.ChromaProxy{Listen: p.addr, Upstream: p.to.Upstream})
	}
	return out
}

// close closes every door, and waits for what is being answered until ctx ends.
func (s *doors) close(ctx context.Context) { s.swap(doorSet{}).close(ctx) }

// drainWithin is how long requests at a door that is not wanted any more may go on.
const drainWithin = 30 * time.Second

// present is what the API works on.
func (d *daemon) present() api.Core {
	c := d.core.Load()
	return api.Core{
		Config: c.config, Keeper: c.keeper, Book: c.book, Jobs: d.jobs, Operations: c.operations, Shelf: c.shelf,
		Status: c.status, Glance: c.recentStatus, Ready: d.ready, Healthy: d.healthy,
		Alarms: d.board.Load().Standing, Tasks: c.standing, Notify: c.test,
		History: d.history.Log, Telegram: c.takeUpdate(),
	}
}

// healthy tells whether the loops live.
func (d *daemon) healthy() error { return d.pulses.alive(time.Now()) }

// ready tells why programs should not count on this daemon now.
func (d *daemon) ready() error {
	select {
	case <-d.closing:
		return &holdfast.Error{Op: "serve", Err: errStopping}
	default:
	}
	if other := d.claim.standby(); other != "" {
		return &holdfast.Error{Op: "serve", Err: holdfast.Kindf(holdfast.ErrLocked, "%s serves the repository", other)}
	}
	return d.core.Load().reachable()
}
