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
	out := fmt.Sprintf("  %s journal, %s pages of %s, check: %s\n", f.JournalMode, number(f.PageCount), size(int64(f.PageSize)), f.QuickCheck)
	for _, name := range slices.Sorted(maps.Keys(f.Tables)) {
		out += fmt.Sprintf("  table %s: %s\n", clean(name), plural(int(f.Tables[name]), "row", "rows"))
	}
	return out
}

func chromaLines(f *holdfast.ChromaFacts) string {
	schema := fmt.Sprintf("schema %d/%d/%d", f.Schema.EmbeddingsQueue, f.Schema.MetaDB, f.Schema.SysDB)
	if f.Schema.Release != "" {
		schema += ", as Chroma " + f.Schema.Release + " writes it"
	}
	out := fmt.Sprintf("  %s; check: %s\n", schema, f.QuickCheck)
	for _, c := range f.Collections {
		line := fmt.Sprintf("  collection %s: %s", clean(c.Name), plural(int(c.Records), "record", "records"))
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

// millis reads a field that counts milliseconds.
func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func millisF(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }
