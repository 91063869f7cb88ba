package cli

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
)

type exportCmd struct {
	Name string `arg:"" help:"Name of the backup, or latest."`
	Dir  string `arg:"" help:"Directory that is empty or does not exist, or - for tar on standard output."`
}

func (exportCmd) about() about {
	return about{
		text: `Writes the full tree of a backup, every file whole and uncompressed, from
whatever form it is stored in.`,
		examples: []example{
			{"holdfast export latest ./copy", "a directory to look at"},
			{"holdfast export monday - | ssh host tar -xf - -C /srv/copy", "straight to another machine"},
		},
		exits: []int{holdfast.ExitNotFound, holdfast.ExitDamaged, holdfast.ExitRefused},
	}
}

// exportObject is the outcome of export.
type exportObject struct {
	Type   string              `json:"type"` // export
	Backup holdfast.BackupName `json:"backup"`
	Dir    string              `json:"dir"`
	Bytes  int64               `json:"bytes"`
}

// Run exports a backup.
func (c *exportCmd) Run(ctx context.Context, a *app) error {
	if c.Dir == "-" {
		return c.tar(ctx, a)
	}
	return a.withEngine(ctx, func(e *engine.Engine, r *repo.Repository) error {
		info, err := r.Stat(ctx, c.Name)
		if err != nil {
			return err
		}
		if _, err := e.Export(ctx, info.Name.String(), c.Dir); err != nil {
			return err
		}
		out := exportObject{Type: "export", Backup: info.Name, Dir: c.Dir}
		if info.Metadata != nil {
			out.Bytes = info.Metadata.LogicalBytes
		}
		a.ui.tell(out, func() {
			a.ui.print("%s %s to %s (%s)\n", a.ui.outPaint.green("Exported"), clean(out.Backup.String()), clean(out.Dir), size(out.Bytes))
		})
		return nil
	})
}

// tar writes the backup to standard output.
func (c *exportCmd) tar(ctx context.Context, a *app) (err error) {
	if a.JSON {
		return usagef("export to a directory, or leave out --json", "standard output cannot take both a tar and JSON")
	}
	if isTerminal(a.sys.Stdout) {
		return usagef("write `holdfast export "+c.Name+" - > backup.tar`", "a tar is not for a terminal")
	}
	r, err := a.repository(ctx)
	if err != nil {
		return err
	}
	info, err := r.Stat(ctx, c.Name)
	if err != nil {
		return err
	}
	b, err := r.Backup(ctx, info.Name)
	if err != nil {
		return err
	}
	defer func() {
		if closed := b.Close(); err == nil {
			err = closed
		}
	}()
	return b.WriteTar(ctx, a.sys.Stdout)
}
