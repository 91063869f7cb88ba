package durable

import (
	"context"
	"io/fs"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

// syncers is how many files SyncTree syncs side by side. Journalling file
// systems complete waiting syncs together, so more in flight cost less each.
const syncers = 8

// SyncTree makes a whole tree durable: the data of every file, then the names
// in every directory, root included. The name of root itself is made durable by
// the rename that shows it. Files should have been closed before.
func SyncTree(ctx context.Context, fsys FS, root string) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(syncers)
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case gctx.Err() != nil:
			return fs.SkipAll // the first error is in the group
		case d.IsDir():
			dirs = append(dirs, path)
		case d.Type().IsRegular():
			g.Go(func() error { return fsys.SyncFile(path) })
		}
		return nil
	})
	if werr := g.Wait(); werr != nil {
		return werr
	}
	if err != nil {
		return err
	}
	for i := len(dirs) - 1; i >= 0; i-- { // the innermost first
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fsys.SyncDir(dirs[i]); err != nil {
			return err
		}
	}
	return ctx.Err()
}
