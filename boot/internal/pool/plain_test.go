package pool_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/boot/internal/pool"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// plain is SQLite behind a driver that has nothing but what every driver has.
type plain struct{ inner driver.Conn }

func openPlain(ctx context.Context, uri string) (driver.Conn, error) {
	inner, err := sqlite.OpenConn(ctx, uri)
	return plain{inner}, err
}

func (c plain) Close() error { return c.inner.Close() }

//lint:ignore SA1019 on purpose
func (c plain) Begin() (driver.Tx, error) { return c.inner.Begin() }

func (c plain) Prepare(query string) (driver.Stmt, error) {
	inner, err := c.inner.Prepare(query)
	return plainStmt{inner}, err
}

type plainStmt struct{ inner driver.Stmt }

func (s plainStmt) Close() error  { return s.inner.Close() }
func (s plainStmt) NumInput() int { return s.inner.NumInput() }

func (s plainStmt) Exec(args []driver.Value) (driver.Result, error) {
	//lint:ignore SA1019 on purpose
	return s.inner.Exec(args)
}

func (s plainStmt) Query(args []driver.Value) (driver.Rows, error) {
	//lint:ignore SA1019 on purpose
	r, err := s.inner.Query(args)
	return struct{ driver.Rows }{r}, err
}

// choosy is a driver that looks at arguments itself.
type choosy struct{ plain }

func (c choosy) CheckNamedValue(v *driver.NamedValue) error {
	if text, ok := v.Value.(shout); ok {
		v.Value = strings.ToUpper(string(text))
		return nil
	}
	return driver.ErrSkip
}

type shout string

func TestPool_WithAnyDriver(t *testing.T) {
	p, _ := newPool(t, pool.Options{Open: openPlain})
	db := p.DB()
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	do(t, db, "CREATE TABLE t (x)")
	do(t, db, "INSERT INTO t VALUES (?)", 1)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	do(t, tx, "INSERT INTO t VALUES (?)", 2)
	if held(t, p) {
		t.Error("held beside a transaction")
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	rows, err := db.QueryContext(t.Context(), "SELECT x FROM t WHERE x>?", 0)
	if err != nil {
		t.Fatal(err)
	}
	types, err := rows.ColumnTypes()
	if err != nil || types[0].ScanType() == nil || types[0].DatabaseTypeName() != "" {
		t.Errorf("the types are %v, %v", types, err)
	}
	if held(t, p) {
		t.Error("held beside open rows")
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	if n := number(t, db, "SELECT sum(x) FROM t"); n != 3 {
		t.Errorf("the sum is %d", n)
	}
	if _, err := db.ExecContext(t.Context(), "INSERT INTO t VALUES (:x)", sql.Named("x", 1)); err == nil {
		t.Error("a name was dropped")
	}
	if _, err := db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true}); err == nil {
		t.Error("an option was dropped")
	}
	hold(t, p).Release()
	if n := number(t, db, "SELECT count(*) FROM t"); n != 2 {
		t.Errorf("%d rows", n)
	}
}

func TestPool_TheDriverSeesArguments(t *testing.T) {
	p, _ := newPool(t, pool.Options{Open: func(ctx context.Context, uri string) (driver.Conn, error) {
		c, err := openPlain(ctx, uri)
		if err != nil {
			return nil, err
		}
		inner, ok := c.(plain)
		if !ok {
			return nil, errors.New("another connection")
		}
		return choosy{inner}, nil
	}})
	for range 2 {
		var got string
		if err := p.DB().QueryRowContext(t.Context(), "SELECT ?", shout("loud")).Scan(&got); err != nil || got != "LOUD" {
			t.Errorf("%q, %v", got, err)
		}
		hold(t, p).Release()
	}
}
