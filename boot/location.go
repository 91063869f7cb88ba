package boot

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// A location is where the database lies: on disk, where it belongs, or in
// memory, while the storage cannot hold it.
type location struct {
	uri    string
	source holdfast.Source // captures it for backups
	at     string          // for people; empty where it belongs
	// save writes it to a new file at path. Only a location in memory has it.
	save func(ctx context.Context, path string) error
	drop func() error // forgets it
	// leave lets go of it and leaves it to the next start, for which note writes down
	// the state of the disk that it began from. Only a location in a file has them.
	leave func() error
	note  func(disk string) error
}

// onDisk is where the database belongs.
func (s *Store) onDisk() *location {
	return &location{uri: s.diskURI, source: s.disk, drop: func() error { return nil }}
}

// newMemory makes an empty location in memory, or for a foreign library in a
// temporary file, since its connections share no memory that we know of.
func (s *Store) newMemory() (*location, error) {
	name := s.disk.Name() + "-" + rand.Text()
	if s.o.Open != nil {
		return s.newScratch()
	}
	uri := sqlite.MemoryURI(name)
	mem, err := sqlite.NewMemory(s.disk.Name(), s.o.Database, uri)
	if err != nil {
		return nil, err
	}
	return &location{uri: uri, source: mem, at: "memory", save: mem.Save, drop: mem.Close}, nil
}

// fill gives a new location in memory the database in a file of a tree.
func (s *Store) fill(ctx context.Context, l *location, fsys fs.FS, file string) error {
	if s.o.Open == nil {
		return sqlite.LoadMemory(ctx, l.uri, fsys, file)
	}
	return copyOut(ctx, fsys, file, l.at)
}

// fillFromDisk is fill with the database where it belongs, which nobody has
// open. Its storage may be full, read-only or failing.
func (s *Store) fillFromDisk(ctx context.Context, l *location) error {
	if s.o.Open == nil {
		return sqlite.LoadMemoryFrom(ctx, l.uri, s.o.Database)
	}
	return saveLive(ctx, s.o.Database, l.at)
}

// saveLive writes the database at path, which nobody has open, to a new file.
func saveLive(ctx context.Context, path, to string) (err error) {
	uri := sqlite.MemoryURI("holdfast-" + rand.Text())
	mem, err := sqlite.NewMemory(filepath.Base(path), path, uri)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mem.Close()) }()
	if err := sqlite.LoadMemoryFrom(ctx, uri, path); err != nil {
		return err
	}
	return mem.Save(ctx, to)
}

// opener opens connections as the bot gets them.
func (o Options) opener() func(context.Context, string) (driver.Conn, error) {
	if o.Open != nil {
		return func(ctx context.Context, uri string) (driver.Conn, error) {
			conn, err := o.Open(ctx, uri)
			if err == nil && conn == nil {
				err = holdfast.Kindf(holdfast.ErrUsage, "boot.Options.Open gave neither a connection nor an error")
			}
			return conn, err
		}
	}
	return func(ctx context.Context, uri string) (driver.Conn, error) {
		return sqlite.OpenConn(ctx, uri, o.Pragmas...)
	}
}

// private gives a handle on the database at uri beside the bot's own.
func (o Options) private(uri string) *sql.DB {
	db := sql.OpenDB(connector{open: o.opener(), uri: uri})
	db.SetMaxOpenConns(1)
	return db
}

// A connector opens connections to one database.
type connector struct {
	open func(context.Context, string) (driver.Conn, error)
	uri  string
}

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) { return c.open(ctx, c.uri) }

// Driver implements driver.Connector.
func (c connector) Driver() driver.Driver { return c }

// Open implements driver.Driver; the name is not needed.
func (c connector) Open(string) (driver.Conn, error) { return c.open(context.Background(), c.uri) }

// vacuumInto writes the database of db to a new file at path.
func vacuumInto(ctx context.Context, db *sql.DB, path string) error {
	_, err := db.ExecContext(ctx, "VACUUM INTO ?", path)
	return err
}
