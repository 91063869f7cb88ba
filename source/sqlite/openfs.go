package sqlite

import (
	"database/sql"
	"errors"
	"io/fs"

	"modernc.org/sqlite/vfs"

	"github.com/holdfast-backup/holdfast"
)

// cacheKiB is the page cache of one connection to a copy. It lies outside the memory
// that the garbage collector bounds.
const cacheKiB = 2 << 10

// A DB is a database inside an fs.FS, open for reading.
type DB struct {
	*sql.DB
	vfs  *vfs.FS
	file *oneFile
}

// OpenFS opens the database that lies at name in fsys, to read it and never
// change it. The files may be those of a backup: nothing is unpacked, and no
// more than a few megabytes of the database are in memory at a time.
//
// The database is taken as it is, also if its header says WAL and there is no
// -wal beside it; a -wal or -journal is not looked for. The file must not
// change while it is open. Files that implement io.ReaderAt are read at any
// number of places at once; others must be io.Seeker.
//
// Sorting happens in memory, because there is no place for temporary files:
// queries over large tables should follow an index.
func OpenFS(fsys fs.FS, name string) (*DB, error) { return openFS(fsys, name, "") }

// openFS is OpenFS with options of its own for the connections.
func openFS(fsys fs.FS, name, options string) (*DB, error) {
	fail := func(err error) (*DB, error) {
		return nil, &holdfast.Error{Op: "open database", Object: name, Err: err}
	}
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return fail(err)
	}
	if !info.Mode().IsRegular() {
		return fail(holdfast.Kindf(holdfast.ErrUsage, "not a regular file"))
	}
	file := &oneFile{fsys: fsys, name: name}
	uri, handle, err := mount(file)
	if err != nil {
		return fail(err)
	}
	db, err := openDSN(uri+"&_pragma=temp_store(memory)&_pragma=query_only(1)"+options, cacheKiB)
	if err != nil {
		return fail(errors.Join(err, handle.Close()))
	}
	// A second connection is needed only while rows of a first are open; one that was
	// kept would keep its cache.
	db.SetMaxIdleConns(1)
	return &DB{DB: db, vfs: handle, file: file}, nil
}

// mount makes one file known to SQLite and gives its URI. The file system must
// be closed after the last connection.
func mount(file *oneFile) (uri string, handle *vfs.FS, err error) {
	name, handle, err := vfs.New(file)
	if err != nil {
		return "", nil, err
	}
	return "file:" + oneFileName + "?vfs=" + name + "&immutable=1&mode=ro", handle, nil
}

// Close closes the database. All rows and connections taken from it must have
// been closed.
func (d *DB) Close() error {
	return errors.Join(d.DB.Close(), d.vfs.Close())
}

// ReadError gives the first read of the underlying file that failed. SQLite
// itself reports only that one did ("disk I/O error").
func (d *DB) ReadError() error { return d.file.failed() }
