package control

import (
	"bufio"
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A session is the connection of one client.
type session struct {
	s    *Server
	conn net.Conn
	who  holdfast.Owner

	ctx     context.Context // ends with the connection, or the server
	cancel  context.CancelFunc
	lines   chan []byte
	stopped bool // the program waits for this client

	write sync.Mutex
}

func newSession(s *Server, conn net.Conn) *session {
	c := &session{s: s, conn: conn, lines: make(chan []byte)}
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	return c
}

// serve answers until the connection ends. The lease ends with it.
func (c *session) serve() {
	var reader sync.WaitGroup
	reader.Go(c.read)
	defer reader.Wait()
	defer context.AfterFunc(c.ctx, func() { _ = c.conn.Close() })()
	defer c.conn.Close()
	defer c.cancel()

	if c.hello() {
		for req, ok := c.next(); ok; req, ok = c.next() {
			if !c.say(c.answer(req)) {
				break
			}
		}
	}
	if !c.stopped {
		return
	}
	c.stopped = false
	if c.s.ctx.Err() == nil {
		c.s.log.Warn("a restore that had stopped the program is gone", "who", c.who.String())
		c.s.h.Abandoned(c.s.ctx)
	}
	c.s.release()
}

// read takes lines from the connection, so that its end is seen while a request
// is worked on.
func (c *session) read() {
	defer c.cancel()
	_ = c.conn.SetReadDeadline(time.Now().Add(c.s.limits.line))
	in := bufio.NewScanner(c.conn)
	in.Buffer(nil, maxLine)
	for in.Scan() {
		select {
		case c.lines <- bytes.Clone(in.Bytes()):
		case <-c.ctx.Done():
			return
		}
	}
}

// next waits for a request.
func (c *session) next() (request, bool) {
	var req request
	select {
	case line := <-c.lines:
		return req, json.Unmarshal(line, &req) == nil
	case <-c.ctx.Done():
		return req, false
	}
}

// hello lets in who knows the token.
func (c *session) hello() bool {
	req, ok := c.next()
	if !ok || req.Op != "hello" || subtle.ConstantTimeCompare([]byte(req.Token), []byte(c.s.record.Token)) != 1 {
		return false
	}
	if req.Version != version {
		c.say(answer{Error: newFailure(holdfast.Kindf(holdfast.ErrRefused, "the program speaks version %d of this protocol", version))})
		return false
	}
	if req.Who != nil {
		c.who = *req.Who
	}
	c.patience()
	return c.say(answer{State: "hello"})
}

// patience bounds the silence of a client, unless the program waits for it.
func (c *session) patience() {
	var until time.Time
	if !c.stopped {
		until = time.Now().Add(c.s.limits.idle)
	}
	_ = c.conn.SetReadDeadline(until)
}

// answer does what a client asks.
func (c *session) answer(req request) answer {
	defer c.patience()
	fail := func(err error) answer { return answer{Error: newFailure(err)} }
	switch {
	case req.Op == "standing":
		standing := c.s.h.Standing()
		return answer{State: "standing", Standing: &standing}
	case req.Op == "stop" && !c.stopped:
		if err := c.stop(req.Sources); err != nil {
			return fail(err)
		}
		return answer{State: "stopped"}
	case req.Op == "start" && c.stopped:
		if err := c.start(); err != nil {
			return fail(err)
		}
		return answer{State: "started"}
	}
	return fail(holdfast.Kindf(holdfast.ErrUsage, "%q is not understood now", req.Op))
}

func (c *session) stop(sources []string) error {
	for _, name := range sources {
		if !slices.ContainsFunc(c.s.record.Sources, func(p place) bool { return p.Name == name }) {
			return holdfast.Kindf(holdfast.ErrUsage, "the program has no source %q", name)
		}
	}
	if err := c.s.take(c); err != nil {
		return err
	}
	// Ends with the connection: nobody waits for it then.
	ctx, cancel := context.WithTimeout(c.ctx, c.s.limits.work)
	defer cancel()
	_ = c.conn.SetReadDeadline(time.Time{})
	if err := c.working(func() error { return c.s.h.Stop(ctx, sources) }); err != nil {
		c.s.release()
		return err
	}
	c.stopped = true
	return nil
}

func (c *session) start() error {
	// Goes on when the connection ends: the program must run again.
	ctx, cancel := context.WithTimeout(c.s.ctx, c.s.limits.work)
	defer cancel()
	err := c.working(func() error { return c.s.h.Start(ctx) })
	c.stopped = false
	c.s.release()
	return err
}

// working does work, and says every beat that it is going on.
func (c *session) working(work func() error) error {
	done := make(chan struct{})
	var beat sync.WaitGroup
	beat.Go(func() {
		ticker := time.NewTicker(c.s.limits.beat)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				c.say(answer{State: "working"})
			case <-done:
				return
			}
		}
	})
	err := work()
	close(done)
	beat.Wait()
	return err
}

// say writes an answer. A client that does not take it is given up.
func (c *session) say(a answer) bool {
	line, err := json.Marshal(a)
	if err == nil {
		c.write.Lock()
		_ = c.conn.SetWriteDeadline(time.Now().Add(c.s.limits.line))
		_, err = c.conn.Write(append(line, '\n'))
		c.write.Unlock()
	}
	if err != nil {
		c.cancel()
	}
	return err == nil
}
