package telegram

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/holdfast-backup/holdfast"
)

var (
	errNegative = errors.New("negative offset or length")
	errEnded    = fmt.Errorf("the stage has ended: %w", fs.ErrClosed)
	errClosed   = fmt.Errorf("the object is complete: %w", fs.ErrClosed)
	errOpen     = errors.New("an object is still being written")
	errAbsent   = fmt.Errorf("no such object: %w", fs.ErrNotExist)
	errTurned   = errors.New("another upload took a message of this one; try again")
	errTaken    = fmt.Errorf("taken: %w", fs.ErrExist)
)

// tooMuch refuses what does not belong into a chat.
func tooMuch(format string, args ...any) error {
	return &holdfast.Error{
		Op: "store", Err: holdfast.Kindf(holdfast.ErrRefused, format, args...),
		Hint: "use object storage for copies of this size: a replica s3://bucket/prefix",
	}
}

// full refuses what goes beyond the limit of the chat.
func (b *Bucket) full(size, room int64) error {
	return tooMuch("a chat takes %d MB in all, %d MB are left, and this needs %d MB or more", b.o.Limit/1_000_000, room/1_000_000, (size+999_999)/1_000_000)
}
