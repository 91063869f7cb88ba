package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type importCmd struct {
	Dir         string `arg:"" help:"Directory that holdfast export --format jsonl wrote, or a plain copy of a Chroma directory."`
	Only        string `value:"SOURCE" help:"The configured source that takes it (default: the only Chroma source)."`
	NoEmergency bool   `help:"Do not back up the present state first."`
	DryRun      bool   `help:"Show what would change, and change nothing."`
	Force       bool   `help:"Go on although processes have the data open, or although the copy is damaged."`
	partFlags
}

func (importCmd) about() about {
	return about{
		text: `Brings a copy that lies in a directory into a Chroma source, in the way that
restore brings a backup: the present state is backed up, the copy is checked, and
a failure leaves what was there. holdfast rollback undoes it. The form of an export
is described in docs/chroma-jsonl.md; other programs may write it. A repository is
needed for the backup of the present state: holdfast init makes one (exit status 10
without).

Into a directory that nobody serves, records go by way of a server that
--chroma-command starts.

Without a terminal, importing over existing data needs --yes.`,
		examples: []example{
			{"holdfast import ./copy --into http://10.0.0.7:8000", "into a running server"},
			{"holdfast import ./copy --collection notes", "one collection of it"},
		},
		exits: []int{holdfast.ExitIncomplete, holdfast.ExitNotFound, holdfast.ExitLocked, holdfast.ExitDamaged, holdfast.ExitRefused},
	}
}

// Run plans, asks and imports.
func (c *importCmd) Run(ctx context.Context, a *app) error {
	a.settings, a.ui.words = c.settings(), importWords
	if c.Into == "" {
		if _, err := a.targets(); err != nil {
			return err
		}
	}
	req, err := c.request(a)
	if err != nil {
		return err
	}
	return a.withCopies(ctx, func(e *engine.Engine) error {
		plan, err := e.PlanImport(ctx, req)
		if err != nil {
			return c.explain(err)
		}
		if c.DryRun {
			a.ui.tell(report.NewRestorePlan(plan), func() { printPlan(a.ui, plan) })
			return nil
		}
		if replaces(plan, "") {
			if err := a.ui.confirm(ctx, a.Yes, func() { printPlan(a.ui, plan) }, "Replace the present data by "+clean(broughtBy(plan))+"?"); err != nil {
				return err
			}
		}
		result, err := a.besidePrograms(ctx, func() (*engine.RestoreResult, error) { return e.Import(ctx, req) })
		if err != nil {
			return report.RestoreError(result, err)
		}
		out := report.NewRestore(result, "")
		a.ui.tell(out, func() { printRestored(a.ui, out, c.Into) })
		return incompleteIf(out.Problems)
	})
}

// importWords name the steps that are not about a backup.
var importWords = map[holdfast.Step]string{
	holdfast.StepChoose:   "look at the copy",
	holdfast.StepValidate: "check the copy",
	holdfast.StepStage:    "prepare the new state",
	holdfast.StepCheck:    "check the new state",
}

// request gives what the flags ask for.
func (c *importCmd) request(a *app) (engine.ImportRequest, error) {
	req := engine.ImportRequest{
		From: c.Dir, Source: c.Only, NoEmergency: c.NoEmergency, Force: c.Force, AcceptLosses: c.AcceptLosses, KeepReplaced: c.KeepReplaced,
	}
	info, err := os.Stat(c.Dir)
	if err != nil || !info.IsDir() {
		return req, usagef("name a directory that holdfast export wrote", "%s is not a directory that can be read", clean(c.Dir))
	}
	if len(c.Table) > 0 {
		return req, usagef("copy the database itself", "an import is of collections, not of tables")
	}
	req.Copy = os.DirFS(c.copied())
	if !c.Force {
		if err := unfinished(req.Copy); err != nil {
			return req, err
		}
	}
	if req.Parts, _, err = c.wanted(a); err != nil {
		return req, err
	}
	into, err := a.store(c.Into)
	if into != nil {
		req.Into = into
	}
	return req, err
}

// unfinished refuses a plain copy beside whose database lies what SQLite has still to write
// into it or to take back: a copy is read as it lies, without that.
func unfinished(copied fs.FS) error {
	for _, log := range []struct {
		suffix string
		begin  []byte // of one that counts
		empty  int64  // the size of one without changes
	}{
		{"-wal", nil, 32},
		{"-journal", []byte{0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7}, 512},
	} {
		for _, pattern := range []string{"chroma.sqlite3", "*/chroma.sqlite3"} {
			found, err := fs.Glob(copied, pattern+log.suffix)
			if err != nil {
				return err
			}
			for _, name := range found {
				if !holds(copied, name, log.begin, log.empty) {
					continue
				}
				database := strings.TrimSuffix(name, log.suffix)
				return &holdfast.Error{
					Op: "import", Object: name, Err: holdfast.Kindf(holdfast.ErrRefused, "it has changes of %s that were not finished when the copy was made, and would be left out", path.Base(database)),
					Hint: "copy a stopped Chroma, or let SQLite finish the copy: sqlite3 " + path.Base(database) + " 'PRAGMA wal_checkpoint(TRUNCATE); PRAGMA quick_check'; --force takes it as it is",
				}
			}
		}
	}
	return nil
}

// holds tells whether a regular file begins in a way and is longer than an empty one.
func holds(fsys fs.FS, name string, begin []byte, empty int64) bool {
	info, err := fs.Stat(fsys, name)
	if err != nil || !info.Mode().IsRegular() || info.Size() <= empty {
		return false
	}
	f, err := fsys.Open(name)
	if err != nil {
		return true // nobody knows what it has
	}
	defer f.Close()
	b := make([]byte, len(begin))
	_, err = io.ReadFull(f, b)
	return err != nil || bytes.Equal(b, begin)
}

// explain says what a directory must hold, if that is what is wrong.
func (c *importCmd) explain(err error) error {
	if !errors.Is(err, holdfast.ErrNotFound) {
		return err
	}
	for _, pattern := range []string{"server.json", "chroma.sqlite3", "*/server.json", "*/chroma.sqlite3"} {
		if found, _ := fs.Glob(os.DirFS(c.Dir), pattern); len(found) > 0 {
			return err
		}
	}
	return &holdfast.Error{
		Op: "import", Object: c.Dir, Err: holdfast.Kindf(holdfast.ErrNotFound, "it holds neither an export of records (server.json) nor a Chroma directory (chroma.sqlite3)"),
		Hint: "name a directory that `holdfast export --format jsonl` wrote, or a copy of a Chroma directory",
	}
}

// copied gives the directory of the copy. An export of one source has nothing but a folder
// in it, called as the source was where it was made.
func (c *importCmd) copied() string {
	if entries, err := os.ReadDir(c.Dir); err == nil && len(entries) == 1 && entries[0].IsDir() {
		return filepath.Join(c.Dir, entries[0].Name())
	}
	return c.Dir
}
