package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// compare notes one comparison.
func (d *drill) compare(source, what, want, got string) {
	d.result.Compared = append(d.result.Compared, holdfast.Comparison{Source: source, What: what, Want: want, Got: got, OK: want == got})
}

// compareFacts compares what a restored source holds with what the captured copy
// held. What was not found out then is not compared; if nothing was, that is told.
func (d *drill) compareFacts(md holdfast.SourceMetadata, now holdfast.Facts) {
	if !factsOfCopy(d.b.Metadata(), md.Name) {
		d.tell(md.Name, "its numbers were not compared: the captured copy could not be looked at when it was captured", "")
		return
	}
	switch then := md.Facts; {
	case then.SQLite != nil && now.SQLite != nil:
		d.compareSQLite(md.Name, then.SQLite, now.SQLite)
	case then.Chroma != nil && now.Chroma != nil:
		d.compareChroma(md.Name, then.Chroma, now.Chroma)
	case then.Files != nil && now.Files != nil:
		sum := func(f *holdfast.FilesFacts) string {
			return strings.Join([]string{count(f.Files, "file", "files"), count(f.Dirs, "directory", "directories"), count(f.Symlinks, "link", "links"), count(f.Bytes, "byte", "bytes")}, ", ")
		}
		d.compare(md.Name, "files", sum(then.Files), sum(now.Files))
	}
}

// factsOfCopy tells whether the facts of a source are those of the captured copy, and
// not what the live source said a moment later.
func factsOfCopy(m *holdfast.Metadata, source string) bool {
	return !slices.ContainsFunc(m.Problems, func(p holdfast.Problem) bool {
		return p.Source == source && (strings.HasPrefix(p.Message, messageUnchecked) || strings.HasPrefix(p.Message, messageUncheckable))
	})
}

func (d *drill) compareSQLite(source string, then, now *holdfast.SQLiteFacts) {
	if then.PageSize > 0 {
		form := func(f *holdfast.SQLiteFacts) string {
			return fmt.Sprintf("%d pages of %d bytes, user_version %d, application_id %d", f.PageCount, f.PageSize, f.UserVersion, f.ApplicationID)
		}
		d.compare(source, "database", form(then), form(now))
	}
	if then.Rows != nil && now.Rows != nil {
		d.compare(source, "rows", fmt.Sprint(*then.Rows), fmt.Sprint(*now.Rows))
	}
	same := 0
	for _, table := range slices.Sorted(maps.Keys(then.Tables)) {
		rows, counted := now.Tables[table]
		switch {
		case counted && rows == then.Tables[table]:
			same++
		case counted:
			d.compare(source, "rows of table "+table, fmt.Sprint(then.Tables[table]), fmt.Sprint(rows))
		case now.Rows != nil: // all were counted
			d.compare(source, "rows of table "+table, fmt.Sprint(then.Tables[table]), "no such table")
		}
	}
	if same > 0 {
		all := count(same, "table as captured", "tables as captured")
		d.compare(source, "rows of each table", all, all)
	}
}

func (d *drill) compareChroma(source string, then, now *holdfast.ChromaFacts) {
	d.compare(source, "records", fmt.Sprint(then.Records), fmt.Sprint(now.Records))
	schema := func(s holdfast.ChromaSchema) string {
		return fmt.Sprintf("%d/%d/%d", s.EmbeddingsQueue, s.MetaDB, s.SysDB)
	}
	d.compare(source, "schema", schema(then.Schema), schema(now.Schema))
	byID := map[string]holdfast.ChromaCollection{}
	for _, c := range now.Collections {
		byID[c.ID] = c
	}
	describe := func(c holdfast.ChromaCollection) string {
		return fmt.Sprintf("%s: %d records of dimension %d, space %s, indexed: %t", c.Name, c.Records, c.Dimension, c.Space, c.Indexed)
	}
	same := 0
	for _, c := range then.Collections {
		other, there := byID[c.ID]
		switch {
		case !there:
			d.compare(source, "collection "+c.Name, describe(c), "no such collection")
		case describe(c) != describe(other):
			d.compare(source, "collection "+c.Name, describe(c), describe(other))
		default:
			same++
		}
	}
	if len(then.Collections) > 0 || len(now.Collections) > 0 {
		all := func(n int) string { return count(n, "collection", "collections") }
		d.compare(source, "collections", all(len(then.Collections)), all(len(now.Collections)))
	}
	if same > 0 {
		all := count(same, "collection as captured", "collections as captured")
		d.compare(source, "each collection", all, all)
	}
}

// compareMemory compares the memory that lies beside the sources, for people, with
// the memory that is in them.
func (d *drill) compareMemory(ctx context.Context) error {
	if !d.b.Metadata().IncludesMemory {
		return nil
	}
	info, err := memoryInfo(d.b)
	if err != nil {
		return err
	}
	groups := bySource(info, d.b.Metadata())
	for _, md := range d.b.Metadata().Sources {
		ms, ok := d.e.checker(md).(holdfast.MemorySource)
		if !ok || len(groups[md.Name]) == 0 {
			continue
		}
		err := d.stepOf(ctx, holdfast.StepMemory, md.Name, func(ctx context.Context) (string, error) {
			for _, c := range groups[md.Name] {
				if err := d.compareCollection(ctx, ms, md, c); err != nil {
					return "", err
				}
			}
			return count(len(groups[md.Name]), "collection", "collections"), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *drill) compareCollection(ctx context.Context, ms holdfast.MemorySource, md holdfast.SourceMetadata, c holdfast.MemoryCollection) error {
	_, files := d.source(md)
	name := c.Name
	if c.Tenant != "" || c.Database != "" {
		name = c.Tenant + "/" + c.Database + "/" + c.Name
	}
	file := c.File
	if file == "" {
		file = holdfast.MemoriesFile
	}
	want, err := os.Open(filepath.Join(d.dir, filepath.FromSlash(file)))
	if err != nil {
		return err
	}
	defer want.Close()
	r, w := io.Pipe()
	exported := make(chan error, 1)
	go func() {
		_, err := ms.ExportMemory(ctx, files, name, w)
		w.CloseWithError(err)
		exported <- err
	}()
	place, err := firstDifference(want, r)
	r.CloseWithError(errCompared)
	exportErr := <-exported
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case exportErr != nil && !errors.Is(exportErr, errCompared):
		place, err = exportErr.Error(), nil
	}
	if err != nil {
		return &holdfast.Error{Op: "compare the memory", Object: c.Name, Err: err}
	}
	all := fmt.Sprintf("%d records, each as in %s", c.Records, file)
	got := all
	if place != "" {
		got = "something else: " + place
	}
	d.compare(md.Name, "memory in collection "+c.Name, all, got)
	return nil
}

// errCompared ends an export of which no more has to be known.
var errCompared = errors.New("compared")

// firstDifference compares two JSON texts, value by value, and tells where they
// differ; empty if they do not. How they are laid out does not count.
func firstDifference(a, b io.Reader) (string, error) {
	left, right := json.NewDecoder(a), json.NewDecoder(b)
	left.UseNumber()
	right.UseNumber()
	list := "the beginning" // the list that is being compared
	for depth, key := 0, false; ; {
		x, errX := left.Token()
		y, errY := right.Token()
		endX, endY := errors.Is(errX, io.EOF), errors.Is(errY, io.EOF)
		switch {
		case errX != nil && !endX:
			return "", errX
		case errY != nil && !endY:
			return "", errY
		case endX && endY:
			return "", nil
		case endX != endY || x != y:
			return "in " + list, nil
		}
		switch x {
		case json.Delim('{'), json.Delim('['):
			depth++
			key = depth == 1
		case json.Delim('}'), json.Delim(']'):
			depth--
			key = depth == 1
		default:
			if name, ok := x.(string); ok && depth == 1 && key {
				list, key = name, false
			}
		}
	}
}
