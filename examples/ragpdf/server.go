package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A server is the Chroma server that this program starts and stops. One that ends
// without being told to is started again.
type server struct {
	command []string // with {dir} and {port}
	dir     string   // what it serves
	folder  string   // where it runs
	log     string   // the file that takes what it prints
	port    int
	alive   func(context.Context) error

	mu      sync.Mutex
	wanted  bool
	running *exec.Cmd
	ended   chan struct{} // closed when running has ended
	watches sync.WaitGroup
}

const (
	startTime  = time.Minute
	stopTime   = 10 * time.Second
	firstPause = time.Second
	mostPause  = 30 * time.Second
)

// start starts it, and returns when it answers.
func (s *server) start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = true
	return s.launch(ctx)
}

// launch is start for whoever holds mu.
func (s *server) launch(ctx context.Context) error {
	if s.lives() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if s.alive(ctx) == nil {
		return say("chroma.taken", s.port)
	}
	out, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	words := make([]string, len(s.command))
	for i, w := range s.command {
		words[i] = strings.NewReplacer("{dir}", s.dir, "{port}", strconv.Itoa(s.port)).Replace(w)
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = s.folder, out, out, apart()
	if err := cmd.Start(); err != nil {
		return because(err, "chroma.program", words[0])
	}
	ended := make(chan struct{})
	s.running, s.ended = cmd, ended
	s.watches.Go(func() { s.watch(cmd, ended) })
	for s.alive(ctx) != nil {
		select {
		case <-ended:
			return say("chroma.ended", s.log)
		case <-ctx.Done():
			return errors.Join(say("chroma.slow", s.log), s.end(cmd, ended))
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// lives tells whether the process runs; whoever asks holds mu.
func (s *server) lives() bool {
	if s.running == nil {
		return false
	}
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// watch waits for the end of a process, and starts another one if nobody asked for
// it.
func (s *server) watch(cmd *exec.Cmd, ended chan struct{}) {
	err := cmd.Wait()
	close(ended)
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		s.mu.Lock()
		mine := s.wanted && s.ended == ended
		s.mu.Unlock()
		if !mine {
			return
		}
		log.Printf("chroma has ended (%v), and is started again", err)
		time.Sleep(pause)
		s.mu.Lock()
		if !s.wanted || s.ended != ended {
			s.mu.Unlock()
			return
		}
		err = s.launch(context.Background())
		s.mu.Unlock()
		if err == nil {
			return
		}
	}
}

// stop ends it, and returns when it has ended.
func (s *server) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = false
	if !s.lives() {
		return nil
	}
	return s.end(s.running, s.ended)
}

// end interrupts a process with all that it started, and kills what does not heed
// that: servers differ in what they listen to.
func (s *server) end(cmd *exec.Cmd, ended chan struct{}) error {
	for _, ask := range []func(*os.Process) error{interrupt, kill} {
		if err := ask(cmd.Process); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop chroma: %w", err)
		}
		select {
		case <-ended:
			return nil
		case <-time.After(stopTime):
		}
	}
	return fmt.Errorf("stop chroma: process %d does not end", cmd.Process.Pid)
}
