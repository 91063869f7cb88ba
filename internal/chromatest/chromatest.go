// Package chromatest runs real Chroma servers for tests and talks to them: the
// old one (schema 2/5/9) and the newest (schema 2/6/10), installed by
// test/servers/install.sh.
//
// Start from [Start], which gives a running [Server] on a directory, its
// [Client], and [StartLoad], which keeps writing, deleting and querying while
// the test does something to the directory and afterwards tells whether a copy
// holds exactly one instant of what was acknowledged.
//
// [Fill] lets the real JavaScript client write. [NewFaultProxy] stands before a server
// and lets things go wrong, [NewV1] makes an older one of it.
//
// A test whose servers are not installed fails; none is skipped.
package chromatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/testserver"
)

// A Version names one of the two servers.
type Version string

// The servers. New migrates a directory of Old when it starts on it; Old
// refuses a directory of New.
const (
	Old Version = "old"
	New Version = "new"
)

// Versions lists the servers, the older first.
func Versions() []Version { return []Version{Old, New} }

// A Server is a running Chroma server.
type Server struct {
	url     string
	version Version
	dir     string
	port    int
	cmd     *exec.Cmd
	output  *testserver.Output
	ended   chan struct{} // closed when the process has ended
}

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 20 * time.Second
)

// Start starts a server on dir and waits until it answers. It is killed at the
// end of the test unless it was stopped before.
func Start(t testing.TB, v Version, dir string) *Server {
	t.Helper()
	s, err := Launch(t.Context(), v, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Kill(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Launch is Start for goroutines, which cannot end a test: the caller must
// Stop or Kill the server.
func Launch(ctx context.Context, v Version, dir string) (*Server, error) {
	// The port is free when it is looked for; somebody else may take it
	// before the server does.
	var last error
	for range 3 {
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		s, err := launch(ctx, v, dir, port)
		if err == nil {
			return s, nil
		}
		last = err
	}
	return nil, last
}

// StartAgain starts a server that has ended once more, on its directory and its port:
// for its clients it was away for a while.
func (s *Server) StartAgain(t testing.TB) {
	t.Helper()
	again, err := launch(t.Context(), s.version, s.dir, s.port)
	if err != nil {
		t.Fatal(err)
	}
	s.cmd, s.output, s.ended = again.cmd, again.output, again.ended
}

func launch(ctx context.Context, v Version, dir string, port int) (*Server, error) {
	command, err := CommandLine(v, dir, port)
	if err != nil {
		return nil, err
	}
	s := &Server{
		url:     fmt.Sprintf("http://127.0.0.1:%d", port),
		version: v,
		dir:     dir,
		port:    port,
		cmd:     exec.Command(command[0], command[1:]...),
		output:  &testserver.Output{},
		ended:   make(chan struct{}),
	}
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	s.cmd.Dir = os.TempDir() // servers leave files where they are started
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the %s chroma server: %w", v, err)
	}
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait() // how it ended does not matter, that it did is said by ended
	}()
	if err := s.await(ctx); err != nil {
		return nil, errors.Join(err, s.Kill())
	}
	return s, nil
}

// await returns when the server answers its heartbeat.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client := s.Client()
	for {
		if client.Heartbeat(ctx) == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("the %s chroma server ended at once: %s", s.version, s.output)
		case <-ctx.Done():
			return fmt.Errorf("the %s chroma server does not answer: %w: %s", s.version, ctx.Err(), s.output)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// URL is the base address of the server.
func (s *Server) URL() string { return s.url }

// PID is the process id of the server.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Output is what the server has printed so far.
func (s *Server) Output() string { return s.output.String() }

// Client gives a client of the default database.
func (s *Server) Client() *Client { return NewClient(s.url) }

// Running tells whether the process lives.
func (s *Server) Running() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// Stop ends the server as its operator would and waits for its end. The new
// server does not heed SIGTERM, so it is interrupted.
func (s *Server) Stop() error {
	sig := syscall.SIGTERM
	if s.version == New {
		sig = syscall.SIGINT
	}
	return s.end(sig)
}

// Kill ends the server without giving it time for anything.
func (s *Server) Kill() error { return s.end(syscall.SIGKILL) }

func (s *Server) end(sig os.Signal) error {
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the %s chroma server: %w", s.version, err)
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(stopTimeout):
		return fmt.Errorf("the %s chroma server does not end on %v", s.version, sig)
	}
}

// locate gives the command line that starts a server.
func locate(v Version) ([]string, error) {
	cache, err := testserver.Dir()
	if err != nil {
		return nil, err
	}
	cli := filepath.Join(cache, string(v), "node_modules", "chromadb", "dist", "cli.mjs")
	if _, err := os.Stat(filepath.Join(cache, string(v), "ready")); err != nil {
		return nil, fmt.Errorf("the %s chroma server is not installed in %s: run ./test.sh, which installs it", v, cache)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, fmt.Errorf("node is not installed: run ./test.sh, which installs it: %w", err)
	}
	// The new server wants a C library that is newer than Debian 12's. The
	// installer unpacks one where it is needed.
	lib := filepath.Join(cache, "libc", "usr", "lib", "x86_64-linux-gnu")
	loader := filepath.Join(lib, "ld-linux-x86-64.so.2")
	if _, err := os.Stat(loader); v == New && err == nil {
		if node, err = filepath.EvalSymlinks(node); err != nil {
			return nil, err
		}
		return []string{loader, "--library-path", lib + ":/usr/lib/x86_64-linux-gnu", node, cli}, nil
	}
	return []string{node, cli}, nil
}
