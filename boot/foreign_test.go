package boot

import (
	"context"
	"database/sql/driver"

	"modernc.org/sqlite"
)

// openForeign opens a database with a library that is not ours.
func openForeign(_ context.Context, uri string) (driver.Conn, error) {
	return new(sqlite.Driver).Open(uri + "&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)")
}
