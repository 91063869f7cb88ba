package report

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast/repo"
)

// DefaultFresh is how long a Book answers from memory.
const DefaultFresh = 2 * time.Second

// oldFor is how many times as old a list may be for those who ask while it is read anew.
const oldFor = 5

// BookOptions configure a Book.
type BookOptions struct {
	Now func() time.Time // nil: time.Now
	// Fresh is how long a list is taken for current; zero is DefaultFresh.
	Fresh time.Duration
}

// A Book keeps the list of the backups in memory, for surfaces that are asked
// often: reading it anew costs a request for each backup of a bucket. It may be
// used by several goroutines.
type Book struct {
	read  func(context.Context) ([]repo.Info, error)
	now   func() time.Time
	fresh time.Duration

	mu sync.Mutex
	// turn is closed when the reading that is under way has ended; nil if there
	// is none.
	turn chan struct{}
	// changes counts how often somebody said that the list has changed; seen is
	// what it was when the reading of what is known now began.
	changes, seen int64
	known         reading
	good          reading // the last one that did not fail
}

// A reading is what one look at the repository gave.
type reading struct {
	at      time.Time // when it ended; zero: there was none yet
	backups []Backup
	etag    string
	err     error
}

// NewBook makes a book of the backups that read gives.
func NewBook(read func(context.Context) ([]repo.Info, error), o BookOptions) *Book {
	b := &Book{read: read, now: o.Now, fresh: o.Fresh}
	if b.now == nil {
		b.now = time.Now
	}
	if b.fresh == 0 {
		b.fresh = DefaultFresh
	}
	return b
}

// An AgedError comes with a list that is not of now: the repository could not be
// asked since.
type AgedError struct {
	At  time.Time // when the list was read
	Err error     // why it could not be read again
}

// Error tells the age and the cause.
func (e *AgedError) Error() string {
	return fmt.Sprintf("the list is of %s, it cannot be read again: %v", e.At.UTC().Format(time.RFC3339), e.Err)
}

// Unwrap gives the cause.
func (e *AgedError) Unwrap() error { return e.Err }

// Backups gives all backups, newest first, and a tag that is another one
// whenever they are told differently; neither must be changed by the caller. A
// list that cannot be read again is given as it was, with an AgedError; the
// attempt is not repeated before the list would be old again.
func (b *Book) Backups(ctx context.Context) (all []Backup, etag string, err error) {
	for {
		b.mu.Lock()
		switch {
		case b.current(), b.turn != nil && b.usable():
			r := b.answer()
			b.mu.Unlock()
			return r.backups, r.etag, r.err
		case b.turn == nil:
			turn := make(chan struct{})
			b.turn = turn
			changes := b.changes
			b.mu.Unlock()
			r := b.look(ctx)
			b.mu.Lock()
			if r.err == nil || ctx.Err() == nil { // what was only interrupted tells nothing
				b.keep(r, changes)
				r = b.answer()
			}
			b.turn = nil
			b.mu.Unlock()
			close(turn)
			return r.backups, r.etag, r.err
		}
		turn := b.turn
		b.mu.Unlock()
		select {
		case <-turn:
		case <-ctx.Done():
			return nil, "", ctx.Err()
		}
	}
}

// Changed says that the backups are not what they were: the next question is
// answered by looking anew, and not by a look that began before.
func (b *Book) Changed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changes++
}

// current tells whether what is known answers a question of now. A clock that
// was set back makes nothing current.
func (b *Book) current() bool {
	age := b.now().Sub(b.known.at)
	return !b.known.at.IsZero() && b.seen == b.changes && age >= 0 && age < b.fresh
}

// usable tells whether what is known may answer while somebody looks anew: a list that is
// only old is no reason to let everybody wait.
func (b *Book) usable() bool {
	age := b.now().Sub(b.known.at)
	return !b.known.at.IsZero() && b.seen == b.changes && age >= 0 && age < oldFor*b.fresh
}

// keep takes in a reading that began when there had been so many changes.
func (b *Book) keep(r reading, changes int64) {
	b.known, b.seen = r, changes
	if r.err == nil {
		b.good = r
	}
}

// answer is what is known, or the last good list if that is an error.
func (b *Book) answer() reading {
	if b.known.err == nil || b.good.at.IsZero() {
		return b.known
	}
	r := b.good
	r.err = &AgedError{At: r.at, Err: b.known.err}
	return r
}

// look reads the list.
func (b *Book) look(ctx context.Context) reading {
	infos, err := b.read(ctx)
	r := reading{at: b.now(), backups: []Backup{}, err: err}
	if err != nil {
		return r
	}
	for _, i := range infos {
		r.backups = append(r.backups, NewBackup(i))
	}
	data, err := json.Marshal(r.backups)
	if err != nil {
		r.err = fmt.Errorf("tag the list of backups: %w", err)
		return r
	}
	sum := sha256.Sum256(data)
	r.etag = hex.EncodeToString(sum[:16])
	return r
}
