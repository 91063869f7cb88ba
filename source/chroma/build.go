package chroma

import (
	"context"
	"io/fs"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/rehearsal"
)

var _ holdfast.Builder = (*Source)(nil)

// MustBuild implements holdfast.Builder: what was captured by requests is no directory.
func (s *Source) MustBuild(f holdfast.Facts) bool { return f.Chroma != nil && f.Chroma.Server != nil }

// Build implements holdfast.Builder.
func (s *Source) Build(ctx context.Context, copy fs.FS, dir, command string, progress func(done, total int64)) ([]holdfast.Problem, error) {
	problems, err := rehearsal.Build(ctx, copy, dir, command, progress)
	for i := range problems {
		problems[i].Source = s.name
	}
	return problems, err
}
