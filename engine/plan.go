package engine

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/repo"
)

// RestoreRequest chooses what to restore, and where.
type RestoreRequest struct {
	Name        string   // name or latest: with Only, the newest that has all of it
	Only        []string // source names, or "memory"; none is everything
	To          string   // restore elsewhere: a directory that does not exist or is empty
	NoEmergency bool
	// Force goes on although processes hold a target open, or although the
	// source was damaged already when it was captured.
	Force  bool
	Online bool // SQLite: through SQLite's own transaction
	// Parts are what is wanted of single sources, in place of all of them: of tables and
	// collections, of rows and records. A source is called by its name, or by its kind
	// where the backup has one of that kind. Only the sources with parts are restored,
	// and Only may name no others.
	Parts map[string][]holdfast.Part
	// Into is the store that takes the one source of its kind, or the one that Only or
	// Parts name, in place of the configured one.
	Into holdfast.PartRestorer
	// AcceptLosses goes on although a store cannot keep all of what comes.
	AcceptLosses bool
	// KeepReplaced keeps what is replaced in a running store, under another name.
	KeepReplaced bool
	// Commands start the owner of a source of a kind on a directory, which is needed
	// where a directory is to be made of the records of a server.
	Commands map[holdfast.Kind]string
}

// RestorePlan tells what a restore would do, before it does.
type RestorePlan struct {
	Backup   repo.Info
	Import   string // what is brought in, in place of a backup; empty: Backup
	From     string // the replica whose copy is taken; empty: that of the repository
	Targets  []TargetPlan
	Memory   string // "restore", or why it is skipped
	Warnings []holdfast.Problem
	Bytes    int64 // to be written
	// Obstacle is why the restore would be refused as things are; nil: it would be
	// begun.
	Obstacle error
}

// TargetPlan is the plan for one source: what is there now, what is in the
// backup.
type TargetPlan struct {
	Source  string
	Kind    holdfast.Kind
	Path    string
	Method  string // "rename", "in place" (mount point, other device), "online", "requests", "copy" (restore elsewhere)
	Exists  bool
	Now     holdfast.Facts
	Backup  holdfast.Facts
	Bytes   int64
	Memory  bool     // only the memory of the source changes
	Handles []Handle // live processes that hold the target open
	// Wanted are the parts that were asked for; none is the whole source.
	Wanted []holdfast.Part
	// Parts is what would become of the tables of a store that is changed by requests;
	// nil of any other.
	Parts *holdfast.PartPlan
}

// memoryPart is the name that chooses memory alone.
const memoryPart = "memory"

// methodCopy is the method of a restore to another place.
const methodCopy = "copy"

// memoryRestore is what a plan says if memory comes back.
const memoryRestore = "restore"

// PlanRestore tells what Restore would do and changes nothing.
func (e *Engine) PlanRestore(ctx context.Context, req RestoreRequest) (*RestorePlan, error) {
	if err := req.plausible(); err != nil {
		return nil, err
	}
	e, err := e.with(req.Into).standIn(ctx, req.Name, req.parted())
	if err != nil {
		return nil, err
	}
	r := e.start(ctx, "plan")
	p, b, err := r.plan(ctx, req)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	p.Obstacle = cmp.Or(p.refuseLosses(), (&run{e: e, op: opRestore}).refuseEarly(p, req.Force))
	return &p.RestorePlan, p.roomForAll(r)
}

// A plan is a RestorePlan with what is needed to carry it out.
type plan struct {
	RestorePlan
	works []*work
	// parts are what is changed by requests: one store, with no works beside it.
	parts []*partsWork
	// acceptLosses and keepReplaced are those of the request.
	acceptLosses, keepReplaced bool
}

// A work is what is to be done for one source.
type work struct {
	source holdfast.Source
	target holdfast.Target
	path   string // resolved
	method string
	bytes  int64
	// fill puts the new set into the stage; nil if there is none to fill.
	fill func(ctx context.Context, dir string) error
	// back brings an earlier aside back instead.
	back []move
	// memory tells that only the memory of the source changes: the stage
	// begins as a copy of the present state.
	memory bool
	// savedState identifies what was there before the emergency backup.
	savedState string
	// acceptDamage takes a set that fails its check.
	acceptDamage bool
	// wanted are the collections that are replaced in a copy of the present state.
	wanted []holdfast.Part
	// notes are what filling the stage found worth telling.
	notes []holdfast.Problem
}

// plan chooses the nearest copy of the backup and works out what to do. The
// caller closes the backup.
func (r *run) plan(ctx context.Context, req RestoreRequest) (*plan, *repo.Backup, error) {
	f, err := r.e.findParts(ctx, req.Name, req.parted(), nil)
	if err != nil {
		return nil, nil, err
	}
	return r.planFor(ctx, f, req)
}

// planFor works out what to do with one copy of a backup.
func (r *run) planFor(ctx context.Context, f *found, req RestoreRequest) (_ *plan, _ *repo.Backup, err error) {
	r.backup = f.info.Name
	b, err := f.at.Backup(ctx, f.info.Name)
	if err != nil {
		return nil, nil, err
	}
	b.Until(ctx)
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
	f.info.Metadata = b.Metadata() // of an encrypted one, more than the list knows
	p := &plan{RestorePlan: RestorePlan{Backup: f.info, From: f.from, Warnings: f.told()}, acceptLosses: req.AcceptLosses, keepReplaced: req.KeepReplaced}
	if req, err = req.resolved(b); err != nil {
		return nil, nil, err
	}
	chosen, memoryOnly, err := selectSources(b.Metadata(), req.Only)
	if err != nil {
		return nil, nil, err
	}
	if req.To != "" {
		p.elsewhere(b, chosen, memoryOnly, req.To)
		err := r.e.checkElsewhere(req.To)
		if err == nil && exists(req.To) {
			err = mustBeEmptyDir(req.To)
		}
		return p, b, err
	}
	if err := r.e.checkOverlap(); err != nil {
		return nil, nil, err
	}
	for _, md := range chosen {
		if err := r.planSource(ctx, p, b, md, req); err != nil {
			return nil, nil, err
		}
	}
	if err := r.planMemory(ctx, p, b, memoryOnly, req); err != nil {
		return nil, nil, err
	}
	if err := cmp.Or(p.refuseParts(), p.refuseNested()); err != nil {
		return nil, nil, err
	}
	return p, b, r.lookForHandles(ctx, p)
}

// lookForHandles adds to a plan who holds its targets open.
func (r *run) lookForHandles(ctx context.Context, p *plan) error {
	if r.e.o.Settings.AllowLiveHandles || len(p.works) == 0 {
		return nil
	}
	found, asked, err := handlesOf(ctx, p.works)
	if err != nil {
		return err
	}
	if !asked {
		p.Warnings = append(p.Warnings, holdfast.Problem{Severity: holdfast.Warning, Message: "this system cannot tell which processes have the targets open", Hint: "make sure that nothing uses them"})
	}
	for i := range p.Targets {
		p.Targets[i].Handles = found[i]
	}
	return nil
}

// selectSources gives the sources of a backup that were asked for, and whether
// memory was asked for by itself.
func selectSources(m *holdfast.Metadata, only []string) (chosen []holdfast.SourceMetadata, memory bool, err error) {
	if len(only) == 0 {
		return m.Sources, false, nil
	}
	names := make([]string, 0, len(m.Sources)+1)
	for _, s := range m.Sources {
		names = append(names, s.Name)
		if slices.Contains(only, s.Name) {
			chosen = append(chosen, s)
		}
	}
	for _, o := range only {
		if o == memoryPart {
			memory = true
			if !m.IncludesMemory {
				return nil, false, &holdfast.Error{Op: "restore memory from", Object: string(m.BackupName), Err: holdfast.Kindf(holdfast.ErrNotFound, "the backup includes no memory"), Hint: "choose a backup of type enhanced"}
			}
		} else if !slices.Contains(names, o) {
			return nil, false, &holdfast.Error{Op: "restore", Object: o, Err: holdfast.Kindf(holdfast.ErrNotFound, "backup %s has no such source", m.BackupName), Hint: "it has: " + strings.Join(names, ", ")}
		}
	}
	return chosen, memory, nil
}

// elsewhere plans a restore to another place.
func (p *plan) elsewhere(b *repo.Backup, chosen []holdfast.SourceMetadata, memoryOnly bool, to string) {
	for _, md := range chosen {
		t := TargetPlan{Source: md.Name, Kind: md.Kind, Path: filepath.Join(to, md.Name), Method: methodCopy, Backup: md.Facts, Bytes: md.LogicalBytes}
		p.Targets = append(p.Targets, t)
		p.Bytes += t.Bytes
	}
	p.Memory = "the backup includes none"
	if b.Metadata().IncludesMemory {
		p.Memory = "not asked for"
		if memoryOnly || len(chosen) == len(b.Metadata().Sources) {
			p.Memory = memoryRestore
		}
	}
}

// planSource plans one source in its place.
func (r *run) planSource(ctx context.Context, p *plan, b *repo.Backup, md holdfast.SourceMetadata, req RestoreRequest) error {
	store, wanted, err := r.storeFor(req, md)
	if err != nil {
		return err
	}
	copied, err := fs.Sub(b, md.Name)
	if err != nil {
		return err
	}
	if store != nil {
		return r.planParts(ctx, p, &partsWork{store: store, source: md.Name, wanted: wanted, copied: copied}, md)
	}
	w, err := r.newSourceWork(md, req)
	if err != nil {
		return err
	}
	w.bytes = sizeOf(b, []string{md.Name})
	w.fill = func(ctx context.Context, dir string) error {
		return b.Extract(ctx, md.Name, dir, r.e.o.FS, r.progress(holdfast.StepStage, md.Name))
	}
	switch {
	case len(req.Parts[md.Name]) > 0:
		err = r.planCollections(ctx, w, copied, req.Parts[md.Name])
	default:
		err = r.planBuild(w, copied, md, req.Commands, req.AcceptLosses)
	}
	if err != nil {
		return err
	}
	return r.addTarget(ctx, p, w, md)
}

// newSourceWork finds the place of a source that goes in by its files.
func (r *run) newSourceWork(md holdfast.SourceMetadata, req RestoreRequest) (*work, error) {
	s := r.e.source(md.Name)
	if s == nil || s.Kind() != md.Kind {
		why := "it is not configured here"
		if s != nil {
			why = fmt.Sprintf("it is a %s in the backup, but a %s here", md.Kind, s.Kind())
		}
		return nil, &holdfast.Error{Op: "restore", Object: md.Name, Err: holdfast.Kindf(holdfast.ErrRefused, "%s, so there is no place to restore it to", why), Hint: "restore it elsewhere with --to DIR, choose others with --only, or configure it"}
	}
	target := s.Target()
	if shaper, ok := s.(holdfast.TargetShaper); ok {
		target = shaper.TargetFor(md.Facts)
	}
	w, err := newWork(s, target)
	if err != nil {
		return nil, err
	}
	w.acceptDamage = req.Force
	if req.Online {
		if _, ok := s.(holdfast.OnlineRestorer); !ok {
			return nil, &holdfast.Error{Op: "restore online", Object: md.Name, Err: holdfast.Kindf(holdfast.ErrUsage, "a source of kind %s cannot be restored online", md.Kind), Hint: "choose a SQLite source with --only"}
		}
		if exists(w.path) {
			w.method = methodOnline
		}
	}
	return w, nil
}

// addTarget looks at the present state of a target and adds both to the plan.
func (r *run) addTarget(ctx context.Context, p *plan, w *work, md holdfast.SourceMetadata) error {
	t := TargetPlan{Source: md.Name, Kind: md.Kind, Path: w.path, Method: w.method, Wanted: w.wanted, Backup: md.Facts, Bytes: w.bytes, Memory: w.memory, Exists: exists(w.path)}
	warn := func(hint, format string, args ...any) {
		p.Warnings = append(p.Warnings, holdfast.Problem{Source: md.Name, Severity: holdfast.Warning, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
	if t.Exists {
		now, err := w.source.Inspect(ctx, holdfast.InspectOptions{Counts: true})
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			warn("", "the present state cannot be read: %v", err)
		default:
			t.Now = now.Facts
		}
	}
	if now, then := t.Now.Chroma, t.Backup.Chroma; now != nil && then != nil && then.Schema.Newer(now.Schema) {
		warn("use a Chroma at least as new as the one that wrote the backup", "the backup was written by a newer Chroma (%s) than the directory there now (%s)", then.Schema.Release, now.Schema.Release)
	}
	for _, problem := range p.problems() {
		if problem.Source == md.Name && problem.Severity == holdfast.Damaged {
			warn("choose an older backup, or restore with --force", "the source was damaged already when it was captured: %s", describe(problem))
		}
	}
	p.works = append(p.works, w)
	p.Targets = append(p.Targets, t)
	p.Bytes += t.Bytes
	return nil
}

// problems are what was known of a backup when it was made.
func (p *plan) problems() []holdfast.Problem {
	if p.Backup.Metadata == nil { // it is an import
		return nil
	}
	return p.Backup.Metadata.Problems
}

// newWork finds the place of a source and how a new set gets there.
func newWork(s holdfast.Source, target holdfast.Target) (*work, error) {
	if target.Remote {
		return nil, &holdfast.Error{
			Op: "restore", Object: s.Name(), Err: holdfast.Kindf(holdfast.ErrRefused, "it is the server at %s, where no files can be put", target.Path),
			Hint: "restore it elsewhere with --to DIR",
		}
	}
	w := &work{source: s, target: target, method: methodRename}
	var err error
	if w.path, err = resolve(w.target.Path); err != nil {
		return nil, err
	}
	info, err := os.Stat(w.path)
	switch {
	case err != nil && exists(w.path):
		return nil, &holdfast.Error{Op: "look at", Object: w.path, Err: err}
	case err != nil:
		return w, nil // there is nothing yet
	case info.IsDir() != w.target.Dir:
		return nil, &holdfast.Error{Op: "restore", Object: s.Name(), Err: holdfast.Kindf(holdfast.ErrRefused, "%s is %s now", w.path, kindOfFile(info)), Hint: "move it away, or correct the path of the source"}
	}
	mounted, err := durable.IsMountPoint(w.path)
	if err != nil {
		return nil, err
	}
	if mounted && w.target.Dir {
		w.method = methodInPlace
	}
	return w, nil
}

func kindOfFile(info fs.FileInfo) string {
	switch {
	case info.IsDir():
		return "a directory"
	case info.Mode().IsRegular():
		return "a file"
	}
	return "neither a file nor a directory"
}

// refuseNested refuses targets that lie in each other: they cannot be swapped
// together. It also refuses several targets for an online restore.
func (p *plan) refuseNested() error {
	for i, a := range p.works {
		if a.method == methodOnline && len(p.works) > 1 {
			return &holdfast.Error{Op: "restore online", Err: holdfast.Kindf(holdfast.ErrUsage, "several sources cannot change together online"), Hint: "choose one with --only"}
		}
		for _, b := range p.works[i+1:] {
			if within(a.path, b.path) || within(b.path, a.path) {
				return &holdfast.Error{Op: "restore", Object: a.source.Name(), Err: holdfast.Kindf(holdfast.ErrRefused, "it overlaps with %s: %s, %s", b.source.Name(), a.path, b.path), Hint: "restore one of them with --only"}
			}
		}
	}
	return nil
}

// roomForAll refuses a restore whose stages do not fit beside their targets.
func (p *plan) roomForAll(r *run) error {
	for _, w := range p.works {
		if err := r.needSpace(w.path, w.bytes); err != nil {
			return err
		}
	}
	return nil
}
