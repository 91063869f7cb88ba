// Package disk reads a Chroma directory as it lies on disk, captured or
// stopped, in any fs.FS and without a server: what it holds, whether it holds
// together, every record of a collection in the order of Chroma's own API. It
// also writes the records of one collection back into a stopped directory.
//
// Start from [Open]. [Dir.Check] tells facts and damage, [Dir.Records] streams
// one collection, [ExportMemory] and [RestoreMemory] are the two directions of
// a backup's memory. [CheckFolder] looks at a single index folder, for a
// capture that still runs.
//
// A directory belongs together as a whole: settled vectors lie only in the
// index folders, newer ones only in the log inside chroma.sqlite3, and the log
// position of each side decides which of the two counts. DESIGN.md beside this
// file tells which facts about the layout the package relies on, what is
// verified against real servers, and how much memory each operation needs.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// DatabaseFile is the file that makes a directory a Chroma directory.
const DatabaseFile = "chroma.sqlite3"

// A Dir is an open Chroma directory. Its methods do not change the directory,
// and the directory must not change while it is open. A Dir may be used by
// several goroutines.
type Dir struct {
	fsys        fs.FS
	db          *sqlite.DB
	layout      layout
	schema      holdfast.ChromaSchema
	journal     string
	collections []Collection
}

// Open opens the Chroma directory whose root is fsys. A directory without
// chroma.sqlite3, or whose chroma.sqlite3 is not Chroma's, gives an error that
// matches holdfast.ErrNotFound; one that SQLite cannot read matches
// holdfast.ErrDamaged.
func Open(ctx context.Context, fsys fs.FS) (*Dir, error) { return open(ctx, fsys, true) }

// OpenUncounted is Open for who does not need to know how many records there are:
// counting them reads an index of the database through.
func OpenUncounted(ctx context.Context, fsys fs.FS) (*Dir, error) { return open(ctx, fsys, false) }

func open(ctx context.Context, fsys fs.FS, counted bool) (_ *Dir, err error) {
	fail := func(err error, hint string) (*Dir, error) {
		return nil, &holdfast.Error{Op: "open Chroma directory", Err: err, Hint: hint}
	}
	info, err := fs.Stat(fsys, DatabaseFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(holdfast.Kindf(holdfast.ErrNotFound, "there is no %s", DatabaseFile),
			"give the directory that Chroma's --path (or PersistentClient) names")
	case err != nil:
		return fail(err, "")
	case info.Size() == 0:
		return fail(holdfast.Kindf(holdfast.ErrNotFound, "%s is empty", DatabaseFile),
			"start Chroma once on the directory, or restore it from a backup")
	}
	db, err := sqlite.OpenFS(fsys, DatabaseFile)
	if err != nil {
		return fail(err, "")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	d := &Dir{fsys: fsys, db: db}
	if d.journal, err = journalMode(fsys); err != nil {
		return fail(err, "")
	}
	if d.layout, err = readLayout(ctx, db); err != nil {
		return fail(asDamage(err), "restore the directory from a backup")
	}
	if !d.layout.chroma() {
		return fail(holdfast.Kindf(holdfast.ErrNotFound, "%s has none of Chroma's tables", DatabaseFile),
			"the file belongs to another program; a database that is not Chroma's is a source of type sqlite")
	}
	if d.schema, err = readSchema(ctx, db); err == nil {
		d.collections, err = d.readCollections(ctx, counted)
	}
	if err != nil {
		return fail(asDamage(err), "restore the directory from a backup")
	}
	return d, nil
}

// journalMode reads from the header of the database which journal its writers
// use.
func journalMode(fsys fs.FS) (string, error) {
	f, err := fsys.Open(DatabaseFile)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var header [20]byte
	if _, err := io.ReadFull(f, header[:]); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	if header[18] == 2 { // the version that writers must understand
		return sqlite.ModeWAL, nil
	}
	return sqlite.ModeRollback, nil
}

// Close closes the directory.
func (d *Dir) Close() error { return d.db.Close() }

// Schema is the version of the directory.
func (d *Dir) Schema() holdfast.ChromaSchema { return d.schema }

// Collections are the collections of all tenants and databases, ordered by
// tenant, database and name.
func (d *Dir) Collections() []Collection { return slices.Clone(d.collections) }

// Collection finds a collection by its name, by its id, or, where a name
// exists in several databases, by tenant/database/name. A collection that does
// not exist matches holdfast.ErrNotFound.
func (d *Dir) Collection(name string) (Collection, error) {
	return FindCollection(d.collections, name)
}

// FindCollection finds a collection among others, as Dir.Collection does.
func FindCollection(all []Collection, name string) (Collection, error) {
	var found []Collection
	for _, c := range all {
		switch name {
		case c.Tenant + "/" + c.Database + "/" + c.Name, c.ID:
			return c, nil
		case c.Name:
			found = append(found, c)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	e := &holdfast.Error{Op: "find collection", Object: name}
	if len(found) == 0 {
		e.Err = holdfast.Kindf(holdfast.ErrNotFound, "there is no such collection")
		e.Hint = "there is " + namesOf(all)
		return Collection{}, e
	}
	e.Err = holdfast.Kindf(holdfast.ErrUsage, "%d databases have a collection of this name", len(found))
	e.Hint = fmt.Sprintf("name it with its tenant and database, %s/%s/%s", found[0].Tenant, found[0].Database, name)
	return Collection{}, e
}

// names lists some collections for a hint.
func namesOf(all []Collection) string {
	const some = 8
	s := ""
	for i, c := range all {
		if i == some {
			return fmt.Sprintf("%s and %d more", s, len(all)-some)
		}
		if i > 0 {
			s += ", "
		}
		s += c.Name
	}
	if s == "" {
		return "no collections"
	}
	return s
}

// Facts counts what the directory holds. It follows indexes and reads no
// vectors.
func (d *Dir) Facts(ctx context.Context) (holdfast.ChromaFacts, error) {
	f := holdfast.ChromaFacts{Schema: d.schema, QuickCheck: holdfast.CheckUnchecked, JournalMode: d.journal}
	for _, c := range d.collections {
		f.Collections = append(f.Collections, c.ChromaCollection)
		f.Records += c.Records
		queued, err := d.queued(ctx, c)
		if err != nil {
			return f, asDamage(err)
		}
		f.Queued += queued
	}
	orphans, err := d.orphans()
	f.OrphanFolders = len(orphans)
	return f, err
}

// orphans are index folders that no collection uses: the server leaves the
// folder of a deleted collection where it is.
func (d *Dir) orphans() ([]string, error) {
	entries, err := fs.ReadDir(d.fsys, ".")
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, c := range d.collections {
		used[c.Segment] = true
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && isUUID(e.Name()) && !used[e.Name()] {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// isUUID tells whether a name has the form 8-4-4-4-12.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return true
}
