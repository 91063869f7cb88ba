package chroma

import (
	"context"
	"io"
	"io/fs"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/content"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

var (
	_ holdfast.Source       = (*Source)(nil)
	_ holdfast.MemorySource = (*Source)(nil)
)

// Check implements holdfast.Source.
func (s *Source) Check(ctx context.Context, copy fs.FS, o holdfast.CheckOptions) (holdfast.Report, error) {
	report, err := content.Check(ctx, copy, o)
	if facts := report.Facts.Chroma; facts != nil {
		for i := range facts.Collections {
			facts.Collections[i].Memory = s.isMemory(facts.Collections[i])
		}
	}
	for i := range report.Problems {
		report.Problems[i].Source = s.name
	}
	return report, err
}

// isMemory tells whether a collection is configured as memory, by any of the
// names under which package disk finds it.
func (s *Source) isMemory(c holdfast.ChromaCollection) bool {
	return slices.ContainsFunc(s.o.MemoryCollections, func(name string) bool {
		return name == c.Name || name == c.ID || name == c.Tenant+"/"+c.Database+"/"+c.Name
	})
}

// MemoryCollections implements holdfast.MemorySource.
func (s *Source) MemoryCollections() []string { return slices.Clone(s.o.MemoryCollections) }

// RAGMode implements holdfast.MemorySource.
func (s *Source) RAGMode() string { return s.o.RAGMode }

// ExportMemory implements holdfast.MemorySource.
func (s *Source) ExportMemory(ctx context.Context, copy fs.FS, collection string, w io.Writer) (_ holdfast.MemoryCollection, err error) {
	d, err := content.Open(ctx, copy)
	if err != nil {
		return holdfast.MemoryCollection{}, err
	}
	defer closing(d, &err)
	info, err := disk.ExportMemory(ctx, d, collection, w)
	info.Source = s.name
	return info, err
}

// RestoreMemory implements holdfast.MemorySource.
func (s *Source) RestoreMemory(ctx context.Context, dir string, info holdfast.MemoryCollection, r io.Reader) error {
	return disk.RestoreMemory(ctx, dir, info, r)
}
