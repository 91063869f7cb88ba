package keeper

import (
	"maps"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// Counts are what a keeper has done since it was made.
type Counts struct {
	Backups   int64 // made
	Unchanged int64 // not needed: nothing had changed
	// Failures are attempts that failed, those of one backup that is tried again
	// included.
	Failures map[holdfast.Trigger]int64
}

// Counts tells what was done up to now.
func (k *Keeper) Counts() Counts {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.counts
	c.Failures = maps.Clone(c.Failures)
	return c
}

// LastSuccess is the newest moment at which everything was known to be saved: a
// backup was begun that holds it, or nothing had changed since one. Zero: none is
// known.
func (k *Keeper) LastSuccess() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := k.lastChecked
	if k.last != nil && k.last.Metadata != nil && k.last.Metadata.CreatedAt.After(at) {
		at = k.last.Metadata.CreatedAt.Time
	}
	return at
}

// Recent gives the newest backup if it was made less than within ago, is not known to
// be damaged, and nothing was written since for certain. Only the sources' files are
// looked at; none is read.
func (k *Keeper) Recent(within time.Duration) (*engine.BackupResult, bool) {
	saved := k.saved()
	if saved == nil {
		return nil, false
	}
	m := saved.result.Backup.Metadata
	if m == nil || saved.result.Backup.Disproven() {
		return nil, false
	}
	result := *saved.result
	result.Problems = slices.Clone(m.Problems) // what was wrong with it still is
	age := k.o.Now().Sub(m.CreatedAt.Time)
	return &result, age >= 0 && age < within
}
