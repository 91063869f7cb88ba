package chroma

import (
	"context"
	"io"
	"io/fs"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/rehearsal"
)

var _ holdfast.Rehearser = (*Source)(nil)

// Questions implements holdfast.Rehearser.
func (s *Source) Questions(ctx context.Context, copy fs.FS, w io.Writer) (n int, err error) {
	return rehearsal.Questions(ctx, copy, w)
}

// Rehearse implements holdfast.Rehearser.
func (s *Source) Rehearse(ctx context.Context, dir, command string, r io.Reader) ([]holdfast.Comparison, error) {
	all, err := rehearsal.Rehearse(ctx, dir, command, r)
	for i := range all {
		all[i].Source = s.name
	}
	return all, err
}
