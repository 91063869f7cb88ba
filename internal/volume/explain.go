package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/dustin/go-humanize"

	"github.com/holdfast-backup/holdfast"
)

// Explain turns an error of the file system into one that says what failed, on
// which object, and what to do about it. A full disk or an exhausted quota
// matches holdfast.ErrRefused. The cause stays matched by errors.Is; nil stays
// nil.
func Explain(op, object string, err error) error {
	if err == nil {
		return nil
	}
	e := &holdfast.Error{Op: op, Object: object, Err: err}
	switch {
	case IsFull(err):
		e.Err = holdfast.Kindf(holdfast.ErrRefused, "%w", cause(err))
		e.Hint = "free some space"
		if near, nerr := Nearest(object); nerr == nil {
			if info, serr := Stat(near); serr == nil && info.Free >= 0 {
				e.Hint = fmt.Sprintf("free some space: %s of %s are left on the file system of %s", humanize.IBytes(uint64(info.Free)), humanize.IBytes(uint64(info.Total)), near)
			}
		}
	case IsReadOnly(err):
		e.Hint = "the file system is mounted read-only; mount it writable or choose another directory"
	case errors.Is(err, fs.ErrPermission):
		e.Hint = fmt.Sprintf("user id %d needs permission; look at owner and mode with ls -ld", os.Getuid())
	case errors.Is(err, syscall.EIO):
		e.Hint = "the disk reports errors; look at the system log and check the disk before you trust it"
	}
	return e
}

// cause drops the operation and temporary path that the system call names: the
// caller has named the object.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	if le, ok := errors.AsType[*os.LinkError](err); ok {
		return le.Err
	}
	return err
}
