package disk

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"
	"maps"
	"strconv"

	"github.com/holdfast-backup/holdfast"
)

// A Reader reads records: a Dir, or a copy of another form.
type Reader interface {
	Collection(name string) (Collection, error)
	Records(ctx context.Context, c Collection, want Part) iter.Seq2[Record, error]
}

// ExportMemory writes the records of a collection to w as one JSON object in
// the shape of Chroma's get: ids, documents, metadatas, embeddings, and uris if
// any record has one, each a list in the order of the API. It returns the
// statistics of the collection and what is needed to create it again.
//
// The lists are columns, so the records are read once for each of them; see
// Dir.Records for the memory this needs. A record whose embedding the
// directory has lost gets null; Dir.Check names such records.
func ExportMemory(ctx context.Context, d Reader, collection string, w io.Writer) (holdfast.MemoryCollection, error) {
	c, err := d.Collection(collection)
	if err != nil {
		return holdfast.MemoryCollection{}, err
	}
	info := holdfast.MemoryCollection{
		Name: c.Name, Tenant: c.Tenant, Database: c.Database,
		Dimension: c.Dimension, Space: c.Space,
		Metadata: maps.Clone(c.Metadata), ConfigJSON: c.ConfigJSON, SchemaJSON: c.SchemaJSON,
	}
	e := exporter{ctx: ctx, dir: d, c: c, w: bufio.NewWriterSize(w, 256<<10), info: &info}
	if err := e.run(); err != nil {
		return info, &holdfast.Error{Op: "export memory", Object: c.Name, Err: err}
	}
	return info, nil
}

// exporter writes the columns one after the other.
type exporter struct {
	ctx  context.Context
	dir  Reader
	c    Collection
	w    *bufio.Writer
	info *holdfast.MemoryCollection
	uris int64
	text bytes.Buffer // reused for each string
}

func (e *exporter) run() error {
	e.w.WriteString("{\n")
	if err := e.column("ids", 0, e.id); err != nil {
		return err
	}
	e.w.WriteString(",\n")
	if err := e.column("documents", Documents|URIs, e.document); err != nil {
		return err
	}
	if e.uris > 0 {
		e.w.WriteString(",\n")
		if err := e.column("uris", URIs, func(b []byte, r Record) ([]byte, error) { return e.string(b, r.URI) }); err != nil {
			return err
		}
	}
	e.w.WriteString(",\n")
	if err := e.column("metadatas", Metadata, e.metadata); err != nil {
		return err
	}
	e.w.WriteString(",\n")
	if err := e.column("embeddings", Embeddings, e.embedding); err != nil {
		return err
	}
	e.w.WriteString("\n}\n")
	return e.w.Flush()
}

// column writes one list, an element a line. Write errors stick to the
// buffered writer and come back from Flush; looking at them here ends a long
// export early.
func (e *exporter) column(name string, want Part, element func([]byte, Record) ([]byte, error)) error {
	e.w.WriteString(`"` + name + `": [`)
	var line []byte
	first := true
	for r, err := range e.dir.Records(e.ctx, e.c, want) {
		if err != nil {
			return err
		}
		line = line[:0]
		if !first {
			line = append(line, ',')
		}
		first = false
		if line, err = element(append(line, '\n'), r); err != nil {
			return err
		}
		if _, err := e.w.Write(line); err != nil {
			return err
		}
	}
	e.w.WriteString("\n]")
	return nil
}

func (e *exporter) id(b []byte, r Record) ([]byte, error) {
	e.info.Records++
	if !r.Created.IsZero() {
		at := holdfast.At(r.Created)
		if e.info.Oldest == nil || at.Before(e.info.Oldest.Time) {
			e.info.Oldest = &at
		}
		if e.info.Newest == nil || at.After(e.info.Newest.Time) {
			e.info.Newest = &at
		}
	}
	return e.string(b, &r.ID)
}

func (e *exporter) document(b []byte, r Record) ([]byte, error) {
	if r.Document != nil {
		e.info.Documents++
	}
	if r.URI != nil {
		e.uris++
	}
	return e.string(b, r.Document)
}

func (e *exporter) metadata(b []byte, r Record) ([]byte, error) {
	for key := range r.Metadata {
		if e.info.MetadataKeys == nil {
			e.info.MetadataKeys = map[string]int64{}
		}
		e.info.MetadataKeys[key]++
	}
	text, err := r.Metadata.MarshalJSON()
	return append(b, text...), err
}

func (e *exporter) embedding(b []byte, r Record) ([]byte, error) {
	if r.Embedding == nil {
		return append(b, "null"...), nil
	}
	if e.info.Dimension == 0 {
		e.info.Dimension = len(r.Embedding)
	}
	b = append(b, '[')
	for i, f := range r.Embedding {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(f), 'g', -1, 32)
	}
	return append(b, ']'), nil
}

func (e *exporter) string(b []byte, s *string) ([]byte, error) {
	if s == nil {
		return append(b, "null"...), nil
	}
	e.text.Reset()
	enc := json.NewEncoder(&e.text)
	enc.SetEscapeHTML(false)
	err := enc.Encode(*s)
	return append(b, bytes.TrimSuffix(e.text.Bytes(), []byte{'\n'})...), err
}
