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

// MostAge bounds how old a list may be that [Book.Recent] gives.
const MostAge = 30 * time.Second

// restFor is how many times as long as a reading took nobody reads again for those who
// take an older list, so that reading is a small part of what a busy program does.
const restFor = 10

// BookOptions configure a Book.
type BookOptions struct {
	Now func() time.Time // nil: time.Now
	// Fresh is how long a list is taken for current; zero is DefaultFresh.
	Fresh time.Duration
}

// A Book keeps the list of the backups in memory, for surfaces that are asked
// often: reading it anew costs a request for each backup of a bucket. It may be
// used by several goroutines.
//
// Whoever asks chooses how old an answer may be: [Book.Backups] reads a list again that
// is not fresh, [Book.Recent] gives one of up to [MostAge] at once and lets [Book.Run]
// read behind it, [Book.Refresh] gives none that was read before the question. What all
// promise: there is one reading at a time; after [Book.Changed] nobody is given a list
// that was begun before; a reading that failed is told by the next answer.
type Book struct {
	read  func(context.Context) ([]repo.Info, error)
	now   func() time.Time
	fresh time.Duration

	mu sync.Mutex
	// turn is closed when the reading that is under way has ended; nil if there
	// is none.
	turn chan struct{}
	// wake asks Run for a reading; running counts those who would hear it.
	wake    chan struct{}
	running int
	begun   int64 // the readings so far
	// changes counts how often somebody said that the list has changed; seen is
	// what it was when the reading of what is known now began.
	changes, seen int64
	known         reading
	good          reading // the last one that did not fail
}

// A reading is what one look at the repository gave.
type reading struct {
	number  int64
	at      time.Time // when it ended; zero: there was none yet
	took    time.Duration
	backups []Backup
	etag    string
	err     error
}

// NewBook makes a book of the backups that read gives.
func NewBook(read func(context.Context) ([]repo.Info, error), o BookOptions) *Book {
	b := &Book{read: read, now: o.Now, fresh: o.Fresh, wake: make(chan struct{}, 1)}
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
	return b.ask(ctx, func() bool {
		return b.younger(b.fresh) || b.turn != nil && b.younger(oldFor*b.fresh)
	})
}

// Recent gives what Backups does to those who would rather have a list of a moment ago
// at once than wait: while Run runs, one of up to MostAge is given as it is, and read
// again behind the answer. What other programs did meanwhile shows with the next
// question; what this one did, of which Changed was told, shows with this one.
func (b *Book) Recent(ctx context.Context) (all []Backup, etag string, err error) {
	return b.ask(ctx, func() bool {
		if b.younger(b.fresh) || b.turn != nil && b.younger(oldFor*b.fresh) {
			return true
		}
		// What is known to be wrong is asked for again sooner.
		if b.running == 0 || b.known.err != nil && !b.younger(oldFor*b.fresh) || !b.younger(MostAge) {
			return false
		}
		if !b.younger(restFor * b.known.took) {
			select {
			case b.wake <- struct{}{}:
			default: // it has been told already
			}
		}
		return true
	})
}

// Refresh gives a list that was not begun before the question, for who knows that
// another program changed something. Those who ask while one is read share the next
// one; nobody else waits for it.
func (b *Book) Refresh(ctx context.Context) (all []Backup, etag string, err error) {
	b.mu.Lock()
	before := b.begun
	b.mu.Unlock()
	return b.ask(ctx, func() bool { return b.known.number > before && b.younger(MostAge) })
}

// Run reads the list, and again whenever an answer was older than it should be, until
// ctx ends. What fails is told to those who ask.
func (b *Book) Run(ctx context.Context) error {
	b.count(1)
	defer b.count(-1)
	for {
		_, _, _ = b.Backups(ctx)
		select {
		case <-b.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

func (b *Book) count(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running += n
}

// ask gives what is known if it will do, and else what one reading gives, which all who
// ask share. The lock is held when will do is asked.
func (b *Book) ask(ctx context.Context, willDo func() bool) (all []Backup, etag string, err error) {
	for {
		b.mu.Lock()
		switch {
		case willDo():
			r := b.answer()
			b.mu.Unlock()
			return r.backups, r.etag, r.err
		case b.turn == nil:
			r := b.readNow(ctx)
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

// readNow reads the list in the caller's turn, and lets go of the lock that it holds.
func (b *Book) readNow(ctx context.Context) reading {
	turn, changes := make(chan struct{}), b.changes
	b.turn = turn
	b.begun++
	number := b.begun
	b.mu.Unlock()
	r := b.look(ctx)
	r.number = number
	b.mu.Lock()
	if r.err == nil || ctx.Err() == nil { // what was only interrupted tells nothing
		b.keep(r, changes)
		r = b.answer()
	}
	b.turn = nil
	b.mu.Unlock()
	close(turn)
	return r
}

// Changed says that the backups are not what they were: the next question is
// answered by looking anew, and not by a look that began before.
func (b *Book) Changed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changes++
}

// younger tells whether what is known is of after the last change, and younger than age.
// A clock that was set back makes nothing young.
func (b *Book) younger(age time.Duration) bool {
	is := b.now().Sub(b.known.at)
	return !b.known.at.IsZero() && b.seen == b.changes && is >= 0 && is < age
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
	began := b.now()
	infos, err := b.read(ctx)
	r := reading{at: b.now(), backups: []Backup{}, err: err}
	r.took = r.at.Sub(began)
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
