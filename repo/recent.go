package repo

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// Listings of object storage may lag behind what was written, while an object
// that is asked for by its key is there. What frees space must know of every
// backup, so those committed lately are named in an object of their own.
const recentKey = ".holdfast/recent.json"

// recentFor is how long a listing may lag.
const recentFor = 24 * time.Hour

// recent is .holdfast/recent.json.
type recent struct {
	Format   int            `json:"format"`
	Backups  []recentBackup `json:"backups"`
	Checksum string         `json:"checksum"`
}

type recentBackup struct {
	Name holdfast.BackupName `json:"name"`
	At   holdfast.Time       `json:"at"`
}

// remote tells whether reading from the bucket is a request to a service.
func (r *Repository) remote() bool {
	b, ok := r.b.(interface{ Remote() bool })
	return ok && b.Remote()
}

// readRecent reads the names; none are kept where a listing shows everything.
func (r *Repository) readRecent(ctx context.Context) (*recent, error) {
	list := &recent{Format: holdfast.FormatVersion}
	if !r.remote() {
		return list, nil
	}
	data, err := readSmall(ctx, r.b, recentKey)
	if errors.Is(err, fs.ErrNotExist) {
		return list, nil
	}
	if err == nil {
		err = unseal(data, list)
	}
	if err != nil {
		return nil, &holdfast.Error{
			Op: "read", Object: recentKey, Err: err,
			Hint: "the next backup writes it anew; nothing is freed before",
		}
	}
	return list, nil
}

// noteRecent names a backup that is about to be committed. One that then is not
// costs a look at it, no more.
func (r *Repository) noteRecent(ctx context.Context, name holdfast.BackupName) error {
	if !r.remote() {
		return nil
	}
	list, err := r.readRecent(ctx)
	if errors.Is(err, holdfast.ErrDamaged) {
		list, err = &recent{Format: holdfast.FormatVersion}, nil
	}
	if err != nil {
		return err
	}
	now := time.Now()
	list.Backups = slices.DeleteFunc(list.Backups, func(b recentBackup) bool {
		return b.Name == name || now.Sub(b.At.Time) > recentFor
	})
	list.Backups = append(list.Backups, recentBackup{name, holdfast.At(now)})
	list.Checksum = ""
	data, err := seal(list)
	if err == nil {
		err = r.b.Put(ctx, recentKey, data, bucket.Replace)
	}
	if err != nil {
		return &holdfast.Error{Op: "write", Object: recentKey, Err: err}
	}
	return nil
}

// names gives the names of all folders that may be backups, those that a
// listing does not show yet too. Who must know all of them gives what readRecent
// says; a list for people is better without the recent ones than none at all.
func (r *Repository) names(ctx context.Context, late *recent) iter.Seq2[holdfast.BackupName, error] {
	return func(yield func(holdfast.BackupName, error) bool) {
		if late == nil {
			var err error
			if late, err = r.readRecent(ctx); errors.Is(err, holdfast.ErrDamaged) {
				late = &recent{}
			} else if err != nil {
				yield("", err)
				return
			}
		}
		listed := map[holdfast.BackupName]bool{}
		for name, err := range folders(ctx, r.b) {
			listed[name] = true
			if !yield(name, err) || err != nil {
				return
			}
		}
		for _, b := range late.Backups {
			if !listed[b.Name] && !yield(b.Name, nil) {
				return
			}
		}
	}
}
