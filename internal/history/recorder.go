package history

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// File is the name of the record in the state directory.
const File = "history.jsonl"

// Options are what a record is made of.
type Options struct {
	Dir      string // the state directory
	Schedule Schedule
	FS       durable.FS       // nil is durable.OS
	Now      func() time.Time // nil is time.Now
	Logger   *slog.Logger     // nil discards
}

// Attribute keys of the log.
const (
	keyError  = "error"
	keyObject = "object"
	keyHint   = "hint"
)

// patience is how long after its start a recorder waits for a list of the backups
// before it takes runs for missed that another program may have made.
const patience = 15 * time.Minute

// A Recorder keeps the record. It may be used by several goroutines; nothing it does
// fails for its caller.
type Recorder struct {
	now func() time.Time
	log *slog.Logger

	mu       sync.Mutex
	file     file
	unsaved  bool // to write was refused last time, which was told
	buckets  map[int64]*entry
	changed  map[int64]bool
	began    holdfast.Time
	schedule Schedule
	header   bool // what is known of the record itself is to be written

	opened time.Time
	folded bool // the backups were listed in this life
	whole  time.Time
	looked time.Time // when it was folded last
	// seen are the events of the last days that are counted; exact tells that all are there.
	seen  map[event]time.Time
	exact bool
	// base is when the last run came, decided up to when it is settled which were
	// missed.
	base, decided time.Time
	displaced     bool  // the clock was set back in this life
	size          *Size // as it was last written down
	sized         time.Time
}

// An entry is a bucket, and what is known of the runs in it.
type entry struct {
	Bucket
	success, overdue time.Time
}

// An event is something that happened to a backup.
type event struct {
	backup holdfast.BackupName
	proof  holdfast.ProofKind // empty: it was made
	at     int64
}

// Open opens the record, or begins one. What of it cannot be read is told in the log.
func Open(o Options) *Recorder {
	r := &Recorder{
		now: o.Now, log: o.Logger, file: file{fsys: o.FS, path: filepath.Join(o.Dir, File)}, schedule: o.Schedule,
		buckets: map[int64]*entry{}, changed: map[int64]bool{}, seen: map[event]time.Time{},
	}
	if r.now == nil {
		r.now = time.Now
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.file.fsys == nil {
		r.file.fsys = durable.OS
	}
	r.opened = r.now()
	inForce, since := r.load()
	if r.began.IsZero() || r.began.After(r.opened) {
		r.began, r.header = holdfast.At(r.opened), true
	}
	if r.base.IsZero() {
		r.base = r.began.Time
	}
	r.decided = latest(r.decided, since)
	if inForce != o.Schedule.words() { // what was due while nobody looked is not known
		r.header, r.decided = true, r.opened
	}
	r.save()
	return r
}

// load reads the file, and tells which schedule was in force when it was written last,
// and since when.
func (r *Recorder) load() (inForce string, since time.Time) {
	damaged, err := r.file.read(func(l line) {
		if l.Bucket != nil {
			e := &entry{Bucket: *l.Bucket, success: timeOf(l.Success), overdue: timeOf(l.Overdue)}
			r.buckets[number(e.Start.Time)] = e
			r.base, r.decided = latest(r.base, e.success), latest(r.decided, e.overdue)
			return
		}
		if l.Began != nil && (r.began.IsZero() || l.Began.Before(r.began.Time)) {
			r.began = *l.Began
		}
		inForce, since = l.Schedule, timeOf(l.At)
	})
	switch {
	case err != nil:
		r.log.Warn("what happened before is not known: the record cannot be read", keyObject, r.file.path, keyError, err, keyHint, "look at its permissions; backups do not need it")
	case damaged > 0:
		r.log.Warn("some lines of the record of what happened cannot be read, and are passed over", keyObject, r.file.path, "lines", damaged, keyHint, "nothing needs to be done; backups do not need it")
	}
	for _, at := range slices.Sorted(maps.Keys(r.buckets)) {
		if e := r.buckets[at]; e.Size != nil {
			r.size, r.sized = e.Size, e.Start.Time
		}
	}
	return inForce, since
}

// Follow takes in that another schedule is in force from now on.
func (r *Recorder) Follow(s Schedule) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.words() == r.schedule.words() {
		return
	}
	now := r.mend()
	r.settle(now)
	r.schedule, r.decided, r.header = s, now, true
	r.save()
}

// Observe takes in a verb that has ended. Backups that were made are left to Fold, which
// knows those of other programs, too.
func (r *Recorder) Observe(v engine.Verb) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mend()
	ended := v.Begun.Add(v.Duration)
	count := func(of func(*Bucket) *int64) {
		b := r.bucket(ended)
		*of(&b.Bucket)++
	}
	backup := v.Op == "backup"
	switch {
	case errors.Is(v.Err, context.Canceled):
		return
	case backup && v.Err != nil:
		count(func(b *Bucket) *int64 { return &b.Failed })
	case v.Err != nil:
		return
	case backup && v.Unchanged:
		count(func(b *Bucket) *int64 { return &b.Unchanged })
		r.came(v.Begun)
	case !backup:
		count(func(b *Bucket) *int64 { return &b.Restored })
	}
	r.save()
}

// Sample takes in how much there is. It is written down when it is another than
// before, and once a day.
func (r *Recorder) Sample(s Size) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.mend()
	if r.size.same(&s) && number(now)/48 == number(r.sized)/48 {
		return
	}
	r.size, r.sized = &s, now
	r.bucket(now).Size = &s
	r.save()
}

// Settle finds the runs that did not come in time. It is not called while a backup is
// being made, which may be the one that is due.
func (r *Recorder) Settle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.mend()
	if !r.folded && now.Sub(r.opened) < patience {
		return
	}
	r.settle(now)
	r.save()
}

// Log gives what is remembered of the last days.
func (r *Recorder) Log(days int) Log {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	from, to := number(now.AddDate(0, 0, -days)), number(now)
	out := Log{Since: r.began, Buckets: []Bucket{}}
	for _, at := range slices.Sorted(maps.Keys(r.buckets)) {
		if at >= from && at <= to { // what a clock saw that was ahead is not yet
			out.Buckets = append(out.Buckets, r.buckets[at].clone())
		}
	}
	return out
}

// mend takes back moments that are still to come, because the clock was set back: they
// would hold everything until then. It gives the present.
func (r *Recorder) mend() time.Time {
	now := r.now()
	if r.base.After(now) || r.decided.After(now) {
		r.displaced, r.exact = true, false
	}
	if r.displaced { // what is known of up to now, which may be later than when it was set back
		base, decided := r.began.Time, r.base
		for _, e := range r.buckets {
			if !e.success.After(now) {
				base = latest(base, e.success)
			}
			if !e.overdue.After(now) {
				decided = latest(decided, e.overdue)
			}
		}
		r.base, r.decided = base, latest(r.decided, decided)
	}
	for _, at := range []*time.Time{&r.base, &r.decided, &r.opened, &r.whole, &r.sized} {
		if at.After(now) {
			*at = now
		}
	}
	return now
}

// came notes that a run came at a time, and settles which were missed before it.
func (r *Recorder) came(at time.Time) {
	if !at.After(r.base) || at.After(r.now()) {
		return
	}
	r.settle(at)
	r.base = at
	e := r.bucket(at)
	e.success = latest(e.success, at)
}

// settle counts the runs that were due before a time, and did not come.
func (r *Recorder) settle(until time.Time) {
	for due := range r.schedule.missed(r.base, latest(r.base, r.decided), until) {
		e := r.bucket(due)
		e.Missed++
		e.overdue, r.decided = latest(e.overdue, due), due
	}
}

// bucket gives the entry of a time, which is about to be changed.
func (r *Recorder) bucket(at time.Time) *entry {
	n := number(at)
	e := r.buckets[n]
	if e == nil {
		e = &entry{Bucket: Bucket{Start: holdfast.At(at.Truncate(Width))}}
		r.buckets[n] = e
	}
	r.changed[n] = true
	return e
}

// save writes down what has changed. That it cannot be is told once, and it is tried
// again with the next change.
func (r *Recorder) save() {
	if len(r.changed) == 0 && !r.header {
		return
	}
	err := r.write()
	if err != nil && !r.unsaved {
		r.log.Warn("what happens cannot be written down; it is tried again", keyObject, r.file.path, keyError, err, keyHint, "look whether the state directory has room and may be written to")
	}
	r.unsaved = err != nil
	if err == nil {
		r.header = false
		clear(r.changed)
	}
}

func (r *Recorder) write() error {
	if r.file.crowded(len(r.buckets)) {
		r.forget()
		return r.file.rewrite(append([]line{r.head()}, r.linesOf(slices.Sorted(maps.Keys(r.buckets)))...))
	}
	var lines []line
	if r.header {
		lines = append(lines, r.head())
	}
	return r.file.append(append(lines, r.linesOf(slices.Sorted(maps.Keys(r.changed)))...))
}

// forget drops the oldest buckets of too many, and some more, so that not every line
// that follows writes the file anew.
func (r *Recorder) forget() {
	if len(r.buckets) <= mostBuckets {
		return
	}
	all := slices.Sorted(maps.Keys(r.buckets))
	for _, old := range all[:len(all)-mostBuckets+slack] {
		delete(r.buckets, old)
		delete(r.changed, old)
	}
}

func (r *Recorder) head() line {
	return line{Began: &r.began, Schedule: r.schedule.words(), At: stamp(r.decided)}
}

func (r *Recorder) linesOf(numbers []int64) []line {
	lines := make([]line, 0, len(numbers))
	for _, n := range numbers {
		e := r.buckets[n]
		lines = append(lines, line{Bucket: &e.Bucket, Success: stamp(e.success), Overdue: stamp(e.overdue)})
	}
	return lines
}

// number is that of the bucket of a time.
func number(at time.Time) int64 { return at.Truncate(Width).Unix() / int64(Width/time.Second) }

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func stamp(t time.Time) *holdfast.Time {
	if t.IsZero() {
		return nil
	}
	return new(holdfast.At(t))
}

func timeOf(t *holdfast.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}
