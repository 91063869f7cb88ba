package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A Client stands for every program in another process that holds the data: it
// is the engine's Owner.
type Client struct {
	stateDir string
	sources  []holdfast.Source
	limits   limits

	mu   sync.Mutex
	held []*connection // programs that this client has stopped
}

// Owners gives the owner of sources: whatever programs are known below stateDir
// and have them when Stop is called. With none, there is nothing to do.
func Owners(stateDir string, sources []holdfast.Source) *Client {
	return &Client{stateDir: stateDir, sources: sources, limits: usual}
}

// Any tells whether there is a program that has the sources now. One that cannot
// be looked at counts: Stop then says why.
func (c *Client) Any() bool {
	programs, err := living(c.stateDir)
	if err != nil {
		return true
	}
	var all []place
	for _, s := range c.sources {
		all = append(all, newPlace(s))
	}
	return slices.ContainsFunc(programs, func(p record) bool { return len(p.touched(all)) > 0 })
}

// Stop asks every program that has data of the named sources to let go of it. If
// one does not, those that did are started again.
func (c *Client) Stop(ctx context.Context, sources []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	programs, err := living(c.stateDir)
	if err != nil {
		return err
	}
	wanted := c.places(sources)
	for _, p := range programs {
		names := p.touched(wanted)
		if len(names) == 0 {
			continue
		}
		conn, err := c.connect(ctx, p)
		if err == nil {
			if err = conn.ask(ctx, request{Op: "stop", Sources: names}, "stopped"); err == nil {
				c.held = append(c.held, conn)
				continue
			}
			conn.close()
		}
		if (conn == nil || errors.Is(err, errGone)) && c.died(p) {
			continue // what it held is let go
		}
		err = &holdfast.Error{Op: p.name(), Err: err} // the engine says what was asked
		return errors.Join(err, c.start(context.WithoutCancel(ctx)))
	}
	return nil
}

// deathTime is how long the system may take to end a process whose connection is
// closed already.
const deathTime = time.Second

// died tells whether a program has died that does not answer any more.
func (c *Client) died(p record) bool {
	for until := time.Now().Add(deathTime); ; time.Sleep(10 * time.Millisecond) {
		programs, err := living(c.stateDir)
		if err == nil && !slices.ContainsFunc(programs, func(r record) bool { return r.Token == p.Token }) {
			return true
		}
		if err != nil || time.Now().After(until) {
			return false
		}
	}
}

// Start lets every program go on that Stop has stopped.
func (c *Client) Start(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.start(ctx)
}

func (c *Client) start(ctx context.Context) error {
	var errs []error
	for _, conn := range c.held {
		if err := conn.ask(ctx, request{Op: "start"}, "started"); err != nil {
			errs = append(errs, &holdfast.Error{Op: conn.program.name(), Err: err})
		}
		conn.close()
	}
	c.held = nil
	return errors.Join(errs...)
}

// places are the places of the named sources.
func (c *Client) places(names []string) []place {
	var out []place
	for _, s := range c.sources {
		for _, name := range names {
			if s.Name() == name {
				out = append(out, newPlace(s))
			}
		}
	}
	return out
}

// touched are the names that the program has for what it shares with places.
func (r record) touched(places []place) []string {
	var names []string
	for _, own := range r.Sources {
		for _, p := range places {
			if own.touches(p) {
				names = append(names, own.Name)
				break
			}
		}
	}
	return names
}

// A connection is the lease on one program.
type connection struct {
	program record
	conn    net.Conn
	in      *bufio.Scanner
	limits  limits
}

// connect reaches a program.
func (c *Client) connect(ctx context.Context, p record) (*connection, error) {
	d := net.Dialer{Timeout: c.limits.line}
	conn, err := d.DialContext(ctx, "unix", p.Socket)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &holdfast.Error{Err: holdfast.Kindf(holdfast.ErrLocked, "it runs, but cannot be reached: %w", err), Hint: stopIt(p)}
	}
	out := &connection{program: p, conn: conn, in: bufio.NewScanner(conn), limits: c.limits}
	out.in.Buffer(nil, maxLine)
	who := holdfast.Owner{Host: hostname(), PID: os.Getpid(), Purpose: "restore", Since: time.Now()}
	if err := out.ask(ctx, request{Op: "hello", Version: version, Token: p.Token, Who: &who}, "hello"); err != nil {
		out.close()
		return nil, err
	}
	return out, nil
}

func (c *connection) close() { _ = c.conn.Close() }

// ask makes a request and waits for the answer.
func (c *connection) ask(ctx context.Context, req request, want string) error {
	_, err := c.exchange(ctx, req, want)
	return err
}

// exchange is ask for a request whose answer says more.
func (c *connection) exchange(ctx context.Context, req request, want string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limits.answer)
	defer cancel()
	ended := context.AfterFunc(ctx, c.close)
	defer ended()
	line, err := json.Marshal(req)
	if err != nil {
		return answer{}, err
	}
	_ = c.conn.SetDeadline(time.Now().Add(c.limits.line))
	if _, err := c.conn.Write(append(line, '\n')); err != nil {
		return answer{}, c.lost(ctx, err)
	}
	for c.in.Scan() {
		var a answer
		if err := json.Unmarshal(c.in.Bytes(), &a); err != nil {
			return answer{}, c.strange(err)
		}
		switch {
		case a.Error != nil:
			return answer{}, a.Error.error()
		case a.State == want:
			return a, nil
		case a.State != "working":
			return answer{}, c.strange(fmt.Errorf("it answers %q", a.State))
		}
		_ = c.conn.SetDeadline(time.Now().Add(c.limits.line))
	}
	return answer{}, c.lost(ctx, c.in.Err())
}

// errGone tells that the connection was closed from the other side.
var errGone = errors.New("it has ended, or closed the connection")

// lost explains why there is no answer.
func (c *connection) lost(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case ctx.Err() != nil:
		err = holdfast.Kindf(holdfast.ErrLocked, "it was at it for more than %s", c.limits.answer)
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = holdfast.Kindf(holdfast.ErrLocked, "it hangs: nothing was heard of it for %s", c.limits.line)
	default:
		return &holdfast.Error{Err: errGone, Hint: "see why it ended; what it started may still run"}
	}
	return &holdfast.Error{Err: err, Hint: stopIt(c.program)}
}

// strange tells of an answer that is none.
func (c *connection) strange(err error) error {
	return &holdfast.Error{Err: fmt.Errorf("it cannot be understood: %w", err), Hint: stopIt(c.program)}
}

func stopIt(p record) string {
	return fmt.Sprintf("stop process %d yourself (kill %d), then try again", p.PID, p.PID)
}
