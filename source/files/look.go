package files

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast-backup/holdfast"
)

// The fields of an entry.
const (
	fieldPath    = "path"
	fieldKind    = "kind"
	fieldSize    = "size"
	fieldMode    = "mode"
	fieldTime    = "time"
	fieldLink    = "link"
	fieldContent = "content"
)

const (
	// treeName is the name of the one table.
	treeName = "files"
	// shown is how much of a text file is shown.
	shown = 64 << 10
	// sniffed is how much of a file tells whether it is text.
	sniffed = 8 << 10
)

var _ holdfast.Looker = (*Source)(nil)

// Look opens a copy of the tree: one table whose rows are the entries in the order of
// their paths, each directory before what it holds.
func (s *Source) Look(ctx context.Context, copy fs.FS) (holdfast.Inside, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if _, err := fs.Stat(copy, "."); err != nil {
		return nil, &holdfast.Error{Op: "open copy of", Object: s.name, Err: err}
	}
	return &inside{copy: copy}, nil
}

// inside is the open copy of a tree.
type inside struct{ copy fs.FS }

func (in *inside) Close() error { return nil }

// Tables gives the one tree.
func (in *inside) Tables(ctx context.Context) ([]holdfast.Table, error) {
	return []holdfast.Table{{
		Name: treeName, Kind: holdfast.KindTree,
		Columns: []holdfast.Column{
			{Name: fieldPath, Key: true},
			{Name: fieldKind},
			{Name: fieldSize},
			{Name: fieldMode},
			{Name: fieldTime},
			{Name: fieldLink},
		},
	}}, context.Cause(ctx)
}

// isTree refuses any other table.
func (in *inside) isTree(table string) error {
	if table == treeName {
		return nil
	}
	return &holdfast.Error{
		Op: "read table", Object: table,
		Err: holdfast.Kindf(holdfast.ErrNotFound, "files have one table, %q", treeName),
	}
}

// Rows streams the entries. The order by key is the order of the paths, element by
// element, in which they come anyway.
func (in *inside) Rows(ctx context.Context, table string, o holdfast.RowsOptions) iter.Seq2[holdfast.Row, error] {
	return func(yield func(holdfast.Row, error) bool) {
		err := in.isTree(table)
		if err == nil && o.After != "" && !fs.ValidPath(o.After) {
			err = &holdfast.Error{
				Op: "read table", Object: table, Err: holdfast.Kindf(holdfast.ErrUsage, "%.80q is no place in this listing", o.After),
				Hint: "begin the listing again",
			}
		}
		if err == nil {
			err = in.walk(ctx, o.After, func(name string, d fs.DirEntry) error {
				r, err := in.row(name, d)
				if err != nil {
					return err
				}
				if o.ByKey {
					r.Sort = sortOf(name)
				}
				if !yield(r, nil) {
					return fs.SkipAll
				}
				return nil
			})
		}
		if err != nil {
			yield(holdfast.Row{}, err)
		}
	}
}

// sortOf is a path in a form whose bytes are ordered as a walk goes: what a directory
// holds comes before names that only begin like it.
func sortOf(name string) string { return strings.ReplaceAll(name, "/", "\x00") }

// row describes an entry.
func (in *inside) row(name string, d fs.DirEntry) (holdfast.Row, error) {
	info, err := d.Info()
	if err != nil {
		return holdfast.Row{}, err
	}
	r := holdfast.Row{Key: name, Cursor: name}
	add := func(field string, v any) { r.Fields = append(r.Fields, holdfast.Field{Name: field, Value: v}) }
	add(fieldPath, name)
	switch {
	case d.IsDir():
		add(fieldKind, "directory")
	case d.Type()&fs.ModeSymlink != 0:
		add(fieldKind, "link")
	default:
		add(fieldKind, "file")
		add(fieldSize, info.Size())
	}
	add(fieldMode, info.Mode().String())
	add(fieldTime, info.ModTime().UTC().Format(time.RFC3339Nano))
	if d.Type()&fs.ModeSymlink != 0 {
		link, err := fs.ReadLink(in.copy, name)
		if err != nil {
			return r, err
		}
		add(fieldLink, link)
	}
	return r, nil
}

// Row describes one entry. Of a text file it has the beginning of the content too.
func (in *inside) Row(ctx context.Context, table, key string) (holdfast.Row, error) {
	if err := cmp.Or(in.isTree(table), context.Cause(ctx)); err != nil {
		return holdfast.Row{}, err
	}
	missing := &holdfast.Error{Op: "read", Object: printable(key), Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no such file")}
	if !fs.ValidPath(key) || key == "." {
		return holdfast.Row{}, missing
	}
	info, err := fs.Lstat(in.copy, key)
	if errors.Is(err, fs.ErrNotExist) {
		return holdfast.Row{}, missing
	}
	var r holdfast.Row
	if err == nil {
		r, err = in.row(key, fs.FileInfoToDirEntry(info))
	}
	if err == nil && info.Mode().IsRegular() {
		var content holdfast.Field
		if content, err = in.beginning(key, info.Size()); content.Value != nil {
			r.Fields = append(r.Fields, content)
		}
	}
	if err != nil {
		return holdfast.Row{}, &holdfast.Error{Op: "read", Object: printable(key), Err: err}
	}
	r.Sort = sortOf(key)
	return r, nil
}

// beginning reads the beginning of a text file; the field of any other has no value.
func (in *inside) beginning(name string, size int64) (_ holdfast.Field, err error) {
	f, err := in.copy.Open(name)
	if err != nil {
		return holdfast.Field{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(io.LimitReader(f, shown))
	if err != nil {
		return holdfast.Field{}, err
	}
	whole := int64(len(b)) == size
	if !whole {
		b = wholeLetters(b)
	}
	if !isText(b) {
		return holdfast.Field{}, nil
	}
	field := holdfast.Field{Name: fieldContent, Value: string(b)}
	if !whole {
		field.Length = size
	}
	return field, nil
}

// wholeLetters leaves out a letter that is cut at the end.
func wholeLetters(b []byte) []byte {
	for i := 1; i <= min(utf8.UTFMax, len(b)); i++ {
		if tail := b[len(b)-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}

// isText tells text from other content by its beginning.
func isText(b []byte) bool {
	b = b[:min(len(b), sniffed)]
	return bytes.IndexByte(b, 0) < 0 && utf8.Valid(wholeLetters(b))
}

// walk calls f for every entry after a path, in the order of the paths; after need not
// exist. fs.SkipAll from f ends it.
func (in *inside) walk(ctx context.Context, after string, f func(name string, d fs.DirEntry) error) error {
	var rest []string
	if after != "" {
		rest = strings.Split(after, "/")
	}
	err := in.walkDir(ctx, ".", rest, f)
	if errors.Is(err, fs.SkipAll) {
		return nil
	}
	return err
}

// walkDir walks one directory. The elements of after lead to where a walk goes on below
// it; what comes before was walked already.
func (in *inside) walkDir(ctx context.Context, dir string, after []string, f func(name string, d fs.DirEntry) error) error {
	entries, err := fs.ReadDir(in.copy, dir)
	if err != nil {
		return &holdfast.Error{Op: "read", Object: printable(dir), Err: err}
	}
	for _, d := range entries {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var below []string
		if len(after) > 0 {
			if d.Name() < after[0] {
				continue
			}
			if d.Name() == after[0] {
				below = after[1:]
			}
		}
		name := path.Join(dir, d.Name())
		if len(after) == 0 || d.Name() != after[0] {
			if err := f(name, d); err != nil {
				return err
			}
		}
		if d.IsDir() {
			if err := in.walkDir(ctx, name, below, f); err != nil {
				return err
			}
		}
	}
	return nil
}
