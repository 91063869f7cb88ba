package sqlite

import (
	"context"
	"errors"
	"io"

	"github.com/holdfast-backup/holdfast"
)

// chunkSize is how much of a file is read or handed on at once. The largest page
// of SQLite fits in it.
const chunkSize = 512 << 10

// Copy writes every byte of the database, as it is in the present
// transaction, into w, and does not close w. The bytes are those that the
// file has, or in WAL mode would have after a checkpoint. progress may be
// nil.
//
// In rollback mode the lock of the transaction keeps every page in place, so
// the file itself is read. In WAL mode the file alone is not the snapshot and
// a checkpoint may rewrite it, so the pages come from SQLite.
func (l *Live) Copy(ctx context.Context, w holdfast.FileWriter, progress func(done, total int64)) error {
	if l.active == nil {
		return &holdfast.Error{Op: "copy database", Object: l.path, Err: errors.New("no transaction is open")}
	}
	if progress == nil {
		progress = noProgress
	}
	var err error
	if file := l.fileAt(); file != nil && l.mode == ModeRollback {
		err = l.copyFile(ctx, w, progress)
	} else {
		err = l.copyPages(ctx, w, progress)
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return l.explain("copy database", err)
}

func noProgress(int64, int64) {}

// isShort tells that a file ended before it should.
func isShort(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }

// copyFile copies the plain file.
func (l *Live) copyFile(ctx context.Context, w io.Writer, progress func(done, total int64)) error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	return copyRange(ctx, w, l.file, info.Size(), progress)
}

// copyRange copies the first size bytes of r. A file that ends before is an
// error.
func copyRange(ctx context.Context, w io.Writer, r io.ReaderAt, size int64, progress func(done, total int64)) error {
	buf := make([]byte, min(chunkSize, max(size, 1)))
	for off := int64(0); off < size; {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		n, err := r.ReadAt(buf[:min(int64(len(buf)), size-off)], off)
		if n == 0 {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
		off += int64(n)
		progress(off, size)
	}
	return nil
}

// copyPages copies through sqlite_dbpage, in one statement.
func (l *Live) copyPages(ctx context.Context, w io.Writer, progress func(done, total int64)) error {
	pageSize, pageCount, err := l.pages(ctx)
	if err != nil {
		return err
	}
	return l.deliver(ctx, w, pageSize*pageCount, progress,
		"SELECT count(*) FROM sqlite_dbpage WHERE "+pageFunc+"(?, data) IS NULL")
}

// copySome copies the pages of one range, numbered from 1.
func (l *Live) copySome(ctx context.Context, w io.Writer, pageSize, first, last int64) error {
	return l.deliver(ctx, w, pageSize*(last-first+1), noProgress,
		"WITH RECURSIVE n(p) AS (VALUES(?2) UNION ALL SELECT p+1 FROM n WHERE p<?3) "+
			"SELECT count(*) FROM n CROSS JOIN sqlite_dbpage ON pgno=n.p WHERE "+pageFunc+"(?1, data) IS NULL", first, last)
}

// pages are the size and the number of the pages in the present transaction.
func (l *Live) pages(ctx context.Context) (size, count int64, err error) {
	err = errors.Join(
		l.active.QueryRowContext(ctx, "PRAGMA page_size").Scan(&size),
		l.active.QueryRowContext(ctx, "PRAGMA page_count").Scan(&count))
	return size, count, err
}

// deliver runs a query that gives pages of total bytes to pageFunc. Its first
// argument is the number of the receiver.
func (l *Live) deliver(ctx context.Context, w io.Writer, total int64, progress func(done, total int64), query string, args ...any) error {
	buf := make([]byte, 0, chunkSize)
	var done int64
	var failed error
	flush := func() error {
		if _, failed = w.Write(buf); failed != nil {
			return failed
		}
		done += int64(len(buf))
		buf = buf[:0]
		progress(done, total)
		return nil
	}
	id := lastReceiver.Add(1)
	receivers.Store(id, func(page []byte) error {
		if len(buf)+len(page) > cap(buf) {
			if err := flush(); err != nil {
				return err
			}
		}
		buf = append(buf, page...)
		return nil
	})
	defer receivers.Delete(id)

	var rows int64
	err := l.active.QueryRowContext(ctx, query, append([]any{id}, args...)...).Scan(&rows)
	if failed != nil {
		return failed
	}
	if err == nil {
		err = flush()
	}
	if err == nil && done != total {
		err = holdfast.Kindf(holdfast.ErrDamaged, "SQLite gave %d of %d bytes", done, total)
	}
	return err
}
