package repo

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// Info is one backup as a list shows it.
type Info struct {
	Name     holdfast.BackupName
	Metadata *holdfast.Metadata // nil if Err is set
	Pinned   bool
	Proofs   []holdfast.Proof // oldest first, bounded
	// Err tells why the metadata cannot be used: damaged, or of a newer
	// format. Such a backup is listed, never pruned.
	Err error
	// StateErr tells that pins and proofs were lost. The backup then counts
	// as pinned and unproven.
	StateErr error
}

// Proven gives the newest successful proof, and false if the newest proof of
// all failed or there is none. That stored bytes are as they were, without a key
// to look into them, proves nothing, but that they are not disproves.
func (i Info) Proven() (holdfast.Proof, bool) {
	p, known := i.telling()
	return p, known && p.OK
}

// Disproven tells whether the newest proof that tells anything failed.
func (i Info) Disproven() bool {
	_, is := i.Disproof()
	return is
}

// Disproof gives the proof that failed and that nothing has taken back since, and false if
// there is none.
func (i Info) Disproof() (holdfast.Proof, bool) {
	p, known := i.telling()
	return p, known && !p.OK
}

// Drilled gives the newest drill, whether it was good or not, and false if there
// was none. A verification that came later does not hide it.
func (i Info) Drilled() (holdfast.Proof, bool) {
	for _, p := range slices.Backward(i.Proofs) {
		if p.Kind == holdfast.ProofDrill {
			return p, true
		}
	}
	return holdfast.Proof{}, false
}

// telling gives the newest proof that tells whether the backup is good. A drill
// sees what a verification cannot, so that only another drill takes back what a
// drill that failed has told.
func (i Info) telling() (holdfast.Proof, bool) {
	for _, p := range slices.Backward(i.Proofs) {
		if p.Kind == holdfast.ProofStored && p.OK {
			continue
		}
		if drill, held := i.Drilled(); p.OK && held && !drill.OK {
			return drill, true
		}
		return p, true
	}
	return holdfast.Proof{}, false
}

// List gives all committed backups, newest first (by CreatedAt, then name).
// Those whose metadata cannot be read come last; hidden ones do not come.
func (r *Repository) List(ctx context.Context) ([]Info, error) {
	hidden, err := r.hiddenNames(ctx)
	if err != nil {
		return nil, err
	}
	infos, err := each(ctx, r, r.names(ctx, nil), func(ctx context.Context, name holdfast.BackupName) (*Info, error) {
		if hidden[name] {
			return nil, nil
		}
		info, err := r.read(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil // no backup, or deleted since it was listed
		}
		return &info, err
	})
	if err != nil {
		return nil, err
	}
	var list []Info
	for _, info := range infos {
		if info != nil {
			list = append(list, *info)
		}
	}
	if len(list) == 0 && len(hidden) == 0 {
		return nil, r.inPlace(ctx)
	}
	slices.SortFunc(list, newestFirst)
	return list, nil
}

// inPlace tells whether the repository is still where it was opened. A directory that was
// moved away, or a disk that is not mounted any more, would look like one without backups.
func (r *Repository) inPlace(ctx context.Context) error {
	_, err := readSmall(ctx, r.b, repositoryFile)
	if err == nil {
		return nil
	}
	failed := &holdfast.Error{Op: "list backups", Object: r.Location(), Err: err}
	if errors.Is(err, fs.ErrNotExist) {
		failed.Err = errors.New("the repository is gone: its " + repositoryFile + " is not there any more")
		failed.Hint = "look whether it was moved, or a disk is not mounted"
	}
	return failed
}

// listAtOnce bounds the backups that are looked at side by side: from far away
// each answer takes its time, and what is held of them meanwhile is memory.
const listAtOnce = 16

// each reads something of every name, several at once, and gives it in the order
// of the names. The first error ends it; what was asked by then is waited for.
func each[T any](ctx context.Context, r *Repository, names iter.Seq2[holdfast.BackupName, error], read func(context.Context, holdfast.BackupName) (T, error)) ([]T, error) {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(listAtOnce)
	var found []*T
	var listing error
	for name, err := range names {
		if err != nil {
			listing = &holdfast.Error{Op: "list backups", Object: r.Location(), Err: err}
			break
		}
		if gctx.Err() != nil {
			break
		}
		one := new(T)
		found = append(found, one)
		g.Go(func() (err error) {
			*one, err = read(gctx, name)
			return err
		})
	}
	if err := cmp.Or(g.Wait(), listing, context.Cause(ctx)); err != nil {
		return nil, err
	}
	list := make([]T, len(found))
	for i, one := range found {
		list[i] = *one
	}
	return list, nil
}

func newestFirst(a, b Info) int {
	switch {
	case a.Metadata == nil && b.Metadata == nil:
		return strings.Compare(string(b.Name), string(a.Name))
	case a.Metadata == nil:
		return 1
	case b.Metadata == nil:
		return -1
	}
	return cmp.Or(b.Metadata.CreatedAt.Compare(a.Metadata.CreatedAt.Time), strings.Compare(string(b.Name), string(a.Name)))
}

// folders gives the folders of b that are named like a backup. Those with a
// commit marker are backups; what else lies in them is not looked at, so that
// a list costs as much with large trees as with small ones.
func folders(ctx context.Context, b bucket.Bucket) iter.Seq2[holdfast.BackupName, error] {
	return func(yield func(holdfast.BackupName, error) bool) {
		for folder, err := range b.Folders(ctx, "") {
			if err != nil {
				yield("", err)
				return
			}
			if name, err := holdfast.ParseBackupName(folder); err == nil && !yield(name, nil) {
				return
			}
		}
	}
}

// info is read for a name that somebody gave: if there is no such backup the
// error matches ErrNotFound and tells what was perhaps meant.
func (r *Repository) info(ctx context.Context, name holdfast.BackupName) (Info, error) {
	if hidden, err := r.isHidden(ctx, name); hidden || err != nil {
		return Info{Name: name}, cmp.Or(err, deleted(name))
	}
	info, err := r.read(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return info, r.notFound(ctx, string(name))
	}
	return info, err
}

// read reads what a list shows of one backup. Whatever is wrong with its
// metadata or its state is told in the Info, so that one unreadable backup
// does not hide the others; the error is for a cancelled context and, matching
// fs.ErrNotExist, for a backup that is not there.
func (r *Repository) read(ctx context.Context, name holdfast.BackupName) (Info, error) {
	info := Info{Name: name}
	m, err := readMarker(ctx, r.b, name)
	switch {
	case err == nil:
		info.Metadata = m.Metadata
	case ctx.Err() != nil:
		return info, context.Cause(ctx)
	case errors.Is(err, fs.ErrNotExist):
		return info, err
	default:
		info.Err = err
	}
	s, err := r.readState(ctx, name)
	if err != nil {
		info.StateErr, info.Pinned = err, true // never lose data by a lost note
	} else {
		info.Pinned, info.Proofs = s.Pinned, s.Proofs
	}
	return info, context.Cause(ctx)
}

// readMarker reads the commit marker of a backup.
func readMarker(ctx context.Context, b bucket.Bucket, name holdfast.BackupName) (*marker, error) {
	data, err := readSmall(ctx, b, string(name)+"/"+holdfast.MetadataFile)
	if err == nil {
		var m *marker
		if m, err = parseMarker(data, name); err == nil {
			return m, nil
		}
	}
	return nil, &holdfast.Error{Op: "read", Object: string(name) + "/" + holdfast.MetadataFile, Err: err}
}

// Stat gives one backup by name or "latest": the newest readable one that
// somebody wanted. Emergency backups hold the state that a restore replaced, so
// they are latest only if there is nothing else.
// ErrNotFound names the nearest existing names in its hint.
func (r *Repository) Stat(ctx context.Context, ref string) (Info, error) {
	if ref != "latest" {
		name, err := holdfast.ParseBackupName(ref)
		if err != nil {
			return Info{}, err
		}
		return r.info(ctx, name)
	}
	list, err := r.List(ctx)
	if err != nil {
		return Info{}, err
	}
	readable := slices.DeleteFunc(list, func(i Info) bool { return i.Err != nil })
	wanted := slices.IndexFunc(readable, func(i Info) bool { return i.Metadata.Trigger != holdfast.TriggerEmergency })
	if len(readable) > 0 {
		return readable[max(wanted, 0)], nil
	}
	return Info{}, noneYet()
}

// noneYet is the error for the newest of no backups.
func noneYet() error {
	return &holdfast.Error{
		Op: "find backup", Object: "latest",
		Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no backup yet"), Hint: "make one with holdfast backup",
	}
}

// notFound says that there is no such backup and which names come near.
func (r *Repository) notFound(ctx context.Context, name string) error {
	e := &holdfast.Error{
		Op: "find backup", Object: name, Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no such backup"),
		Hint: "holdfast list shows all backups",
	}
	var names []string
	for other, err := range r.names(ctx, nil) {
		if err != nil {
			return e // the hint is only a courtesy
		}
		names = append(names, string(other))
	}
	near := slices.DeleteFunc(nearest(name, names, 3), func(other string) bool {
		_, err := readMarker(ctx, r.b, holdfast.BackupName(other))
		hidden, hiddenErr := r.isHidden(ctx, holdfast.BackupName(other))
		return hidden || hiddenErr != nil || errors.Is(err, fs.ErrNotExist)
	})
	if len(near) > 0 {
		e.Hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return e
}

// nearest gives at most n of names that differ from name in no more than a
// third of its letters, the nearest first.
func nearest(name string, names []string, n int) []string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	for _, other := range names {
		d := editDistance([]rune(name), []rune(other))
		if strings.HasPrefix(other, name) {
			d = 1
		}
		if d <= max(2, len([]rune(name))/3) {
			near = append(near, candidate{other, d})
		}
	}
	slices.SortFunc(near, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), strings.Compare(b.name, a.name))
	})
	var list []string
	for _, c := range near[:min(n, len(near))] {
		list = append(list, c.name)
	}
	return list
}

// editDistance counts the letters to insert, delete or replace.
func editDistance(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
