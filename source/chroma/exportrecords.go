package chroma

import (
	"context"
	"io/fs"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/content"
)

var _ holdfast.Exporter = (*Source)(nil)

// ExportRecords implements holdfast.Exporter.
func (s *Source) ExportRecords(ctx context.Context, copy fs.FS, sink holdfast.Sink) ([]holdfast.Problem, error) {
	return content.Export(ctx, copy, sink)
}
