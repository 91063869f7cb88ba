package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// BackupRequest asks for a backup; the zero value is a manual backup with an
// automatic name.
type BackupRequest struct {
	Name    string // custom name, or automatic
	Trigger holdfast.Trigger
	Type    holdfast.Type // empty: by Memory, else by the settings
	Memory  *bool         // nil: by Type, else by the settings
	Full    bool
	Note    string
	Pin     bool
	// IfChanged makes no backup if nothing has changed since the newest one:
	// the result then names that, and says Unchanged. What a person asked
	// for with a name, a note or a pin is always made, and so is a full
	// backup that is due. Where backups are stored whole, finding a change
	// costs one more read of the sources.
	IfChanged bool
}

// BackupResult tells what was made. Problems are what the exit code 3 is for.
type BackupResult struct {
	Backup repo.Info
	// Unchanged tells that Backup was there already (BackupRequest.IfChanged).
	Unchanged bool
	Form      Form
	Problems  []holdfast.Problem // all severities
}

// Incomplete tells whether something is damaged or missing in the backup.
func (r *BackupResult) Incomplete() bool {
	return slices.ContainsFunc(r.Problems, func(p holdfast.Problem) bool {
		return p.Severity == holdfast.Damaged || p.Severity == holdfast.Incomplete
	})
}

// Backup captures all sources as one set. A backup with problems is committed
// and returned without an error; the caller looks at Incomplete.
func (e *Engine) Backup(ctx context.Context, req BackupRequest) (*BackupResult, error) {
	r := e.start(ctx, "backup")
	var result *BackupResult
	told, err := r.surrounded(ctx, func(ctx context.Context, before announce, after *Verb) error {
		err := r.locked(ctx, func(ctx context.Context) (err error) {
			if err := r.accept(req, e.o.Sources); err != nil {
				return err
			}
			if err := before(ctx, Verb{Trigger: req.trigger(), Sources: namesOf(e.o.Sources)}); err != nil {
				return err
			}
			result, err = r.makeBackup(ctx, req, e.o.Sources)
			if err == nil {
				// No problems of the backup: its metadata is without them.
				result.Problems = slices.Concat(r.settled, result.Problems, r.tellHold(ctx))
			}
			return err
		})
		if err == nil {
			result.tell(after)
		}
		return err
	})
	if err != nil {
		r.send(holdfast.Event{Step: holdfast.StepResult, State: holdfast.Failed, Message: err.Error()})
		return nil, err
	}
	result.Problems = append(result.Problems, told...)
	message := string(result.Backup.Name)
	if result.Unchanged {
		message = nothingChanged(result.Backup.Name)
	}
	r.send(holdfast.Event{Step: holdfast.StepResult, State: holdfast.Finished, Message: message})
	return result, nil
}

// tell says what became of a backup.
func (r *BackupResult) tell(v *Verb) {
	v.Backup, v.Unchanged, v.Problems = r.Backup.Name, r.Unchanged, r.Problems
	if m := r.Backup.Metadata; m != nil && !r.Unchanged {
		v.Stored = m.StoredBytes
	}
}

// Preflight looks whether a backup could be made, as Backup does first, and
// writes nothing. It needs no repository, so that none is made for a backup that
// cannot be.
func (e *Engine) Preflight(ctx context.Context, req BackupRequest) error {
	_, err := e.start(ctx, "preflight").preflight(ctx, req, e.o.Sources)
	return err
}

// A captureError tells that a source could not be captured, as opposed to
// everything else that may stop a backup. It adds the name of the source; what
// was done, and to which path, the source itself says.
type captureError struct {
	source string
	err    error
}

func (c *captureError) Error() string { return "source " + c.source + ": " + c.err.Error() }
func (c *captureError) Unwrap() error { return c.err }

// makeBackup is a backup of some sources, under the lease.
func (r *run) makeBackup(ctx context.Context, req BackupRequest, sources []holdfast.Source) (*BackupResult, error) {
	var b *backup
	err := r.step(ctx, holdfast.StepPreflight, func(ctx context.Context) (message string, err error) {
		b, err = r.preflight(ctx, req, sources)
		if err != nil {
			return "", err
		}
		if b.form, err = b.chooseForm(ctx); err != nil {
			return "", err
		}
		r.log.Info("form chosen", keyForm, b.form.String())
		return fmt.Sprintf("about %s to read, stored as a %s", humanize.IBytes(uint64(b.estimate)), b.form), nil
	})
	if err != nil {
		return nil, err
	}
	result, err := b.makeOnce(ctx)
	if err == nil {
		b.refreshMirrors(ctx, result)
	}
	return result, err
}

// makeOnce makes the backup as it is planned, or afresh if what it rests on is
// damaged; or none, if none is needed.
func (b *backup) makeOnce(ctx context.Context) (*BackupResult, error) {
	if b.ifChanged && b.form.Base == "" {
		if result, err := b.compare(ctx); result != nil || err != nil {
			return result, err
		}
	}
	known := slices.Clone(b.problems)
	result, err := b.make(ctx)
	if bad, ok := errors.AsType[*baseError](err); ok {
		return b.afresh(bad, known).make(ctx)
	}
	return result, err
}

// A backup is one backup being made.
type backup struct {
	*run
	repository *repo.Repository
	sources    []holdfast.Source // in the order of their capture
	name       holdfast.BackupName
	exact      bool
	trigger    holdfast.Trigger
	memory     bool
	full       bool
	pin        bool
	note       string
	ifChanged  bool  // give it up if it would hold nothing new
	trial      bool  // it is made for that comparison alone
	estimate   int64 // bytes to read
	problems   []holdfast.Problem

	form  Form
	chain *holdfast.Chain    // of a delta
	base  *holdfast.Metadata // of what the form is based on, nil for a full
	// unreadable tells that what the form is based on is encrypted, and that
	// there is no key here.
	unreadable bool
	pending    *repo.Pending
	captured   []holdfast.SourceMetadata
	taken      taken
}

func (b *backup) make(ctx context.Context) (_ *BackupResult, err error) {
	begun := b.e.o.Now()
	opts := repo.CreateOptions{
		Compress: b.e.o.Settings.Compress, Base: b.form.Base,
		// The state before a restore is no good base for what comes after it.
		Remember: b.trigger != holdfast.TriggerEmergency,
		Progress: b.taken.observe(b.progress(holdfast.StepCapture, ""), b.estimate),
	}
	if b.e.o.Settings.MaxBackupSet {
		opts.MaxStored = b.e.o.Settings.MaxBackupBytes
	}
	b.pending, err = b.repository.Create(ctx, b.name, b.exact, opts)
	if err != nil {
		return nil, spaceError(err)
	}
	b.run.backup = b.pending.Name()
	defer func() {
		if err == nil {
			return
		}
		cleanup, cancel := detached(ctx)
		defer cancel()
		err = spaceError(err)
		if aerr := b.pending.Abort(cleanup); aerr != nil {
			err = errors.Join(err, fmt.Errorf("remove the unfinished backup %s: %w", b.pending.Name(), aerr))
		}
	}()

	for _, s := range b.sources {
		if err := b.capture(ctx, s); err != nil {
			return nil, err
		}
	}
	if b.trial && !b.sourcesUnchanged() {
		return nil, errSomethingNew
	}
	if b.memory {
		if err := b.step(ctx, holdfast.StepExport, b.exportMemory); err != nil {
			return nil, err
		}
	}
	if b.ifChanged {
		newest, err := b.nothingNew(ctx)
		switch {
		case err != nil:
			return nil, err
		case newest != nil:
			return b.giveUp(ctx, *newest)
		case b.trial:
			return nil, errSomethingNew
		}
	}
	if err := b.recordQuestions(ctx); err != nil {
		return nil, err
	}
	var info repo.Info
	err = b.step(ctx, holdfast.StepCommit, func(ctx context.Context) (_ string, err error) {
		if limit := b.e.o.Settings.MaxBackupBytes; limit > 0 && !b.e.o.Settings.MaxBackupSet && b.pending.Stored() > limit {
			b.add(holdfast.Problem{
				Severity: holdfast.Warning, Object: string(b.pending.Name()),
				Message: fmt.Sprintf("%s are stored, more than the usual limit of %s", humanize.IBytes(uint64(b.pending.Stored())), humanize.IBytes(uint64(limit))),
				Hint:    "set MAX_BACKUP_SIZE_MB to the limit you want to hold",
			})
		}
		if err := b.watch(ctx); err != nil {
			return "", err
		}
		info, err = b.pending.Commit(ctx, b.metadata(begun))
		return string(info.Name), err
	})
	if err != nil {
		return nil, err
	}
	return &BackupResult{Backup: b.pinned(ctx, info), Form: b.form.chosen(info.Metadata), Problems: slices.Concat(b.problems, b.pending.Notices())}, nil
}

// capture captures and checks one source.
func (b *backup) capture(ctx context.Context, s holdfast.Source) error {
	return b.stepOf(ctx, holdfast.StepCapture, s.Name(), func(ctx context.Context) (string, error) {
		begun := time.Now()
		got, err := s.Capture(ctx, b.sink(s))
		if err != nil {
			if ctx.Err() != nil {
				return "", context.Cause(ctx)
			}
			return "", &captureError{source: s.Name(), err: err}
		}
		if err := b.reach(ctx); err != nil {
			return "", err
		}
		md := holdfast.SourceMetadata{
			Name: s.Name(), Kind: s.Kind(), Path: s.Target().Path, Method: got.Method,
			WriterStallMS: float64(got.Stall.Microseconds()) / 1000,
			Facts:         got.Facts,
		}
		b.add(named(s.Name(), got.Problems)...)
		if err := b.check(ctx, s, &md); err != nil {
			return "", err
		}
		md.DurationMS = time.Since(begun).Milliseconds()
		md.Files, md.LogicalBytes, md.StoredBytes = b.pending.SourceTotals(s.Name())
		b.captured = append(b.captured, md)
		return got.Method, nil
	})
}

// check opens the captured copy as its owner would, within the budget, unless
// that was done already with the same bytes.
func (b *backup) check(ctx context.Context, s holdfast.Source, md *holdfast.SourceMetadata) error {
	if b.unreadable {
		return b.leaveUnchecked(ctx, s, md)
	}
	if facts, ok := b.checkOf(s); ok {
		md.Facts = mergeFacts(facts, md.Facts)
		return nil
	}
	sub, err := fs.Sub(b.pending.FS(), s.Name())
	if err != nil {
		return err
	}
	report, err := s.Check(ctx, sub, holdfast.CheckOptions{Budget: b.e.o.Settings.CheckBudget})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case b.blamesBase(err):
		return &baseError{base: b.form.Base, err: err}
	case err != nil:
		b.add(holdfast.Problem{Source: s.Name(), Severity: holdfast.Warning, Message: messageUncheckable + ": " + err.Error(), Hint: "run `holdfast verify " + string(b.pending.Name()) + "`"})
	default:
		md.Facts = mergeFacts(report.Facts, md.Facts)
		b.add(named(s.Name(), report.Problems)...)
	}
	return nil
}

// add records problems once each: a capture and the check of its copy may
// find the same one.
func (b *backup) add(problems ...holdfast.Problem) {
	for _, p := range problems {
		if !slices.Contains(b.problems, p) {
			b.problems = append(b.problems, b.problem(p))
		}
	}
}

// named fills in the source of problems.
func named(source string, problems []holdfast.Problem) []holdfast.Problem {
	out := slices.Clone(problems)
	for i := range out {
		if out[i].Source == "" {
			out[i].Source = source
		}
	}
	return out
}

// metadata says what the backup is.
func (b *backup) metadata(begun time.Time) *holdfast.Metadata {
	host, err := os.Hostname()
	if err != nil {
		b.log.Info("the name of this machine is unknown", keyError, err)
	}
	m := &holdfast.Metadata{
		CreatedAt:      holdfast.At(begun),
		Type:           typeOf(b.memory),
		IncludesMemory: b.memory,
		RAGMode:        string(typeOf(b.memory)),
		Trigger:        b.trigger,
		Chain:          b.chain,
		Sources:        b.captured,
		DurationMS:     b.e.o.Now().Sub(begun).Milliseconds(),
		Problems:       b.problems,
		Note:           b.note,
		Host:           host,
		ToolVersion:    b.e.o.ToolVersion,
	}
	for _, s := range b.sources {
		if ms, ok := s.(holdfast.MemorySource); ok && ms.RAGMode() != "" {
			m.RAGMode = ms.RAGMode()
			break
		}
	}
	for _, s := range b.captured {
		m.WriterStallMS = max(m.WriterStallMS, s.WriterStallMS)
	}
	m.DatabaseInfo = databaseInfo(b.captured)
	return m
}

func typeOf(memory bool) holdfast.Type {
	if memory {
		return holdfast.Enhanced
	}
	return holdfast.Standard
}

// databaseInfo is the manual's summary: of the first database, or of the
// first source if none is a database.
func databaseInfo(sources []holdfast.SourceMetadata) holdfast.DatabaseInfo {
	if len(sources) == 0 {
		return holdfast.DatabaseInfo{}
	}
	first := sources[0]
	for _, s := range sources {
		if s.Kind != holdfast.KindFiles {
			first = s
			break
		}
	}
	records, _ := first.Facts.Records()
	const mb = 1e6
	return holdfast.DatabaseInfo{
		TotalRecords:   records,
		DatabasePath:   first.Path,
		DatabaseSizeMB: float64(first.LogicalBytes*100/mb) / 100,
	}
}

// pinned pins the new backup if that was asked for. The backup stands without
// its pin, so a failure is a problem of it and no error.
func (b *backup) pinned(ctx context.Context, info repo.Info) repo.Info {
	if !b.pin {
		return info
	}
	if err := b.repository.SetPinned(ctx, info.Name, true); err != nil {
		b.add(holdfast.Problem{Object: string(info.Name), Severity: holdfast.Incomplete, Message: "the backup was made but not pinned: " + err.Error(), Hint: "run `holdfast pin " + string(info.Name) + "`"})
		return info
	}
	info.Pinned = true
	return info
}
