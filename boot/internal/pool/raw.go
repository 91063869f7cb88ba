package pool

import (
	"database/sql"
	"fmt"
)

// Raw gives the inner connection of c to f: what sql.Conn.Raw gives for a driver
// without a pool. The connection must not be kept.
func Raw(c *sql.Conn, f func(inner any) error) error {
	return c.Raw(func(outer any) error {
		conn, ok := outer.(interface{ Raw(func(any) error) error })
		if !ok {
			return fmt.Errorf("%T is no connection of a pool", outer)
		}
		return conn.Raw(f)
	})
}
