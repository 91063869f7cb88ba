package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"

	"github.com/holdfast-backup/holdfast"
)

const (
	// stepBytes is how much of a restore is written between two looks at the
	// context. All steps are one transaction.
	stepBytes = 4 << 20
	// drainTime is how long a try to become the only user lasts: with it
	// SQLite keeps new readers out until those at work have finished.
	drainTime = time.Second
)

// RestoreOnline replaces the content of the live database by that of the
// database at staged, through SQLite, in one transaction: connections of other
// processes stay open and see the new content at their next statement. The
// journal mode of the live database stays.
//
// Until the commit the live database is as it was, so an error or a
// cancellation leaves it so. After the commit what is in place is compared
// with what was staged, page by page.
func (s *Source) RestoreOnline(ctx context.Context, staged string, progress func(done, total int64)) error {
	if progress == nil {
		progress = noProgress
	}
	r := &onlineRestore{path: followLinks(s.path), staged: staged, wait: waitOr(s.opts.Wait), progress: progress}
	if err := r.run(ctx); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &holdfast.Error{Op: "restore online", Object: s.name, Err: err}
	}
	return nil
}

// onlineRestore is one restore through SQLite.
type onlineRestore struct {
	path, staged string
	wait         time.Duration
	progress     func(done, total int64)

	source   *oneFile
	pageSize int64
	pages    int64 // of the staged database
}

func (r *onlineRestore) run(ctx context.Context) (err error) {
	if err := r.examine(); err != nil {
		return err
	}
	db, err := openDSN(fileURI(r.path, "mode=rw", "_pragma=temp_store(memory)",
		fmt.Sprintf("_pragma=busy_timeout(%d)", min(drainTime, r.wait).Milliseconds())), 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var conn *sql.Conn
	err = retry(ctx, r.path, r.wait, func() (err error) {
		conn, err = db.Conn(ctx)
		return err
	})
	if err != nil {
		return explain("open database", r.path, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := r.fits(ctx, conn); err != nil {
		return err
	}
	before, err := dataVersion(ctx, conn)
	if err != nil {
		return explain("read database", r.path, err)
	}
	if err := conn.Raw(func(c any) error { return r.write(ctx, c) }); err != nil {
		return explain("write database", r.path, err)
	}
	return r.confirm(ctx, conn, before)
}

// examine looks at both files before anything is touched.
func (r *onlineRestore) examine() error {
	if _, err := statDatabase(r.path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return &holdfast.Error{
				Op: "open database", Object: r.path,
				Err:  holdfast.Kindf(holdfast.ErrRefused, "there is no live database to restore into"),
				Hint: "restore without going through SQLite: nobody has it open",
			}
		}
		return err
	}
	info, err := statDatabase(r.staged)
	if err != nil {
		return err
	}
	f, err := os.Open(r.staged)
	if err != nil {
		return openError(r.staged, err)
	}
	defer f.Close()
	if err := identify(f, info.Size()); err != nil {
		return located(r.staged, err)
	}
	if info.Size() == 0 {
		return &holdfast.Error{
			Op: "open database", Object: r.staged,
			Err:  holdfast.Kindf(holdfast.ErrRefused, "the backup of the database is an empty file"),
			Hint: "restore it without going through SQLite, while the application is stopped",
		}
	}
	head, err := readHeader(f)
	if err != nil {
		return located(r.staged, err)
	}
	r.pageSize = int64(head.pageSize)
	// The journal mode of the live database must stay, so the copy must not
	// bring its own.
	r.source = &oneFile{fsys: os.DirFS(filepath.Dir(r.staged)), name: filepath.Base(r.staged), asRollback: true}
	return nil
}

// fits refuses what SQLite cannot do: pages of another size while others have
// the database open.
func (r *onlineRestore) fits(ctx context.Context, conn *sql.Conn) error {
	var pageSize, pages int64
	err := retry(ctx, r.path, r.wait, func() error {
		return errors.Join(
			conn.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages),
			conn.QueryRowContext(ctx, "PRAGMA page_size").Scan(&pageSize))
	})
	if err != nil {
		return explain("read database", r.path, err)
	}
	if pages == 0 || pageSize == r.pageSize {
		return nil
	}
	return &holdfast.Error{
		Op: "restore online", Object: r.path,
		Err:  holdfast.Kindf(holdfast.ErrRefused, "the live database has pages of %d bytes and the backup of %d: SQLite cannot change that while it is in use", pageSize, r.pageSize),
		Hint: "stop the application and restore without going through SQLite",
	}
}

// write copies all pages in one write transaction of the live database.
func (r *onlineRestore) write(ctx context.Context, c any) (err error) {
	dest, ok := c.(interface {
		NewRestore(uri string) (*sqlite.Backup, error)
	})
	if !ok {
		return errors.New("the driver cannot restore")
	}
	uri, handle, err := mount(r.source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, handle.Close()) }()
	var backup *sqlite.Backup
	err = retry(ctx, r.path, r.wait, func() (err error) {
		backup, err = dest.NewRestore(uri)
		return err
	})
	if err != nil {
		return err
	}
	// Finishing before the end rolls everything back.
	finished := false
	defer func() {
		if !finished {
			err = errors.Join(err, ignoreSame(err, backup.Finish()))
		}
	}()
	step := int32(max(1, stepBytes/r.pageSize))
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		err := retry(ctx, r.path, r.wait, func() (err error) {
			more, err = backup.Step(step)
			return err
		})
		if err != nil {
			if cause := r.source.failed(); cause != nil {
				return fmt.Errorf("read %s: %w", r.staged, cause)
			}
			return err
		}
		r.pages = int64(backup.PageCount())
		r.progress((r.pages-int64(backup.Remaining()))*r.pageSize, r.pages*r.pageSize)
	}
	finished = true
	return backup.Finish()
}

// ignoreSame drops an error that SQLite only repeats.
func ignoreSame(first, second error) error {
	if a, _ := code(first); a != 0 {
		if b, _ := code(second); a == b {
			return nil
		}
	}
	return second
}

// dataVersion changes when another connection has committed.
func dataVersion(ctx context.Context, conn *sql.Conn) (version int64, err error) {
	err = conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version)
	return version, err
}

// confirm compares what is in place with what was staged. Where another
// process has already written since, its pages differ rightly; then the
// database must be sound as a whole.
func (r *onlineRestore) confirm(ctx context.Context, conn *sql.Conn, before int64) (err error) {
	f, err := os.Open(r.staged)
	if err != nil {
		return openError(r.staged, err)
	}
	defer f.Close()
	l, err := OpenLive(ctx, r.path, LiveOptions{Wait: r.wait})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := l.Begin(ctx); err != nil {
		return err
	}
	same := &comparer{want: f, size: r.pages * r.pageSize}
	err = l.Copy(ctx, same, nil)
	if err == nil && same.done == same.size {
		return nil
	}
	if err != nil && !errors.Is(err, errDiffers) {
		return err
	}
	after, err := dataVersion(ctx, conn)
	if err != nil {
		return explain("read database", r.path, err)
	}
	if after == before {
		return &holdfast.Error{
			Op: "confirm", Object: r.path,
			Err:  holdfast.Kindf(holdfast.ErrDamaged, "what SQLite wrote is not what was staged, near byte %d", same.done),
			Hint: "check the disk; the staged copy and the emergency backup are good",
		}
	}
	findings, err := column(ctx, l.Conn(), "PRAGMA quick_check")
	if err != nil {
		return explain("check database", r.path, err)
	}
	if len(findings) != 1 || findings[0] != "ok" {
		return &holdfast.Error{
			Op: "confirm", Object: r.path,
			Err:  holdfast.Kindf(holdfast.ErrDamaged, "the database in place is not sound: %s", findings[0]),
			Hint: "stop the application and restore without going through SQLite",
		}
	}
	return nil
}
