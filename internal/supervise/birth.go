package supervise

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// On a first start a source may not exist: the program makes it. Until then it is
// not backed up, and must not keep the others from being; that it is still missing
// after a while is told, for a program that was given the wrong path makes its data
// elsewhere. A source that was there once and is gone is another matter: backups
// fail, and say so.

const (
	birthLook = time.Second
	birthWait = 30 * time.Second // before it is told
)

// unborn tells whether a source is still to be made by the program.
func (p *place) unborn() bool {
	p.mu.Lock()
	known, start := p.born, p.stand.Start
	p.mu.Unlock()
	if known || start == nil || start.Action != holdfast.StartNew {
		return false
	}
	peeker, ok := p.source().(holdfast.Peeker)
	if !ok {
		return false
	}
	if state, _, err := peeker.Peek(); err != nil || state == "" {
		return err == nil
	}
	p.mu.Lock()
	p.born = true
	p.mu.Unlock()
	return false
}

// lacking are the sources that the program is still to make.
func (s *supervisor) lacking() (lacking []*place) {
	for _, p := range s.places {
		if p.unborn() {
			lacking = append(lacking, p)
		}
	}
	return lacking
}

// sources are what backups hold, where it lies now: the sources that are there or, as
// long as none is, all.
func (s *supervisor) sources() []holdfast.Source {
	var all, there []holdfast.Source
	for _, p := range s.places {
		all = append(all, p.source())
		if !p.unborn() {
			there = append(there, p.source())
		}
	}
	if len(there) == 0 {
		return all
	}
	return there
}

// keepBorn lets the keeper back up what the program has made since.
func (s *supervisor) keepBorn() {
	s.birthMu.Lock()
	defer s.birthMu.Unlock()
	sources := s.sources()
	if len(sources) == s.kept {
		return // none goes away again
	}
	s.kept = len(sources)
	s.keeper.SetSources(sources)
}

// awaitBirth watches for sources that the program is still to make, until there are
// none or ctx ends.
func (s *supervisor) awaitBirth(ctx context.Context) {
	ticker := time.NewTicker(birthLook)
	defer ticker.Stop()
	begun := time.Now()
	told := map[*place]bool{}
	for {
		lacking := s.lacking()
		s.keepBorn()
		for p := range told {
			if !p.unborn() {
				delete(told, p)
				s.board.solved("unborn " + p.conf.Name)
			}
		}
		if len(lacking) == 0 {
			return
		}
		if time.Since(begun) >= birthWait {
			for _, p := range lacking {
				told[p] = true
				s.board.problem("unborn "+p.conf.Name, p.missed("the program has not made it yet"), s.warn)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// missed tells that the program has not made a source.
func (p *place) missed(what string) holdfast.Problem {
	hint := "the program finds this path in DATABASE_PATH; name the file that it really uses with --sqlite"
	if p.conf.Kind != holdfast.KindSQLite {
		hint = "correct the path of the source, or that which the program was given"
	}
	return holdfast.Problem{
		Source: p.conf.Name, Object: p.path(), Severity: holdfast.Incomplete,
		Message: fmt.Sprintf("it does not exist, so it is in no backup: %s", what), Hint: hint,
	}
}
