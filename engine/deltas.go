package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/holdfast-backup/holdfast"
)

// Deltas is the setting that decides when a backup stores only what changed.
type Deltas string

// The values of Deltas; empty is auto.
const (
	DeltasAuto   Deltas = "auto"   // by trigger and size
	DeltasAlways Deltas = "always" // whenever there is a base
	DeltasNever  Deltas = "never"
)

// selfContained is the size up to which a backup that a person makes is whole
// in itself, so that a copied folder is a whole backup.
const selfContained = 256 << 20

// defaultFullEvery is how old the full below deltas becomes.
const defaultFullEvery = 7 * 24 * time.Hour

// maxDeltas bounds the deltas above a full, and with them the backups that one
// can need: each is looked at before the next is made.
const maxDeltas = 1000

// A Form tells how a backup is to be stored, and why.
type Form struct {
	// Base is the backup whose blocks are referred to; empty is a full.
	Base   holdfast.BackupName
	Reason string
}

// String gives the form in a few words.
func (f Form) String() string {
	if f.Base == "" {
		return "full: " + f.Reason
	}
	return fmt.Sprintf("delta of %s: %s", f.Base, f.Reason)
}

// A situation is all that the choice of a form rests on.
type situation struct {
	now       time.Time
	asked     bool // --full
	trial     bool // a delta for a comparison alone: it makes no chain longer
	deltas    Deltas
	fullEvery time.Duration
	trigger   holdfast.Trigger
	estimate  int64 // bytes that a full would take in
	sources   []sourceKey
	base      holdfast.BackupName
	why       string             // there is no base
	from      *holdfast.Metadata // what the base says of itself, nil if it cannot be read
	fullGone  bool               // the full that the base rests on
}

// A sourceKey is what makes two sources of different backups the same.
type sourceKey struct {
	name string
	kind holdfast.Kind
}

// choose decides between full and delta. It is the whole rule.
func (s situation) choose() Form {
	full := func(format string, args ...any) Form { return Form{Reason: fmt.Sprintf(format, args...)} }
	reason, wanted := s.wanted()
	if !wanted {
		return full("%s", reason)
	}
	switch {
	case s.base == "":
		return full("%s", s.why)
	case s.from == nil:
		return full("%s cannot be read", s.base)
	case !slices.Equal(s.sources, sourcesOf(s.from)):
		return full("%s holds another set of sources", s.base)
	case s.fullGone:
		return full("the full that %s rests on is gone", s.base)
	}
	chain := s.from.Next()
	if age := s.now.Sub(chain.FullAt.Time); age > s.fullEvery {
		return full("the last full, %s, is older than %s", chain.Full, period(s.fullEvery))
	}
	if s.trial {
		return Form{Base: s.base, Reason: "whether anything has changed"}
	}
	if chain.DeltaBytes > chain.FullBytes/2 {
		return full("the deltas since %s take %s, more than half of its %s", chain.Full, humanize.IBytes(uint64(chain.DeltaBytes)), humanize.IBytes(uint64(chain.FullBytes)))
	}
	if chain.Deltas >= maxDeltas {
		return full("%d deltas rest on %s", chain.Deltas, chain.Full)
	}
	return Form{Base: s.base, Reason: reason}
}

// wanted tells whether a delta would be right if there is something to base it
// on.
func (s situation) wanted() (reason string, wanted bool) {
	switch {
	case s.trial:
		return "", true
	case s.asked:
		return "asked for with --full", false
	case s.deltas == DeltasNever:
		return "deltas are switched off", false
	case s.deltas == DeltasAlways:
		return "deltas are always wanted", true
	case s.estimate > selfContained:
		return fmt.Sprintf("a full would take in %s", humanize.IBytes(uint64(s.estimate))), true
	}
	switch s.trigger {
	case holdfast.TriggerScheduled, holdfast.TriggerAuto, holdfast.TriggerChange, holdfast.TriggerStartup, holdfast.TriggerShutdown:
		return fmt.Sprintf("backups of the trigger %s come often", s.trigger), true
	}
	return fmt.Sprintf("a small backup of the trigger %s is whole in itself", s.trigger), false
}

// sourcesOf gives the sources of a backup for a comparison.
func sourcesOf(m *holdfast.Metadata) []sourceKey {
	keys := make([]sourceKey, 0, len(m.Sources))
	for _, s := range m.Sources {
		keys = append(keys, sourceKey{s.Name, s.Kind})
	}
	return sorted(keys)
}

func sorted(keys []sourceKey) []sourceKey {
	slices.SortFunc(keys, func(a, b sourceKey) int {
		if a.name < b.name {
			return -1
		}
		return btoi(a.name > b.name)
	})
	return keys
}

// period says a time span as it is configured.
func period(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return count(int64(d/day), "day", "days")
	}
	return d.String()
}
