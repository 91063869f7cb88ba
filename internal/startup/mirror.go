package startup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/planted"
	"github.com/holdfast-backup/holdfast/internal/procs"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// surveyMirror looks at the mirror file. Its time is that of the backup it came
// from, or the moment when somebody else made it.
func (p *preparation) surveyMirror(f *offer) {
	if p.Mirror == "" {
		return
	}
	info, err := os.Stat(p.Mirror)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil:
		f.outOfReach = append(f.outOfReach, notAsked("the mirror "+p.Mirror, err))
		return
	case !info.Mode().IsRegular():
		p.pass(candidate{from: p.Mirror, mirror: true}, errors.New("it is no regular file"))
		return
	case info.Size() == 0:
		return // as good as none
	}
	if err := CheckMirror(p.Mirror); err != nil {
		p.pass(candidate{from: p.Mirror, mirror: true}, err)
		return
	}
	c := candidate{at: info.ModTime(), from: p.Mirror, mirror: true}
	for _, other := range f.candidates {
		if other.at.Equal(c.at) {
			c.name = other.name
		}
	}
	f.candidates = append(f.candidates, c)
}

// CheckMirror refuses a mirror that another user may have put there, with any
// content and any time, however it is reached.
func CheckMirror(path string) error {
	if err := planted.Check(path); err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	return planted.Check(real)
}

// restoreMirror puts a copy of the mirror in place of the database. A -wal or
// -journal beside the mirror belongs to somebody who opened it since, and is
// left out: the file has to be whole by itself.
func (p *preparation) restoreMirror(ctx context.Context) error {
	if err := refuseHandles(ctx, p.target); err != nil {
		return err
	}
	aside, err := Place(ctx, p.FS, p.target.Path, p.target.Companions,
		func(ctx context.Context, stage string) error {
			return p.step(holdfast.StepStage, func() error { return copyFile(ctx, p.FS, p.Mirror, stage) })
		},
		func(ctx context.Context, stage string) error {
			return p.step(holdfast.StepCheck, func() error { return sqlite.CheckFile(ctx, stage) })
		})
	p.decision.Aside = append(p.decision.Aside, aside...)
	return err
}

// refuseHandles refuses to replace what another process has open.
func refuseHandles(ctx context.Context, t holdfast.Target) error {
	var paths []string
	for _, c := range append([]string{""}, t.Companions...) {
		paths = append(paths, t.Path+c)
	}
	scan, err := procs.Holding(ctx, paths)
	switch {
	case errors.Is(err, procs.ErrUnsupported):
		return nil
	case err != nil:
		return err
	case len(scan.Handles) > 0:
		h := scan.Handles[0]
		return &holdfast.Error{
			Op: opReplace, Object: t.Path, Err: holdfast.Kindf(holdfast.ErrRefused, "it is held open by process %d (%s)", h.PID, h.Command),
			Hint: "end that process and start again",
		}
	}
	return nil
}

// copyFile copies a file through fsys, whose new file is durable afterwards.
func copyFile(ctx context.Context, fsys durable.FS, from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("read %s: %w", from, err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	info, err := in.Stat()
	if err != nil {
		return fmt.Errorf("read %s: %w", from, err)
	}
	out, err := fsys.Create(to, info.Mode().Perm()&0o666|0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, cancellable{ctx, in})
	return err
}

// cancellable reads until ctx ends.
type cancellable struct {
	ctx context.Context
	r   io.Reader
}

func (c cancellable) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}
