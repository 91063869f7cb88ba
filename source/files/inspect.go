package files

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// inspectBudget bounds the time that a glance at a large tree takes.
const inspectBudget = 3 * time.Second

// errBudget ends a glance.
var errBudget = errors.New("time is up")

// Inspect counts what a capture would read. If that takes too long, Bytes is
// what was counted until then and the facts are left out.
func (s *Source) Inspect(ctx context.Context, _ holdfast.InspectOptions) (holdfast.Inspection, error) {
	info, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return holdfast.Inspection{}, nil
	}
	if err != nil {
		return holdfast.Inspection{}, s.failed(err)
	}
	facts := &holdfast.FilesFacts{}
	if !info.IsDir() {
		facts.Files, facts.Bytes, facts.Single = 1, info.Size(), true
		return holdfast.Inspection{Exists: true, Bytes: facts.Bytes, Facts: holdfast.Facts{Files: facts}}, nil
	}
	err = s.glance(ctx, facts, time.Now().Add(inspectBudget))
	if errors.Is(err, errBudget) {
		return holdfast.Inspection{Exists: true, Bytes: facts.Bytes}, nil
	}
	if err != nil {
		return holdfast.Inspection{}, s.failed(err)
	}
	return holdfast.Inspection{Exists: true, Bytes: facts.Bytes, Facts: holdfast.Facts{Files: facts}}, nil
}

// glance walks the live tree without opening a file. What cannot be looked at
// is passed over: the capture names it.
func (s *Source) glance(ctx context.Context, facts *holdfast.FilesFacts, until time.Time) error {
	root, err := filepath.EvalSymlinks(s.path)
	if err != nil {
		return err
	}
	return fs.WalkDir(os.DirFS(root), ".", func(rel string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(until):
			return errBudget
		case err != nil && rel == ".":
			return err
		case err != nil || rel == ".":
			return nil
		case s.exclude.match(rel, d.IsDir()):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir(), d.Type() == 0, d.Type() == fs.ModeSymlink:
			_ = count(facts, d) // it vanished, or cannot be looked at
		}
		return nil
	})
}
