package repo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
)

// A Backup is an open backup: an fs.FS (with ReadDir, Stat and ReadLink; fs.Sub
// works) of the manual's tree, every file whole and an io.ReaderAt and
// io.Seeker. Bytes that are not those that were stored are an error that
// matches ErrDamaged, never passed on.
type Backup struct {
	r        *Repository
	ctx      context.Context // for opening stored files: fs.FS has none
	stop     context.CancelCauseFunc
	name     holdfast.BackupName
	metadata *holdfast.Metadata
	manifest *manifest
	mark     *marker
	marker   []byte // its file, literally
	view     *view

	taken  references                             // of the files whose extents are those of other backups
	others openings[holdfast.BackupName, *Backup] // those that this one refers to
}

// Backup opens a backup for reading. A hidden, absent or uncommitted one
// matches ErrNotFound, a damaged manifest ErrDamaged.
func (r *Repository) Backup(ctx context.Context, name holdfast.BackupName) (*Backup, error) {
	if _, err := holdfast.ParseBackupName(string(name)); err != nil {
		return nil, err
	}
	if hidden, err := r.isHidden(ctx, name); hidden || err != nil {
		return nil, cmp.Or(err, deleted(name))
	}
	return r.open(ctx, name)
}

// open opens a backup, hidden or not: others read their payloads in it.
func (r *Repository) open(ctx context.Context, name holdfast.BackupName) (*Backup, error) {
	data, m, err := r.loadMarker(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, r.notFound(ctx, string(name))
	}
	if err != nil {
		return nil, err
	}
	keys, err := r.keysFor(ctx, name, m)
	if err != nil {
		return nil, err
	}
	mf, err := r.loadManifest(ctx, name, m)
	if err != nil {
		return nil, err
	}
	reading, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	b := &Backup{
		r: r, ctx: reading, stop: stop, name: name, metadata: m.Metadata, manifest: mf, mark: m, marker: data,
	}
	if m.Encrypted {
		// Who looks at the files of the backup gets the metadata whole.
		if data, b.metadata, err = r.loadPrivate(ctx, name, m, keys); err != nil {
			return nil, err
		}
	}
	own := newEntry(holdfast.MetadataFile, holdfast.Entry{Mode: 0o600, ModTime: m.CreatedAt.Time})
	own.Size, own.StoredSize, own.Form = int64(len(data)), int64(len(data)), formFull
	tr, err := newTree(append([]*entry{own}, mf.Entries...), m.CreatedAt.Time)
	if err != nil {
		return nil, damagedBackup(name, m.manifestKey(), err)
	}
	b.view = &view{tree: tr, from: b, cache: newFrameCache(), literal: map[string][]byte{holdfast.MetadataFile: data}}
	return b, nil
}

// keysFor gives the keys that open a backup, none if it is not encrypted.
func (r *Repository) keysFor(ctx context.Context, name holdfast.BackupName, m *marker) ([]age.Identity, error) {
	if !m.Encrypted {
		return nil, nil
	}
	keys, err := r.identities(ctx)
	if err != nil {
		return nil, &holdfast.Error{Op: "open", Object: string(name), Err: err}
	}
	return keys, nil
}

// wrongKey says that none of the keys at hand opens a backup.
func wrongKey(name holdfast.BackupName, m *marker, err error) error {
	return &holdfast.Error{
		Op: "open", Object: string(name), Err: holdfast.Kindf(holdfast.ErrRefused, "%w", err),
		Hint: "it is encrypted to " + strings.Join(m.Recipients, ", ") + "; give the private key of one of these",
	}
}

// loadMarker reads the metadata file.
func (r *Repository) loadMarker(ctx context.Context, name holdfast.BackupName) ([]byte, *marker, error) {
	data, err := readSmall(ctx, r.b, string(name)+"/"+holdfast.MetadataFile)
	if err != nil {
		return nil, nil, damagedOr(name, holdfast.MetadataFile, err)
	}
	m, err := parseMarker(data, name)
	if err != nil {
		return nil, nil, damagedOr(name, holdfast.MetadataFile, err)
	}
	return data, m, nil
}

// loadManifest reads the manifest that the marker was committed with.
func (r *Repository) loadManifest(ctx context.Context, name holdfast.BackupName, m *marker) (*manifest, error) {
	keys, err := r.keysFor(ctx, name, m)
	if err != nil {
		return nil, err
	}
	key := string(name) + "/" + m.manifestKey()
	fail := func(err error) (*manifest, error) { return nil, damagedBackup(name, m.manifestKey(), err) }
	obj, err := r.b.Open(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return fail(errors.New("is missing"))
	}
	if err != nil {
		return nil, &holdfast.Error{Op: "read", Object: key, Err: err}
	}
	defer obj.Close()
	stored := ""
	if m.Encrypted {
		if stored, err = sumObject(ctx, obj, nil); err != nil {
			return nil, &holdfast.Error{Op: "read", Object: key, Err: err}
		}
		if stored != m.ManifestSHA256 {
			return fail(errOtherManifest)
		}
		plain, err := openSealed(obj, keys)
		if errors.Is(err, errOtherKey) {
			return nil, wrongKey(name, m, err)
		}
		if err != nil {
			return fail(err)
		}
		obj = plain
	}
	mf, err := readManifest(obj, obj.Size())
	switch {
	case errors.Is(err, holdfast.ErrRefused):
		return nil, &holdfast.Error{Op: "read", Object: key, Err: err}
	case err != nil:
		return fail(err)
	}
	mf.compaction = m.Compaction
	if m.Encrypted {
		mf.sha256, mf.privateSHA256 = stored, m.PrivateSHA256
	}
	if mf.Backup != name || mf.sha256 != m.ManifestSHA256 {
		return fail(errOtherManifest)
	}
	if (mf.Encryption != "") != m.Encrypted {
		return fail(errors.New("does not agree with the metadata on the encryption"))
	}
	for _, e := range mf.Entries {
		e.keys = keys
	}
	return mf, nil
}

var errOtherManifest = errors.New("is not the manifest that the backup was committed with")

// damagedBackup is the error for one damaged file of a backup.
func damagedBackup(name holdfast.BackupName, object string, err error) *holdfast.DamagedError {
	return &holdfast.DamagedError{Backup: name, Problems: []holdfast.Problem{damagedObject(object, err)}}
}

// damagedOr makes err a DamagedError if it is damage, else says what failed.
func damagedOr(name holdfast.BackupName, object string, err error) error {
	if errors.Is(err, holdfast.ErrDamaged) {
		return damagedBackup(name, object, err)
	}
	return &holdfast.Error{Op: "read", Object: string(name) + "/" + object, Err: err}
}

// damagedObject is the problem of one stored file.
func damagedObject(object string, err error) holdfast.Problem {
	return holdfast.Problem{Object: object, Severity: holdfast.Damaged, Message: err.Error(), Hint: holdfast.HintOf(err)}
}

// Close releases what the backup holds open.
func (b *Backup) Close() error {
	err := b.others.close((*Backup).Close)
	b.view.cache.clear()
	return err
}

// Until makes all reading of the backup end with ctx, also a download that hangs. A
// backup outlives the context in which it was opened; whoever reads it for one
// purpose says so here.
func (b *Backup) Until(ctx context.Context) {
	context.AfterFunc(ctx, func() { b.stop(context.Cause(ctx)) })
}

// Metadata is what the backup says about itself.
func (b *Backup) Metadata() *holdfast.Metadata { return b.metadata }

// Open implements fs.FS.
func (b *Backup) Open(name string) (fs.File, error) { return b.view.Open(name) }

// Stat implements fs.StatFS.
func (b *Backup) Stat(name string) (fs.FileInfo, error) { return b.view.Stat(name) }

// ReadDir implements fs.ReadDirFS.
func (b *Backup) ReadDir(name string) ([]fs.DirEntry, error) { return b.view.ReadDir(name) }

// Lstat implements fs.ReadLinkFS.
func (b *Backup) Lstat(name string) (fs.FileInfo, error) { return b.view.Lstat(name) }

// ReadLink implements fs.ReadLinkFS.
func (b *Backup) ReadLink(name string) (string, error) { return b.view.ReadLink(name) }

// File describes one file of a backup.
type File struct {
	Path    string // from the backup's root
	Source  string // "" for metadata and memory files
	Mode    fs.FileMode
	ModTime time.Time
	Size    int64 // logical
	Stored  int64
	Form    string // "full" or "delta"
	Digest  string
	Link    string
}

// Files lists every entry of the backup by path.
func (b *Backup) Files() []File {
	var list []File
	for _, e := range b.view.tree.below(".") {
		if e.Path != "." {
			list = append(list, e.file())
		}
	}
	return list
}

// payload opens the payload behind reference ref of an entry.
func (b *Backup) payload(e *entry, ref int) (*payload, error) {
	if ref == 0 {
		return b.ownPayload(e)
	}
	to := b.reference(ref)
	other, err := b.other(to.Backup)
	if err != nil {
		return nil, fmt.Errorf("%s needs the backup %s: %w", e.Path, to.Backup, err)
	}
	there := other.view.tree.entries[to.Path]
	if there == nil || there.Payload == "" {
		return nil, damagedFile(string(to.Backup)+"/"+other.mark.manifestKey(), fmt.Errorf("has no payload for %s", to.Path))
	}
	return other.ownPayload(there)
}

func (b *Backup) ownPayload(e *entry) (*payload, error) {
	key := string(b.name) + "/" + e.Payload
	if e.Payload == "" {
		return nil, damagedFile(string(b.name)+"/"+b.mark.manifestKey(), fmt.Errorf("%s has extents but no payload", e.Path))
	}
	obj, err := b.r.b.Open(b.ctx, key)
	if errors.Is(err, fs.ErrNotExist) && b.superseded() {
		return nil, &holdfast.Error{Op: "read", Object: key, Err: errCompacted, Hint: "try again"}
	}
	if err != nil {
		return nil, missing(key, err)
	}
	return newPayload(obj, e, key)
}

// remote tells whether opening a payload is a request to a service.
func (b *Backup) remote() bool { return b.r.remote() }

// other opens a backup that this one refers to, once.
func (b *Backup) other(name holdfast.BackupName) (*Backup, error) {
	return b.others.get(name, func() (*Backup, error) {
		o, err := b.r.openReferred(b.ctx, name)
		if err == nil {
			o.Until(b.ctx)
		}
		return o, err
	})
}

// openReferred opens a backup that another one needs.
func (r *Repository) openReferred(ctx context.Context, name holdfast.BackupName) (*Backup, error) {
	b, err := r.open(ctx, name)
	if errors.Is(err, holdfast.ErrNotFound) {
		return nil, damagedFile(string(name), errors.New("is missing"))
	}
	return b, err
}

// problem says which stored file err, met while reading e, is about.
func (b *Backup) problem(e *entry, err error) holdfast.Problem {
	p := holdfast.Problem{Object: e.Payload, Severity: holdfast.Damaged, Message: err.Error()}
	if p.Object == "" {
		p.Object = e.Path
	}
	if d, ok := errors.AsType[*damage](err); ok {
		p.Message = d.err.Error()
		if d.where != "" {
			p.Object = strings.TrimPrefix(d.where, string(b.name)+"/")
		}
	}
	if d, ok := errors.AsType[*holdfast.DamagedError](err); ok && len(d.Problems) > 0 { // of a backup that this one needs
		p.Object, p.Message = string(d.Backup)+"/"+d.Problems[0].Object, d.Problems[0].Message
	}
	return p
}

// damagedEntry turns damage met while reading e into a DamagedError.
func (b *Backup) damagedEntry(e *entry, err error) error {
	if !errors.Is(err, holdfast.ErrDamaged) {
		return err
	}
	return &holdfast.DamagedError{Backup: b.name, Problems: []holdfast.Problem{b.problem(e, err)}}
}
