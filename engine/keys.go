package engine

import "context"

// RotateKey gives the repository a new key of its own. The passphrase opens it
// and the former ones.
func (e *Engine) RotateKey(ctx context.Context, passphrase string) error {
	return e.start(ctx, "rotate key").locked(ctx, func(ctx context.Context) error {
		return e.o.Repository.RotateKey(ctx, passphrase)
	})
}

// ChangePassphrase makes another passphrase open the repository.
func (e *Engine) ChangePassphrase(ctx context.Context, passphrase string) error {
	return e.start(ctx, "change passphrase").locked(ctx, func(ctx context.Context) error {
		return e.o.Repository.ChangePassphrase(ctx, passphrase)
	})
}
