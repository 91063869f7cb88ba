package cli

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type exportCmd struct {
	Name string `arg:"" help:"Name of the backup, or latest."`
	Dir  string `arg:"" help:"Directory that is empty or does not exist, or - for tar on standard output."`
	replicaFlags
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

// Run exports a backup.
func (c *exportCmd) Run(ctx context.Context, a *app) error {
	if err := c.use(a); err != nil {
		return err
	}
	if c.Dir == "-" {
		return c.tar(ctx, a)
	}
	return a.withCopies(ctx, func(e *engine.Engine) error {
		result, err := e.Export(ctx, c.Name, c.Dir)
		if err != nil {
			return err
		}
		for _, p := range result.Problems {
			a.ui.warn(p)
		}
		out := report.NewExport(result, c.Dir)
		a.ui.tell(out, func() {
			a.ui.print("%s %s to %s (%s)%s\n", a.ui.outPaint.green("Exported"), clean(out.Backup.String()), clean(out.Dir), size(out.Bytes), fromWords(out.From))
		})
		return nil
	})
}

// tar writes the backup to standard output.
func (c *exportCmd) tar(ctx context.Context, a *app) error {
	if a.JSON {
		return usagef("export to a directory, or leave out --json", "standard output cannot take both a tar and JSON")
	}
	if isTerminal(a.sys.Stdout) {
		return usagef("write `holdfast export "+c.Name+" - > backup.tar`", "a tar is not for a terminal")
	}
	return a.withCopies(ctx, func(e *engine.Engine) (err error) {
		near, err := e.Nearest(ctx, c.Name)
		if err != nil {
			return err
		}
		a.tellNearest(near)
		b, err := near.At.Backup(ctx, near.Backup.Name)
		if err != nil {
			return err
		}
		defer func() {
			if closed := b.Close(); err == nil {
				err = closed
			}
		}()
		return b.WriteTar(ctx, a.sys.Stdout)
	})
}
