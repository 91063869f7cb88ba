package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// Live names the present state of the sources wherever a backup can be compared with it.
const Live = "live"

// A Look is a backup, or the present state of the sources, that is looked into where it
// lies. Its methods may be used by several goroutines; Close ends it.
type Look struct {
	// Name is that of the backup; empty: it is the present state.
	Name holdfast.BackupName
	// At is the time of the state that is seen.
	At holdfast.Time
	// From is the replica whose copy it is; empty: the repository itself.
	From string
	// Sources are what can be looked into, in the order of the backup.
	Sources []LookSource
	// Problems tell what is not to be seen, and why.
	Problems []holdfast.Problem

	files  fs.FS
	backup *repo.Backup // nil: the present state
	ctx    context.Context
	end    context.CancelCauseFunc
	after  func() error // what Close does at last

	mu      sync.Mutex
	opened  map[string]*opening
	digests map[string]map[string]repo.File // by source and path, once somebody asks
	busy    sync.WaitGroup                  // openings
}

// A LookSource is one source of what is looked into.
type LookSource struct {
	Name string
	Kind holdfast.Kind
	Path string
	// Facts are what was recorded when it was captured.
	Facts holdfast.Facts
	// Closed says why it cannot be looked into; empty: it can.
	Closed string

	looker holdfast.Looker
}

// An opening is a source being opened, once for all who ask.
type opening struct {
	done   chan struct{}
	inside holdfast.Inside
	err    error
}

// errLookClosed ends what still reads in a Look that is closed.
var errLookClosed = errors.New("it is not looked into any more")

// Look opens the nearest copy of a backup, by name or "latest". Nothing of its data is
// read until it is asked for, and then only what the answer needs.
func (e *Engine) Look(ctx context.Context, name string) (*Look, error) {
	b, from, err := e.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	m := b.Metadata()
	l := newLook(ctx, b, b.Close)
	l.Name, l.At, l.From, l.backup = m.BackupName, m.CreatedAt, from, b
	b.Until(l.ctx)
	for _, md := range m.Sources {
		s := LookSource{Name: md.Name, Kind: md.Kind, Path: md.Path, Facts: md.Facts}
		var ok bool
		if s.looker, ok = e.checker(md).(holdfast.Looker); !ok {
			s.Closed = cannotLook(md.Kind)
		}
		l.Sources = append(l.Sources, s)
	}
	return l, nil
}

func cannotLook(kind holdfast.Kind) string {
	return fmt.Sprintf("nothing here can look into a source of kind %s", kind)
}

// newLook makes a Look that lives as long as nobody closes it.
func newLook(ctx context.Context, files fs.FS, after func() error) *Look {
	l := &Look{files: files, after: after, opened: map[string]*opening{}}
	l.ctx, l.end = context.WithCancelCause(context.WithoutCancel(ctx))
	return l
}

// Words name what is looked at, for people.
func (l *Look) Words() string {
	switch {
	case l.Name == "":
		return "the present state"
	case l.From != "":
		return string(l.Name) + " from the replica " + l.From
	}
	return string(l.Name)
}

// Inside opens a source, once: it lives as long as the Look, and its Close does nothing.
// Numbers of rows that would have to be counted are those that were recorded when the
// source was captured.
func (l *Look) Inside(ctx context.Context, source string) (holdfast.Inside, error) {
	s, err := l.Source(source)
	if err != nil {
		return nil, err
	}
	if s.Closed != "" {
		return nil, l.fail(source, holdfast.Kindf(holdfast.ErrRefused, "%s", s.Closed), "`holdfast show "+string(l.Name)+" --tree` lists its files")
	}
	o, err := l.opening(s)
	if err != nil {
		return nil, err
	}
	select {
	case <-o.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return o.inside, o.err
}

// opening begins to open a source if nobody has. It is opened for all who ask: one who
// goes takes nothing from the others. A failure is not kept.
func (l *Look) opening(s *LookSource) (*opening, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return nil, l.fail(s.Name, context.Cause(l.ctx), "")
	}
	if o := l.opened[s.Name]; o != nil {
		return o, nil
	}
	o := &opening{done: make(chan struct{})}
	l.opened[s.Name] = o
	l.busy.Go(func() {
		defer close(o.done)
		sub, err := fs.Sub(l.files, s.Name)
		var in holdfast.Inside
		if err == nil {
			in, err = s.looker.Look(l.ctx, sub)
		}
		if err != nil {
			o.err = l.fail(s.Name, err, "")
			l.mu.Lock()
			delete(l.opened, s.Name)
			l.mu.Unlock()
			return
		}
		o.inside = &counted{Inside: in, source: s}
	})
	return o, nil
}

// fail names what could not be looked into.
func (l *Look) fail(object string, err error, hint string) error {
	return &holdfast.Error{Op: "look into", Object: l.Words() + ": " + object, Err: err, Hint: hint}
}

// Close ends all reading and gives back what the Look holds. It must not be called
// while something of the Look is still in use.
func (l *Look) Close() error {
	l.end(errLookClosed)
	l.busy.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for name, o := range l.opened {
		if o.inside != nil {
			errs = append(errs, o.inside.(*counted).Inside.Close())
		}
		delete(l.opened, name)
	}
	if l.after != nil {
		errs = append(errs, l.after())
		l.after = nil
	}
	return errors.Join(errs...)
}
