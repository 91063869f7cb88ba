package records

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// A Tree is an open copy in this form. Its methods may be used by several goroutines.
type Tree struct {
	fsys        fs.FS
	server      Server
	collections []disk.Collection
	files       map[address]string // without endings
	odd         []holdfast.Problem // descriptions that cannot be read
}

// An address names a collection.
type address struct{ tenant, database, name string }

func addressOf(c disk.Collection) address { return address{c.Tenant, c.Database, c.Name} }

// Is tells whether fsys has this form.
func Is(fsys fs.FS) bool {
	_, err := fs.Stat(fsys, ServerFile)
	return err == nil
}

// mostDescription bounds a description, of which a schema is the largest part.
const mostDescription = 16 << 20

// Open opens the tree whose root is fsys. One without server.json matches
// holdfast.ErrNotFound, one that cannot be read holdfast.ErrDamaged.
func Open(ctx context.Context, fsys fs.FS) (*Tree, error) {
	t := &Tree{fsys: fsys, files: map[address]string{}}
	err := readJSON(fsys, ServerFile, &t.server)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &holdfast.Error{Op: "open records", Object: ServerFile, Err: holdfast.Kindf(holdfast.ErrNotFound, "there is none"), Hint: "the directory of an export has it at its top"}
	case err != nil:
		return nil, &holdfast.Error{Op: "open records", Object: ServerFile, Err: holdfast.Kindf(holdfast.ErrDamaged, "%w", err)}
	case t.server.Format > Format:
		return nil, &holdfast.Error{Op: "open records", Object: ServerFile, Err: holdfast.Kindf(holdfast.ErrRefused, "format %d is newer than this program", t.server.Format), Hint: "use a newer holdfast"}
	case t.server.Databases == nil:
		return nil, &holdfast.Error{Op: "open records", Object: ServerFile, Err: holdfast.Kindf(holdfast.ErrDamaged, `it names no databases: "databases" is missing`), Hint: "docs/chroma-jsonl.md shows what it says"}
	}
	named := map[string]bool{}
	for _, d := range t.server.Databases {
		if d.Tenant == "" || d.Name == "" {
			return nil, &holdfast.Error{Op: "open records", Object: ServerFile, Err: holdfast.Kindf(holdfast.ErrDamaged, "a database has no tenant or no name"), Hint: "docs/chroma-jsonl.md shows what it says"}
		}
		dir := element(d.Tenant) + "/" + element(d.Name)
		if named[dir] {
			continue
		}
		named[dir] = true
		if err := t.readDatabase(ctx, dir); err != nil {
			return nil, err
		}
	}
	if err := t.lookForOthers(named); err != nil {
		return nil, err
	}
	slices.SortFunc(t.collections, func(a, b disk.Collection) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Database, b.Database), cmp.Compare(a.Name, b.Name))
	})
	return t, nil
}

// readDatabase reads the descriptions in a folder.
func (t *Tree) readDatabase(ctx context.Context, dir string) error {
	entries, err := fs.ReadDir(t.fsys, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it has no collections
	}
	if err != nil {
		return &holdfast.Error{Op: "open records", Object: dir, Err: err}
	}
	described := map[string]bool{}
	for _, e := range entries {
		if base, ok := strings.CutSuffix(e.Name(), DescriptionExt); ok && !e.IsDir() {
			described[base] = true
		}
	}
	for _, e := range entries {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if base, ok := strings.CutSuffix(e.Name(), RecordsExt); ok && !e.IsDir() && !described[base] {
			t.odd = append(t.odd, holdfast.Problem{Object: path.Join(dir, e.Name()), Severity: holdfast.Damaged, Message: "records without a description: there is no " + base + DescriptionExt})
		}
		base, ok := strings.CutSuffix(e.Name(), DescriptionExt)
		if !ok || e.IsDir() {
			continue
		}
		name := path.Join(dir, e.Name())
		var d description
		c, err := disk.Collection{}, readJSON(t.fsys, name, &d)
		if err == nil {
			c, err = d.collection()
		}
		if err != nil {
			t.odd = append(t.odd, holdfast.Problem{Object: name, Severity: holdfast.Damaged, Message: "the description of a collection cannot be read: " + err.Error()})
			continue
		}
		if _, twice := t.files[addressOf(c)]; twice {
			t.odd = append(t.odd, holdfast.Problem{Object: name, Severity: holdfast.Damaged, Message: "a second description of the collection " + c.Name})
			continue
		}
		t.collections = append(t.collections, c)
		t.files[addressOf(c)] = path.Join(dir, base)
	}
	return nil
}

// lookForOthers finds folders of databases that server.json does not name: what is in them
// would be left out without a word.
func (t *Tree) lookForOthers(named map[string]bool) error {
	tenants, err := fs.ReadDir(t.fsys, ".")
	if err != nil {
		return &holdfast.Error{Op: "open records", Object: ".", Err: err}
	}
	for _, tenant := range tenants {
		if !tenant.IsDir() {
			continue
		}
		bases, err := fs.ReadDir(t.fsys, tenant.Name())
		if err != nil {
			return &holdfast.Error{Op: "open records", Object: tenant.Name(), Err: err}
		}
		for _, base := range bases {
			dir := tenant.Name() + "/" + base.Name()
			if !base.IsDir() || named[dir] {
				continue
			}
			files, err := fs.ReadDir(t.fsys, dir)
			if err != nil {
				return &holdfast.Error{Op: "open records", Object: dir, Err: err}
			}
			if slices.ContainsFunc(files, func(e fs.DirEntry) bool { return strings.HasSuffix(e.Name(), RecordsExt) }) {
				t.odd = append(t.odd, holdfast.Problem{Object: dir, Severity: holdfast.Damaged, Message: ServerFile + " names no database that lies here", Hint: "name it there; docs/chroma-jsonl.md tells how folders are called"})
			}
		}
	}
	return nil
}

// readJSON reads a small file.
func readJSON(fsys fs.FS, name string, out any) (err error) {
	f, err := openRegular(fsys, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := io.ReadAll(io.LimitReader(f, mostDescription))
	if err != nil {
		return err
	}
	if !utf8.Valid(text) {
		return errNotUTF8
	}
	return unread(json.Unmarshal(text, out))
}

// openRegular opens a file, and nothing that would let its reader wait for ever: a tree
// that is imported may come from anywhere.
func openRegular(fsys fs.FS, name string) (fs.File, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	return fsys.Open(name)
}

// Server is what server.json says.
func (t *Tree) Server() Server { return t.server }

// Databases are all databases, also those without collections.
func (t *Tree) Databases() []Database { return slices.Clone(t.server.Databases) }

// Collections implements content.Content.
func (t *Tree) Collections() []disk.Collection { return slices.Clone(t.collections) }

// Collection implements content.Content.
func (t *Tree) Collection(name string) (disk.Collection, error) {
	return disk.FindCollection(t.collections, name)
}

// Close implements content.Content.
func (t *Tree) Close() error { return nil }

// File is where the records of a collection lie.
func (t *Tree) File(c disk.Collection) string { return t.files[addressOf(c)] + RecordsExt }

// Records implements content.Content.
func (t *Tree) Records(ctx context.Context, c disk.Collection, want disk.Part) iter.Seq2[disk.Record, error] {
	return func(yield func(disk.Record, error) bool) {
		for p, err := range t.From(ctx, c, 0, want) {
			if !yield(p.Record, err) {
				return
			}
		}
	}
}

// A Placed is a record and where the line after it begins.
type Placed struct {
	disk.Record
	At, Next int64
}

// From streams the records of a collection from the line that begins at offset on. The
// first error ends the stream; it names the file and the line.
func (t *Tree) From(ctx context.Context, c disk.Collection, offset int64, want disk.Part) iter.Seq2[Placed, error] {
	return func(yield func(Placed, error) bool) {
		more := true
		err := t.each(ctx, c, offset, func(l *lines, line []byte) (bool, error) {
			r, err := parse(line, want)
			if err != nil {
				return false, t.damaged(c, l, err)
			}
			more = yield(Placed{Record: r, At: l.at, Next: l.next}, nil)
			return more, nil
		})
		if err != nil && more {
			yield(Placed{}, err)
		}
	}
}

// each reads lines until f has had enough.
func (t *Tree) each(ctx context.Context, c disk.Collection, offset int64, f func(l *lines, line []byte) (bool, error)) (err error) {
	file, err := openRegular(t.fsys, t.File(c))
	if err != nil {
		return &holdfast.Error{Op: "read records", Object: t.File(c), Err: holdfast.Kindf(holdfast.ErrDamaged, "%w", err)}
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	in, err := t.lineAt(file, offset)
	if err != nil {
		return err
	}
	l := newLines(in, offset)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		line, err := l.read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return t.damaged(c, l, err)
		}
		if more, err := f(l, line); err != nil || !more {
			return err
		}
	}
}

// lineAt gives what a file has from an offset on. One at which no line begins was made up by
// somebody and says nothing about the file, which may be whole.
func (t *Tree) lineAt(file fs.File, offset int64) (io.Reader, error) {
	if offset == 0 {
		return file, nil
	}
	var in io.Reader = file
	if at, ok := file.(io.ReaderAt); ok {
		in = io.NewSectionReader(at, offset-1, 1<<62)
	} else if _, err := io.CopyN(io.Discard, file, offset-1); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	before := make([]byte, 1)
	_, err := io.ReadFull(in, before)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, fs.ErrInvalid) { // of which an offset beyond the end is one
		return nil, err
	}
	if err != nil || before[0] != '\n' {
		return nil, &holdfast.Error{
			Op: "list records", Object: strconv.FormatInt(offset, 10),
			Err: holdfast.Kindf(holdfast.ErrUsage, "it is no place in the list"), Hint: "begin at the first page again",
		}
	}
	return in, nil
}

func (t *Tree) damaged(c disk.Collection, l *lines, err error) error {
	return &holdfast.Error{
		Op: "read records", Object: fmt.Sprintf("%s, the line at byte %d", t.File(c), l.at),
		Err: holdfast.Kindf(holdfast.ErrDamaged, "%w", err),
	}
}

// Lookup implements content.Content. It reads the beginnings of all lines until it has
// found every id.
func (t *Tree) Lookup(ctx context.Context, c disk.Collection, ids []string) ([]disk.Record, error) {
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	found := make(map[string]disk.Record, len(ids))
	if len(ids) == 0 {
		return nil, nil
	}
	err := t.each(ctx, c, 0, func(l *lines, line []byte) (bool, error) {
		id, quick := idOf(line)
		if quick && !wanted[id] {
			return true, nil
		}
		r, err := parse(line, disk.Everything)
		if err != nil {
			return false, t.damaged(c, l, err)
		}
		if wanted[r.ID] {
			found[r.ID] = r
		}
		return len(found) < len(wanted), nil
	})
	if err != nil {
		return nil, err
	}
	var out []disk.Record
	for _, id := range ids {
		if r, ok := found[id]; ok {
			out = append(out, r)
		}
	}
	return out, nil
}

// A Line is a record as it lies in the file.
type Line struct {
	ID string
	// Text is valid until the next line.
	Text []byte
}

// Lines streams the lines of a collection without parsing more of them than the id.
func (t *Tree) Lines(ctx context.Context, c disk.Collection) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		more := true
		err := t.each(ctx, c, 0, func(l *lines, text []byte) (bool, error) {
			id, quick := idOf(text)
			if !quick {
				r, err := parse(text, 0)
				if err != nil {
					return false, t.damaged(c, l, err)
				}
				id = r.ID
			}
			more = yield(Line{id, bytes.TrimRight(text, " \r\n")}, nil)
			return more, nil
		})
		if err != nil && more {
			yield(Line{}, err)
		}
	}
}

// Parse reads the text of a line. Parts that are not wanted are not kept.
func (l Line) Parse(want disk.Part) (disk.Record, error) {
	r, err := parse(l.Text, want)
	if err != nil {
		return r, holdfast.Kindf(holdfast.ErrDamaged, "the line of record %q: %w", l.ID, err)
	}
	return r, nil
}
