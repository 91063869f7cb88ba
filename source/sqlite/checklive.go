package sqlite

import (
	"context"
	"errors"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/holdfast-backup/holdfast"
)

// CheckLiveOptions bound a check of a live database; the zero value is good.
type CheckLiveOptions struct {
	// Wait bounds the wait for a lock that another application holds;
	// zero is DefaultWait.
	Wait time.Duration
	// Budget bounds the check, as in holdfast.CheckOptions.
	Budget time.Duration
	// Full asks for integrity_check in place of quick_check: it finds pages of two times
	// side by side, which a log leaves that was cut after it had been copied.
	Full bool
}

// CheckLive lets SQLite check the live database at path as its owner would find
// it: in one read transaction, with what is in the -wal, after a transaction
// that a crash left half-done was rolled back, as any reader would. Beyond that
// nothing is changed, and no -wal is left where there was none. In rollback mode
// writers wait for it.
//
// Damage is a problem in the report. An error that matches ErrRefused is for a
// file that is no SQLite database, one that matches ErrDamaged for a header that
// SQLite cannot read, and one that matches ErrLocked for a database that
// somebody keeps locked; any other says why it could not be looked at. An empty
// file must not be asked about: SQLite would drop a -wal that lies beside it.
func CheckLive(ctx context.Context, path string, o CheckLiveOptions) (_ holdfast.Report, err error) {
	facts := &holdfast.SQLiteFacts{QuickCheck: holdfast.CheckUnchecked}
	report := holdfast.Report{Facts: holdfast.Facts{SQLite: facts}}
	l, err := OpenLive(ctx, path, LiveOptions{Wait: o.Wait})
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	c := &checker{file: l.path, facts: facts, report: &report, opts: holdfast.CheckOptions{Budget: o.Budget, Full: o.Full}}
	// With nothing beside it the file is what counts; SQLite would leave a log
	// beside one that it finds it cannot read.
	if l.closed && noJournal(l.path) {
		if err := l.whatItIs(); err != nil {
			return report, err
		}
	}
	if err := l.Begin(ctx); err != nil {
		if ctx.Err() != nil {
			return report, context.Cause(ctx)
		}
		return report, c.cannotBegin(l, err)
	}
	if l.Recovered() {
		c.add(holdfast.Warning, "a crashed process left a transaction half-done; it was rolled back", "")
	}
	facts.JournalMode = l.Mode()
	c.conn = l.Conn()
	// A schema that its owner cannot read must not be overlooked.
	if err := execute(ctx, c.conn, "PRAGMA writable_schema=RESET"); err != nil && code0(err) != sqlite3.SQLITE_CORRUPT {
		return report, l.explain("read schema of", err)
	}
	for query, value := range map[string]any{"PRAGMA page_size": &facts.PageSize, "PRAGMA page_count": &facts.PageCount} {
		if err := c.conn.QueryRowContext(ctx, query).Scan(value); err != nil && code0(err) != sqlite3.SQLITE_CORRUPT {
			return report, l.explain("read", err)
		}
	}
	within := ctx
	if o.Budget > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, o.Budget)
		defer cancel()
	}
	return report, c.checkPages(ctx, within)
}

// code0 is the primary result code.
func code0(err error) int {
	primary, _ := code(err)
	return primary
}

// cannotBegin tells what it means that a transaction cannot even be begun.
func (c *checker) cannotBegin(l *Live, err error) error {
	switch {
	case code0(err) == sqlite3.SQLITE_CORRUPT:
		c.facts.QuickCheck = holdfast.CheckFailed
		c.add(holdfast.Damaged, err.Error(), "restore an older backup, or save what can be read with sqlite3's .recover")
		return nil
	case errors.Is(err, holdfast.ErrDamaged):
		if what := l.whatItIs(); what != nil {
			return what
		}
	}
	return err
}

// whatItIs tells what the file is instead of a database; nil if it begins as one,
// or must not be looked at.
func (l *Live) whatItIs() error {
	if l.file == nil {
		return nil
	}
	state, err := stateOf(l.file)
	if err != nil {
		return located(l.path, err)
	}
	if what := identify(l.file, state.Size); what != nil {
		return located(l.path, what)
	}
	return nil
}
