package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/dustin/go-humanize"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/volume"
)

// withMargin adds what is kept free beside what is written: for manifest and
// sums, and so that the owner of the data can go on.
func withMargin(bytes int64) int64 { return bytes + bytes/20 + 1<<20 }

// preflight looks before anything is written: what is asked for, whether it
// can be read, whether it fits.
func (r *run) preflight(ctx context.Context, req BackupRequest, sources []holdfast.Source) (*backup, error) {
	if err := r.accept(req, sources); err != nil {
		return nil, err
	}
	b := &backup{run: r, repository: r.e.o.Repository, full: req.Full, pin: req.Pin, note: req.Note, trigger: req.trigger(), ifChanged: req.onlyIfChanged()}
	b.sources = captureOrder(sources)
	inspected, err := b.inspect(ctx)
	if err != nil {
		return nil, err
	}
	if b.memory, err = b.wantMemory(req, inspected); err != nil {
		return nil, err
	}
	if req.Name != "" {
		b.name, err = holdfast.ParseBackupName(req.Name)
		b.exact = true
	} else {
		b.name = holdfast.AutomaticName(b.trigger, typeOf(b.memory), r.e.o.Now(), r.e.o.Settings.EmergencyPrefix)
	}
	if err != nil {
		return nil, err
	}
	return b, b.fits(ctx)
}

// accept refuses what cannot be meant, without a look at anything.
func (r *run) accept(req BackupRequest, sources []holdfast.Source) error {
	if !slices.Contains(holdfast.Triggers(), req.trigger()) {
		return &holdfast.Error{Op: "trigger", Object: string(req.Trigger), Err: holdfast.Kindf(holdfast.ErrUsage, "unknown"), Hint: fmt.Sprintf("one of %v", holdfast.Triggers())}
	}
	if len(sources) == 0 {
		return &holdfast.Error{Op: "backup", Err: holdfast.Kindf(holdfast.ErrUsage, "no source is configured"), Hint: "name one: --chroma DIR, --sqlite FILE or --files DIR"}
	}
	if req.Name != "" {
		if _, err := holdfast.ParseBackupName(req.Name); err != nil {
			return err
		}
	}
	if _, _, err := req.asksMemory(r.e.o.Settings); err != nil {
		return err
	}
	return r.e.checkOverlap()
}

// trigger is why the backup is made.
func (r BackupRequest) trigger() holdfast.Trigger { return cmp.Or(r.Trigger, holdfast.TriggerManual) }

// captureOrder puts databases first and files last: a tree may take long, and
// what it refers to in a database should not be older than the tree.
func captureOrder(sources []holdfast.Source) []holdfast.Source {
	ordered := slices.Clone(sources)
	slices.SortStableFunc(ordered, func(a, b holdfast.Source) int {
		return btoi(a.Kind() == holdfast.KindFiles) - btoi(b.Kind() == holdfast.KindFiles)
	})
	return ordered
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// absent says what is missing: the path itself, or in it what the source is.
func absent(s holdfast.Source) error {
	path, remote := s.Target().Path, s.Target().Remote
	e := &holdfast.Error{Op: "open", Object: path, Err: holdfast.Kindf(holdfast.ErrNotFound, "does not exist"), Hint: "check the path of the source, or restore it with `holdfast restore latest`"}
	switch {
	case remote:
		e.Op, e.Err, e.Hint = "ask", holdfast.Kindf(holdfast.ErrNotFound, "it holds no %s data", s.Kind()), "check the url, the tenant and the databases of the source"
	case exists(path):
		e.Err = holdfast.Kindf(holdfast.ErrNotFound, "it holds no %s data", s.Kind())
	}
	return e
}

// inspect looks at every source and sums what will be read.
func (b *backup) inspect(ctx context.Context) (map[string]holdfast.Inspection, error) {
	seen := map[string]holdfast.Inspection{}
	for _, s := range b.sources {
		i, err := s.Inspect(ctx, holdfast.InspectOptions{})
		if err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, &captureError{source: s.Name(), err: err}
		}
		if !i.Exists {
			return nil, &captureError{source: s.Name(), err: absent(s)}
		}
		seen[s.Name()] = i
		b.estimate += i.Bytes
		if target := s.Target(); !target.Remote {
			b.warnNetwork("source "+s.Name(), target.Path)
		}
	}
	if dir, ok := b.e.repositoryDir(); ok {
		b.warnNetwork("repository", dir)
	}
	return seen, nil
}

// warnNetwork records that something lies on a network file system, whose
// locks and syncs cannot be relied on.
func (b *backup) warnNetwork(what, path string) {
	v, err := volume.Stat(path)
	if err != nil || !v.Network() {
		return // what cannot be asked here will fail where it matters
	}
	b.add(holdfast.Problem{Object: path, Severity: holdfast.Warning, Message: fmt.Sprintf("the %s lies on a network file system (%s)", what, v.Kind), Hint: "its locks and syncs cannot be relied on; keep databases on a local disk, and verify backups"})
}

// asksMemory tells whether a request wants memory, and whether it says so itself.
func (r BackupRequest) asksMemory(s Settings) (want, asked bool, err error) {
	usage := func(hint, format string, args ...any) error {
		return &holdfast.Error{Op: "backup", Err: holdfast.Kindf(holdfast.ErrUsage, format, args...), Hint: hint}
	}
	want = s.IncludeMemory
	switch r.Type {
	case "":
	case holdfast.Enhanced, holdfast.Standard:
		want, asked = r.Type == holdfast.Enhanced, true
	default:
		return false, false, usage("enhanced includes memory, standard does not", "unknown type %q", r.Type)
	}
	if r.Memory != nil {
		if asked && want != *r.Memory {
			return false, false, usage("give one of --type and --memory", "type %s and memory=%t contradict each other", r.Type, *r.Memory)
		}
		want, asked = *r.Memory, true
	}
	return want, asked, nil
}

// wantMemory decides whether memory is included, and refuses what contradicts
// itself or cannot be had.
func (b *backup) wantMemory(req BackupRequest, inspected map[string]holdfast.Inspection) (bool, error) {
	want, asked, err := req.asksMemory(b.e.o.Settings)
	if err != nil {
		return false, err
	}
	if !want {
		return false, nil
	}
	configured, present := b.memoryPresence(inspected)
	if !configured {
		if asked {
			return false, &holdfast.Error{Op: "backup", Err: holdfast.Kindf(holdfast.ErrUsage, "memory was asked for, but no memory collection is configured"), Hint: "name the collection: --memory-collection NAME"}
		}
		return false, nil
	}
	return present, nil
}

// memoryPresence tells whether memory is configured, and whether any of its
// collections can be expected in the sources. Where none can, the backup is
// not called enhanced, and the problem says why.
func (b *backup) memoryPresence(inspected map[string]holdfast.Inspection) (configured, present bool) {
	var missing []holdfast.Problem
	for _, s := range b.sources {
		ms, ok := s.(holdfast.MemorySource)
		if !ok {
			continue
		}
		for _, name := range ms.MemoryCollections() {
			configured = true
			facts := inspected[s.Name()].Facts.Chroma
			if facts == nil || slices.ContainsFunc(facts.Collections, func(c holdfast.ChromaCollection) bool { return c.Name == name }) {
				present = true
				continue
			}
			missing = append(missing, holdfast.Problem{Source: s.Name(), Object: "collection " + name, Severity: holdfast.Incomplete, Message: messageNoMemory, Hint: hintNoMemory})
		}
	}
	if configured && !present {
		b.add(missing...)
	}
	return configured, present
}

// fits refuses a backup that cannot be stored.
func (b *backup) fits(ctx context.Context) error {
	s := b.e.o.Settings
	if s.MaxBackupSet && !s.Compress && b.estimate > s.MaxBackupBytes {
		return &holdfast.Error{Op: "backup", Err: holdfast.Kindf(holdfast.ErrRefused, "it would store %s, MAX_BACKUP_SIZE_MB allows %s", humanize.IBytes(uint64(b.estimate)), humanize.IBytes(uint64(s.MaxBackupBytes))), Hint: "raise MAX_BACKUP_SIZE_MB, or compress with BACKUP_COMPRESSION=true"}
	}
	where, free, known, err := b.free(ctx)
	if err != nil {
		return err
	}
	need := withMargin(b.estimate)
	if s.Compress {
		// Databases shrink to a half or less; a backup that does not is
		// stopped by the disk itself, and leaves nothing behind either.
		need = withMargin(b.estimate / 2)
	}
	if known && free < need {
		return noSpace(where, need, free)
	}
	return nil
}

// free tells how much room there is where the repository is, or is to be made.
func (b *backup) free(ctx context.Context) (where string, bytes int64, known bool, err error) {
	if b.repository != nil {
		bytes, known, err = b.repository.Free(ctx)
		return b.repository.Location(), bytes, known, err
	}
	dir, ok := b.e.repositoryDir()
	if !ok {
		return "", 0, false, nil
	}
	v, err := volume.Stat(dir)
	if err != nil {
		return "", 0, false, volume.Explain("look for free space", dir, err)
	}
	return v.Path, v.Free, v.Free >= 0, nil
}

// needSpace refuses to write bytes to the file system of dir if they do not
// fit.
func (r *run) needSpace(dir string, bytes int64) error {
	v, err := volume.Stat(dir)
	if err != nil {
		return fmt.Errorf("free space of %s: %w", dir, err)
	}
	if need := withMargin(bytes); v.Free >= 0 && v.Free < need {
		return noSpace(v.Path, need, v.Free)
	}
	return nil
}

func noSpace(where string, need, free int64) error {
	return &holdfast.Error{Op: "space", Object: where, Err: holdfast.Kindf(holdfast.ErrRefused, "%s needed, %s free", humanize.IBytes(uint64(need)), humanize.IBytes(uint64(max(free, 0)))), Hint: "make room, for example with `holdfast prune`, or use another place", Cause: holdfast.CauseNoSpace}
}

// spaceError turns a full disk into a refusal that says what to do.
func spaceError(err error) error {
	if errors.Is(err, syscall.ENOSPC) && !errors.Is(err, holdfast.ErrRefused) {
		return &holdfast.Error{Err: holdfast.Kindf(holdfast.ErrRefused, "%w", err), Hint: "make room, for example with `holdfast prune`, or use another place"}
	}
	return err
}
