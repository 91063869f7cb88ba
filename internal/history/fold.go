package history

import (
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A Backup is one that is there, whoever made it.
type Backup struct {
	Name    holdfast.BackupName
	At      time.Time
	Trigger holdfast.Trigger
	Proofs  []holdfast.Proof
}

const (
	// recent is how long events are known one by one. Of older ones only their number is
	// held to what is there: backups that come back, with a disk that is
	// mounted again, are counted already.
	recent = 48 * time.Hour
	// wholeEvery is how often older ones are looked at.
	wholeEvery = time.Hour
)

// Fold takes in all the backups that are there. What is new among them is counted when
// it happened; what is not there any more stays counted.
func (r *Recorder) Fold(all []Backup) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.mend()
	r.exact = r.exact && now.Sub(r.looked) < recent/2 // else nothing is left of what was seen
	r.looked = now
	f := fold{r: r, now: now, older: map[int64]*Bucket{}}
	f.whole = !r.exact || now.Sub(r.whole) >= wholeEvery
	var came []time.Time
	for _, b := range all {
		if !f.known(b.At) {
			continue
		}
		if f.count(event{b.Name, "", b.At.UnixMilli()}, b.At, func(to *Bucket) { to.made(b.Trigger, 1) }) && b.Trigger != holdfast.TriggerEmergency {
			came = append(came, b.At)
		}
		for _, p := range b.Proofs {
			if f.known(p.At.Time) && tells(p) {
				f.count(event{b.Name, p.Kind, p.At.UnixMilli()}, p.At.Time, func(to *Bucket) { *proofIn(to, p)++ })
			}
		}
	}
	for n, counted := range f.older {
		e := r.buckets[n]
		if e == nil {
			e = &entry{Bucket: Bucket{Start: counted.Start}}
		}
		if e.atLeast(counted) {
			r.buckets[n], r.changed[n] = e, true
		}
	}
	slices.SortFunc(came, time.Time.Compare)
	for _, at := range came {
		r.came(at)
	}
	if f.whole {
		r.whole = now
		for e, at := range r.seen {
			if now.Sub(at) > recent {
				delete(r.seen, e)
			}
		}
	}
	r.folded, r.exact = true, true
	r.save()
}

// A fold is one look at the backups.
type fold struct {
	r     *Recorder
	now   time.Time
	whole bool // older ones, too
	older map[int64]*Bucket
}

// known tells whether a time is one that the record is of.
func (f *fold) known(at time.Time) bool {
	return at.Before(f.now.Add(Width)) && f.now.Sub(at) < KeptDays*24*time.Hour
}

// count takes in an event, and tells whether it may be news.
func (f *fold) count(e event, at time.Time, add func(*Bucket)) (news bool) {
	young := f.now.Sub(at) <= recent
	if young && f.r.exact {
		if _, counted := f.r.seen[e]; counted {
			return false
		}
		f.r.seen[e] = at
		add(&f.r.bucket(at).Bucket)
		return true
	}
	if young {
		f.r.seen[e] = at
	}
	if !f.whole {
		return false
	}
	n := number(at)
	b := f.older[n]
	if b == nil {
		b = &Bucket{Start: holdfast.At(at.Truncate(Width))}
		f.older[n] = b
	}
	add(b)
	return true
}

// tells tells whether a proof says anything: that stored bytes are as they were, without a
// key to look into them, proves nothing, but that they are not disproves.
func tells(p holdfast.Proof) bool { return p.Kind != holdfast.ProofStored || !p.OK }

// proofIn is where a proof is counted.
func proofIn(b *Bucket, p holdfast.Proof) *int64 {
	switch {
	case !p.OK:
		return &b.Disproven
	case p.Kind == holdfast.ProofDrill:
		return &b.Drilled
	}
	return &b.Proven
}
