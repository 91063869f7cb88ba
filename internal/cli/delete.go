package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/repo"
)

type deleteCmd struct {
	Name []string `arg:"" help:"Names of the backups."`
}

func (deleteCmd) about() about {
	return about{
		text: `Deletes backups for good; other backups are not touched. What later backups
store only by reference to a deleted one stays as long as they need it; the
command says how much. Without a terminal it needs --yes. If one name is wrong,
nothing is deleted. A pinned backup has to be unpinned first.`,
		examples: []example{
			{"holdfast delete monday", "asks first"},
			{"holdfast delete --yes monday tuesday", "in a script"},
		},
		exits: []int{holdfast.ExitNotFound, holdfast.ExitLocked, holdfast.ExitRefused},
	}
}

// Run deletes backups, after all names were found.
func (c *deleteCmd) Run(ctx context.Context, a *app) error {
	r, err := a.repository(ctx)
	if err != nil {
		return err
	}
	infos, err := c.find(ctx, r)
	if err != nil {
		return err
	}
	question := "Delete " + clean(infos[0].Name.String()) + "?"
	if len(infos) > 1 {
		question = fmt.Sprintf("Delete %d backups?", len(infos))
	}
	if err := a.ui.confirm(ctx, a.Yes, func() {}, question); err != nil {
		return err
	}
	e, err := a.engine(r, nil)
	if err != nil {
		return err
	}
	names := make([]holdfast.BackupName, len(infos))
	for i, info := range infos {
		names[i] = info.Name
	}
	gone, err := e.Delete(ctx, names...)
	out := report.NewDelete(r.Location(), gone)
	if err != nil && len(out.Deleted) == 0 {
		return err
	}
	hidden, hiddenErr := report.HiddenIn(ctx, r)
	out.Hidden = hidden
	a.ui.tell(out, func() {
		for _, name := range out.Deleted {
			a.ui.print("Deleted %s\n", clean(name.String()))
		}
		a.ui.print("%s freed\n", size(out.FreedBytes))
		a.ui.print("%s", hiddenText(out.Hidden))
	})
	return errors.Join(err, hiddenErr)
}

// find looks every name up before anything is deleted.
func (c *deleteCmd) find(ctx context.Context, r *repo.Repository) ([]repo.Info, error) {
	var infos []repo.Info
	seen := map[holdfast.BackupName]bool{}
	for _, name := range c.Name {
		i, err := r.Stat(ctx, name)
		if err != nil {
			return nil, err
		}
		if i.Pinned {
			return nil, &holdfast.Error{
				Op: "delete", Object: i.Name.String(), Err: holdfast.Kindf(holdfast.ErrRefused, "it is pinned"),
				Hint: "`holdfast unpin " + i.Name.String() + "` first",
			}
		}
		if !seen[i.Name] {
			seen[i.Name] = true
			infos = append(infos, i)
		}
	}
	return infos, nil
}

type pinCmd struct {
	Name string `arg:"" help:"Name of the backup, or latest."`
}

func (pinCmd) about() about {
	return about{
		text:     "A pinned backup is never pruned, and delete refuses it.",
		examples: []example{{"holdfast pin before-migration", "keep it for good"}},
		exits:    []int{holdfast.ExitNotFound, holdfast.ExitLocked},
	}
}

type unpinCmd struct {
	Name string `arg:"" help:"Name of the backup, or latest."`
}

func (unpinCmd) about() about {
	return about{
		text:     "The backup is kept as long as the retention says.",
		examples: []example{{"holdfast unpin before-migration", "let it go with its age"}},
		exits:    []int{holdfast.ExitNotFound, holdfast.ExitLocked},
	}
}

// Run pins a backup.
func (c *pinCmd) Run(ctx context.Context, a *app) error { return a.setPinned(ctx, c.Name, true) }

// Run unpins a backup.
func (c *unpinCmd) Run(ctx context.Context, a *app) error { return a.setPinned(ctx, c.Name, false) }

func (a *app) setPinned(ctx context.Context, name string, pinned bool) error {
	r, err := a.repository(ctx)
	if err != nil {
		return err
	}
	info, err := r.Stat(ctx, name)
	if err != nil {
		return err
	}
	e, err := a.engine(r, nil)
	if err != nil {
		return err
	}
	if err := e.SetPinned(ctx, info.Name, pinned); err != nil {
		return err
	}
	out := report.NewPin(info.Name, pinned)
	a.ui.tell(out, func() {
		word := "Pinned"
		if !pinned {
			word = "Unpinned"
		}
		a.ui.print("%s %s\n", word, clean(info.Name.String()))
	})
	return nil
}
