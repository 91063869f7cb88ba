// Package pool gives a program one *sql.DB over a database whose place can
// change while it is in use: a file, memory when the storage fails, the file
// again.
//
// Start from [New], which makes a [Pool], and [Pool.DB], what the program uses.
// [Pool.Hold] waits for a moment in which nothing is at work, [Hold.Move] sends
// everything that follows to another place.
//
// # What it promises
//
// A statement that was acknowledged was executed at the place that was current,
// and that place was held still before another one took over: whoever moves the
// pool copies the content in between, and nothing is lost. A transaction never
// spans two places. A statement outside of a transaction that fails because the
// place cannot hold it, and has changed nothing there, is run again at the new
// place if the pool has moved, unseen by its caller.
//
// # How
//
// Every connection of database/sql is a [driver.Conn] of this package around one
// of the inner driver, which is closed whenever the pool is held and opened again
// at its next use. So database/sql need not know: pinned connections and prepared
// statements go on, though what a connection keeps for itself (temporary tables,
// pragmas set by hand) ends with the move, as with any new connection.
//
// A connection is at work while a statement runs, while rows are open, and while
// a transaction is open, whether by BeginTx or by a BEGIN of its own.
package pool

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"

	"github.com/holdfast-backup/holdfast"
)

// An Opener opens a connection of the inner driver to the database at uri.
type Opener func(ctx context.Context, uri string) (driver.Conn, error)

// Options are the options of a pool.
type Options struct {
	// Open opens the inner connections. It is required.
	Open Opener
	// Fault is told of a statement that failed because the place cannot hold
	// the database. It may move the pool before it returns; statements that
	// met the fault wait for it, unless their context ends. It is called by
	// one goroutine at a time and must not use the DB itself. Nil: faults are
	// only returned.
	Fault func(error)
	// IsFault tells whether an error is such a fault, and whether the
	// statement has surely changed nothing (see sqlite.Fault). Nil: none is.
	IsFault func(error) (storage, sure bool)
}

// A Pool is one *sql.DB over a database whose place can change.
type Pool struct {
	opts Options
	db   *sql.DB

	mu sync.Mutex
	// uri is the present place, and place its number: raised by every move.
	uri   string
	place uint64
	// conns are the connections that database/sql has.
	conns map[*conn]struct{}
	// working counts those that are at work.
	working int
	// hold is the attempt or the hold that newcomers wait for.
	hold *Hold
	// asks tells that the driver wants to see arguments before database/sql
	// converts them.
	asks bool
	// report is the call of Options.Fault that is under way.
	report *report
}

// New makes a pool. Use tells it its first place.
func New(o Options) *Pool {
	p := &Pool{opts: o, conns: map[*conn]struct{}{}}
	p.db = sql.OpenDB(connector{p})
	return p
}

// DB is the database handle, the same through all moves. Closing it ends the
// pool.
func (p *Pool) DB() *sql.DB { return p.db }

// Use sets the first place, before anything uses the DB. Afterwards it is a move
// without a hold: transactions that are open then end with an error.
func (p *Pool) Use(uri string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.uri = uri
	p.place++
}

// URI is the present place.
func (p *Pool) URI() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.uri
}

// asked tells whether the driver wants to see arguments.
func (p *Pool) asked() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asks
}

// connector makes the connections of database/sql.
type connector struct{ p *Pool }

// Connect makes a connection.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn := &conn{p: c.p, stmts: map[*stmt]struct{}{}}
	c.p.mu.Lock()
	c.p.conns[conn] = struct{}{}
	c.p.mu.Unlock()
	if err := conn.do(ctx, job{run: nothing}); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// Driver is for sql.DB.Driver: connections are only made by the connector.
func (c connector) Driver() driver.Driver { return noDriver{} }

// Close waits for a report of a fault that is under way.
func (c connector) Close() error {
	c.p.mu.Lock()
	r := c.p.report
	c.p.mu.Unlock()
	if r != nil {
		<-r.done
	}
	return nil
}

type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) {
	return nil, holdfast.Kindf(holdfast.ErrUsage, "connections come from the pool")
}
