package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A server is a command that was started on a copy, with all that it started.
type server struct {
	cmd     *exec.Cmd
	letGo   func() error
	address string
	client  *client
	output  tail
	ended   chan struct{} // closed when the command has ended
	how     error         // after that: how
}

// How long a server may take to come up, and to end after each signal.
const (
	startTime = time.Minute
	stopTime  = 5 * time.Second
)

// startServer starts a command on a directory and waits until it answers.
func startServer(ctx context.Context, dir, command string) (*server, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	s := &server{
		cmd:     commandOf(command),
		address: "http://" + net.JoinHostPort(loopback, port),
		ended:   make(chan struct{}),
	}
	if s.client, err = newClient(s.address); err != nil {
		return nil, err
	}
	s.cmd.Env = append(os.Environ(), "CHROMA_PATH="+dir, "CHROMA_HOST="+loopback, "CHROMA_PORT="+port)
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	s.cmd.WaitDelay = stopTime // somebody who was left behind may hold the output
	if s.letGo, err = startTogether(s.cmd); err != nil {
		return nil, err
	}
	go func() {
		defer close(s.ended)
		s.how = s.cmd.Wait()
	}()
	if err := s.await(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

const loopback = "127.0.0.1"

// freePort finds a port that nobody listens on.
func freePort(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return strconv.Itoa(port), l.Close()
}

// await returns when the server answers its heartbeat.
func (s *server) await(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		if s.client.heartbeat(bounded) == nil && !s.endsWithin(50*time.Millisecond) {
			return nil
		}
		select {
		case <-s.ended:
			return &endedError{ending(s.how), s.lastWords()}
		case <-bounded.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("it does not answer on port %s after %s: %s", s.address[strings.LastIndexByte(s.address, ':')+1:], startTime, s.lastWords())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// An endedError tells of a command that ended before it answered.
type endedError struct{ how, words string }

func (e *endedError) Error() string { return "the command ended (" + e.how + "): " + e.words }

func ending(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// endsWithin tells whether the command has ended, or does so in a moment.
func (s *server) endsWithin(moment time.Duration) bool {
	select {
	case <-s.ended:
		return true
	case <-time.After(moment):
		return false
	}
}

// stop ends the server and all that it started: as a person would, then as an
// operator, then for certain. Newer servers heed nothing but an interrupt.
func (s *server) stop() (err error) {
	defer func() { err = errors.Join(err, s.letGo()) }()
	defer s.client.close()
	for _, signal := range stopSignals {
		if err := signalTogether(s.cmd, signal); err != nil {
			return fmt.Errorf("stop the server: %w", err)
		}
		select {
		case <-s.ended:
			return killTogether(s.cmd) // what it left behind
		case <-time.After(stopTime):
		}
	}
	return errors.New("stop the server: it does not end")
}

// lastWords is the end of what the server has printed, in one line.
func (s *server) lastWords() string {
	if words := strings.Join(strings.Fields(s.output.String()), " "); words != "" {
		return words
	}
	return "it said nothing"
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// tailSize is how much of a server's output an error quotes.
const tailSize = 1 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p[max(0, len(p)-tailSize):]...)
	t.text = append(t.text[:0], t.text[max(0, len(t.text)-tailSize):]...)
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(t.text), "?")
}
