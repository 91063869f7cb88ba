package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/content"
)

// held compares the records that were found with those that were captured, and
// describes the first that differs; empty if none does.
func (q question) held(count int64, found []answer) string {
	if count != q.count {
		return fmt.Sprintf("%d records", count)
	}
	byID := make(map[string]answer, len(found))
	for _, a := range found {
		byID[a.ID] = a
	}
	for _, want := range q.Records {
		got, ok := byID[want.ID]
		if !ok {
			return fmt.Sprintf("no record %.60q", want.ID)
		}
		if what := want.differs(got); what != "" {
			return fmt.Sprintf("another %s in record %.60q", what, want.ID)
		}
	}
	return ""
}

// differs names the part of a record that is another one.
func (a answer) differs(got answer) string {
	switch {
	case a.Document != "" && a.Document != got.Document:
		return "document"
	case a.Metadata != "" && a.Metadata != got.Metadata:
		return "metadata"
	case len(a.Vector) > 0 && !a.Vector.alike(got.Vector):
		return "vector"
	}
	return ""
}

// compared is the comparison of one collection. Difference is empty if there is
// none.
func (q question) compared(what, difference string) holdfast.Comparison {
	c := holdfast.Comparison{What: what + " of collection " + q.label(), Want: fmt.Sprintf("%d records, %d of them looked at", q.count, len(q.Records)), OK: difference == ""}
	if c.Got = difference; c.OK {
		c.Got = c.Want
	}
	return c
}

// readAnswers reads the answers from the files of a directory.
func readAnswers(ctx context.Context, dir string, q *questions) (all []holdfast.Comparison, err error) {
	d, err := content.Open(ctx, os.DirFS(dir))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	for i := range q.Collections {
		one := &q.Collections[i]
		difference, err := readAnswer(ctx, d, one)
		if err != nil && !errors.Is(err, holdfast.ErrDamaged) && !errors.Is(err, holdfast.ErrNotFound) || ctx.Err() != nil {
			return nil, err
		}
		if err != nil {
			difference = err.Error()
		}
		all = append(all, one.compared("files", difference))
	}
	return all, nil
}

// readAnswer reads the answer of one collection and tells how it differs.
func readAnswer(ctx context.Context, d content.Content, q *question) (string, error) {
	c, err := d.Collection(q.ID)
	if err != nil {
		return "", err
	}
	q.count = c.Records
	if c.Name != q.Name || c.Tenant != q.Tenant || c.Database != q.Database {
		return "the name " + label(c.Tenant, c.Database, c.Name), nil
	}
	ids := make([]string, len(q.Records))
	for i, r := range q.Records {
		ids[i] = r.ID
	}
	records, err := d.Lookup(ctx, c, ids)
	if err != nil {
		return "", err
	}
	found := make([]answer, len(records))
	for i, r := range records {
		found[i] = answerOf(r.ID, r.Document, r.Metadata, r.Embedding)
	}
	return q.held(c.Records, found), nil
}
