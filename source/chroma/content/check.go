package content

import (
	"context"
	"io/fs"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/records"
)

// Check checks a copy of any form, as its own package does.
func Check(ctx context.Context, copy fs.FS, o holdfast.CheckOptions) (holdfast.Report, error) {
	if records.Is(copy) {
		return records.Check(ctx, copy, o)
	}
	return disk.Check(ctx, copy, o)
}
