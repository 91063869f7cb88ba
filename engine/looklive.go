package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/holdfast-backup/holdfast"
)

// opLook is the name of the verb.
const opLook = "look"

// LookLive captures the configured sources, or only those that are named, into a private
// directory beside the other state and opens that. It is removed when the Look is closed;
// what a killed process left is removed by the next one. A source that does not exist is
// not among the sources of the Look, and a problem says so.
func (e *Engine) LookLive(ctx context.Context, only ...string) (_ *Look, err error) {
	sources, err := e.lookable(only)
	if err != nil {
		return nil, err
	}
	space, err := e.openScratch(forLook, "")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(spaceError(err), space.close())
		}
	}()
	r := e.start(ctx, opLook)
	l := newLook(ctx, os.DirFS(space.dir), space.close)
	l.At = holdfast.At(e.o.Now())
	present, err := r.presentOf(ctx, l, sources)
	if err == nil {
		for _, s := range present {
			if err = r.captureInto(ctx, l, s, filepath.Join(space.dir, s.Name())); err != nil {
				break
			}
		}
	}
	if err != nil {
		l.end(err)
		return nil, err
	}
	return l, nil
}

// lookable gives the sources of these names; none is all.
func (e *Engine) lookable(only []string) ([]holdfast.Source, error) {
	if len(e.o.Sources) == 0 {
		return nil, &holdfast.Error{Op: opLook, Err: holdfast.Kindf(holdfast.ErrUsage, "no source is configured"), Hint: "name one with --chroma DIR, --chroma-url URL, --sqlite FILE or --files DIR"}
	}
	if len(only) == 0 {
		return e.o.Sources, nil
	}
	var names []string
	for _, s := range e.o.Sources {
		names = append(names, s.Name())
	}
	var chosen []holdfast.Source
	for _, name := range only {
		i := slices.Index(names, name)
		if i < 0 {
			return nil, &holdfast.Error{Op: opLook, Object: name, Err: holdfast.Kindf(holdfast.ErrUsage, "no such source is configured"), Hint: meant(name, names)}
		}
		chosen = append(chosen, e.o.Sources[i])
	}
	return chosen, nil
}

// presentOf gives the sources that exist, once there is room for all of them.
func (r *run) presentOf(ctx context.Context, l *Look, sources []holdfast.Source) ([]holdfast.Source, error) {
	var present []holdfast.Source
	var bytes int64
	for _, s := range sources {
		seen, err := s.Inspect(ctx, holdfast.InspectOptions{})
		if err != nil {
			return nil, &holdfast.Error{Op: "look at", Object: s.Name(), Err: err}
		}
		if !seen.Exists {
			l.Problems = append(l.Problems, holdfast.Problem{Source: s.Name(), Severity: holdfast.Warning, Message: "there is nothing now at " + s.Target().Path})
			continue
		}
		present = append(present, s)
		bytes += seen.Bytes
	}
	return present, r.needSpace(r.e.o.StateDir, bytes)
}

// captureInto captures one source into a directory of its own.
func (r *run) captureInto(ctx context.Context, l *Look, s holdfast.Source, dir string) error {
	look := LookSource{Name: s.Name(), Kind: s.Kind(), Path: s.Target().Path}
	var ok bool
	if look.looker, ok = s.(holdfast.Looker); !ok {
		look.Closed = cannotLook(s.Kind())
		l.Sources = append(l.Sources, look)
		return nil
	}
	return r.stepOf(ctx, holdfast.StepCapture, s.Name(), func(ctx context.Context) (string, error) {
		if err := r.e.o.FS.Mkdir(dir, 0o700); err != nil {
			return "", err
		}
		got, err := s.Capture(ctx, &dirSink{fsys: r.e.o.FS, dir: dir})
		if err != nil {
			return "", &holdfast.Error{Op: "capture", Object: s.Name(), Err: err}
		}
		look.Facts = got.Facts
		for _, p := range got.Problems {
			p.Source = s.Name()
			l.Problems = append(l.Problems, r.problem(p))
		}
		l.Sources = append(l.Sources, look)
		return got.Method, nil
	})
}
