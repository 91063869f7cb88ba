package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-backup/holdfast/repo"
)

// errNotHeld tells that a backup does not hold what lies somewhere.
var errNotHeld = errors.New("it is not in the backup")

// heldBy tells whether a backup holds every byte of the old set. Files change
// without a change of data: SQLite moves its log into the database when the last
// connection is closed, which the swap asks the owner for, after the emergency
// backup. Whatever is not certain to be the same is not held; what its owner left
// behind need not be.
func (t *replacement) heldBy(ctx context.Context, b *repo.Backup, left leftovers) (bool, error) {
	for _, m := range t.Out {
		err := filepath.WalkDir(m.To, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			inside, err := t.inTarget(m, path)
			if err != nil || left.hold(inside) {
				return err
			}
			return t.held(ctx, b, inside, path, d)
		})
		switch {
		case errors.Is(err, errNotHeld):
			return false, nil
		case err != nil:
			return false, err
		}
	}
	return true, nil
}

// inTarget is where a path of the old set was, relative to the target; "." is the
// single file of a source, and its companions have their names.
func (t *replacement) inTarget(m move, path string) (string, error) {
	below, err := filepath.Rel(m.To, path)
	if err != nil {
		return "", err
	}
	at := filepath.Join(m.From, below)
	if !t.Dir && at != t.Path {
		return filepath.Base(at), nil
	}
	return filepath.Rel(t.Path, at)
}

// held refuses one file of the old set that the backup does not hold.
func (t *replacement) held(ctx context.Context, b *repo.Backup, inside, path string, d fs.DirEntry) error {
	name := t.Source + "/" + filepath.ToSlash(inside)
	if inside == "." {
		name = t.Source + "/" + t.File
	}
	saved, err := b.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && strings.HasSuffix(path, "-shm"):
		return nil // shared memory holds no data
	case errors.Is(err, fs.ErrNotExist) && withoutCompanion(name) != name:
		return noData(d) // what is in a journal is not in its database yet
	case errors.Is(err, fs.ErrNotExist):
		return errNotHeld
	case err != nil:
		return err
	case saved.Mode().Type() != d.Type():
		return errNotHeld
	case d.Type() == fs.ModeSymlink:
		return sameLink(b, name, path)
	case !d.Type().IsRegular():
		return errNotHeld
	}
	return sameContent(ctx, b, name, path)
}

// noData refuses a file that holds anything.
func noData(d fs.DirEntry) error {
	info, err := d.Info()
	if err == nil && (!info.Mode().IsRegular() || info.Size() > 0) {
		err = errNotHeld
	}
	return err
}

func sameLink(b *repo.Backup, name, path string) error {
	saved, err := b.ReadLink(name)
	if err != nil {
		return err
	}
	goal, err := os.Readlink(path)
	if err == nil && goal != saved {
		err = errNotHeld
	}
	return err
}

// compareStep is how much of two files is compared at once.
const compareStep = 256 << 10

// sameContent refuses a file that differs from the one in the backup, whose bytes
// are checked against what was recorded as they are read.
func sameContent(ctx context.Context, b *repo.Backup, name, path string) (err error) {
	saved, err := b.Open(name)
	if err != nil {
		return err
	}
	defer saved.Close()
	now, err := os.Open(path)
	if err != nil {
		return err
	}
	defer now.Close()
	one, other := make([]byte, compareStep), make([]byte, compareStep)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, nerr := io.ReadFull(now, one)
		m, merr := io.ReadFull(saved, other)
		ended, savedEnded := atEnd(nerr), atEnd(merr)
		switch {
		case nerr != nil && !ended:
			return nerr
		case merr != nil && !savedEnded:
			return merr
		case ended != savedEnded || !bytes.Equal(one[:n], other[:m]):
			return errNotHeld
		case ended:
			return nil
		}
	}
}

// atEnd tells that io.ReadFull met the end of what it reads.
func atEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
