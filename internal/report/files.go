package report

import (
	"slices"
	"strings"
)

// Of tells whether a file belongs to a source: its folder is that of the source's name.
func (f File) Of(source string) bool {
	return f.Path == source || strings.HasPrefix(f.Path, source+"/")
}

// A FilePage is a part of the files of a backup, in the order of their paths.
type FilePage struct {
	Files []File
	Total int    // on all pages
	Next  string // the last path, if there are more; empty at the end
	Index int    // of the first of Files
	// Prev is the path after which the page before this one begins; empty: at the first
	// file. There is none before a page whose Index is zero.
	Prev string
}

// PageOfFiles gives so many of the files that come after a path, of one source or, if
// that is empty, of all.
func PageOfFiles(files []File, source, after string, limit int) FilePage {
	all := slices.Clone(files)
	if source != "" {
		all = slices.DeleteFunc(all, func(f File) bool { return !f.Of(source) })
	}
	slices.SortFunc(all, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	from, found := slices.BinarySearchFunc(all, after, func(f File, path string) int { return strings.Compare(f.Path, path) })
	if found {
		from++
	}
	page := FilePage{Files: append([]File{}, all[from:min(from+limit, len(all))]...), Total: len(all), Index: from}
	if from+limit < len(all) {
		page.Next = page.Files[limit-1].Path
	}
	if before := from - limit; before > 0 {
		page.Prev = all[before-1].Path
	}
	return page
}
