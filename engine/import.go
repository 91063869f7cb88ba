package engine

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// An ImportRequest brings a copy of a source that lies in a directory into the
// source, in place of a backup: what export wrote, or a plain copy.
type ImportRequest struct {
	Copy   fs.FS  // of the source, or of a directory that has it in a folder of its name
	From   string // where the copy lies, for people
	Source string // the configured source; empty is the only Chroma source
	// The other fields are those of a RestoreRequest.
	Into         holdfast.PartRestorer
	Parts        []holdfast.Part
	NoEmergency  bool
	Force        bool
	AcceptLosses bool
	KeepReplaced bool
	Commands     map[holdfast.Kind]string
}

// restoreRequest gives what an import has in common with a restore.
func (q ImportRequest) restoreRequest(source string) RestoreRequest {
	req := RestoreRequest{Into: q.Into, NoEmergency: q.NoEmergency, Force: q.Force, AcceptLosses: q.AcceptLosses, KeepReplaced: q.KeepReplaced, Commands: q.Commands}
	if len(q.Parts) > 0 || q.Into != nil {
		req.Parts = map[string][]holdfast.Part{source: q.Parts}
	}
	if req.Parts != nil && len(q.Parts) == 0 {
		req.Parts[source] = []holdfast.Part{{}}
	}
	return req
}

// PlanImport tells what Import would do and changes nothing.
func (e *Engine) PlanImport(ctx context.Context, req ImportRequest) (*RestorePlan, error) {
	e = e.with(req.Into)
	r := e.start(ctx, "plan")
	p, err := r.planImport(ctx, req)
	if err != nil {
		return nil, err
	}
	p.Obstacle = cmp.Or(p.refuseLosses(), (&run{e: e, op: opRestore}).refuseEarly(p, req.Force))
	return &p.RestorePlan, p.roomForAll(r)
}

// Import brings a copy in as Restore brings a backup: emergency backup, check, stage or
// requests, confirmation. The copy is checked as its owner would, since nothing else
// tells whether it is whole.
func (e *Engine) Import(ctx context.Context, req ImportRequest) (*RestoreResult, error) {
	r := e.with(req.Into).start(ctx, opRestore)
	result := &RestoreResult{}
	return r.replaceLive(ctx, result, func(ctx context.Context, before announce) error { return r.importCopy(ctx, req, result, before) })
}

func (r *run) importCopy(ctx context.Context, req ImportRequest, result *RestoreResult, before announce) error {
	var p *plan
	err := r.step(ctx, holdfast.StepChoose, func(ctx context.Context) (_ string, err error) {
		p, err = r.planImport(ctx, req)
		return req.From, err
	})
	if err != nil {
		return err
	}
	result.Plan = &p.RestorePlan
	result.Problems = append(result.Problems, p.Warnings...)
	if err := cmp.Or(p.refuseLosses(), r.refuseEarly(p, req.Force)); err != nil {
		return err
	}
	if err := p.roomForAll(r); err != nil {
		return err
	}
	if err := before(ctx, Verb{Sources: p.sources()}); err != nil {
		return err
	}
	emergency, err := r.emergencyOf(ctx, p, req.NoEmergency, result)
	if err != nil {
		return err
	}
	return r.putInPlace(ctx, p, emergency, req.Force, result)
}

// planImport works out what to do with a copy.
func (r *run) planImport(ctx context.Context, req ImportRequest) (*plan, error) {
	s, err := r.e.importing(req)
	if err != nil {
		return nil, err
	}
	if req.Copy, err = copyWithin(req.Copy, s.Name()); err != nil {
		return nil, &holdfast.Error{Op: "read", Object: req.From, Err: pathless(err)}
	}
	asked := req.restoreRequest(s.Name())
	if err := asked.plausible(); err != nil {
		return nil, err
	}
	p := &plan{RestorePlan: RestorePlan{Import: req.From, Memory: "skipped: an import brings collections as they are"}, acceptLosses: req.AcceptLosses, keepReplaced: req.KeepReplaced}
	md, err := r.checkImport(ctx, p, s, req)
	if err != nil {
		return nil, err
	}
	if err := r.e.checkOverlap(); err != nil {
		return nil, err
	}
	store, wanted, err := r.storeFor(asked, md)
	if err != nil {
		return nil, err
	}
	if store != nil {
		return p, r.planParts(ctx, p, &partsWork{store: store, source: md.Name, wanted: wanted, copied: req.Copy}, md)
	}
	w, err := r.newSourceWork(md, asked)
	if err != nil {
		return nil, err
	}
	w.bytes = md.LogicalBytes
	w.fill = func(ctx context.Context, dir string) error { return r.fillFrom(ctx, req.Copy, md.Name, dir) }
	if len(req.Parts) > 0 {
		err = r.planCollections(ctx, w, req.Copy, req.Parts)
	} else {
		err = r.planBuild(w, req.Copy, md, req.Commands, req.AcceptLosses)
	}
	if err == nil {
		err = r.addTarget(ctx, p, w, md)
	}
	if err != nil {
		return nil, err
	}
	return p, r.lookForHandles(ctx, p)
}

// importing gives the source that takes an import.
func (e *Engine) importing(req ImportRequest) (holdfast.Source, error) {
	if req.Into != nil {
		return req.Into, nil
	}
	var names []string
	var found holdfast.Source
	for _, s := range e.o.Sources {
		if s.Name() == req.Source || req.Source == "" && s.Kind() == holdfast.KindChroma {
			names, found = append(names, s.Name()), s
		}
	}
	switch {
	case len(names) == 1:
		return found, nil
	case len(names) > 1:
		return nil, &holdfast.Error{Op: "import", Err: holdfast.Kindf(holdfast.ErrUsage, "several sources could take it"), Hint: "choose one with --only: " + strings.Join(names, ", ")}
	case req.Source != "":
		return nil, &holdfast.Error{Op: "import into", Object: req.Source, Err: holdfast.Kindf(holdfast.ErrNotFound, "no such source is configured"), Hint: "`holdfast config show` lists the sources"}
	}
	return nil, &holdfast.Error{Op: "import", Err: holdfast.Kindf(holdfast.ErrUsage, "no Chroma source is configured"), Hint: "name where it goes: --into URL, or --chroma DIR"}
}

// copyWithin finds the copy in a directory that has it in a folder of the source's name, as
// an export has it.
func copyWithin(dir fs.FS, name string) (fs.FS, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir() && e.Name() == name {
			return fs.Sub(dir, e.Name())
		}
	}
	return dir, nil
}

// checkImport looks at a copy as its owner would, and describes it as a backup would.
func (r *run) checkImport(ctx context.Context, p *plan, s holdfast.Source, req ImportRequest) (holdfast.SourceMetadata, error) {
	md := holdfast.SourceMetadata{Name: s.Name(), Kind: s.Kind()}
	report, err := s.Check(ctx, req.Copy, holdfast.CheckOptions{})
	if err != nil {
		if ctx.Err() != nil {
			return md, context.Cause(ctx)
		}
		return md, &holdfast.Error{Op: "check", Object: req.From, Err: err}
	}
	for _, problem := range named(s.Name(), report.Problems) {
		if problem.Severity == holdfast.Damaged && !req.Force {
			return md, &holdfast.Error{Op: "check", Object: req.From, Err: holdfast.Kindf(holdfast.ErrDamaged, "%s", describe(problem)), Hint: "nothing was changed; --force takes it as it is"}
		}
		p.Warnings = append(p.Warnings, problem)
	}
	md.Facts = report.Facts
	md.LogicalBytes, err = sizeOfTree(req.Copy)
	return md, err
}

// fillFrom fills a stage with a plain copy of a source.
func (r *run) fillFrom(ctx context.Context, copied fs.FS, source, dir string) error {
	sink := &dirSink{fsys: r.e.o.FS, dir: dir}
	tell := r.progress(holdfast.StepStage, source)
	err := fs.WalkDir(copied, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		entry := holdfast.Entry{Path: path, Mode: info.Mode(), ModTime: info.ModTime(), Size: info.Size()}
		switch {
		case d.IsDir():
			return sink.Add(entry)
		case !info.Mode().IsRegular():
			return &holdfast.Error{Op: "import", Object: path, Err: holdfast.Kindf(holdfast.ErrRefused, "it is neither a file nor a directory")}
		}
		tell(path, 0, info.Size())
		return copyInto(sink, copied, entry)
	})
	if err != nil {
		return err
	}
	return durable.SyncTree(ctx, r.e.o.FS, dir)
}

// copyInto writes one file of a copy into a sink.
func copyInto(sink holdfast.Sink, copied fs.FS, entry holdfast.Entry) (err error) {
	f, err := copied.Open(entry.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w, err := sink.Create(entry)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Discard()) }()
	if _, err := io.Copy(w, f); err != nil {
		return err
	}
	return w.Close()
}

// sizeOfTree sums the files of a copy.
func sizeOfTree(copied fs.FS) (sum int64, err error) {
	err = fs.WalkDir(copied, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	if err != nil {
		return 0, &holdfast.Error{Op: "read", Object: "the directory", Err: pathless(err)}
	}
	return sum, nil
}
