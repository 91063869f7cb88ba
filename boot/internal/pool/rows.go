package pool

import (
	"context"
	"database/sql/driver"
	"io"
	"reflect"
)

// rows are the rows of one query. Until they are closed the connection is at
// work.
type rows struct {
	c     *conn
	inner driver.Rows
	place uint64
}

var (
	_ driver.RowsNextResultSet              = (*rows)(nil)
	_ driver.RowsColumnTypeScanType         = (*rows)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
	_ driver.RowsColumnTypeLength           = (*rows)(nil)
	_ driver.RowsColumnTypeNullable         = (*rows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*rows)(nil)
)

// opened wraps what a query gave.
func (c *conn) opened(inner driver.Rows, err error) *rows {
	if err != nil {
		return nil
	}
	c.rows++
	return &rows{c: c, inner: inner, place: c.place}
}

// Columns are the names of the columns.
func (r *rows) Columns() []string { return r.inner.Columns() }

// Next reads the next row. A place that moved meanwhile without waiting for
// these rows has ended them.
func (r *rows) Next(dest []driver.Value) error {
	if r.c.p.moved(r.place) {
		return errMoved
	}
	err := r.inner.Next(dest)
	if err != nil && err != io.EOF {
		r.met(err)
	}
	return err
}

// Close closes the rows. A statement that writes and returns rows commits here,
// so its error matters.
func (r *rows) Close() error {
	err := r.inner.Close()
	r.c.rows--
	r.met(err)
	r.c.finish(context.Background(), r.place)
	return err
}

// met notes an error.
func (r *rows) met(err error) {
	if storage, _ := r.c.p.judge(err); storage {
		r.c.fault = err
	}
	if err != nil {
		r.c.follow("", err)
	}
}

// HasNextResultSet tells whether another result follows.
func (r *rows) HasNextResultSet() bool {
	next, ok := r.inner.(driver.RowsNextResultSet)
	return ok && next.HasNextResultSet()
}

// NextResultSet goes to the next result.
func (r *rows) NextResultSet() error {
	if next, ok := r.inner.(driver.RowsNextResultSet); ok {
		return next.NextResultSet()
	}
	return io.EOF
}

// ColumnTypeScanType is any where the driver does not tell, as in database/sql.
func (r *rows) ColumnTypeScanType(index int) reflect.Type {
	if t, ok := r.inner.(driver.RowsColumnTypeScanType); ok {
		return t.ColumnTypeScanType(index)
	}
	return reflect.TypeFor[any]()
}

// ColumnTypeDatabaseTypeName is the declared type of a column.
func (r *rows) ColumnTypeDatabaseTypeName(index int) string {
	if t, ok := r.inner.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return t.ColumnTypeDatabaseTypeName(index)
	}
	return ""
}

// ColumnTypeLength is the length of a column's values, if the driver tells.
func (r *rows) ColumnTypeLength(index int) (length int64, ok bool) {
	if t, ok := r.inner.(driver.RowsColumnTypeLength); ok {
		return t.ColumnTypeLength(index)
	}
	return 0, false
}

// ColumnTypeNullable tells whether a column may be null, if the driver knows.
func (r *rows) ColumnTypeNullable(index int) (nullable, ok bool) {
	if t, ok := r.inner.(driver.RowsColumnTypeNullable); ok {
		return t.ColumnTypeNullable(index)
	}
	return false, false
}

// ColumnTypePrecisionScale is the precision of a decimal column, if the driver
// tells.
func (r *rows) ColumnTypePrecisionScale(index int) (precision, scale int64, ok bool) {
	if t, ok := r.inner.(driver.RowsColumnTypePrecisionScale); ok {
		return t.ColumnTypePrecisionScale(index)
	}
	return 0, 0, false
}
