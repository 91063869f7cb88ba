package engine

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// Trees of files are compared by what both manifests say of each entry, or by the bytes
// where one state has no manifest. When a file was written is no difference, only what is
// in it, its mode and where a link leads.

// isTree tells whether a source is a tree of files in the states that have it.
func (d *differ) isTree(source string) bool {
	found := false
	for _, l := range []*Look{d.a, d.b} {
		for _, s := range l.Sources {
			if s.Name == source {
				if s.Kind != holdfast.KindFiles {
					return false
				}
				found = true
			}
		}
	}
	return found
}

// tree pairs what there is of a tree. There is one in each state at most.
func (d *differ) tree(source string, before, after []holdfast.Table) pair {
	p := pair{source: source, same: d.sameBytes(source)}
	if len(before) > 0 {
		p.a = &before[0]
	}
	if len(after) > 0 {
		p.b = &after[0]
	}
	p.rows = func(ctx context.Context, visit func(matched) error) error {
		return sideBySide(ctx, d.a.entries(ctx, source, p.a), d.b.entries(ctx, source, p.b), byParts, func(m matched) error {
			if err := d.sameContent(ctx, source, m); err != nil {
				return err
			}
			return visit(m)
		})
	}
	return p
}

// byParts is the order in which a walk over a tree meets its entries.
func byParts(x, y string) int {
	return slices.Compare(strings.Split(x, "/"), strings.Split(y, "/"))
}

// The fields of an entry of a tree.
const (
	fieldMode    = "mode"
	fieldSize    = "size"
	fieldLink    = "link"
	fieldContent = "content" // what tells the bytes from others
)

// entries gives the entries of a tree in the order of a walk.
func (l *Look) entries(ctx context.Context, source string, t *holdfast.Table) rowStream {
	if t == nil {
		return none
	}
	return func(yield func(holdfast.Row, error) bool) {
		tree, err := fs.Sub(l.files, source)
		if err != nil {
			yield(holdfast.Row{}, l.fail(source, err, ""))
			return
		}
		known := l.stored(source)
		err = fs.WalkDir(tree, ".", func(name string, e fs.DirEntry, err error) error {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil || name == "." {
				return err
			}
			row, err := entryRow(tree, name, e, known[source+"/"+name])
			if err == nil && !yield(row, nil) {
				err = errEnough
			}
			return err
		})
		if err != nil && err != errEnough {
			yield(holdfast.Row{}, l.fail(source, err, ""))
		}
	}
}

// entryRow describes one entry.
func entryRow(tree fs.FS, name string, e fs.DirEntry, known repo.File) (holdfast.Row, error) {
	info, err := e.Info()
	if err != nil {
		return holdfast.Row{}, err
	}
	row := holdfast.Row{Key: name, Sort: name, Fields: []holdfast.Field{{Name: fieldMode, Value: info.Mode().String()}}}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		link, err := fs.ReadLink(tree, name)
		if err != nil {
			return row, err
		}
		row.Fields = append(row.Fields, holdfast.Field{Name: fieldLink, Value: link})
	case info.Mode().IsRegular():
		row.Fields = append(row.Fields,
			holdfast.Field{Name: fieldSize, Value: info.Size()},
			holdfast.Field{Name: fieldContent, Value: known.Digest})
	}
	return row, nil
}

// sameContent reads two files of one size if a digest is not known of both, and makes
// their fields tell whether they are the same.
func (d *differ) sameContent(ctx context.Context, source string, m matched) error {
	if m.before == nil || m.after == nil {
		return nil
	}
	a, b := fieldNamed(m.before.Fields, fieldContent), fieldNamed(m.after.Fields, fieldContent)
	if a == nil || b == nil || a.Value != "" && b.Value != "" {
		return nil
	}
	same := false
	if x, y := fieldNamed(m.before.Fields, fieldSize), fieldNamed(m.after.Fields, fieldSize); x.Value == y.Value {
		var err error
		if same, err = equalFiles(ctx, d.a.files, d.b.files, source+"/"+m.key()); err != nil {
			return &holdfast.Error{Op: "compare", Object: source + "/" + m.key(), Err: err}
		}
	}
	a.Value, b.Value = "as it was", "as it was"
	if !same {
		b.Value = "other bytes"
	}
	return nil
}

// equalFiles compares the bytes of a file in two trees.
func equalFiles(ctx context.Context, a, b fs.FS, name string) (_ bool, err error) {
	f, err := a.Open(name)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	g, err := b.Open(name)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	const chunk = 256 << 10
	x, y := make([]byte, chunk), make([]byte, chunk)
	for ctx.Err() == nil {
		n, errF := io.ReadFull(f, x)
		m, errG := io.ReadFull(g, y)
		if string(x[:n]) != string(y[:m]) {
			return false, nil
		}
		for _, err := range []error{errF, errG} {
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return false, err
			}
		}
		if errF != nil || errG != nil {
			return true, nil
		}
	}
	return false, context.Cause(ctx)
}
