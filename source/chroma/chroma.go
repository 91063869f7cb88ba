// Package chroma is the source for the persistent directory of a Chroma
// server: a database, chroma.sqlite3, and one folder of index files for each
// collection, captured so that they belong together while the server goes on
// writing.
//
// Start from [New]. Capture follows the protocol of DESIGN.md beside this
// file, which also tells why copying files, archiving them or the database's
// own backup give broken copies. What a directory contains (records, labels,
// schema versions, memory) is read by package disk.
//
// Nothing here needs a server, and none is started but on a copy that was restored
// for a drill (package rehearsal), and to make a directory out of records.
package chroma

import (
	"io"
	"path/filepath"
	"slices"

	"github.com/holdfast-backup/holdfast"
)

// databaseFile is the database of a Chroma directory.
const databaseFile = "chroma.sqlite3"

// Options are the optional parts of a source.
type Options struct {
	// MemoryCollections are the collections that hold the memory of a RAG
	// assistant; none means that memory is not configured.
	MemoryCollections []string
	// RAGMode is the mode of the assistant that owns the directory.
	RAGMode string
}

// A Source is a Chroma directory.
type Source struct {
	name string
	dir  string
	o    Options
	pace pace
}

// New makes a source of the directory dir. Nothing is opened yet: the
// directory may come into being later.
func New(name, dir string, o Options) (*Source, error) {
	name, err := holdfast.ParseSourceName(name)
	if err != nil {
		return nil, err
	}
	if dir == "" {
		return nil, &holdfast.Error{
			Op: "source", Object: name, Err: holdfast.Kindf(holdfast.ErrUsage, "it has no directory"),
			Hint: "give the directory that the Chroma server was started with (--path)",
		}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, &holdfast.Error{Op: "source", Object: name, Err: err}
	}
	o.MemoryCollections = slices.Clone(o.MemoryCollections)
	return &Source{name: name, dir: abs, o: o, pace: defaultPace}, nil
}

// Name implements holdfast.Source.
func (s *Source) Name() string { return s.name }

// Kind implements holdfast.Source.
func (s *Source) Kind() holdfast.Kind { return holdfast.KindChroma }

// Target implements holdfast.Source. The index files are open only for
// moments; the database tells who uses the directory.
func (s *Source) Target() holdfast.Target {
	return holdfast.Target{
		Path:      s.dir,
		Dir:       true,
		LiveFiles: []string{databaseFile, databaseFile + "-wal"},
	}
}

// closing closes c and keeps its error if there is no other.
func closing(c io.Closer, err *error) {
	if cerr := c.Close(); *err == nil {
		*err = cerr
	}
}
