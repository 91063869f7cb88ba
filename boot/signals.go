package boot

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// echoTime is for how long a repeated signal says nothing new: some tools send it to
// the process and then to its group. Whoever means "at once" comes later.
const echoTime = time.Second

// watchSignals makes SIGTERM and SIGINT end the store. Whatever else the program
// does about them goes on.
func (s *Store) watchSignals() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		defer signal.Stop(signals)
		select {
		case sig := <-signals:
			s.signal(sig, signals)
		case <-s.closed:
		}
	}()
}

// signal begins the last backup at once, since nobody knows when the platform
// kills, and lets the program end by itself. One that does not call Close in time
// is ended the way it would have been without us.
func (s *Store) signal(sig os.Signal, more chan os.Signal) {
	limit := s.o.config.Schedule.ShutdownTimeout
	urgent := make(chan struct{})
	s.mu.Lock()
	s.signalled, s.urgent = time.Now(), urgent
	s.mu.Unlock()
	s.log.Info("the program is to end", "signal", sig.String())
	ctx, cancel := context.WithTimeout(s.life, limit)
	defer cancel()
	go func() {
		defer close(urgent)
		if _, err := s.keeper.Last(ctx); err != nil {
			s.log.Warn("the backup at the signal failed; another follows when the program has ended", "error", err)
		}
	}()
	s.leave(fmt.Errorf("the program is to end: %s", sig))
	late := time.NewTimer(limit - min(limit/3, 3*time.Second))
	defer late.Stop()
	for {
		select {
		case <-s.closed:
			return
		case again := <-more:
			if time.Since(s.signalled) < echoTime {
				continue
			}
			sig = again // leave now
			s.log.Warn("told to end again; the last backup is given up", "signal", sig.String())
		case <-late.C:
			if s.ending.Load() {
				continue // the program is closing the store, and ends by itself
			}
			s.log.Warn("the program did not close its store in time; it is closed now, and ended", "signal", sig.String())
			s.tell("the end was not clean", s.Close())
		}
		signal.Stop(more)
		raise(sig)
		return
	}
}
