package main

import (
	"context"
	"fmt"

	"github.com/holdfast-backup/holdfast/boot"
)

// status is what an administrator wants to know.
func (b *bot) status() string {
	status := b.store.Status()
	text := status.Message
	if status.Survival != nil {
		text += "\nstorage: " + status.Survival.Words
	}
	for _, problem := range status.Problems {
		text += "\n" + string(problem.Severity) + ": " + problem.Message
	}
	return text
}

// backup makes one now.
func (b *bot) backup(ctx context.Context) (string, error) {
	made, err := b.store.Backup(ctx, boot.BackupOptions{Quick: true})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Backed up to %s: %d rows, %d bytes stored.", made.Name, made.Rows, made.StoredBytes), nil
}
