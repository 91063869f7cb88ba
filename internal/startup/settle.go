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
	"github.com/holdfast-backup/holdfast/internal/planted"
)

// Settle finishes a [Place] of target that was cut, or removes what one left that
// had not begun to replace anything. Without one it does nothing, and the plan of
// another user (see package planted) is none. It tells where the old set went, if
// it finished something.
func Settle(ctx context.Context, fsys durable.FS, target string) (aside []string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	data, err := planted.Read(planPath(target), maxPlan)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, holdfast.ErrRefused):
		return nil, sweep(fsys, target)
	case err != nil:
		return nil, explain("read the plan of the replacement of", target, err)
	}
	p, ok := parsePlan(data, filepath.Base(target))
	if !ok {
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
		return (e.Name() == filepath.Base(planPath(target)) || isLeftover(e.Name(), base)) &&
			planted.Check(filepath.Join(dir, e.Name())) == nil
	})
}

// maxPlan bounds what is read of a file that has a plan's name.
const maxPlan = 64 << 10

// parsePlan gives the plan for a target of this name, unless a program of
// another version, or somebody else, has written it.
func parsePlan(data []byte, base string) (p placing, ok bool) {
	err := json.Unmarshal(data, &p)
	return p, err == nil && p.Version == planVersion && p.inDirectory(base)
}

// inDirectory tells that the plan names what Place makes beside a target of this
// name, and nothing else.
func (p placing) inDirectory(base string) bool {
	for _, name := range append([]string{p.Stage, p.Aside}, p.Companions...) {
		if name == "" || strings.ContainsAny(name, `/\`) {
			return false
		}
	}
	return strings.HasPrefix(p.Stage, stagePrefix) && strings.HasPrefix(p.Aside, base+asideInfix)
}

// sweep removes the stages of target that no plan names. Those of another user
// are none of ours.
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
		if !isLeftover(e.Name(), base) || planted.Check(filepath.Join(dir, e.Name())) != nil {
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
