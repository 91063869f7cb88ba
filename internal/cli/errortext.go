package cli

import (
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/volume"
)

// retold is a text of the same kind as err, without its hint.
func retold(err error, text string) error {
	for _, kind := range []error{
		context.Canceled, holdfast.ErrUsage, holdfast.ErrRefused, holdfast.ErrDamaged, holdfast.ErrLocked, holdfast.ErrNotFound, holdfast.ErrIncomplete,
	} {
		if errors.Is(err, kind) {
			return holdfast.Kindf(kind, "%s", text)
		}
	}
	return errors.New(text)
}

// noRoom makes a refusal of an error that tells of a full disk.
func noRoom(err error) error {
	if err == nil || !volume.IsFull(err) || errors.Is(err, holdfast.ErrRefused) {
		return err
	}
	return &holdfast.Error{Err: holdfast.Kindf(holdfast.ErrRefused, "%w", err), Hint: "free some space there, or use another place"}
}
