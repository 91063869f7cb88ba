package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// CreateOptions are the optional parts of Create.
type CreateOptions struct {
	// Compress stores payloads as seekable zstd; files that it does not
	// shrink, or that are tiny, are stored raw anyway.
	Compress bool
	// MaxStored refuses (ErrRefused) as soon as more bytes are stored.
	MaxStored int64
	// Base stores only what changed since that backup, if what is
	// remembered of it can still be used; empty stores every file full.
	Base holdfast.BackupName
	// Remember makes the new backup the one that the next can be based on.
	Remember bool
	// Progress is told the bytes taken in; it must be fast.
	Progress func(source, path string, written int64)
}

// Pending is a backup being written. Nobody sees it before Commit.
type Pending struct {
	r     *Repository
	ctx   context.Context // of Create: a Sink has none, and must stop with it
	name  holdfast.BackupName
	o     CreateOptions
	stage bucket.Stage
	names *payloadNames
	// sealing encrypts what is stored; nil stores it in the open.
	sealing *sealing
	notices []holdfast.Problem

	compaction int        // of the backup, if that is what is being written
	origin     string     // as in the marker
	base       *base      // nil if every file is stored whole
	refs       references // of the entries, to other backups
	others     openings[holdfast.BackupName, *Backup]

	stored atomic.Int64

	mu      sync.Mutex
	entries map[string]*entry
	writers map[string]*fileWriter // open, by path
	ended   bool
}

// errEnded tells that nothing more can be stored.
var errEnded = errors.New("the backup has ended")

// Create begins a backup. If name is taken, automatic names get _2, _3 …;
// exact asks for precisely this name and fails (ErrRefused) if it is taken.
func (r *Repository) Create(ctx context.Context, name holdfast.BackupName, exact bool, o CreateOptions) (*Pending, error) {
	if _, err := holdfast.ParseBackupName(string(name)); err != nil {
		return nil, err
	}
	free, err := r.freeName(ctx, name, exact)
	if err != nil {
		return nil, err
	}
	// A state left by a delete that was cut must not pin or prove the new one.
	if err := r.b.Delete(ctx, stateKey(free)); err != nil {
		return nil, &holdfast.Error{Op: "create", Object: string(free), Err: err}
	}
	sealing, notices, err := r.fitEncryption(ctx)
	if err != nil {
		return nil, &holdfast.Error{Op: "create", Object: string(free), Err: err}
	}
	stage, err := r.b.Stage(ctx, string(free), bucket.StageOptions{Marker: holdfast.MetadataFile})
	if err != nil {
		return nil, &holdfast.Error{Op: "create", Object: string(free), Err: err}
	}
	p := &Pending{
		r: r, ctx: ctx, name: free, o: o, stage: stage, names: newPayloadNames(sealing != nil),
		sealing: sealing, notices: notices,
		entries: map[string]*entry{}, writers: map[string]*fileWriter{},
	}
	if o.Base != "" {
		p.findBase(ctx)
	}
	return p, nil
}

// findBase opens what is remembered of the base. Without it every file is
// stored whole, which is only larger.
func (p *Pending) findBase(ctx context.Context) {
	base, err := p.r.openBase(ctx, p.o.Base)
	if err != nil {
		p.notice(holdfast.Problem{
			Severity: holdfast.Warning, Object: string(p.o.Base),
			Message: fmt.Sprintf("every file is stored whole: %v", err),
		})
		return
	}
	p.base = base
}

// freeName finds the name that a new backup can have.
func (r *Repository) freeName(ctx context.Context, name holdfast.BackupName, exact bool) (holdfast.BackupName, error) {
	for i, try := 2, name; ; i, try = i+1, name.Suffixed(i) {
		// A name is free only when nothing of a deleted backup is left of it.
		taken, err := r.isHidden(ctx, try)
		if err != nil {
			return "", err
		}
		for _, err := range r.b.List(ctx, string(try)+"/") {
			if err != nil {
				return "", &holdfast.Error{Op: "create", Object: string(try), Err: err}
			}
			taken = true
			break
		}
		if !taken {
			return try, nil
		}
		if exact {
			return "", &holdfast.Error{
				Op: "create", Object: string(name),
				Err: holdfast.Kindf(holdfast.ErrRefused, "the name is taken"), Hint: "choose another name; backups are never overwritten", Cause: holdfast.CauseNameTaken,
			}
		}
	}
}

// Name is the name that the backup will have.
func (p *Pending) Name() holdfast.BackupName { return p.name }

// Notices are what beginning this backup changed in the repository and its
// owner should know, such as that backups are encrypted from now on.
func (p *Pending) Notices() []holdfast.Problem {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.notices)
}

// notice says what did not keep the backup from being made.
func (p *Pending) notice(n holdfast.Problem) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.notices) < maxNotices {
		p.notices = append(p.notices, n)
	}
}

// maxNotices bounds the notices: what goes wrong for one file may go wrong for
// a million.
const maxNotices = 100

// Stored is the number of bytes stored so far.
func (p *Pending) Stored() int64 { return p.stored.Load() }

// account counts n stored bytes and refuses what is too much.
func (p *Pending) account(n int64) error {
	if total := p.stored.Add(n); p.o.MaxStored > 0 && total > p.o.MaxStored {
		return &holdfast.Error{
			Err:  holdfast.Kindf(holdfast.ErrRefused, "the backup grows beyond the limit of %d MB", p.o.MaxStored>>20),
			Hint: "raise MAX_BACKUP_SIZE_MB, or leave something out",
		}
	}
	return nil
}

func (p *Pending) unaccount(n int64) { p.stored.Add(-n) }

func (p *Pending) progress(w *fileWriter) {
	if p.o.Progress != nil {
		p.o.Progress(w.source, w.e.Path, w.size)
	}
}

// create begins a file at path from the backup's root.
func (p *Pending) create(path string, e holdfast.Entry, compress bool) (*fileWriter, error) {
	if err := p.remove(path); err != nil {
		return nil, err
	}
	w := &fileWriter{p: p, e: newEntry(path, e), source: sourceOf(path), compress: compress}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil, &holdfast.Error{Op: "store", Object: path, Err: errEnded}
	}
	p.writers[path] = w
	return w, nil
}

// remove forgets what was stored at path.
func (p *Pending) remove(path string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writers[path] != nil {
		return &holdfast.Error{Op: "store", Object: path, Err: errors.New("the file is being written")}
	}
	e := p.entries[path]
	if e == nil {
		return nil
	}
	delete(p.entries, path)
	return p.dropPayload(e)
}

// dropPayload removes what was stored of e.
func (p *Pending) dropPayload(e *entry) error {
	if e.Payload == "" {
		return nil
	}
	p.unaccount(e.StoredSize)
	p.names.release(e.Payload)
	if err := p.stage.Remove(p.ctx, e.Payload); err != nil {
		return &holdfast.Error{Op: "remove", Object: e.Path, Err: err}
	}
	return nil
}

func (p *Pending) completed(w *fileWriter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.writers, w.e.Path)
	p.entries[w.e.Path] = w.e
}

func (p *Pending) discarded(w *fileWriter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.writers, w.e.Path)
}

// WriteFile adds a file at a path from the backup's root (memory_info.json,
// memory_collection/…), stored raw and literally.
func (p *Pending) WriteFile(path string, write func(w io.Writer) error) error {
	if !fs.ValidPath(path) || path == "." || sourceOf(path) != "" || bucket.CheckKey(path) != nil || reserved(path) {
		return &holdfast.Error{Op: "store", Object: path, Err: holdfast.Kindf(holdfast.ErrUsage, "not a place for files beside the sources")}
	}
	w, err := p.create(path, holdfast.Entry{Mode: 0o600, ModTime: time.Now()}, false)
	if err != nil {
		return err
	}
	if err := write(w); err != nil {
		return errors.Join(err, w.Discard())
	}
	return w.Close()
}

// reserved tells whether path is written by Commit itself.
func reserved(path string) bool {
	return path == holdfast.MetadataFile || path == holdfast.ManifestFile || path == holdfast.SumsFile
}

// FS reads back what was captured so far: files whose writers were closed.
// Later changes do not show in it.
func (p *Pending) FS() fs.FS {
	tr, err := newTree(p.list(), time.Time{})
	if err != nil {
		return brokenFS{err}
	}
	return &view{tree: tr, cache: newFrameCacheOf(cachedFrames), from: p}
}

// payload opens the payload behind reference ref of an entry: in the stage, or
// in another backup.
func (p *Pending) payload(e *entry, ref int) (*payload, error) {
	if ref > 0 {
		to := p.refs.to(ref)
		other, err := p.other(to.Backup)
		if err != nil {
			return nil, err
		}
		there := other.view.tree.entries[to.Path]
		if there == nil || there.Payload == "" {
			return nil, damagedFile(string(to.Backup)+"/"+holdfast.ManifestFile, fmt.Errorf("has no payload for %s", to.Path))
		}
		return other.ownPayload(there)
	}
	obj, err := p.stage.Open(p.ctx, e.Payload)
	if err != nil {
		return nil, missing(string(p.name)+"/"+e.Payload, err)
	}
	return newPayload(obj, e, string(p.name)+"/"+e.Payload)
}

// remote tells whether opening a payload is a request to a service.
func (p *Pending) remote() bool { return p.r.remote() }

// other opens a backup that this one refers to, once.
func (p *Pending) other(name holdfast.BackupName) (*Backup, error) {
	return p.others.get(name, func() (*Backup, error) { return p.r.openReferred(p.ctx, name) })
}

// brokenFS is the FS of a capture whose paths contradict each other.
type brokenFS struct{ err error }

func (b brokenFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: b.err}
}

// list gives the entries written so far.
func (p *Pending) list() []*entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]*entry, 0, len(p.entries))
	for _, e := range p.entries {
		list = append(list, e)
	}
	return list
}

// SourceTotals sums what one source has written.
func (p *Pending) SourceTotals(source string) (files, logical, stored int64) {
	return totals(p.list(), source)
}

// totals sums the files of one source.
func totals(entries []*entry, source string) (files, logical, stored int64) {
	for _, e := range entries {
		if e.source == source && e.Type == typeFile {
			files++
			logical += e.Size
			stored += e.StoredSize
		}
	}
	return files, logical, stored
}

// Abort removes everything. After Commit it does nothing. It works on a
// cancelled context.
func (p *Pending) Abort(ctx context.Context) error {
	p.mu.Lock()
	p.ended = true
	open := make([]*fileWriter, 0, len(p.writers))
	for _, w := range p.writers {
		open = append(open, w)
	}
	p.mu.Unlock()
	var errs []error
	for _, w := range open {
		errs = append(errs, w.Discard())
	}
	if err := p.stage.Abort(ctx); err != nil {
		errs = append(errs, &holdfast.Error{Op: "abort", Object: string(p.name), Err: err})
	}
	return errors.Join(errs...)
}
