package sqlite

import (
	"fmt"

	"github.com/holdfast-backup/holdfast"
)

// shapeProblems tells what the size of a database says against its header. A
// capture and the check of its copy report it in the same words.
func shapeProblems(file string, h header, size int64) []holdfast.Problem {
	page := int64(h.pageSize)
	switch claimed := h.pages() * page; {
	case size < claimed:
		return []holdfast.Problem{{
			Object: file, Severity: holdfast.Damaged,
			Message: fmt.Sprintf("the database is cut: its header claims %d pages of %d bytes, the file ends after %d", h.pages(), page, size/page),
			Hint:    "restore it from a backup that was made before",
		}}
	case size%page != 0:
		return []holdfast.Problem{{
			Object: file, Severity: holdfast.Warning,
			Message: fmt.Sprintf("%d bytes after the last whole page are no part of the database", size%page),
			Hint:    "something other than SQLite wrote to the file; look at the disk and at what copies it",
		}}
	}
	return nil
}

// emptyProblem is what there is to say of a file without a single byte.
func emptyProblem(file string) holdfast.Problem {
	return holdfast.Problem{
		Object: file, Severity: holdfast.Warning,
		Message: "the file is empty: to SQLite it is a database without tables",
		Hint:    "if the application should have written by now, check its configuration",
	}
}
