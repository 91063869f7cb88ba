package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"sync"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/hook"
)

// emergencyOfParts backs up what a restore by requests replaces, and verifies that
// backup. Unlike files, which can be put aside whatever they hold, a store that cannot be
// read is left alone.
func (r *run) emergencyOfParts(ctx context.Context, w *partsWork, decline bool, result *RestoreResult) (emergencyBackup, error) {
	made := emergencyBackup{lacks: map[string]string{}}
	narrow := w.store.Narrow(w.replaced())
	now, err := narrow.Inspect(ctx, holdfast.InspectOptions{})
	switch {
	case err != nil:
		return made, noEmergency(err)
	case decline:
		r.skip(holdfast.StepEmergency, "declined with --no-emergency; what is replaced is kept in the store under another name")
		return made, nil
	case !r.e.o.Settings.EmergencyBackup:
		const why = "EMERGENCY_BACKUP_ENABLED=false; what is replaced is kept in the store under another name"
		r.skip(holdfast.StepEmergency, why)
		result.Problems = append(result.Problems, r.problem(holdfast.Problem{Severity: holdfast.Warning, Message: "no emergency backup was made: " + why}))
		return made, nil
	case !now.Exists:
		r.skip(holdfast.StepEmergency, "there is nothing at the target yet")
		return made, nil
	}
	err = r.step(ctx, holdfast.StepEmergency, func(ctx context.Context) (string, error) {
		return string(made.name), r.savePresent(ctx, []holdfast.Source{narrow}, &made, result)
	})
	if err == nil {
		result.Emergency = made.name
	}
	return made, err
}

// A partsCeremony changes one store by requests: what restore, rollback and import of a
// running store share.
type partsCeremony struct {
	*run
	w       *partsWork
	journal *partsJournal
	result  *RestoreResult
	options holdfast.PartOptions
	telling *steps
}

// newPartsCeremony plans the change of a store. Its journal is seen when the store leaves
// its first note.
func (r *run) newPartsCeremony(w *partsWork, p *plan, emergency emergencyBackup, result *RestoreResult) *partsCeremony {
	now := r.e.o.Now()
	c := &partsCeremony{run: r, w: w, result: result, telling: &steps{run: r, source: w.source}}
	c.journal = &partsJournal{
		Version: journalVersion, ID: r.id, Op: r.op, Backup: p.Backup.Name, Import: p.Import, Emergency: emergency.name, Begun: holdfast.At(now),
		lastParts: lastParts{Store: w.store.Name(), Kind: w.store.Kind(), Location: w.store.Target().Path, Wanted: w.wanted, Rows: w.rows()},
	}
	c.options = holdfast.PartOptions{
		Stamp: strings.ReplaceAll(now.UTC().Format("20060102T150405.000"), ".", ""),
		Note:  c.note, AcceptLosses: p.acceptLosses, KeepReplaced: p.keepReplaced || emergency.lacks[w.store.Name()] != "",
		Step: c.telling.begin, Progress: c.telling.progress,
	}
	return c
}

// note makes a note of the store durable.
func (c *partsCeremony) note(note json.RawMessage) error {
	before := *c.journal
	c.journal.Phase, c.journal.Note = partsChanging, bytes.Clone(note)
	if err := c.e.savePartsJournal(c.journal); err != nil {
		*c.journal = before
		return err
	}
	return nil
}

// carryOut changes the store and records it. On an error the store is as it was, or the
// error says that it is not.
func (c *partsCeremony) carryOut(ctx context.Context) error {
	if c.journal.Emergency != "" {
		b, err := c.e.o.Repository.Backup(ctx, c.journal.Emergency)
		if err != nil {
			return err
		}
		defer b.Close() // and is readable until then, since what undoes outlives an interruption
		if c.options.Replaced, err = fs.Sub(b, c.w.store.Name()); err != nil {
			return err
		}
	}
	done, err := c.w.store.RestoreParts(ctx, c.w.copied, c.w.wanted, c.options)
	c.result.Problems = append(c.result.Problems, c.told(done.Problems)...)
	if err != nil {
		c.telling.fail(err)
		return c.abandon(done, spaceError(err))
	}
	c.telling.end()
	c.journal.tell(done)
	if c.journal.Note == nil {
		c.journal.Note = json.RawMessage("{}") // it had nothing to change that a crash could leave half done
	}
	// The new state stands: a cancellation comes too late.
	ctx, cancel := detached(ctx)
	defer cancel()
	c.journal.Phase = partsChanged
	if err := c.e.savePartsJournal(c.journal); err != nil {
		return &holdfast.Error{Op: c.op, Err: err, Hint: "the new state is in place; run `holdfast recover` to complete its record"}
	}
	c.tellMemory()
	return c.finishParts(ctx, c.journal, c.result)
}

func (c *partsCeremony) told(problems []holdfast.Problem) []holdfast.Problem {
	all := named(c.w.source, problems)
	for _, p := range all {
		c.problem(p)
	}
	return all
}

// tellMemory says what became of memory.
func (c *partsCeremony) tellMemory() {
	switch {
	case c.result.Plan == nil:
	case c.result.Plan.Memory == memoryRestore:
		c.send(holdfast.Event{Step: holdfast.StepMemory, State: holdfast.Started})
		c.send(holdfast.Event{Step: holdfast.StepMemory, State: holdfast.Finished, Message: "came with its collections"})
	default:
		c.skip(holdfast.StepMemory, c.result.Plan.Memory)
	}
}

// abandon tells what a store that failed has left. The undoing itself was the store's.
func (c *partsCeremony) abandon(done holdfast.PartResult, cause error) error {
	if c.journal.Note == nil {
		return cause // nothing was changed
	}
	c.send(holdfast.Event{Step: holdfast.StepRollback, State: holdfast.Started, Source: c.w.source})
	if !done.Undone {
		c.send(holdfast.Event{Step: holdfast.StepRollback, State: holdfast.Failed, Source: c.w.source, Message: errHalf})
		return &holdfast.Error{Err: halfError{cause}, Hint: "nothing is lost: as soon as " + c.w.store.Target().Path + " answers, `holdfast recover` finishes or undoes it"}
	}
	if err := c.e.removePartsJournal(); err != nil {
		return errors.Join(cause, &holdfast.Error{Op: "end the journal of", Object: c.w.source, Err: err, Hint: "the previous state is in place; run `holdfast recover`"})
	}
	c.result.RolledBack = true
	c.send(holdfast.Event{Step: holdfast.StepRollback, State: holdfast.Finished, Source: c.w.source, Message: "the previous state is in place"})
	return cause
}

// errHalf is what is known of a store that could not undo what it had begun.
const errHalf = "the previous state is not back in place: the store was not reached, or refused"

// A halfError is what a store failed with that could not undo what it had begun: one line,
// of which the journal is what matters. So the hints of its causes are not those to
// follow, while what kind of failure it was still counts.
type halfError struct{ cause error }

// Error implements error.
func (e halfError) Error() string {
	return strings.ReplaceAll(e.cause.Error(), "\n", "; ") + "; " + errHalf
}

// Is implements the interface of errors.Is.
func (e halfError) Is(target error) bool { return errors.Is(e.cause, target) }

// finishParts ends a restore by requests whose new state stands: clients are told, what a
// rollback needs is recorded, the journal goes. Each part can be repeated.
func (r *run) finishParts(ctx context.Context, j *partsJournal, result *RestoreResult) error {
	if err := r.reload(ctx, j); err != nil {
		result.Problems = append(result.Problems, r.problem(holdfast.Problem{Source: j.Store, Severity: holdfast.Incomplete, Message: err.Error(), Hint: holdfast.HintOf(err)}))
	}
	if err := r.confirmParts(ctx, j); err != nil {
		result.Problems = append(result.Problems, r.problem(holdfast.Problem{Source: j.Store, Severity: holdfast.Incomplete, Message: "what was restored was read back and compared, but the store cannot be looked at now: " + err.Error()}))
	}
	if err := r.recordLastParts(j); err != nil {
		return &holdfast.Error{Op: r.op, Err: err, Hint: "the new state is in place; run `holdfast recover` to complete its record"}
	}
	if len(j.Kept) > 0 {
		why := "it was asked for, or is in no backup"
		if j.Emergency == "" {
			why = "no emergency backup was made"
		}
		for _, name := range j.Kept {
			result.Problems = append(result.Problems, r.problem(holdfast.Problem{Source: j.Store, Object: name, Severity: holdfast.Warning, Message: "the replaced state is kept here: " + why, Hint: "remove it when you are sure"}))
		}
	}
	result.Parts = append(result.Parts, PartsResult{Source: j.Store, PartResult: holdfast.PartResult{Changes: j.Changes, Reload: j.Reload, Kept: j.Kept}})
	return r.e.removePartsJournal()
}

// mostReload bounds the names that a command gets in its environment, in bytes.
const mostReload = 64 << 10

// reload tells clients which tables they have to look up again.
func (r *run) reload(ctx context.Context, j *partsJournal) error {
	line := r.e.o.Hooks.Reload
	if line == "" {
		r.skip(holdfast.StepStart, cmp.Or(reloadWords(j.Reload), "nothing was stopped, and no reload hook is configured"))
		return nil
	}
	names := strings.Join(j.Reload, "\n")
	if len(names) > mostReload {
		names = "*" // whoever is told that looks up everything again
	}
	return r.step(ctx, holdfast.StepStart, func(ctx context.Context) (string, error) {
		err := hook.Run(ctx, hook.Command{
			Line: line, Timeout: r.e.o.Hooks.Timeout,
			Env: []string{"HOLDFAST_OP=" + r.op, "HOLDFAST_BACKUP=" + string(j.Backup), "HOLDFAST_SOURCE_NAMES=" + j.Store, "HOLDFAST_RELOAD=" + names},
		})
		if err != nil {
			return "", &holdfast.Error{Op: "reload hook", Err: err, Hint: "the new state is in place; correct the command, and let clients look their collections up again"}
		}
		return reloadWords(j.Reload), nil
	})
}

func reloadWords(names []string) string {
	if len(names) == 0 {
		return ""
	}
	shown := names[:min(len(names), 3)]
	words := "clients look these up again: " + strings.Join(shown, ", ")
	if more := len(names) - len(shown); more > 0 {
		words += " and " + count(more, "more", "more")
	}
	return words
}

// confirmParts looks at the store once more.
func (r *run) confirmParts(ctx context.Context, j *partsJournal) error {
	store := r.e.storeAt(j.Kind, j.Location)
	if store == nil {
		r.skip(holdfast.StepConfirm, "the store is not at hand")
		return nil
	}
	return r.step(ctx, holdfast.StepConfirm, func(ctx context.Context) (string, error) {
		now, err := store.Inspect(ctx, holdfast.InspectOptions{Counts: true})
		if err != nil {
			return "", err
		}
		if n, ok := now.Facts.Records(); ok {
			return j.Store + ": " + count(n, "record", "records"), nil
		}
		return "", nil
	})
}

// recordLastParts makes a restore by requests undoable, and a rollback final.
func (r *run) recordLastParts(j *partsJournal) error {
	last := &lastRestore{Version: journalVersion, ID: j.ID, At: holdfast.At(r.e.o.Now()), Backup: j.Backup, Import: j.Import, Emergency: j.Emergency, Targets: []lastTarget{}, Parts: &j.lastParts}
	if j.Op == opRollback {
		at := last.At
		last.Undone = &at
	}
	return r.e.writeState(lastRestoreFile, last)
}

// steps tells the steps of a store as those of the verb. Stage and check of many tables
// alternate; each step is told once, and has ended when the swap begins.
type steps struct {
	run    *run
	source string

	mu   sync.Mutex
	open []holdfast.Step
	told map[holdfast.Step]func(path string, done, total int64)
}

func (s *steps) begin(step holdfast.Step, table string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tell, known := s.told[step]; known {
		tell(table, 0, 0)
		return
	}
	if step != holdfast.StepStage && step != holdfast.StepCheck {
		s.close()
	}
	if s.told == nil {
		s.told = map[holdfast.Step]func(string, int64, int64){}
	}
	s.told[step] = s.run.progress(step, s.source)
	s.open = append(s.open, step)
	s.run.send(holdfast.Event{Step: step, State: holdfast.Started, Source: s.source, Path: table})
}

func (s *steps) progress(step holdfast.Step, table string, done, total int64) {
	s.mu.Lock()
	tell, known := s.told[step]
	s.mu.Unlock()
	if known {
		tell(table, done, total)
	}
}

// end tells that what was begun has ended well.
func (s *steps) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.close()
}

func (s *steps) close() {
	for _, step := range s.open {
		s.run.send(holdfast.Event{Step: step, State: holdfast.Finished, Source: s.source})
	}
	s.open = nil
}

// fail tells that the step at hand has failed, and that those before it have not.
func (s *steps) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) == 0 {
		return
	}
	last := s.open[len(s.open)-1]
	s.open = s.open[:len(s.open)-1]
	s.close()
	s.run.send(holdfast.Event{Step: last, State: holdfast.Failed, Source: s.source, Message: err.Error()})
}
