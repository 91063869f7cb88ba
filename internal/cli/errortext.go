package cli

import (
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
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
