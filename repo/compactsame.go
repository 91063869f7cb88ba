package repo

import (
	"context"
	"slices"

	"github.com/holdfast-backup/holdfast"
)

// writeOut gives the files of a backup extents of their own where their definer
// is to be compacted too: it will say something else then, and may need backups
// that this one does not say it needs.
func (c *compaction) writeOut(ctx context.Context, name holdfast.BackupName) error {
	// Without targets nothing moves, and only the manifest is written.
	none := &compaction{r: c.r, targets: map[holdfast.BackupName]int64{}, moved: movedBlocks{}}
	w, err := none.open(ctx, name)
	if err != nil {
		return err
	}
	defer w.b.Close()
	for _, to := range w.b.manifest.definers() {
		if slices.Contains(c.order, to.Backup) {
			_, err := w.run(ctx)
			return err
		}
	}
	return nil
}
