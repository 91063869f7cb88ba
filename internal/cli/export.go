package cli

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type exportCmd struct {
	Name   string   `arg:"" help:"Name of the backup, or latest."`
	Dir    string   `arg:"" help:"Directory that is empty or does not exist, or - for tar on standard output."`
	Format string   `enum:",jsonl" default:"" value:"FORMAT" help:"jsonl: of Chroma sources the records, as JSON lines that other programs read, in place of the files."`
	Only   []string `value:"SOURCE" help:"With --format: only this source; repeatable."`
	replicaFlags
}

func (exportCmd) about() about {
	return about{
		text: `Writes the full tree of a backup, every file whole and uncompressed, from
whatever form it is stored in. With --format jsonl it writes the records of Chroma
sources instead, each collection a file, whether the backup has the directory of a
server or its records (docs/chroma-jsonl.md); holdfast import brings them back.`,
		examples: []example{
			{"holdfast export latest ./copy", "a directory to look at"},
			{"holdfast export latest ./records --format jsonl", "documents, metadata and embeddings as JSON lines"},
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
	switch {
	case c.Format == "" && len(c.Only) > 0:
		return usagef("`holdfast restore "+clean(c.Name)+" --only SOURCE --to DIR` gives the files of one source", "--only goes with --format jsonl")
	case c.Dir == "-" && c.Format != "":
		return usagef("name a directory", "records are files of their own, and are not written to standard output")
	case c.Dir == "-":
		return c.tar(ctx, a)
	}
	return a.withCopies(ctx, func(e *engine.Engine) error {
		result, err := c.export(ctx, e)
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
		return incompleteIf(result.Problems)
	})
}

// export writes the files, or the records.
func (c *exportCmd) export(ctx context.Context, e *engine.Engine) (*engine.ExportResult, error) {
	if c.Format == "" {
		return e.Export(ctx, c.Name, c.Dir)
	}
	return e.ExportRecords(ctx, c.Name, c.Only, c.Dir)
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
