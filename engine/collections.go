package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// Single collections of a backup can come back into a directory that nobody serves: the
// stage is a copy of the present state, in which they are replaced, as memory is.

// planCollections makes a work replace nothing but some collections.
func (r *run) planCollections(ctx context.Context, w *work, copied fs.FS, wanted []holdfast.Part) error {
	refuse := func(hint, format string, args ...any) error {
		return &holdfast.Error{Op: opRestore, Object: w.source.Name(), Err: holdfast.Kindf(holdfast.ErrRefused, format, args...), Hint: hint}
	}
	ms, ok := w.source.(holdfast.MemorySource)
	if !ok {
		return &holdfast.Error{Op: opRestore, Object: w.source.Name(), Err: holdfast.Kindf(holdfast.ErrUsage, "a source of kind %s comes back as a whole only", w.source.Kind()), Hint: "leave out the parts, or take what you need with --to DIR"}
	}
	for _, p := range wanted {
		switch {
		case len(p.Keys) > 0:
			return refuse("start its server and add --into URL, or restore the whole collection", "single records need a running server, and this is the directory %s", w.path)
		case p.Table == "" || holdsSeveral(p.Table):
			return refuse("name the collections, or start its server and add --into URL", "a whole database needs a running server, and this is the directory %s", w.path)
		case p.Exact:
			return refuse("start its server and add --into URL", "what the backup does not have is removed by a running server only")
		}
	}
	now, err := ms.Inspect(ctx, holdfast.InspectOptions{Counts: true})
	if err != nil {
		return err
	}
	if !now.Exists {
		return refuse("restore the whole source", "%s does not exist yet", w.path)
	}
	w.memory, w.wanted, w.bytes = true, wanted, w.bytes+now.Bytes
	w.fill = func(ctx context.Context, dir string) error {
		if _, err := ms.Capture(ctx, &dirSink{fsys: r.e.o.FS, dir: dir}); err != nil {
			return fmt.Errorf("copy the present state: %w", err)
		}
		for _, p := range wanted {
			if err := r.putCollection(ctx, ms, copied, p, dir); err != nil {
				return &holdfast.Error{Op: "restore collection", Object: p.Table, Err: err}
			}
		}
		return durable.SyncTree(ctx, r.e.o.FS, dir)
	}
	return nil
}

// putCollection takes one collection out of a copy and puts it into a stage, by way of a
// file in the stage.
func (r *run) putCollection(ctx context.Context, ms holdfast.MemorySource, copied fs.FS, p holdfast.Part, dir string) (err error) {
	spool, err := os.CreateTemp(dir, ".holdfast-collection-") // where room was looked for
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, spool.Close(), os.Remove(spool.Name())) }()
	buffered := bufio.NewWriterSize(spool, 1<<20)
	info, err := ms.ExportMemory(ctx, copied, p.Table, buffered)
	if err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if p.As != "" {
		info.Name = p.As
	}
	return ms.RestoreMemory(ctx, dir, info, spool)
}
