package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/holdfast-backup/holdfast"
)

// Settle finishes or undoes an Apply that was cut, by its last note and by what the
// server has. Before the first name changed it undoes; after, it finishes, since clients may
// have written to what they found under the name. It may be called again, whatever it
// left.
func Settle(ctx context.Context, t Target, text json.RawMessage) (holdfast.Settled, error) {
	n, err := readNote(text)
	if err != nil {
		return holdfast.Settled{}, err
	}
	t.logger().Debug("settle a restore by requests", "server", t.API.Location(), "stage", string(n.Stage), "collections", len(n.Entries))
	settled, err := settle(ctx, t, n)
	if err != nil {
		return settled, failed(ctx, "settle the restore into", t, err)
	}
	return settled, nil
}

func settle(ctx context.Context, t Target, n *note) (holdfast.Settled, error) {
	f, err := survey(ctx, t, n)
	if err != nil {
		return holdfast.Settled{}, err
	}
	f.later = true
	f.displacedBefore()
	forward := n.Stage == stageDrop || n.Stage == stageSwap && f.swapped()
	if !forward {
		err := f.undo(ctx)
		if err == nil {
			err = f.dropBases(ctx)
		}
		return holdfast.Settled{Result: holdfast.PartResult{
			Changes: n.changes(), Kept: f.kept, Problems: f.problems, Undone: err == nil,
		}}, err
	}
	if n.Stage == stageSwap { // later all names have changed, and are their owners'
		if err := f.finish(ctx); err != nil {
			return holdfast.Settled{}, err
		}
	}
	if err := f.tidy(ctx); err != nil {
		return holdfast.Settled{}, fmt.Errorf("everything is in place, but what was replaced could not be removed: %w", err)
	}
	return holdfast.Settled{Finished: true, Result: holdfast.PartResult{
		Changes: n.changes(), Reload: n.reload(), Kept: f.kept, Problems: f.problems,
	}}, nil
}

// dropBases drops the databases that were made for a restore that is undone, if nobody
// has put anything into them.
func (f *finisher) dropBases(ctx context.Context) error {
	for _, b := range f.note.Bases {
		if !f.databasesGo {
			f.problems = append(f.problems, holdfast.Problem{
				Object: "database " + b.Tenant + "/" + b.Database, Severity: holdfast.Warning,
				Message: "the empty database stays, since this server cannot delete databases",
			})
			continue
		}
		byID, err := f.t.identities(ctx, b)
		if err != nil {
			return err
		}
		if len(byID) > 0 {
			continue
		}
		if err := f.t.API.DropDatabase(ctx, b.Tenant, b.Database); err != nil && !errors.Is(err, holdfast.ErrNotFound) {
			return fmt.Errorf("drop database %s/%s: %w", b.Tenant, b.Database, err)
		}
	}
	return nil
}
