package startup

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// Settle finishes a [Place] of target that was cut, or removes what one left that
// had not begun to replace anything. Without one it does nothing. It tells where
// the old set went, if it finished something.
func Settle(ctx context.Context, fsys durable.FS, target string) (aside []string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	data, err := os.ReadFile(planPath(target))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, sweep(fsys, target)
	case err != nil:
		return nil, explain("read the plan of the replacement of", target, err)
	}
	var p placing
	if err := json.Unmarshal(data, &p); err != nil || p.Version != planVersion || !p.inDirectory() {
		return nil, &holdfast.Error{
			Op: "finish the replacement of", Object: target,
			Err:  holdfast.Kindf(holdfast.ErrRefused, "its plan %s cannot be read by this program", planPath(target)),
			Hint: "start the version of holdfast that began it; the new file and the old one lie beside each other, nothing is lost",
		}
	}
	if aside, err = p.carryOut(fsys, target); err != nil {
		return aside, err
	}
	return aside, sweep(fsys, target)
}

// placeWasCut tells whether Settle has anything to do. What cannot be looked at is
// found out by whoever needs it.
func placeWasCut(target string) bool {
	dir, base := filepath.Split(target)
	list, err := os.ReadDir(filepath.Clean(dir))
	return err == nil && slices.ContainsFunc(list, func(e fs.DirEntry) bool {
		return e.Name() == filepath.Base(planPath(target)) || isLeftover(e.Name(), base)
	})
}

// inDirectory tells that the plan names files beside its target and nothing else.
func (p placing) inDirectory() bool {
	for _, name := range append([]string{p.Stage, p.Aside}, p.Companions...) {
		if name == "" || strings.ContainsAny(name, `/\`) {
			return false
		}
	}
	return strings.HasPrefix(p.Stage, stagePrefix)
}

// sweep removes the stages of target that no plan names.
func sweep(fsys durable.FS, target string) error {
	dir, base := filepath.Split(target)
	list, err := os.ReadDir(filepath.Clean(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return explain("look for leftovers beside", target, err)
	}
	for _, e := range list {
		if !isLeftover(e.Name(), base) {
			continue
		}
		if err := durable.Remove(fsys, filepath.Join(dir, e.Name())); err != nil {
			return explain("remove what a cut left beside", target, err)
		}
	}
	return nil
}

// isLeftover tells whether name is a stage of base, a companion of one, or an
// unfinished plan.
func isLeftover(name, base string) bool {
	ours := func(temp, of string) bool {
		return durable.IsTemp(temp) && strings.HasPrefix(temp, durable.TempName(of)[:len(durable.TempName(of))-randomPart])
	}
	if ours(name, stagePrefix+base+planSuffix) {
		return true
	}
	stage, ok := strings.CutPrefix(name, stagePrefix)
	if !ok {
		return false
	}
	for _, c := range []string{"-wal", "-shm", "-journal"} {
		stage = strings.TrimSuffix(stage, c)
	}
	return ours(stage, base)
}

// randomPart is the length of what durable.TempName adds at the end.
const randomPart = 13
