package engine

import (
	"context"
	"fmt"

	"github.com/dustin/go-humanize"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// PlanCompact tells what Compact would do. It changes nothing.
func (e *Engine) PlanCompact(ctx context.Context) (repo.CompactPlan, error) {
	r, err := e.repository()
	if err != nil {
		return repo.CompactPlan{}, err
	}
	return r.PlanCompact(ctx)
}

// Compact makes backups take over what they need of deleted ones, and frees
// these now. What was done until an error is told with it.
func (e *Engine) Compact(ctx context.Context) (repo.Compaction, error) {
	r := e.start(ctx, "compact")
	var done repo.Compaction
	err := r.locked(ctx, func(ctx context.Context) error {
		return r.step(ctx, holdfast.StepCompact, func(ctx context.Context) (string, error) {
			tell := r.progress(holdfast.StepCompact, "")
			var err error
			done, err = e.o.Repository.Compact(ctx, repo.CompactOptions{
				Progress: func(name holdfast.BackupName, done, total int64) { tell(string(name), done, total) },
			})
			for _, w := range done.Rewritten {
				r.log.Info("backup compacted", keyBackup, w.Backup, "from", w.From, "bytes_before", w.Before, "bytes_after", w.After)
			}
			for _, f := range done.Freed {
				r.log.Info("deleted backup freed", keyBackup, f.Name, "bytes", f.Bytes)
			}
			return fmt.Sprintf("%s freed, %s rewritten", humanize.IBytes(uint64(done.FreedBytes())), count(len(done.Rewritten), "backup", "backups")), err
		})
	})
	return done, err
}
