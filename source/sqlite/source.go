package sqlite

import (
	"path/filepath"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// Options are the options of a source; the zero value is good.
type Options struct {
	// Wait bounds the wait for a lock that another application holds;
	// zero is DefaultWait.
	Wait time.Duration
}

// A Source is one SQLite database.
type Source struct {
	name string
	path string // absolute, as configured
	opts Options
}

var (
	_ holdfast.Source         = (*Source)(nil)
	_ holdfast.OnlineRestorer = (*Source)(nil)
)

// New makes a source of the database at path, which need not exist yet.
func New(name, path string, opts Options) (*Source, error) {
	name, err := holdfast.ParseSourceName(name)
	if err != nil {
		return nil, err
	}
	if path == "" {
		return nil, &holdfast.Error{
			Op: "source", Object: name,
			Err:  holdfast.Kindf(holdfast.ErrUsage, "the path of the database is empty"),
			Hint: "give the path of the SQLite file",
		}
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, &holdfast.Error{Op: "source", Object: name, Err: err}
	}
	return &Source{name: name, path: abs, opts: opts}, nil
}

// Name is the folder of the source in every backup.
func (s *Source) Name() string { return s.name }

// Kind is holdfast.KindSQLite.
func (s *Source) Kind() holdfast.Kind { return holdfast.KindSQLite }

// file is the name of the database inside a backup. It stays the same when a
// symbolic link is pointed elsewhere.
func (s *Source) file() string { return filepath.Base(s.path) }

// Target is the file itself, links followed: a restore replaces what a link
// points to and leaves the link alone. The companions belong to it as one set;
// a stale one must never meet another database.
func (s *Source) Target() holdfast.Target {
	return holdfast.Target{
		Path:       followLinks(s.path),
		File:       s.file(),
		Companions: []string{"-wal", "-shm", "-journal"},
		LiveFiles:  []string{""},
	}
}
