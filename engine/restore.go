package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/repo"
)

// RestoreResult tells what was restored.
type RestoreResult struct {
	Plan       *RestorePlan
	Emergency  holdfast.BackupName // empty if none was made
	Restored   []string            // sources
	Memory     string              // "restored", or why it was skipped
	RolledBack bool
	Aside      []string // replaced state that is still kept
	// Parts tell what became of the tables of stores that were changed by requests.
	Parts    []PartsResult
	Problems []holdfast.Problem
	Duration time.Duration
}

// A PartsResult is the outcome for one source that was changed by requests.
type PartsResult struct {
	Source string
	holdfast.PartResult
}

// The names of the verbs that replace live data.
const (
	opRestore  = "restore"
	opRollback = "rollback"
)

// MemoryRestored is what a result says if memory came back.
const MemoryRestored = "restored"

// Restore brings a backup back: emergency backup, validation, stage, check,
// stop hook, swap, memory, start hook, confirmation. Any failure puts the
// previous state back and says so; the result then comes beside the error. A
// restore that is cut is finished or undone by Recover.
func (e *Engine) Restore(ctx context.Context, req RestoreRequest) (*RestoreResult, error) {
	if err := req.plausible(); err != nil {
		return nil, err
	}
	e, err := e.with(req.Into).standIn(ctx, req.Name, req.parted())
	if err != nil {
		return nil, err
	}
	r := e.start(ctx, opRestore)
	result := &RestoreResult{}
	if req.To != "" {
		return r.conclude(result, r.restoreElsewhere(ctx, req, result))
	}
	return r.replaceLive(ctx, result, func(ctx context.Context, before announce) error { return r.restore(ctx, req, result, before) })
}

// replaceLive does a verb that replaces live data, in turn with every other writer.
func (r *run) replaceLive(ctx context.Context, result *RestoreResult, fn func(context.Context, announce) error) (*RestoreResult, error) {
	told, err := r.surrounded(ctx, func(ctx context.Context, before announce, after *Verb) error {
		err := r.locked(ctx, func(ctx context.Context) error { return fn(ctx, before) })
		after.Problems = result.Problems
		return err
	})
	result.Problems = append(result.Problems, told...)
	return r.conclude(result, err)
}

// conclude tells how a restore or rollback ended.
func (r *run) conclude(result *RestoreResult, err error) (*RestoreResult, error) {
	result.Duration = r.e.o.Now().Sub(r.begun)
	result.Problems = append(r.settled, result.Problems...)
	if err != nil {
		message := err.Error()
		if result.RolledBack {
			message += "; the previous state is in place"
		}
		r.send(holdfast.Event{Step: holdfast.StepResult, State: holdfast.Failed, Message: message})
		return result, err
	}
	r.send(holdfast.Event{Step: holdfast.StepResult, State: holdfast.Finished, Message: fmt.Sprintf("%v", result.Restored)})
	return result, nil
}

func (r *run) restore(ctx context.Context, req RestoreRequest, result *RestoreResult, before announce) error {
	search := r.e.search(req.Name, req.parted())
	p, b, err := r.chooseCopy(ctx, search, req)
	if err != nil {
		return err
	}
	defer func() { b.Close() }()
	result.Plan = &p.RestorePlan
	result.Problems = append(result.Problems, p.Warnings...)
	if err := cmp.Or(p.refuseLosses(), r.refuseEarly(p, req.Force)); err != nil {
		return err
	}
	if err := p.roomForAll(r); err != nil {
		return err
	}
	if err := before(ctx, Verb{Backup: p.Backup.Name, Sources: p.sources()}); err != nil {
		return err
	}
	emergency, err := r.emergencyOf(ctx, p, req.NoEmergency, result)
	if err != nil {
		return err
	}
	for {
		err := r.step(ctx, holdfast.StepValidate, func(ctx context.Context) (string, error) { return r.validate(ctx, b) })
		if err == nil {
			break
		}
		if !search.leave(ctx, err) {
			return err
		}
		next, copied, err := r.planAgain(ctx, search, req, p)
		if err != nil {
			return err
		}
		b.Close()
		p, b = next, copied
		result.Plan = &p.RestorePlan
	}
	result.Problems = append(result.Problems, search.passed...)
	return r.putInPlace(ctx, p, emergency, req.Force, result)
}

// sources gives the names of the sources that a plan changes.
func (p *plan) sources() []string {
	names := workedOn(p.works)
	for _, w := range p.parts {
		names = append(names, w.source)
	}
	return names
}

// emergencyOf makes the emergency backup of what a plan replaces.
func (r *run) emergencyOf(ctx context.Context, p *plan, decline bool, result *RestoreResult) (emergencyBackup, error) {
	if len(p.parts) > 0 {
		return r.emergencyOfParts(ctx, p.parts[0], decline, result)
	}
	return r.emergency(ctx, p.works, decline, result)
}

// putInPlace carries a plan out, by files or by requests.
func (r *run) putInPlace(ctx context.Context, p *plan, emergency emergencyBackup, force bool, result *RestoreResult) error {
	if len(p.parts) > 0 {
		if err := r.newPartsCeremony(p.parts[0], p, emergency, result).carryOut(ctx); err != nil {
			return err
		}
	} else {
		c := r.newCeremony(p.works, p.Backup.Name, emergency.name, force, result)
		c.journal.Import = p.Import
		emergency.keepWhatItLacks(c.journal)
		if err := c.carryOut(ctx); err != nil {
			return err
		}
	}
	r.restored(p, result)
	return nil
}

// chooseCopy finds the nearest copy and plans its restore.
func (r *run) chooseCopy(ctx context.Context, search *search, req RestoreRequest) (p *plan, b *repo.Backup, err error) {
	err = r.step(ctx, holdfast.StepChoose, func(ctx context.Context) (string, error) {
		f, err := search.next(ctx)
		if err != nil {
			return "", err
		}
		p, b, err = r.planFor(ctx, f, req)
		return f.words(), err
	})
	return p, b, err
}

// planAgain plans the restore of the copy that search has come to, in place of
// one that is damaged. What is known of the present state stays known.
func (r *run) planAgain(ctx context.Context, search *search, req RestoreRequest, before *plan) (p *plan, b *repo.Backup, err error) {
	err = r.step(ctx, holdfast.StepChoose, func(ctx context.Context) (string, error) {
		p, b, err = r.planFor(ctx, search.at, req)
		return search.at.words(), err
	})
	if err != nil {
		return nil, nil, err
	}
	for _, w := range p.works {
		for _, old := range before.works {
			if w.path == old.path {
				w.savedState = old.savedState
			}
		}
	}
	return p, b, nil
}

// restored fills in what was brought back.
func (r *run) restored(p *plan, result *RestoreResult) {
	for _, w := range p.works {
		if !w.memory {
			result.Restored = append(result.Restored, w.source.Name())
		}
	}
	for _, w := range p.parts {
		result.Restored = append(result.Restored, w.source)
	}
	result.rememberMemory(p)
}

// rememberMemory says what became of memory once everything is in place.
func (r *RestoreResult) rememberMemory(p *plan) {
	r.Memory = p.Memory
	if p.Memory == memoryRestore {
		r.Memory = MemoryRestored
	}
}

// refuseEarly refuses before the emergency backup what would be refused at the
// swap anyway.
func (r *run) refuseEarly(p *plan, force bool) error {
	if force || r.letsGo() {
		return nil
	}
	for _, t := range p.Targets {
		if t.Method != methodOnline && len(t.Handles) > 0 {
			return inUse(t.Source, t.Path, t.Handles, r.hintInUse())
		}
	}
	return nil
}

// validate reads every stored byte of the backup.
func (r *run) validate(ctx context.Context, b *repo.Backup) (string, error) {
	tell := r.progress(holdfast.StepValidate, "")
	damaged, err := b.Verify(ctx, func(done, total int64) { tell("", done, total) })
	if err != nil {
		return "", err
	}
	if len(damaged) > 0 {
		return "", &holdfast.Error{Op: "validate", Object: string(b.Metadata().BackupName), Err: &holdfast.DamagedError{Backup: b.Metadata().BackupName, Problems: damaged}, Hint: "nothing was changed; choose another backup, `holdfast list` shows which are proven"}
	}
	return "every byte as recorded", nil
}

// An emergencyBackup is the backup of the present state, and what it does not
// hold of it.
type emergencyBackup struct {
	name  holdfast.BackupName
	lacks map[string]string // source → why
}

// keepWhatItLacks keeps the old set of every source that the emergency backup
// does not hold whole.
func (b emergencyBackup) keepWhatItLacks(j *journal) {
	for _, t := range j.Targets {
		t.Keep = b.lacks[t.Source]
	}
}

// emergency backs up the present state of the targets and verifies that
// backup. Where it cannot be made because the present state cannot be read, the
// restore goes on, since that is what a restore is for; the replaced files are
// then kept.
func (r *run) emergency(ctx context.Context, works []*work, decline bool, result *RestoreResult) (emergencyBackup, error) {
	var none emergencyBackup
	var present []holdfast.Source
	for _, w := range works {
		if i, err := w.source.Inspect(ctx, holdfast.InspectOptions{}); exists(w.path) && (err != nil || i.Exists) {
			present = append(present, w.source)
		}
	}
	switch {
	case decline:
		r.skip(holdfast.StepEmergency, "declined with --no-emergency; the replaced state is kept beside the target")
		return none, nil
	case !r.e.o.Settings.EmergencyBackup:
		const why = "EMERGENCY_BACKUP_ENABLED=false; the replaced state is kept beside the target"
		r.skip(holdfast.StepEmergency, why)
		result.Problems = append(result.Problems, r.problem(holdfast.Problem{Severity: holdfast.Warning, Message: "no emergency backup was made: " + why}))
		return none, nil
	case len(present) == 0:
		r.skip(holdfast.StepEmergency, "there is nothing at the target yet")
		return none, nil
	}
	for _, w := range works {
		var err error
		if w.savedState, err = w.dataState(); err != nil {
			return none, err
		}
	}
	made := emergencyBackup{lacks: map[string]string{}}
	err := r.step(ctx, holdfast.StepEmergency, func(ctx context.Context) (string, error) {
		return r.makeEmergency(ctx, present, &made, result)
	})
	if err == nil {
		result.Emergency = made.name
	}
	return made, err
}

func (r *run) makeEmergency(ctx context.Context, present []holdfast.Source, made *emergencyBackup, result *RestoreResult) (string, error) {
	err := r.savePresent(ctx, present, made, result)
	if unreadable(err) {
		message := "the present state could not be backed up: " + err.Error()
		result.Problems = append(result.Problems, r.problem(holdfast.Problem{Severity: holdfast.Warning, Message: message, Hint: "it is kept beside the target"}))
		return message, nil
	}
	return string(made.name), err
}

// savePresent backs up the present state of sources, verifies that backup, and finds
// what it lacks.
func (r *run) savePresent(ctx context.Context, present []holdfast.Source, made *emergencyBackup, result *RestoreResult) error {
	sub := *r
	sub.backup = ""
	b, err := sub.makeBackup(ctx, BackupRequest{Trigger: holdfast.TriggerEmergency}, present)
	if err != nil {
		return noEmergency(err)
	}
	made.name = b.Backup.Name
	sub.backup = made.name
	v, err := sub.verify(ctx, made.name, false)
	if err != nil {
		return err
	}
	if err := r.e.o.Repository.AddProof(ctx, made.name, v.Proof); err != nil {
		r.log.Warn("the proof of the emergency backup could not be recorded", keyError, err)
	}
	if len(v.Damage) > 0 {
		return &holdfast.Error{Op: "emergency backup", Object: string(made.name), Err: &holdfast.DamagedError{Backup: made.name, Problems: v.Damage}, Hint: "nothing was changed; check the disk of the repository"}
	}
	for _, p := range append(b.Problems, v.SourceProblems...) {
		lost := p.Severity == holdfast.Damaged || p.Severity == holdfast.Incomplete && !isMemoryProblem(p)
		if lost && p.Source != "" && made.lacks[p.Source] == "" {
			made.lacks[p.Source] = "the emergency backup of it has problems: " + p.Message
			result.Problems = append(result.Problems, holdfast.Problem{Source: p.Source, Object: p.Object, Severity: holdfast.Warning, Message: "in the state before the restore: " + p.Message})
		}
	}
	return nil
}

// noEmergency is the failure of the emergency backup. What stood in its way may have
// a hint of its own, which is not the whole of what can be done here.
func noEmergency(err error) error {
	hint := "nothing was changed; --no-emergency goes on without it and keeps the replaced state beside the target"
	if own := holdfast.HintOf(err); own != "" && errors.Is(err, holdfast.ErrRefused) {
		return &holdfast.Error{Op: "emergency backup", Err: holdfast.Kindf(holdfast.ErrRefused, "%v", err), Hint: own + "; " + hint}
	}
	return &holdfast.Error{Op: "emergency backup", Err: err, Hint: hint}
}

// unreadable tells whether a backup failed because the source itself cannot be
// captured, rather than for want of room, rights or time.
func unreadable(err error) bool {
	_, capture := errors.AsType[*captureError](err)
	if !capture {
		return false
	}
	for _, other := range []error{holdfast.ErrRefused, holdfast.ErrLocked, fs.ErrPermission, context.Canceled, context.DeadlineExceeded, syscall.ENOSPC, syscall.EROFS} {
		if errors.Is(err, other) {
			return false
		}
	}
	return true
}

// restoreElsewhere writes what was chosen into a directory of its own: the
// same tree as export, or parts of it. Nothing live is touched, so it needs none
// of the ceremony.
func (r *run) restoreElsewhere(ctx context.Context, req RestoreRequest, result *RestoreResult) error {
	search := r.e.search(req.Name, req.Only)
	p, err := r.extractCopy(ctx, search, req, result)
	for err != nil && search.leave(ctx, err) {
		p, err = r.extractCopy(ctx, search, req, result)
	}
	result.Problems = append(result.Problems, search.problems()...)
	if err != nil {
		return err
	}
	for _, t := range p.Targets {
		result.Restored = append(result.Restored, t.Source)
	}
	result.rememberMemory(p)
	return nil
}

// extractCopy writes what was chosen of one copy.
func (r *run) extractCopy(ctx context.Context, search *search, req RestoreRequest, result *RestoreResult) (*plan, error) {
	if search.at == nil {
		if _, err := search.next(ctx); err != nil {
			return nil, err
		}
	}
	p, b, err := r.planFor(ctx, search.at, req)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	result.Plan = &p.RestorePlan
	r.send(holdfast.Event{Step: holdfast.StepChoose, State: holdfast.Finished, Message: search.at.words()})
	parts := []string{"."}
	if len(req.Only) > 0 {
		parts = nil
		for _, t := range p.Targets {
			parts = append(parts, t.Source)
		}
		if p.Memory == memoryRestore {
			parts = append(parts, holdfast.MemoryDir)
		}
	}
	return p, r.step(ctx, holdfast.StepStage, func(ctx context.Context) (string, error) {
		if err := r.extractElsewhere(ctx, b, parts, req.To, holdfast.StepStage); err != nil {
			return "", err
		}
		if len(req.Only) > 0 && p.Memory == memoryRestore {
			return req.To, r.copyOut(b, holdfast.MemoryInfoFile, req.To)
		}
		return req.To, nil
	})
}

// copyOut writes one small file of a backup into a directory.
func (r *run) copyOut(b *repo.Backup, name, dir string) (err error) {
	f, err := b.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return durable.WriteFileFunc(r.e.o.FS, filepath.Join(dir, name), 0o600, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}
