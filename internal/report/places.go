package report

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
)

// A CopyPlace is where a copy of a backup may be.
type CopyPlace struct {
	Name  string `json:"name"` // PlaceHere, or that of a replica
	Has   bool   `json:"has"`
	Error string `json:"error,omitempty"` // why it is not known
}

// placeWithin is how long one place may take to tell whether it has a backup.
const placeWithin = 3 * time.Second

// PlacesOf asks the repository and every replica whether it has a backup, all of them
// at once. None of them keeps the answer waiting for long.
func PlacesOf(ctx context.Context, e *engine.Engine, name holdfast.BackupName) []CopyPlace {
	replicas := e.Replicas()
	places := make([]CopyPlace, 1+len(replicas))
	var asked sync.WaitGroup
	ask := func(i int, place string, open func(context.Context) (*repo.Repository, error)) {
		asked.Go(func() {
			ctx, done := context.WithTimeout(ctx, placeWithin)
			defer done()
			places[i] = CopyPlace{Name: place}
			r, err := open(ctx)
			if err == nil {
				_, err = r.Stat(ctx, string(name))
			}
			places[i].Has = err == nil
			if err != nil && !errors.Is(err, holdfast.ErrNotFound) {
				places[i].Error = Text(err)
			}
		})
	}
	ask(0, PlaceHere, func(context.Context) (*repo.Repository, error) {
		if r := e.Repository(); r != nil {
			return r, nil
		}
		return nil, &holdfast.Error{Op: "open repository", Err: errors.New("it is not there, or cannot be used")}
	})
	for i, replica := range replicas {
		ask(i+1, replica.Name, func(ctx context.Context) (*repo.Repository, error) {
			on, err := e.OnReplica(ctx, replica.Name)
			if err != nil {
				return nil, err
			}
			return on.Repository(), nil
		})
	}
	asked.Wait()
	return places
}

// mostMemoryInfo bounds memory_info.json, which has a few lines for each collection.
const mostMemoryInfo = 4 << 20

// MemoryIn reads the statistics of the memory in a backup; nil if it has none, or if
// there is no key.
func MemoryIn(ctx context.Context, near *engine.Copy) (info *holdfast.MemoryInfo, err error) {
	if m := near.Backup.Metadata; m == nil || !m.IncludesMemory {
		return nil, nil
	}
	b, err := near.At.Backup(ctx, near.Backup.Name)
	if errors.Is(err, repo.ErrNoKey) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if closed := b.Close(); err == nil {
			err = closed
		}
	}()
	b.Until(ctx)
	f, err := b.Open(holdfast.MemoryInfoFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info = &holdfast.MemoryInfo{}
	if err := json.NewDecoder(io.LimitReader(f, mostMemoryInfo)).Decode(info); err != nil {
		return nil, &holdfast.Error{Op: "read", Object: holdfast.MemoryInfoFile, Err: err}
	}
	return info, nil
}
