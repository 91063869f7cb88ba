package repo

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// compactDir holds what a compaction has in hand: the journal of each backup
// and, beside it, the SHA256SUMS that it will have.
const compactDir = ".holdfast/compact/"

// A compactJournal says, before anything is changed, what is to be removed of a
// backup whose compaction was cut: Removes if it has its new manifest, Adds if
// it still has the old one.
type compactJournal struct {
	Format     int                 `json:"format"`
	Backup     holdfast.BackupName `json:"backup"`
	Compaction int                 `json:"compaction"` // of the new manifest
	From       string              `json:"from"`       // SHA-256 of the old manifest
	Adds       []string            `json:"adds"`       // keys below the backup that may be written
	Removes    []string            `json:"removes"`    // those that are superseded
	Checksum   string              `json:"checksum"`
}

func compactKey(name holdfast.BackupName) string     { return compactDir + string(name) + ".json" }
func compactSumsKey(name holdfast.BackupName) string { return compactDir + string(name) + ".sums" }

// journal tells beforehand what the rewriting writes and removes. Which of two
// names a payload gets is known only when its first bytes are compressed.
func (w *rewriting) journal(names *payloadNames, n int) *compactJournal {
	next := &marker{Metadata: &holdfast.Metadata{Encrypted: w.b.mark.Encrypted}, Compaction: n}
	j := &compactJournal{
		Format: holdfast.FormatVersion, Backup: w.b.name, Compaction: n, From: w.b.mark.ManifestSHA256,
		Adds: []string{next.manifestKey()}, Removes: []string{w.b.mark.manifestKey()},
	}
	if w.b.mark.Encrypted {
		j.Adds = append(j.Adds, next.privateKey())
		j.Removes = append(j.Removes, w.b.mark.privateKey())
	}
	numbered := map[string]int{}
	for _, f := range w.files {
		if f.old.Payload != "" {
			j.Removes = append(j.Removes, f.old.Payload)
		}
		source, own := names.candidates(f.old.Path + generation(n) + ".delta")
		j.Adds = append(j.Adds, own...)
		if len(own) == 0 {
			numbered[source]++
			k := names.last[source] + numbered[source]
			for _, ext := range names.extensions() {
				j.Adds = append(j.Adds, source+"/~"+strconv.Itoa(k)+ext)
			}
		}
	}
	return j
}

// extensions are those that a payload can have.
func (n *payloadNames) extensions() []string {
	if n.private {
		return []string{sealedExt, ".zst" + sealedExt}
	}
	return []string{"", ".zst"}
}

// candidates are the keys that claim may give name; none if it gives a number
// in the folder of source.
func (n *payloadNames) candidates(name string) (source string, keys []string) {
	source, _, below := strings.Cut(name, "/")
	if n.private {
		if !below {
			source = holdfast.MemoryDir
		}
		return source, nil
	}
	for _, ext := range n.extensions() {
		if !n.usable(name + ext) {
			return source, nil
		}
		keys = append(keys, name+ext)
	}
	return source, keys
}

func (r *Repository) putCompactJournal(ctx context.Context, j *compactJournal) error {
	data, err := seal(j)
	if err == nil {
		err = r.b.Put(ctx, compactKey(j.Backup), data, bucket.Replace)
	}
	if err != nil {
		return &holdfast.Error{Op: "write", Object: compactKey(j.Backup), Err: err}
	}
	return nil
}

// putCompactSums keeps the SHA256SUMS that the backup will have.
func (r *Repository) putCompactSums(ctx context.Context, name holdfast.BackupName, lines []sumLine) error {
	w, err := r.b.Create(ctx, compactSumsKey(name))
	if err != nil {
		return err
	}
	if err := writeSums(w, lines); err != nil {
		return errors.Join(err, w.Discard())
	}
	return w.Close()
}

// compactJournal reads the journal of a backup; nil if nothing is in hand.
func (r *Repository) compactJournal(ctx context.Context, name holdfast.BackupName) (*compactJournal, error) {
	data, err := readSmall(ctx, r.b, compactKey(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	j := new(compactJournal)
	if err == nil {
		err = unseal(data, j)
	}
	if err == nil && j.Backup != name {
		err = &damage{"", errors.New("it belongs to another backup")}
	}
	if err != nil {
		return nil, &holdfast.Error{
			Op: "read", Object: compactKey(name), Err: err,
			Hint: "nothing is lost: the backup is whole; files in its folder that do not belong to it can be moved away, and this file too",
		}
	}
	return j, nil
}

// settleCompactions finishes or undoes the compactions that were cut. One that
// cannot be settled leaves its backup as good as it is.
func (r *Repository) settleCompactions(ctx context.Context) error {
	names := map[holdfast.BackupName]bool{}
	for obj, err := range r.b.List(ctx, compactDir) {
		if err != nil {
			return &holdfast.Error{Op: "list compactions", Object: r.Location(), Err: err}
		}
		file, ok := strings.CutSuffix(strings.TrimPrefix(obj.Key, compactDir), ".json")
		if name, err := holdfast.ParseBackupName(file); ok && err == nil {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if err := r.settleCompaction(ctx, name); err != nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// settleCompaction finishes or undoes the compaction of a backup. It can be cut
// and repeated.
func (r *Repository) settleCompaction(ctx context.Context, name holdfast.BackupName) error {
	j, err := r.compactJournal(ctx, name)
	if err != nil || j == nil {
		return err
	}
	m, err := readMarker(ctx, r.b, name)
	switch {
	case errors.Is(err, fs.ErrNotExist): // deleted since
	case err != nil:
		return err
	case m.ManifestSHA256 == j.From:
		err = r.removeFrom(ctx, name, j.Adds)
	case m.Compaction == j.Compaction:
		if err = r.showCompactSums(ctx, name); err == nil {
			err = r.removeFrom(ctx, name, j.Removes)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &holdfast.Error{Op: "settle the compaction of", Object: string(name), Err: err}
	}
	for _, key := range []string{compactSumsKey(name), compactKey(name)} {
		if err := r.b.Delete(ctx, key); err != nil {
			return &holdfast.Error{Op: "delete", Object: key, Err: err}
		}
	}
	return nil
}

// removeFrom removes objects of a backup.
func (r *Repository) removeFrom(ctx context.Context, name holdfast.BackupName, keys []string) error {
	for _, key := range keys {
		if err := r.b.Delete(ctx, string(name)+"/"+key); err != nil {
			return err
		}
	}
	return nil
}

// showCompactSums puts the new SHA256SUMS in its place. That it is not there
// any more means that this was done.
func (r *Repository) showCompactSums(ctx context.Context, name holdfast.BackupName) error {
	obj, err := r.b.Open(ctx, compactSumsKey(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer obj.Close()
	w, err := r.b.Create(ctx, string(name)+"/"+holdfast.SumsFile)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, io.NewSectionReader(obj, 0, obj.Size())); err != nil {
		return errors.Join(err, w.Discard())
	}
	return w.Close()
}

// compacting tells that the compaction of a backup has been cut, so that some of
// what lies beside its payloads is not in order yet.
func (r *Repository) compacting(ctx context.Context, name holdfast.BackupName) bool {
	j, err := r.compactJournal(ctx, name)
	return err == nil && j != nil
}

// unsettled warns that a compaction was cut.
func unsettled(name holdfast.BackupName) holdfast.Problem {
	return holdfast.Problem{
		Object: compactKey(name), Severity: holdfast.Warning,
		Message: "the compaction of the backup was cut; nothing is lost", Hint: "the next command that writes finishes or undoes it",
	}
}

// detached gives a context for cleaning up after ctx has ended.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
}
