package files

import (
	"context"
	"errors"
	"io/fs"
	"iter"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/needle"
)

// errBinary ends the search in a file that turns out to be no text.
var errBinary = errors.New("not a text")

// Search streams the entries with the text in their path, in what they link to, or in
// their content if it is text. Content is read as a stream and no further than to the
// first place.
func (in *inside) Search(ctx context.Context, q holdfast.SearchQuery) iter.Seq2[holdfast.Hit, error] {
	return func(yield func(holdfast.Hit, error) bool) {
		err := in.searchable(q)
		done := int64(0)
		tell := func() {
			if q.Progress != nil {
				q.Progress(treeName, done, 0)
			}
		}
		n := needle.New(q.Text)
		if err == nil {
			err = in.walk(ctx, "", func(name string, d fs.DirEntry) error {
				field, found, err := in.search(ctx, n, name, d)
				if err != nil {
					return &holdfast.Error{Op: "search", Object: printable(name), Err: err}
				}
				done++
				tell()
				if field == "" {
					return nil
				}
				h := holdfast.Hit{Table: treeName, Key: name, Field: field, Snippet: found.Text, At: found.At, Length: found.Length}
				if !yield(h, nil) {
					return fs.SkipAll
				}
				return nil
			})
		}
		if err != nil {
			yield(holdfast.Hit{}, err)
		}
	}
}

// searchable refuses a query that cannot be answered.
func (in *inside) searchable(q holdfast.SearchQuery) error {
	if q.Text == "" {
		return &holdfast.Error{Op: "search", Object: treeName, Err: holdfast.Kindf(holdfast.ErrUsage, "there is nothing to search for")}
	}
	for _, table := range q.Tables {
		if err := in.isTree(table); err != nil {
			return err
		}
	}
	return nil
}

// search looks in one entry; field is empty if it has nothing.
func (in *inside) search(ctx context.Context, n *needle.Needle, name string, d fs.DirEntry) (field string, found needle.Snippet, err error) {
	if found, ok := n.In(name); ok {
		return fieldPath, found, nil
	}
	switch {
	case d.Type()&fs.ModeSymlink != 0:
		link, err := fs.ReadLink(in.copy, name)
		if found, ok := n.In(link); ok {
			return fieldLink, found, err
		}
		return "", found, err
	case !d.Type().IsRegular():
		return "", found, nil
	}
	f, err := in.copy.Open(name)
	if err != nil {
		return "", found, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	first := true
	found, ok, err := n.Read(f, func(piece []byte) error {
		if first && !isText(piece) {
			return errBinary
		}
		first = false
		return context.Cause(ctx)
	})
	if errors.Is(err, errBinary) {
		return "", found, nil
	}
	if ok {
		field = fieldContent
	}
	return field, found, err
}
