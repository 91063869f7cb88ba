package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"modernc.org/sqlite"
)

// pageFunc is the SQL function through which pages reach Go without a copy or
// an allocation for each of them.
const pageFunc = "holdfast_page"

// ownDriver gives the driver of this package: one of its own, so that its
// function is not visible on the connections of an application that embeds
// holdfast, with open-file-description locks switched on before the first
// open where the system has them.
//
// POSIX locks would be lost at any close of any descriptor of the database in
// this process. An application that opened a database before keeps the kind
// of locks it has; plainReads tells.
var ownDriver = sync.OnceValues(func() (*sqlite.Driver, error) {
	// Too late and unavailable are both told by plainReads.
	_, _ = sqlite.OFDLocking(true)
	d := new(sqlite.Driver)
	err := d.RegisterFunction(pageFunc, &sqlite.FunctionImpl{
		NArgs:        2,
		VolatileArgs: true,
		Scalar:       deliverPage,
	})
	if err == nil {
		err = d.RegisterFunction(hasFunc, &sqlite.FunctionImpl{NArgs: -1, VolatileArgs: true, Scalar: hasText})
	}
	return d, err
})

// ReadsBesideSQLite tells whether databases are read as files, beside SQLite and
// under its locks, which is fastest. That takes locks that belong to an open
// file; where the system has none, or the program opened a database before this
// package could ask for them, all is read through SQLite.
func ReadsBesideSQLite() bool { return plainReads() }

// plainReads tells whether a database file may be opened outside SQLite in
// this process without dropping SQLite's locks on it.
func plainReads() bool {
	_, _ = ownDriver()
	return sqlite.OFDLockingEnabled()
}

// receivers are the copies that run, by the number that they pass to pageFunc.
var (
	receivers    sync.Map // int64 → func([]byte) error
	lastReceiver atomic.Int64
)

// deliverPage hands one page to its copy. The page is SQLite's memory and
// valid only during the call.
func deliverPage(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	id, _ := args[0].(int64)
	page, _ := args[1].([]byte)
	receive, ok := receivers.Load(id)
	if !ok {
		return nil, errors.New("no copy is waiting for this page")
	}
	return nil, receive.(func([]byte) error)(page)
}

// connector opens connections to one data source name.
type connector struct {
	drv *sqlite.Driver
	dsn string
	// cacheKiB is the size of the page cache; zero is SQLite's default.
	cacheKiB int
}

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	conn, err := c.drv.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	execer, ok := conn.(driver.ExecerContext)
	if !ok {
		return nil, errors.Join(errors.New("the driver of SQLite runs no statements"), conn.Close())
	}
	// Whoever wrote the database may have written views and constraints that call the
	// functions of this package: these are for its own queries alone.
	if _, err := execer.ExecContext(ctx, "PRAGMA trusted_schema=0", nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if c.cacheKiB > 0 {
		// cache_size reads the schema. A damaged one must not keep the
		// database from being opened: without the cache it is only slower.
		_, _ = execer.ExecContext(ctx, fmt.Sprintf("PRAGMA cache_size=-%d", c.cacheKiB), nil)
	}
	return conn, nil
}

func (c connector) Driver() driver.Driver { return c.drv }

// openDSN opens a database by its data source name.
func openDSN(dsn string, cacheKiB int) (*sql.DB, error) {
	drv, err := ownDriver()
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector{drv, dsn, cacheKiB}), nil
}

// fileURI makes a SQLite URI of an absolute path. Options count only after
// "file:"; after a plain path SQLite silently drops them.
func fileURI(path string, options ...string) string {
	p := filepath.ToSlash(path)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p // a drive letter
	}
	u := url.URL{Path: p}
	return "file://" + u.EscapedPath() + "?" + strings.Join(options, "&")
}
