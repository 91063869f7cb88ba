package sqlite

import (
	"context"

	"github.com/holdfast-backup/holdfast"
)

// A Draft is a copy that was made without a lock. It may be of no instant at
// all; IsCurrent tells.
type Draft struct {
	before  identity
	head    header
	trusted bool // a later change of the file would show
}

// CopyAhead copies the file into w without any lock, before the transaction
// that decides: then either nothing is left to be copied under the lock
// (IsCurrent), or, after w.Reset and Copy, w has little that is new to it.
//
// It gives nil and leaves w alone where the file alone is not the database:
// in WAL mode, and where it must not be read outside SQLite.
func (l *Live) CopyAhead(ctx context.Context, w holdfast.FileWriter) (*Draft, error) {
	if l.file == nil {
		return nil, nil
	}
	head, err := readHeader(l.file)
	if err != nil || head.wal() {
		// What is wrong with a header, SQLite will say.
		return nil, nil
	}
	d := &Draft{head: head}
	if d.before, d.trusted, err = settled(ctx, l.file); err != nil {
		return nil, err
	}
	adviseSequential(l.file)
	switch err := copyRange(ctx, w, l.file, d.before.size, noProgress); {
	case isShort(err):
		d.trusted = false // a writer made the file shorter
	case err != nil:
		return nil, located(l.path, err)
	}
	return d, nil
}

// IsCurrent tells, inside a transaction, whether d is byte for byte what Copy
// would write: the lock keeps writers out now, and nothing was written since
// before d was begun.
func (l *Live) IsCurrent(d *Draft) (bool, error) {
	if d == nil || !d.trusted || l.active == nil || l.mode != ModeRollback {
		return false, nil
	}
	after, err := identityOf(l.file)
	if err != nil {
		return false, located(l.path, err)
	}
	head, err := readHeader(l.file)
	return err == nil && after == d.before && head == d.head, nil
}
