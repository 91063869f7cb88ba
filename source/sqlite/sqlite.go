// Package sqlite is the source for SQLite databases: page-identical capture
// while other processes write, checks of a copy without restoring it, and
// restore through SQLite's own transaction.
//
// Start from [New], the source itself. Below it lie two parts that other
// sources build on: [OpenFS] opens a database inside any fs.FS without
// changing or copying it, and [Live] reads a live database under SQLite's own
// locking protocol, [CheckLive] checks it so. [Peek] tells whether a database is still the one of an
// earlier capture. DESIGN.md beside this file tells why the simpler ways fail and
// which invariants hold instead.
//
// [Source.Look] reads tables and rows out of a copy without restoring it, and
// [Source.RestoreParts] brings them into the live database.
//
// For programs that holdfast takes care of there are [OpenConn], the connection
// that a bot gets, and [Memory], the source for a database that lies in memory
// while its storage fails: [LoadMemoryFrom] brings it there, Save back, [Fault]
// tells when.
//
// The package never opens a -wal, -shm or -journal file, only SQLite does; the one
// exception is the last resort of LoadMemoryFrom.
package sqlite

// The journal modes that the header of a database can tell apart. Whether a
// rollback journal is deleted, truncated or kept after a commit is a matter of
// each connection and not recorded anywhere.
const (
	ModeWAL      = "wal"
	ModeRollback = "rollback"
)
