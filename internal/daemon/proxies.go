package daemon

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/operation"
)

// byProxy is who asks for the backups that come before the writes of a Chroma client.
const byProxy = "chroma-proxy"

// backupBefore makes the backup that a Chroma proxy waits for.
func (d *daemon) backupBefore(ctx context.Context, reason string) error {
	c := d.core.Load()
	j, err := c.operations.Backup(ctx, byProxy, "", operation.BackupRequest{Trigger: holdfast.TriggerAuto, Note: reason})
	if err == nil {
		_, err = c.wait(ctx, j)
	}
	return err
}
