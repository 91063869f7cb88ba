package pool

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// stmt is a prepared statement. Its inner one is prepared again on every inner
// connection that its connection gets.
type stmt struct {
	c      *conn
	query  string
	inner  driver.Stmt
	inputs int
	gone   bool
}

var (
	_ driver.StmtExecContext   = (*stmt)(nil)
	_ driver.StmtQueryContext  = (*stmt)(nil)
	_ driver.NamedValueChecker = (*stmt)(nil)
)

// prepare makes the inner statement if there is none.
func (s *stmt) prepare(ctx context.Context, inner driver.Conn) (err error) {
	if s.inner != nil {
		return nil
	}
	var made driver.Stmt
	if preparer, ok := inner.(driver.ConnPrepareContext); ok {
		made, err = preparer.PrepareContext(ctx, s.query)
	} else {
		made, err = inner.Prepare(s.query)
	}
	if err != nil {
		return err
	}
	s.inputs = made.NumInput()
	_, asks := made.(driver.NamedValueChecker)
	//lint:ignore SA1019 some drivers have nothing newer
	_, converts := made.(driver.ColumnConverter)
	s.c.p.mu.Lock()
	s.c.p.asks = s.c.p.asks || asks || converts
	s.inner = made
	s.c.stmts[s] = struct{}{}
	s.c.p.mu.Unlock()
	return nil
}

// job is the use of the prepared statement.
func (s *stmt) job(ctx context.Context, run func(driver.Stmt) (bool, error)) job {
	return job{text: s.query, once: !single(s.query), run: func(inner driver.Conn) (bool, error) {
		if err := s.prepare(ctx, inner); err != nil {
			return false, err
		}
		return run(s.inner)
	}}
}

// NumInput is the number of parameters, -1 if the driver does not tell.
func (s *stmt) NumInput() int { return s.inputs }

// ExecContext runs the statement.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (result driver.Result, err error) {
	err = s.c.do(ctx, s.job(ctx, func(inner driver.Stmt) (bool, error) {
		if execer, ok := inner.(driver.StmtExecContext); ok {
			result, err = execer.ExecContext(ctx, args)
			return false, err
		}
		values, err := positional(args)
		if err == nil {
			//lint:ignore SA1019 all that the driver has
			result, err = inner.Exec(values)
		}
		return false, err
	}))
	return result, err
}

// QueryContext runs the statement as a query.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	var out *rows
	err := s.c.do(ctx, s.job(ctx, func(inner driver.Stmt) (bool, error) {
		var r driver.Rows
		var err error
		if queryer, ok := inner.(driver.StmtQueryContext); ok {
			r, err = queryer.QueryContext(ctx, args)
		} else if values, failed := positional(args); failed != nil {
			err = failed
		} else {
			//lint:ignore SA1019 all that the driver has
			r, err = inner.Query(values)
		}
		out = s.c.opened(r, err)
		return out != nil, err
	}))
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Exec is for callers of the older interface.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), ordered(args))
}

// Query is for callers of the older interface.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), ordered(args))
}

// CheckNamedValue asks the inner statement, then the connection, if the driver
// cares.
func (s *stmt) CheckNamedValue(v *driver.NamedValue) error {
	if !s.c.p.asked() {
		return driver.ErrSkip
	}
	err, asked := error(nil), false
	_ = s.c.do(context.Background(), s.job(context.Background(), func(inner driver.Stmt) (bool, error) {
		switch checker := inner.(type) {
		case driver.NamedValueChecker:
			err, asked = checker.CheckNamedValue(v), true
		//lint:ignore SA1019 some drivers have nothing newer
		case driver.ColumnConverter:
			v.Value, err = checker.ColumnConverter(v.Ordinal - 1).ConvertValue(v.Value)
			asked = true
		}
		return false, nil
	})) // what fails here is met again by the statement itself
	if asked {
		return err
	}
	return s.c.CheckNamedValue(v)
}

// Close closes the statement. In a hold, the hold does it.
func (s *stmt) Close() error {
	if !s.c.tryEnter() {
		s.c.p.mu.Lock()
		defer s.c.p.mu.Unlock()
		s.gone = true
		if s.inner == nil {
			delete(s.c.stmts, s)
		}
		return nil
	}
	defer s.c.leave()
	s.c.p.mu.Lock()
	inner := s.inner
	s.inner = nil
	delete(s.c.stmts, s)
	s.c.p.mu.Unlock()
	if inner == nil {
		return nil
	}
	return inner.Close()
}

// positional gives arguments to a driver that knows no names.
func positional(args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, a := range args {
		if a.Name != "" {
			return nil, fmt.Errorf("argument %s: %w", a.Name, errUnsupported)
		}
		values[i] = a.Value
	}
	return values, nil
}

func ordered(args []driver.Value) []driver.NamedValue {
	named := make([]driver.NamedValue, len(args))
	for i, v := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return named
}
