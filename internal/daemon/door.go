package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"github.com/holdfast-backup/holdfast"
)

// The bounds of what clients may hold.
const (
	mostConnections = 512
	mostHeader      = 64 << 10
	headerWithin    = 10 * time.Second
	idleWithin      = 2 * time.Minute
	keepAlive       = 30 * time.Second
)

// A door is one address that the daemon listens on, and what answers there. Handler
// and TLS can be exchanged while it is open; requests that are being answered are not
// touched by that.
type door struct {
	name   string // what it is for
	wanted string // as it was configured
	addr   string // as it is: with the real port
	server *http.Server
	ln     net.Listener
	log    *slog.Logger

	handler atomic.Pointer[http.Handler]
	tls     atomic.Pointer[tls.Config] // nil: plain

	mu     sync.Mutex
	closed bool
	done   chan struct{}
}

// openDoor binds an address. Nothing is answered before open.
func openDoor(ctx context.Context, name, address string, log *slog.Logger) (*door, error) {
	return openDoorWith(ctx, name, address, slowest, log)
}

// openDoorWith is openDoor with another time for clients that hold us up.
func openDoorWith(ctx context.Context, name, address string, patience time.Duration, log *slog.Logger) (*door, error) {
	lc := net.ListenConfig{KeepAlive: keepAlive}
	ln, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return nil, &holdfast.Error{Op: "listen on", Object: address, Err: err, Hint: "another program may have the address: name another (" + name + ")"}
	}
	d := &door{name: name, wanted: address, addr: ln.Addr().String(), log: log, done: make(chan struct{})}
	d.ln = &doorListener{Listener: netutil.LimitListener(ln, mostConnections), tls: &d.tls, patience: patience}
	d.server = &http.Server{
		Handler:           patient(http.HandlerFunc(d.serve), patience),
		ReadHeaderTimeout: headerWithin, IdleTimeout: idleWithin, MaxHeaderBytes: mostHeader,
		ErrorLog: slog.NewLogLogger(log.With(keyAddress, d.addr).Handler(), slog.LevelDebug),
	}
	return d, nil
}

// answer says who answers from now on, and by which certificates; nil is without TLS.
func (d *door) answer(h http.Handler, t *tls.Config) {
	d.handler.Store(&h)
	d.tls.Store(t)
}

func (d *door) serve(w http.ResponseWriter, r *http.Request) { (*d.handler.Load()).ServeHTTP(w, r) }

// open answers requests until the door is closed.
func (d *door) open() {
	go func() {
		defer close(d.done)
		if err := d.server.Serve(d.ln); !errors.Is(err, http.ErrServerClosed) {
			d.log.Error("no more requests are taken", keyAddress, d.addr, keyError, err)
		}
	}()
}

// close takes no more requests, and waits for those that are being answered until ctx
// ends; those that last longer are cut.
func (d *door) close(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.closed = true
	if d.server.Shutdown(ctx) != nil {
		_ = d.server.Close() // they were given their time
	}
	<-d.done
}

// discard closes a door that was never opened.
func (d *door) discard() { _ = d.ln.Close() }

// A doorListener takes connections with TLS or without, as its door has it at the moment.
type doorListener struct {
	net.Listener
	tls      *atomic.Pointer[tls.Config]
	patience time.Duration
}

func (l *doorListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c = patientConn{c, l.patience}
	if t := l.tls.Load(); t != nil {
		c = tls.Server(c, t)
	}
	return c, nil
}
