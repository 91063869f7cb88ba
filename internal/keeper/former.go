package keeper

import (
	"sync"
	"time"
)

// A former repository is one that was there in the life of a keeper and is not any
// more: a disk that is no longer mounted, a directory that was moved away. Backups go on
// in a new one, and somebody must be told: the earlier backups are gone.
type former struct {
	mu    sync.Mutex
	id    string    // of the one that was found first
	since time.Time // when it was found gone; zero: it is there
}

// found takes in which repository is there now; empty: none.
func (f *former) found(k *Keeper, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.id == "":
		f.id = id
	case id == f.id && !f.since.IsZero():
		f.since = time.Time{}
		k.log.Info("the repository that was gone is back", keyRepository, k.location())
	case id != f.id && f.since.IsZero():
		f.since = k.o.Now()
		k.log.Error("the repository is gone with all its backups; backups go on in a new one", keyRepository, k.location(),
			keyHint, "bring it back: see whether its disk is mounted, and whether somebody moved it")
	}
}

// GoneSince is when the repository that was there at first was found gone; zero: it was
// not, or is back.
func (k *Keeper) GoneSince() time.Time {
	k.former.mu.Lock()
	defer k.former.mu.Unlock()
	return k.former.since
}
