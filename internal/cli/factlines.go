package cli

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// factLines tells what a source says of its data, indented.
func factLines(f holdfast.Facts) string {
	switch {
	case f.SQLite != nil:
		return sqliteLines(f.SQLite)
	case f.Chroma != nil:
		return chromaLines(f.Chroma)
	case f.Files != nil:
		return fmt.Sprintf("  %s in %s, %s\n", plural(int(f.Files.Files), "file", "files"),
			plural(int(f.Files.Dirs), "directory", "directories"), size(f.Files.Bytes))
	}
	return ""
}

func sqliteLines(f *holdfast.SQLiteFacts) string {
	if f.PageSize == 0 { // an empty file, or an encrypted backup that was not opened
		rows := ""
		if f.Rows != nil {
			rows = plural(int(*f.Rows), "row", "rows") + ", "
		}
		return fmt.Sprintf("  %scheck: %s\n", rows, f.QuickCheck)
	}
	out := fmt.Sprintf("  %s journal, %s pages of %s, check: %s\n", f.JournalMode, number(f.PageCount), size(int64(f.PageSize)), f.QuickCheck)
	for _, name := range slices.Sorted(maps.Keys(f.Tables)) {
		out += fmt.Sprintf("  table %s: %s\n", clean(name), plural(int(f.Tables[name]), "row", "rows"))
	}
	return out
}

func chromaLines(f *holdfast.ChromaFacts) string {
	if f.Server != nil {
		return serverLines(f.Server) + fmt.Sprintf("  check: %s\n", f.QuickCheck) + collectionLines(f)
	}
	if f.Schema == (holdfast.ChromaSchema{}) { // an encrypted backup that was not opened
		return fmt.Sprintf("  %s, check: %s\n", plural(int(f.Records), "record", "records"), f.QuickCheck)
	}
	schema := fmt.Sprintf("schema %d/%d/%d", f.Schema.EmbeddingsQueue, f.Schema.MetaDB, f.Schema.SysDB)
	if f.Schema.Release != "" {
		schema += ", as Chroma " + f.Schema.Release + " writes it"
	}
	return fmt.Sprintf("  %s; check: %s\n", schema, f.QuickCheck) + collectionLines(f)
}

// serverLines tells what a capture by requests promises.
func serverLines(s *holdfast.ChromaServer) string {
	out := fmt.Sprintf("  by requests (API %s", s.API)
	if s.Version != "" {
		out += ", version " + clean(s.Version)
	}
	window := s.Ended.Sub(s.Began.Time)
	out += fmt.Sprintf(") in %s, %s\n", span(window), plural(s.Passes, "pass", "passes"))
	if s.Consistency != holdfast.Fuzzy {
		return out + "  consistent: between two looks at everything nothing had changed\n"
	}
	out += "  fuzzy: each record is as it was at some moment of that time\n"
	for _, m := range s.Moved {
		out += fmt.Sprintf("  moved in %s: %s added, %s changed, %s removed\n",
			clean(m.Tenant+"/"+m.Database+"/"+m.Collection), number(m.Added), number(m.Changed), number(m.Removed))
	}
	return out
}

// collectionLines tells of each collection, in which database it is if that is not the
// only one.
func collectionLines(f *holdfast.ChromaFacts) string {
	out := ""
	several := slices.ContainsFunc(f.Collections, func(c holdfast.ChromaCollection) bool {
		return c.Tenant != f.Collections[0].Tenant || c.Database != f.Collections[0].Database
	})
	for _, c := range f.Collections {
		line := fmt.Sprintf("  collection %s: %s", clean(nameOf(c, several)), plural(int(c.Records), "record", "records"))
		if c.Dimension > 0 {
			line += fmt.Sprintf(", %d dimensions", c.Dimension)
		}
		if c.Memory {
			line += ", memory"
		}
		out += line + "\n"
	}
	return out
}

// nameOf names a collection, with its tenant and database among those of others.
func nameOf(c holdfast.ChromaCollection, several bool) string {
	if several && c.Tenant != "" {
		return c.Tenant + "/" + c.Database + "/" + c.Name
	}
	return c.Name
}

// millis reads a field that counts milliseconds.
func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func millisF(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }
