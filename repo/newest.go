package repo

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// nameAhead is by how much a backup may be younger than the time in its name,
// which is chosen before the backup begins.
const nameAhead = time.Minute

// A queued backup waits for its turn in a list that begins with the newest.
type queued struct {
	name holdfast.BackupName
	// latest is the most recent time at which it can have been made, in Unix
	// milliseconds: a guess by its name, or what it says of itself.
	latest int64
	info   *Info // nil as long as it was not read
}

// Newest gives the backups that List gives, in its order, and reads only those
// that are asked for: the names that this program gives tell when a backup was
// made, all others are read first. It is for whoever looks for a backup that is
// most likely among the last ones, since one that is made every minute would
// otherwise read everything there is every minute.
//
// A name that somebody chose in the form of the automatic ones, with a time
// before the backup was made, puts that backup further back than it belongs.
func (r *Repository) Newest(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		queue, err := r.queue(ctx)
		if err != nil {
			yield(Info{}, err)
			return
		}
		for len(queue) > 0 {
			next := queue[len(queue)-1]
			queue = queue[:len(queue)-1]
			if next.info != nil {
				if !yield(*next.info, nil) {
					return
				}
				continue
			}
			q, err := r.readQueued(ctx, next.name)
			switch {
			case err != nil:
				yield(Info{}, err)
				return
			case q.info != nil:
				at, _ := slices.BinarySearchFunc(queue, q, laterLast)
				queue = slices.Insert(queue, at, q)
			}
		}
	}
}

// Latest gives what Stat gives for "latest", from Newest: for whoever asks again
// and again.
func (r *Repository) Latest(ctx context.Context) (Info, error) {
	var emergency *Info
	for info, err := range r.Newest(ctx) {
		switch {
		case err != nil:
			return Info{}, err
		case info.Err != nil: // unreadable ones come last
		case info.Metadata.Trigger != holdfast.TriggerEmergency:
			return info, nil
		case emergency == nil:
			emergency = &info
		}
	}
	if emergency != nil {
		return *emergency, nil
	}
	return Info{}, noneYet()
}

// queue gives all backups, the last one next. Those whose names do not tell how
// old they are have been read.
func (r *Repository) queue(ctx context.Context) ([]queued, error) {
	hidden, err := r.hiddenNames(ctx)
	if err != nil {
		return nil, err
	}
	queue, err := each(ctx, r, r.names(ctx, nil), func(ctx context.Context, name holdfast.BackupName) (queued, error) {
		if hidden[name] {
			return queued{}, nil
		}
		if at, ok := name.AutomaticTime(); ok {
			return queued{name: name, latest: at.Add(nameAhead).UnixMilli()}, nil
		}
		return r.readQueued(ctx, name)
	})
	if err != nil {
		return nil, err
	}
	queue = slices.DeleteFunc(queue, func(q queued) bool { return q.name == "" })
	slices.SortFunc(queue, laterLast)
	return queue, nil
}

// readQueued reads a backup; the zero queued if it is none.
func (r *Repository) readQueued(ctx context.Context, name holdfast.BackupName) (queued, error) {
	info, err := r.read(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return queued{}, nil
	case err != nil:
		return queued{}, err
	}
	q := queued{name: name, latest: math.MinInt64, info: &info}
	if info.Metadata != nil {
		q.latest = info.Metadata.CreatedAt.UnixMilli()
	}
	return q, nil
}

// laterLast orders a queue. What has not been read yet may be anything up to its
// time, so it comes before what was made then.
func laterLast(a, b queued) int {
	switch c := cmp.Compare(a.latest, b.latest); {
	case c != 0:
		return c
	case a.info != nil && b.info != nil:
		return newestFirst(*b.info, *a.info)
	case a.info != nil:
		return -1
	case b.info != nil:
		return 1
	}
	return cmp.Compare(a.name, b.name)
}
