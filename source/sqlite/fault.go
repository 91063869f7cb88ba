package sqlite

import sqlite3 "modernc.org/sqlite/lib"

// Fault tells what an error of a statement says about the place of its database.
//
// Storage tells that the place cannot hold the database, or can no longer: it
// is full, read-only, gone or broken. Sure tells in addition that the statement
// has changed nothing, so that it may be run again elsewhere. Where a write or a
// sync failed, what was written may still be found there later: then it is not
// sure.
func Fault(err error) (storage, sure bool) {
	primary, extended := code(err)
	switch primary {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		// Each is met before the mark that makes a transaction count is
		// written, and SQLite has undone what came before it.
		return true, true
	case sqlite3.SQLITE_IOERR:
		return extended != sqlite3.SQLITE_IOERR_NOMEM, beforeWriting[extended]
	}
	return false, false
}

// beforeWriting are the failures of input and output that are met on the way to
// a write and never after one that counts.
var beforeWriting = map[int]bool{
	sqlite3.SQLITE_IOERR_READ:       true,
	sqlite3.SQLITE_IOERR_SHORT_READ: true,
	sqlite3.SQLITE_IOERR_ACCESS:     true,
	sqlite3.SQLITE_IOERR_LOCK:       true,
	sqlite3.SQLITE_IOERR_RDLOCK:     true,
	sqlite3.SQLITE_IOERR_SHMOPEN:    true,
}
