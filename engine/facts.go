package engine

import (
	"cmp"
	"encoding/json"
	"io"

	"github.com/holdfast-backup/holdfast"
)

// mergeFacts completes what a check of the captured copy found by what only
// the live source could tell. The copy is what the backup holds, so it wins
// wherever both speak of the data itself.
func mergeFacts(copied, live holdfast.Facts) holdfast.Facts {
	switch {
	case copied.SQLite != nil && live.SQLite != nil:
		f := *copied.SQLite
		f.JournalMode = cmp.Or(live.SQLite.JournalMode, f.JournalMode) // a copy forgets wal
		f.Encoding = cmp.Or(f.Encoding, live.SQLite.Encoding)
		return holdfast.Facts{SQLite: &f}
	case copied.Chroma != nil && live.Chroma != nil:
		f := *copied.Chroma
		f.JournalMode = cmp.Or(live.Chroma.JournalMode, f.JournalMode)
		if live.Chroma.Server != nil {
			f.Server = live.Chroma.Server
		}
		f.OrphanFolders = max(f.OrphanFolders, live.Chroma.OrphanFolders) // not captured, so not in the copy
		return holdfast.Facts{Chroma: &f}
	case copied.Files != nil && live.Files != nil:
		f := *copied.Files
		f.Single = live.Files.Single // a file alone in its folder looks like a tree of one
		return holdfast.Facts{Files: &f}
	case copied == (holdfast.Facts{}):
		return live
	}
	return copied
}

// writeJSON writes v as people can read it.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
