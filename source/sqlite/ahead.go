package sqlite

import (
	"context"

	"github.com/holdfast-backup/holdfast"
)

// A Draft is a copy that was made without a lock. It may be of no instant at
// all; IsCurrent tells.
type Draft struct{ before rested }

// CopyAhead copies the file into w without a lock, before the transaction that
// decides: then either nothing is left to be copied under the lock
// (IsCurrent), or, after w.Reset and Copy, w has little that is new to it.
// Before that it takes a lock for a moment, to make sure that no write is under
// way.
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
	d := &Draft{}
	if d.before, err = l.atRest(ctx); err != nil {
		return nil, err
	}
	if l.mode != ModeRollback {
		return nil, nil
	}
	adviseSequential(l.file)
	switch err := copyRange(ctx, w, l.file, d.before.state.Size, noProgress); {
	case isShort(err):
		d.before.sure = false // a writer made the file shorter
	case err != nil:
		return nil, located(l.path, err)
	}
	return d, nil
}

// IsCurrent tells, inside a transaction, whether d is byte for byte what Copy
// would write: the lock keeps writers out now, and nothing was written since
// before d was begun.
func (l *Live) IsCurrent(d *Draft) (bool, error) {
	if d == nil {
		return false, nil
	}
	return l.isStill(d.before)
}
