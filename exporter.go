package holdfast

import (
	"context"
	"io/fs"
)

// An Exporter is a source whose copies can be written in a form that other programs read
// without it: the records of a Chroma server or directory as JSON lines.
type Exporter interface {
	Source
	// ExportRecords writes what a copy holds, of whatever form that is, into sink. What
	// could not be written whole is a Problem; it streams, and changes nothing.
	ExportRecords(ctx context.Context, copy fs.FS, sink Sink) ([]Problem, error)
}
