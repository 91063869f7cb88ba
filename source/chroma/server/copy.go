package server

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/content"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/inside"
	"github.com/holdfast-backup/holdfast/source/chroma/rehearsal"
)

var (
	_ holdfast.Source       = (*Source)(nil)
	_ holdfast.MemorySource = (*Source)(nil)
	_ holdfast.Rehearser    = (*Source)(nil)
	_ holdfast.Exporter     = (*Source)(nil)
	_ holdfast.Looker       = (*Source)(nil)
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

// isMemory tells whether a collection is configured as memory, by any of its names.
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
	c, err := content.Open(ctx, copy)
	if err != nil {
		return holdfast.MemoryCollection{}, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	info, err := disk.ExportMemory(ctx, c, collection, w)
	info.Source = s.name
	return info, err
}

// RestoreMemory implements holdfast.MemorySource. There is no directory: the memory of a
// server is a part of it, and is restored as such.
func (s *Source) RestoreMemory(context.Context, string, holdfast.MemoryCollection, io.Reader) error {
	return &holdfast.Error{
		Op: "restore memory of", Object: s.name, Err: holdfast.Kindf(holdfast.ErrRefused, "it is the server at %s, and no directory", s.Target().Path),
		Hint: "restore the collection with --collection",
	}
}

// Look implements holdfast.Looker.
func (s *Source) Look(ctx context.Context, copy fs.FS) (holdfast.Inside, error) {
	return inside.Open(ctx, copy)
}

// ExportRecords implements holdfast.Exporter.
func (s *Source) ExportRecords(ctx context.Context, copy fs.FS, sink holdfast.Sink) ([]holdfast.Problem, error) {
	return content.Export(ctx, copy, sink)
}

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
