package records

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// Readable is what a tree can be made of: any copy.
type Readable interface {
	Collections() []disk.Collection
	Records(ctx context.Context, c disk.Collection, want disk.Part) iter.Seq2[disk.Record, error]
}

// WriteTree writes what a copy holds into a sink, in this form. Records whose embedding
// is lost are written without it and told as problems.
func WriteTree(ctx context.Context, from Readable, s Server, at time.Time, sink holdfast.Sink) ([]holdfast.Problem, error) {
	var problems []holdfast.Problem
	known := map[Database]bool{}
	for _, d := range s.Databases {
		known[d] = true
	}
	for _, c := range from.Collections() {
		if d := (Database{c.Tenant, c.Database}); !known[d] {
			known[d] = true
			s.Databases = append(s.Databases, d)
		}
		lost, err := writeCollection(ctx, from, c, at, sink)
		if err != nil {
			return problems, fmt.Errorf("collection %s: %w", c.Name, err)
		}
		if lost > 0 {
			problems = append(problems, holdfast.Problem{
				Object: "collection " + c.Name, Severity: holdfast.Incomplete,
				Message: lostEmbeddings(lost),
			})
		}
	}
	return problems, put(sink, ServerFile, at, func(w io.Writer) error { return WriteServer(w, s) })
}

// lostEmbeddings says how many records have lost theirs.
func lostEmbeddings(n int64) string {
	if n == 1 {
		return "1 record has lost its embedding"
	}
	return fmt.Sprintf("%d records have lost their embeddings", n)
}

// fileMode is that of the files.
const fileMode fs.FileMode = 0o600

func writeCollection(ctx context.Context, from Readable, c disk.Collection, at time.Time, sink holdfast.Sink) (lost int64, err error) {
	c.Records = 0
	path := Path(c.Tenant, c.Database, c.Name)
	err = put(sink, path+RecordsExt, at, func(to io.Writer) error {
		w := NewWriter(to, c.Dimension)
		for r, err := range from.Records(ctx, c, disk.Everything) {
			if err == nil {
				err = w.Write(r)
			}
			if err != nil {
				return err
			}
			c.Records++
			if r.Embedding == nil {
				lost++
			}
		}
		return w.Close()
	})
	if err != nil {
		return 0, err
	}
	return lost, put(sink, path+DescriptionExt, at, func(w io.Writer) error { return WriteDescription(w, c) })
}

// put writes one file.
func put(sink holdfast.Sink, path string, at time.Time, fill func(io.Writer) error) error {
	w, err := sink.Create(holdfast.Entry{Path: path, Mode: fileMode, ModTime: at})
	if err != nil {
		return err
	}
	if err := fill(w); err != nil {
		return errors.Join(err, w.Discard())
	}
	return w.Close()
}
