// Package content reads what a copy of a Chroma source holds, whatever the form of the
// copy: a directory of files (package disk), or the records of a server (package
// records). Whoever restores, compares, exports or looks inside starts from [Open].
package content

import (
	"context"
	"io/fs"
	"iter"

	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/records"
)

// A Content is an open copy. Its methods may be used by several goroutines.
type Content interface {
	// Collections are the collections of all tenants and databases, ordered by
	// tenant, database and name.
	Collections() []disk.Collection
	// Collection finds a collection by its name, by its id, or by tenant/database/name.
	Collection(name string) (disk.Collection, error)
	// Records streams the records of a collection in the order of Chroma's API.
	Records(ctx context.Context, c disk.Collection, want disk.Part) iter.Seq2[disk.Record, error]
	// Lookup reads whole records by id, in the order of the ids; one that does not
	// exist is left out.
	Lookup(ctx context.Context, c disk.Collection, ids []string) ([]disk.Record, error)
	Close() error
}

var (
	_ Content = (*disk.Dir)(nil)
	_ Content = (*records.Tree)(nil)
)

// Open opens a copy, rooted where the capture's sink was.
func Open(ctx context.Context, copy fs.FS) (Content, error) {
	if records.Is(copy) {
		t, err := records.Open(ctx, copy)
		if err != nil {
			return nil, err
		}
		return t, nil
	}
	d, err := disk.Open(ctx, copy)
	if err != nil {
		return nil, err
	}
	return d, nil
}
