package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/demo"
)

type demoCmd struct {
	Keep string `value:"DIR" help:"Work in this directory, which is empty or does not exist, and keep it."`
}

func (demoCmd) about() about {
	return about{
		text: `Shows the main job on data of its own, without a server or any set-up: makes
a small SQLite database and a Chroma directory, backs them up, damages them,
restores them and proves the result. Each step shows the command that it runs.
Works in a temporary directory that is removed at the end, unless --keep names
one.`,
		examples: []example{
			{"holdfast demo", "two minutes of reading"},
			{"holdfast demo --keep ./demo", "keep data and backups to look around"},
		},
		exits: []int{holdfast.ExitRefused},
	}
}

// Run makes the directory and takes the reader through the demo.
func (c *demoCmd) Run(ctx context.Context, a *app) (err error) {
	if a.JSON {
		return usagef("leave --json out", "the demo is for people to read")
	}
	dir := c.Keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "holdfast-demo-"); err != nil {
			return &holdfast.Error{Op: "demo", Err: err, Hint: "name a directory with --keep"}
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	} else if err := emptyDir(dir); err != nil {
		return err
	}
	a.ui.print("This demo works in %s and touches nothing else.\n", dir)
	environ := demoEnvironment(a.sys.Environ)
	err = demo.Run(ctx, a.sys.Stdout, dir, func(args ...string) int {
		return Main(ctx, System{
			Args: append([]string{"--quiet"}, args...), Environ: environ,
			Stdout: a.sys.Stdout, Stderr: a.sys.Stdout, Stdin: strings.NewReader(""),
			Now: a.sys.Now, Version: a.sys.Version,
		})
	})
	if err == nil && c.Keep != "" {
		a.ui.print("\nEverything is still in %s.\n", dir)
	}
	return noRoom(err)
}

// emptyDir makes dir, or accepts it if it is empty.
func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = os.MkdirAll(dir, 0o755)
	case err == nil && len(entries) > 0:
		err = holdfast.Kindf(holdfast.ErrRefused, "is not empty")
	}
	if err != nil {
		return &holdfast.Error{Op: "demo", Object: filepath.Clean(dir), Err: err, Hint: "name a directory that is empty or does not exist"}
	}
	return nil
}

// demoEnvironment leaves out all that would configure the reader's own
// backups.
func demoEnvironment(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return !slices.Contains([]string{"PATH", "HOME", "TMPDIR", "TERM", "NO_COLOR", "LANG"}, name)
	})
}
