package chroma

import (
	"context"
	"io/fs"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/inside"
)

var _ holdfast.Looker = (*Source)(nil)

// Look implements holdfast.Looker.
func (s *Source) Look(ctx context.Context, copy fs.FS) (holdfast.Inside, error) {
	return inside.Open(ctx, copy)
}
