package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-backup/holdfast"
)

const (
	// inspectBudget bounds the counting of an inspection.
	inspectBudget = 500 * time.Millisecond
	// inspectWait bounds the wait for a lock; a capture waits longer.
	inspectWait = time.Second
)

// Inspect looks at the live database. Rows are counted only where that makes
// no writer wait: in WAL mode inside a read transaction, otherwise from the
// file without a lock, and then only if nothing was written meanwhile.
func (s *Source) Inspect(ctx context.Context, opts holdfast.InspectOptions) (holdfast.Inspection, error) {
	in, err := s.inspect(ctx, opts)
	if err != nil {
		if ctx.Err() != nil {
			return holdfast.Inspection{}, context.Cause(ctx)
		}
		return holdfast.Inspection{}, err
	}
	return in, nil
}

func (s *Source) inspect(ctx context.Context, opts holdfast.InspectOptions) (holdfast.Inspection, error) {
	path := followLinks(s.path)
	info, err := statDatabase(path)
	if errors.Is(err, fs.ErrNotExist) {
		return holdfast.Inspection{}, nil
	}
	if err != nil {
		return holdfast.Inspection{}, err
	}
	facts := &holdfast.SQLiteFacts{QuickCheck: holdfast.CheckUnchecked}
	in := holdfast.Inspection{Exists: true, Bytes: info.Size(), Facts: holdfast.Facts{SQLite: facts}}
	if info.Size() == 0 {
		facts.JournalMode = ModeRollback
		facts.Tables, facts.Rows = map[string]int64{}, new(int64)
		return in, nil
	}
	l, err := OpenLive(ctx, path, LiveOptions{Wait: min(waitOr(s.opts.Wait), inspectWait)})
	if err != nil {
		return holdfast.Inspection{}, err
	}
	if l.file != nil {
		err = inspectFile(ctx, l, opts, facts)
	}
	if err == nil && (l.file == nil || facts.JournalMode == ModeWAL && !noLog(path)) {
		in.Bytes, err = inspectLive(ctx, l, opts, facts)
		if errors.Is(err, holdfast.ErrLocked) {
			in.Bytes, err = info.Size(), nil // a glance does not wait for long
		}
	}
	return in, errors.Join(err, l.Close())
}

// inspectFile reads the header, and counts without a lock.
func inspectFile(ctx context.Context, l *Live, opts holdfast.InspectOptions, facts *holdfast.SQLiteFacts) error {
	before, err := stateOf(l.file)
	if err != nil {
		return err
	}
	if err := identify(l.file, before.Size); err != nil {
		return located(l.path, err)
	}
	head, err := readHeader(l.file)
	if err != nil {
		return located(l.path, err)
	}
	head.fill(facts, before.Size)
	if !opts.Counts || head.wal() && !noLog(l.path) {
		return nil // with a log, counted in a transaction, which sees it
	}
	counted := *facts
	if err := countFile(ctx, l.path, &counted); err != nil {
		return nil // a file that is being written cannot be counted
	}
	after, err := stateOf(l.file)
	if err != nil {
		return err
	}
	if after == before && noJournal(l.path) {
		*facts = counted
	}
	return nil
}

func countFile(ctx context.Context, path string, facts *holdfast.SQLiteFacts) error {
	db, err := OpenFS(os.DirFS(filepath.Dir(path)), filepath.Base(path))
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, inspectBudget)
	defer cancel()
	conn, err := db.Conn(ctx)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	// Tables that were not counted are absent; that is all it means.
	_ = countTables(within, conn, facts)
	return errors.Join(conn.Close(), db.Close())
}

// inspectLive looks through SQLite. Only in WAL mode is a transaction long
// enough to count in.
func inspectLive(ctx context.Context, l *Live, opts holdfast.InspectOptions, facts *holdfast.SQLiteFacts) (bytes int64, err error) {
	if err := l.Begin(ctx); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.End()) }()
	for query, value := range map[string]any{
		"PRAGMA page_size":      &facts.PageSize,
		"PRAGMA page_count":     &facts.PageCount,
		"PRAGMA user_version":   &facts.UserVersion,
		"PRAGMA application_id": &facts.ApplicationID,
		"PRAGMA encoding":       &facts.Encoding,
	} {
		if err := l.Conn().QueryRowContext(ctx, query).Scan(value); err != nil {
			return 0, l.explain("inspect", err)
		}
	}
	facts.JournalMode = l.Mode()
	if opts.Counts && l.Mode() == ModeWAL {
		within, cancel := context.WithTimeout(ctx, inspectBudget)
		defer cancel()
		_ = countTables(within, l.Conn(), facts) // as in countFile
	}
	return int64(facts.PageSize) * facts.PageCount, ctx.Err()
}

// noJournal tells that no rollback journal with content lies beside a
// database: with one, the file may be half-written.
func noJournal(path string) bool {
	info, err := os.Lstat(path + "-journal")
	return errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0
}
