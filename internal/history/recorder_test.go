package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/logtest"
)

// A world is a state directory, a clock, and the backups that are there.
type world struct {
	t        *testing.T
	dir      string
	clock    time.Time
	schedule Schedule
	log      *logtest.Log
	r        *Recorder
	made     []Backup
}

func newWorld(t *testing.T, s Schedule) *world {
	w := &world{t: t, dir: t.TempDir(), clock: at(t, "2026-10-20T00:00Z"), schedule: s, log: &logtest.Log{}}
	w.begin()
	return w
}

// begin starts a life of the daemon.
func (w *world) begin() {
	w.r = Open(Options{Dir: w.dir, Schedule: w.schedule, Now: func() time.Time { return w.clock }, Logger: slog.New(slog.NewTextHandler(w.log, nil))})
}

// backup makes one now, which the next look sees.
func (w *world) backup(trigger holdfast.Trigger) Backup {
	b := Backup{Name: holdfast.AutomaticName(trigger, holdfast.Standard, w.clock, ""), At: w.clock, Trigger: trigger}
	w.made = append(w.made, b)
	return b
}

// minute is what a daemon does each minute.
func (w *world) minute() {
	w.clock = w.clock.Add(time.Minute)
	w.r.Fold(w.made)
	w.r.Settle()
}

// verb tells of a verb that has ended now.
func (w *world) verb(v engine.Verb) {
	v.Begun = w.clock
	w.r.Observe(v)
}

// sum adds up what is known.
func (w *world) sum() (total Day) {
	l := w.r.Log(KeptDays)
	for i := range l.Buckets {
		total.add(&l.Buckets[i])
	}
	return total
}

// A month with nights without a daemon, a week of failures, a backup by hand while nobody
// ran, and everything but the last week pruned.
func TestRecorder_AMonthWithDowntime(t *testing.T) {
	w := newWorld(t, Schedule{Every: 6 * time.Hour})
	begun := w.clock
	running, next := true, w.clock
	const step = 5 // minutes, so that the month is over soon
	for minute := 0; minute < 30*24*60; minute += step {
		day, hour := minute/(24*60), minute/60%24
		up := day < 10 || day >= 14 // no daemon ran for four days
		switch {
		case !up && running:
			running = false
		case up && !running:
			running = true
			w.begin()
			next = w.clock // what was missed is caught up with
		}
		if day == 12 && hour == 12 && minute%60 == 0 {
			w.backup(holdfast.TriggerManual) // by the command line, while no daemon ran
		}
		if !up {
			w.clock = w.clock.Add(step * time.Minute)
			continue
		}
		if !w.clock.Before(next) {
			if day >= 20 && day < 22 {
				w.verb(engine.Verb{Op: "backup", Trigger: holdfast.TriggerScheduled, Err: errors.New("no room")})
				next = w.clock.Add(3 * time.Hour)
			} else {
				w.backup(holdfast.TriggerScheduled)
				next = w.clock.Add(6 * time.Hour)
			}
		}
		for len(w.made) > 0 && w.clock.Sub(w.made[0].At) > 7*24*time.Hour {
			w.made = w.made[1:]
		}
		w.clock = w.clock.Add((step - 1) * time.Minute)
		w.minute()
	}
	days := w.r.Log(30).Days(w.clock.Add(-time.Minute), time.UTC, 30)
	for i, d := range days {
		want := Day{Start: d.Start, End: d.End, Made: 4, Today: i == 29}
		switch {
		case i == 10, i == 11, i == 13: // on the first of them the last backup was six hours before
			want.Made, want.Missed = 0, 4
		case i == 12: // at noon somebody made one, from which it counts anew
			want.Made, want.Missed = 1, 3
		case i == 20, i == 21:
			want.Made, want.Failed, want.Missed = 0, 8, 4
		case i == 14: // due at 0:00, which is when it came
		}
		if d != want {
			t.Errorf("day %d (%s): %+v, want %+v", i, d.Start.Format(time.DateOnly), d, want)
		}
	}
	if l := w.r.Log(KeptDays); !l.Since.Equal(begun) {
		t.Errorf("since %s", l.Since)
	}
	before := w.r.Log(KeptDays)
	w.begin()
	if after := w.r.Log(KeptDays); !reflect.DeepEqual(before, after) {
		t.Errorf("another life knows something else:\n%+v\n%+v", before, after)
	}
	if s := w.log.String(); s != "" {
		t.Errorf("it says: %s", s)
	}
}

func TestRecorder_CountsWhatBecameOfVerbs(t *testing.T) {
	w := newWorld(t, Schedule{})
	w.verb(engine.Verb{Op: "backup", Unchanged: true})
	w.verb(engine.Verb{Op: "backup", Err: errors.New("no room")})
	w.verb(engine.Verb{Op: "backup", Err: fmt.Errorf("stopped: %w", context.Canceled)})
	w.verb(engine.Verb{Op: "restore"})
	w.verb(engine.Verb{Op: "rollback"})
	w.verb(engine.Verb{Op: "restore", Err: errors.New("damaged")})
	b := w.backup(holdfast.TriggerQuick)
	w.verb(engine.Verb{Op: "backup", Backup: b.Name})
	proof := func(kind holdfast.ProofKind, ok bool) holdfast.Proof {
		w.clock = w.clock.Add(time.Second)
		return holdfast.Proof{At: holdfast.At(w.clock), Kind: kind, OK: ok}
	}
	for range 3 { // however often it is looked at
		w.minute()
	}
	w.made[0].Proofs = []holdfast.Proof{proof(holdfast.ProofVerify, true), proof(holdfast.ProofDrill, true), proof(holdfast.ProofStored, true), proof(holdfast.ProofStored, false), proof(holdfast.ProofDrill, false)}
	w.minute()
	w.made = nil // pruned
	w.minute()
	want := Day{Made: 1, Unchanged: 1, Failed: 1, Restored: 2, Proven: 1, Drilled: 1, Disproven: 2}
	if got := w.sum(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	l := w.r.Log(1)
	if l.Buckets[0].Made[holdfast.TriggerQuick] != 1 {
		t.Errorf("%+v", l.Buckets)
	}
	l.Buckets[0].Made[holdfast.TriggerQuick] = 7 // what is given is the caller's
	if w.sum() != want {
		t.Error("a caller changed the record")
	}
}

// A disk that is away for a while, and back.
func TestRecorder_ARepositoryThatComesBackIsCountedOnce(t *testing.T) {
	w := newWorld(t, Schedule{})
	for day := range 5 {
		w.backup(holdfast.TriggerManual)
		w.minute()
		w.clock = w.clock.Add(24*time.Hour - time.Minute)
		if day == 3 {
			all := w.made
			w.made = nil
			w.minute()
			w.made = all
		}
	}
	w.minute()
	w.clock = w.clock.Add(3 * time.Hour)
	w.minute()
	if got := w.sum().Made; got != 5 {
		t.Errorf("%d backups", got)
	}
	w.begin()
	w.minute()
	if got := w.sum().Made; got != 5 {
		t.Errorf("%d backups in another life", got)
	}
}

// The first life finds backups that were made before.
func TestRecorder_KnowsBackupsFromBeforeTheRecord(t *testing.T) {
	w := newWorld(t, Schedule{Every: time.Hour})
	w.clock = w.clock.Add(-20 * 24 * time.Hour)
	w.backup(holdfast.TriggerManual)
	w.clock = w.clock.Add(20 * 24 * time.Hour)
	w.minute()
	if got := w.sum(); got.Made != 1 || got.Missed != 0 {
		t.Errorf("%+v", got)
	}
}

// While a repository cannot be listed, runs are missed all the same; but not before another
// program's backups could be seen.
func TestRecorder_WaitsForTheFirstList(t *testing.T) {
	w := newWorld(t, Schedule{Every: time.Hour})
	w.clock = w.clock.Add(24 * time.Hour)
	w.begin()
	w.r.Settle()
	if got := w.sum().Missed; got != 0 {
		t.Errorf("%d missed before anybody has looked", got)
	}
	w.clock = w.clock.Add(patience)
	w.r.Settle()
	if got := w.sum().Missed; got != 24 {
		t.Errorf("%d missed", got)
	}
}

func TestRecorder_AnotherScheduleCountsFromThen(t *testing.T) {
	w := newWorld(t, Schedule{Every: 24 * time.Hour})
	w.backup(holdfast.TriggerScheduled)
	w.minute()
	w.clock = w.clock.Add(20 * time.Hour)
	w.schedule = Schedule{Every: time.Hour}
	w.r.Follow(w.schedule)
	w.minute()
	if got := w.sum().Missed; got != 0 {
		t.Errorf("%d runs were missed of a schedule that was not in force", got)
	}
	w.clock = w.clock.Add(150 * time.Minute)
	w.minute()
	if got := w.sum().Missed; got != 2 {
		t.Errorf("%d missed, want 2", got)
	}
	w.clock = w.clock.Add(10 * time.Hour)
	w.schedule = Schedule{Every: 2 * time.Hour} // changed while no daemon ran
	w.begin()
	w.minute()
	if got := w.sum().Missed; got != 2 {
		t.Errorf("%d missed, want 2", got)
	}
}

func TestRecorder_AClockThatJumps(t *testing.T) {
	w := newWorld(t, Schedule{Every: time.Hour})
	for range 5 {
		w.backup(holdfast.TriggerScheduled)
		w.minute()
		w.clock = w.clock.Add(59 * time.Minute)
	}
	right := w.clock
	want := w.sum()
	for _, jump := range []time.Duration{10 * 365 * 24 * time.Hour, -400 * 24 * time.Hour} {
		w.clock = right.Add(jump)
		w.backup(holdfast.TriggerScheduled)
		w.verb(engine.Verb{Op: "backup", Unchanged: true})
		w.minute()
		w.made = w.made[:len(w.made)-1]
		w.clock = right
	}
	w.minute()
	got := w.sum()
	if got.Made < want.Made || got.Missed != 0 {
		t.Errorf("after two jumps: %+v, before: %+v", got, want)
	}
	w.clock = right.Add(3 * time.Hour) // it goes on
	w.minute()
	if got := w.sum().Missed; got < 2 || got > 3 {
		t.Errorf("%d missed, want 2 or 3", got)
	}
}

func TestRecorder_SizesAreWrittenWhenTheyChange(t *testing.T) {
	w := newWorld(t, Schedule{})
	free := int64(1000)
	sample := func(stored int64) {
		free--
		left := free
		w.r.Sample(Size{Backups: 1, StoredBytes: stored, LogicalBytes: 2 * stored, FreeBytes: &left})
		w.clock = w.clock.Add(10 * time.Minute)
	}
	for range 3 * 24 * 6 { // three days
		sample(5)
	}
	sample(6)
	l := w.r.Log(10)
	if n := len(l.Buckets); n != 4 {
		t.Fatalf("%d buckets, want one a day and one for the change: %+v", n, l.Buckets)
	}
	if last := l.Buckets[3].Size; last.StoredBytes != 6 || *last.FreeBytes != free {
		t.Errorf("%+v", last)
	}
	w.begin()
	sample(6)
	if n := len(w.r.Log(10).Buckets); n != 4 {
		t.Errorf("%d buckets after a start", n)
	}
}

func TestRecorder_ADamagedLineIsPassedOver(t *testing.T) {
	w := newWorld(t, Schedule{})
	w.backup(holdfast.TriggerManual)
	w.minute()
	w.clock = w.clock.Add(time.Hour)
	w.backup(holdfast.TriggerManual)
	w.minute()
	path := filepath.Join(w.dir, File)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	bad := []string{
		"nonsense\n", `{"v":2,"start":"2026-10-20T00:00:00.000Z","missed":5}` + "\n", `{"v":1,"start":"2026-10-20T00:10:00.000Z","missed":5}` + "\n",
		`{"v":1,"start":"2026-10-20T00:00:00.000Z","missed":-5}` + "\n", "{\"v\":1}\n", strings.Repeat("x", 3*mostLine) + "\n", "\n", `{"v":1,"start":"20`,
	}
	if err := os.WriteFile(path, []byte(lines[0]+lines[1]+strings.Join(bad[:7], "")+lines[2]+bad[7]), 0o600); err != nil {
		t.Fatal(err)
	}
	w.begin()
	if got := w.sum(); got.Made != 2 || got.Missed != 0 {
		t.Errorf("%+v", got)
	}
	if s := w.log.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, "lines=7") {
		t.Errorf("it says: %s", s)
	}
	w.clock = w.clock.Add(time.Hour)
	w.backup(holdfast.TriggerManual)
	w.minute() // behind a line that was torn
	w.begin()
	w.made = nil
	if got := w.sum().Made; got != 3 {
		t.Errorf("%d backups", got)
	}
}

// What cannot be written is told once, kept in memory, and written later.
func TestRecorder_ADiskThatIsFull(t *testing.T) {
	w := newWorld(t, Schedule{})
	if err := errors.Join(os.Remove(filepath.Join(w.dir, File)), os.Mkdir(filepath.Join(w.dir, File), 0o700)); err != nil { // nothing can be written there
		t.Fatal(err)
	}
	for range 3 {
		w.backup(holdfast.TriggerManual)
		w.minute()
	}
	if got := w.sum().Made; got != 3 {
		t.Errorf("%d backups", got)
	}
	if s := w.log.String(); strings.Count(s, "cannot be written down") != 1 || !strings.Contains(s, "hint=") {
		t.Errorf("it says: %s", s)
	}
	if err := os.Remove(filepath.Join(w.dir, File)); err != nil {
		t.Fatal(err)
	}
	w.backup(holdfast.TriggerManual)
	w.minute()
	w.begin()
	if got := w.sum().Made; got != 4 {
		t.Errorf("%d backups in another life", got)
	}
}

// However much happens, the file stays small.
func TestRecorder_IsBounded(t *testing.T) {
	w := newWorld(t, Schedule{})
	for range 1000 { // many events in few half hours
		w.verb(engine.Verb{Op: "backup", Unchanged: true})
	}
	info, err := os.Stat(filepath.Join(w.dir, File))
	if err != nil || info.Size() > 100_000 {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
	for n := range mostBuckets + 1000 { // and few in many
		at := w.clock.Add(time.Duration(n) * Width)
		w.r.bucket(at).Unchanged++
	}
	w.clock = w.clock.Add((mostBuckets + 1000) * Width)
	w.verb(engine.Verb{Op: "backup", Unchanged: true})
	w.begin()
	if n := len(w.r.buckets); n > mostBuckets || n < mostBuckets-2*slack {
		t.Errorf("%d buckets", n)
	}
	if l := w.r.Log(KeptDays - 10); len(l.Buckets) < (KeptDays-10)*48 {
		t.Errorf("%d buckets of the last days", len(l.Buckets))
	}
}
