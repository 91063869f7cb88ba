package startup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/planted"
	"github.com/holdfast-backup/holdfast/internal/volume"
)

// Parts of the names that Place makes beside a target.
const (
	stagePrefix = ".holdfast-place-"
	planSuffix  = ".plan"
	asideInfix  = ".before-"
	foundInfix  = ".found-"
)

// planVersion guards against a plan of another program version.
const planVersion = 1

// A placing is the durable plan of one Place. It is written when the stage is
// whole, checked and durable, before anything else is touched: from then on it can
// only go forward, and each of its steps shows on the disk whether it was taken.
type placing struct {
	Version int    `json:"version"`
	Stage   string `json:"stage"` // base names, so that the directory may move
	Aside   string `json:"aside"`
	// Companions are the suffixes of the files that belong to the target.
	Companions []string      `json:"companions,omitempty"`
	Begun      holdfast.Time `json:"begun"`
}

// Place puts a new file in the place of target, whatever is there now. fill
// makes the file stage, which lies beside target and does not exist, and leaves it
// closed; check, which may be nil, opens it as its owner would. Then the old set,
// that is target and its companions (target with each suffix), is moved aside,
// under names that belong together as before, and the new file takes the place.
//
// Until the new file is whole and durable, nothing else is touched, and an error
// leaves the old set where it was. After that a cut, or an error, is finished by
// [Settle], which Prepare calls, and until then target must not be opened: there
// is never a new file beside an old companion. aside lists
// the files of the old set, the main file first.
//
// Nobody may have target open, and one Place at a time may work on it.
func Place(ctx context.Context, fsys durable.FS, target string, companions []string, fill, check func(ctx context.Context, stage string) error) (aside []string, err error) {
	dir, base := filepath.Split(target)
	if err := durable.MkdirAll(fsys, filepath.Clean(dir), 0o755); err != nil {
		return nil, explain("make the directory of", target, err)
	}
	if aside, err = Settle(ctx, fsys, target); err != nil {
		return aside, err
	}
	if err := planted.Check(planPath(target)); err != nil {
		return aside, explain("plan the replacement of", target, err)
	}
	now := time.Now()
	p := placing{Version: planVersion, Stage: stagePrefix + durable.TempName(base), Companions: companions, Begun: holdfast.At(now)}
	p.Aside = filepath.Base(free(target+asideInfix+now.UTC().Format("20060102_150405"), companions))
	stage := filepath.Join(dir, p.Stage)
	if err := fillStage(ctx, fsys, target, stage, companions, fill, check); err != nil {
		return aside, errors.Join(err, removeStage(fsys, stage, companions))
	}
	if err := p.save(fsys, target); err != nil {
		err = explain("plan the replacement of", target, err)
		return aside, errors.Join(err, p.abandon(fsys, target))
	}
	moved, err := p.carryOut(fsys, target)
	if err != nil && !p.begun(target) {
		err = errors.Join(err, p.abandon(fsys, target))
	}
	return append(aside, moved...), err
}

// begun tells whether anything was moved yet.
func (p placing) begun(target string) bool {
	dir := filepath.Dir(target)
	if !exists(filepath.Join(dir, p.Stage)) {
		return true
	}
	for _, c := range append([]string{""}, p.Companions...) {
		if exists(filepath.Join(dir, p.Aside) + c) {
			return true
		}
	}
	return false
}

// abandon takes back a plan of which nothing was carried out: the plan first,
// since with it the next start would go on, in place of what its owner writes
// from now on.
func (p placing) abandon(fsys durable.FS, target string) error {
	if err := durable.Remove(fsys, planPath(target)); err != nil {
		return explain("take back the replacement of", target, err)
	}
	return removeStage(fsys, filepath.Join(filepath.Dir(target), p.Stage), p.Companions)
}

// fillStage makes the new file whole, checked and durable.
func fillStage(ctx context.Context, fsys durable.FS, target, stage string, companions []string, fill, check func(ctx context.Context, stage string) error) error {
	if err := fill(ctx, stage); err != nil {
		return explain("fill the new file of", target, err)
	}
	if check != nil {
		if err := check(ctx, stage); err != nil {
			return &holdfast.Error{Op: "check the new file of", Object: target, Err: err}
		}
	}
	for _, c := range companions {
		if sizeOf(stage+c) > 0 {
			return &holdfast.Error{Op: "check the new file of", Object: target, Err: fmt.Errorf("it is not whole without its %s", c)}
		}
		if err := durable.Remove(fsys, stage+c); err != nil {
			return explain("tidy up beside", target, err)
		}
	}
	if old, err := os.Stat(target); err == nil && old.Mode().IsRegular() {
		if err := fsys.Chmod(stage, old.Mode().Perm()); err != nil {
			return explain("set the mode of the new file of", target, err)
		}
		if err := ownLike(stage, old); err != nil {
			return explain("give the new file to the owner of", target, err)
		}
	}
	if err := fsys.SyncFile(stage); err != nil {
		return explain("sync the new file of", target, err)
	}
	if err := fsys.SyncDir(filepath.Dir(target)); err != nil {
		return explain("sync the directory of", target, err)
	}
	return context.Cause(ctx)
}

// planPath is where the plan of a target lies.
func planPath(target string) string {
	dir, base := filepath.Split(target)
	return filepath.Join(dir, stagePrefix+base+planSuffix)
}

func (p placing) save(fsys durable.FS, target string) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return durable.WriteFile(fsys, planPath(target), append(data, '\n'), 0o600)
}

// carryOut goes on from wherever the plan was cut. As long as the stage is there,
// what has the target's name is not the new file.
func (p placing) carryOut(fsys durable.FS, target string) (aside []string, err error) {
	dir := filepath.Dir(target)
	stage, old := filepath.Join(dir, p.Stage), filepath.Join(dir, p.Aside)
	if exists(stage) && !sameFile(stage, target) {
		for _, c := range append([]string{""}, p.Companions...) {
			if err := p.moveOut(fsys, target+c, old+c); err != nil {
				return nil, err
			}
		}
	}
	if exists(stage) {
		if err := forward(fsys, stage, target); err != nil {
			return nil, explain("put the new file in place of", target, err)
		}
	}
	for _, c := range append([]string{""}, p.Companions...) {
		if exists(old + c) {
			aside = append(aside, old+c)
		}
	}
	if err := durable.Remove(fsys, planPath(target)); err != nil {
		return aside, explain("complete the replacement of", target, err)
	}
	return aside, nil
}

// moveOut moves one file of the old set aside. If its place there is taken, it
// is something that was written since a cut, and gets a name of its own.
func (p placing) moveOut(fsys durable.FS, from, to string) error {
	if !exists(from) {
		return nil
	}
	if exists(to) && !sameFile(from, to) {
		to = free(from+foundInfix+p.Begun.UTC().Format("20060102_150405"), nil)
	}
	if err := forward(fsys, from, to); err != nil {
		return explain("move aside", from, err)
	}
	return nil
}

// forward renames durably, also where a cut left both names on one file.
func forward(fsys durable.FS, from, to string) error {
	if exists(to) && sameFile(from, to) {
		return durable.Remove(fsys, from)
	}
	return durable.RenameNew(fsys, from, to)
}

// removeStage removes what filling left.
func removeStage(fsys durable.FS, stage string, companions []string) error {
	var errs []error
	for _, c := range append([]string{""}, companions...) {
		errs = append(errs, durable.Remove(fsys, stage+c))
	}
	return errors.Join(errs...)
}

// free gives name, or name with the first number with which neither it nor a
// companion is taken.
func free(name string, companions []string) string {
	taken := func(n string) bool {
		for _, c := range append([]string{""}, companions...) {
			if exists(n + c) {
				return true
			}
		}
		return false
	}
	for n, i := name, 2; ; i++ {
		if !taken(n) {
			return n
		}
		n = fmt.Sprintf("%s-%d", name, i)
	}
}

// exists tells whether a name is taken, by whatever. A name that cannot be
// looked at counts as taken.
func exists(name string) bool {
	_, err := os.Lstat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

func sameFile(a, b string) bool {
	x, xerr := os.Lstat(a)
	y, yerr := os.Lstat(b)
	return xerr == nil && yerr == nil && os.SameFile(x, y)
}

// explain says what failed on which object, unless err does so already. Nil stays
// nil.
func explain(op, object string, err error) error {
	if _, named := errors.AsType[*holdfast.Error](err); named {
		return &holdfast.Error{Op: op, Object: object, Err: err}
	}
	return volume.Explain(op, object, err)
}
