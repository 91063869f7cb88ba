package cli

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

type initCmd struct{}

func (initCmd) about() about {
	return about{
		text: `Writes holdfast.yaml (or the file of --config) with every setting explained, for
the sources given by flags or found in the usual place, and creates the
repository. A source is a Chroma directory, a Chroma server by its URL, a SQLite
database or a tree of files. An existing file is never overwritten.`,
		examples: []example{
			{"holdfast init", "for ./data/chromadb, if it is there"},
			{"holdfast init --chroma-url http://10.0.0.7:8000", "for a Chroma server, which is backed up by requests"},
			{"holdfast init --sqlite bot=/tmp/bot_database.db --repo /backups", "for a bot"},
		},
		exits: []int{holdfast.ExitRefused},
	}
}

// initObject is the outcome of init.
type initObject struct {
	Type       string   `json:"type"` // init
	File       string   `json:"file"`
	Repository string   `json:"repository"`
	Created    bool     `json:"repository_created"`
	Sources    []string `json:"sources"`
}

// Run writes the file and creates the repository.
func (c *initCmd) Run(ctx context.Context, a *app) error {
	name := cmp.Or(a.Config, config.FileName)
	for _, existing := range []string{name, config.AltFileName} {
		if _, err := os.Lstat(existing); err == nil && (existing == name || a.Config == "") {
			return &holdfast.Error{
				Op: "init", Object: existing, Err: holdfast.Kindf(holdfast.ErrRefused, "the configuration exists already"),
				Hint: "edit it, or move it away; `holdfast config show` prints what it says",
			}
		}
	}
	flags, err := a.flags()
	if err != nil {
		return err
	}
	flags.File, flags.NoFile = "", true
	cfg, err := config.Load(flags, a.sys.Environ)
	if err != nil {
		return err
	}
	text, err := config.Template(cfg, name)
	if err != nil {
		return err
	}
	r, made, err := wire.CreateRepository(ctx, cfg)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(durable.OS, name, text, 0o600); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return &holdfast.Error{Op: "init", Object: name, Err: holdfast.Kindf(holdfast.ErrUsage, "the directory does not exist"), Hint: "create it first"}
		}
		return &holdfast.Error{Op: "init", Object: name, Err: err}
	}
	out := initObject{Type: "init", File: name, Repository: r.Location(), Created: made, Sources: []string{}}
	for _, s := range cfg.Sources {
		out.Sources = append(out.Sources, s.Name)
	}
	a.ui.tell(out, func() { c.print(a.ui, out, cfg) })
	return nil
}

// print tells what was written and what comes next.
func (c *initCmd) print(u *ui, out initObject, cfg *config.Config) {
	u.print("%s %s\n", u.outPaint.green("Wrote"), clean(out.File))
	word := "The repository exists already:"
	if out.Created {
		word = "Created the repository"
	}
	u.print("%s %s\n", word, clean(out.Repository))
	for _, s := range cfg.Sources {
		u.print("Protecting %s: %s at %s\n", clean(s.Name), s.Kind, clean(s.Location()))
	}
	if len(cfg.Sources) == 0 {
		u.print("No source was found; name yours below \"sources:\" in %s.\n", clean(out.File))
		return
	}
	u.print("Next: `holdfast doctor` checks everything, `holdfast backup` makes the first backup.\n")
}
