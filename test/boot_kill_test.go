//go:build linux

package test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// bootRounds is how often a bot is killed by TestBoot_KilledAndWiped in all.
const bootRounds = 100

// seedOf gives the source of chance of a test, which a variable repeats.
func seedOf(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv("HOLDFAST_TEST_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("HOLDFAST_TEST_SEED=%d makes the same choices", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, uint64(len(t.Name()))))
}

// A bot is killed at random moments: while it starts, restores, writes, backs up
// and ends. Then its directory is wiped, or its database torn, or neither. Whatever
// happens, the next start has what was backed up, or, where nothing was done to the
// disk, every row that was committed, and says what happened.
func TestBoot_KilledAndWiped(t *testing.T) {
	t.Parallel()
	lanes := []struct {
		name string
		make func(t *testing.T) *fated
	}{
		{"directory", func(t *testing.T) *fated { return newFated(t, newMachine(t), "backups") }},
		{"encrypted with a mirror", func(t *testing.T) *fated {
			m := newMachine(t)
			m.with("HOLDFAST_ENCRYPT_TO="+m.ageKey("key.txt"), "HOLDFAST_IDENTITY_FILE="+m.path("key.txt"))
			f := newFated(t, m, "backups")
			f.args = append(f.args, "-mirror", "data/mirror.db")
			return f
		}},
		{"object storage", func(t *testing.T) *fated {
			s, m := newStore(t), newMachine(t)
			m.with(s3test.Environment()...)
			f := newFated(t, m, s.at("backups"))
			f.store = s
			return f
		}},
		{"replica", func(t *testing.T) *fated {
			m := newMachine(t)
			m.with("HOLDFAST_REPLICAS=[{name: usb, url: " + m.path("usb") + "}]")
			f := newFated(t, m, "backups")
			f.replica = true
			return f
		}},
	}
	for _, lane := range lanes {
		t.Run(lane.name, func(t *testing.T) {
			t.Parallel()
			f := lane.make(t)
			for range bootRounds / len(lanes) {
				f.live()
				f.strike()
			}
			f.finish()
		})
	}
}

// A fated is a bot that dies again and again, and what must be there after each
// death.
type fated struct {
	t          *testing.T
	m          *machine
	r          *rand.Rand
	repository string
	args       []string
	store      *store // of the repository, if it is a bucket
	replica    bool   // there is a replica: the repository may be wiped, too

	run    int
	disk   tally // is on disk for certain, unless it was struck
	saved  tally // is in a backup for certain
	backed bool  // there was a backup
	// wiped and torn tell what was done to the disk since the bot last said
	// what it found there.
	wiped, torn bool
	deaths      map[string]int
	count       *lifetimes
}

func newFated(t *testing.T, m *machine, repository string) *fated {
	f := &fated{t: t, m: m, r: seedOf(t), repository: repository, disk: tally{}, saved: tally{}, deaths: map[string]int{}}
	f.args = []string{"-database", "data/bot.db", "-repository", repository, "-on-change", "1s", "-shutdown-timeout", "20s"}
	f.count = &lifetimes{f: f}
	return f
}

// upTo is a random time below limit.
func (f *fated) upTo(limit time.Duration) time.Duration {
	return time.Duration(f.r.Int64N(int64(limit)))
}

// live is one start of the bot up to its death.
func (f *fated) live() {
	f.t.Helper()
	f.run++
	f.count.begin(f.r.IntN(2) == 0)
	d := f.deploy()
	death := "while it starts"
	switch f.r.IntN(5) {
	case 0:
		time.Sleep(f.upTo(200 * time.Millisecond))
	case 1:
		death = "while it ends"
		f.found(d)
		d.more(f.r.IntN(60))
		d.signal(syscall.SIGTERM)
		time.Sleep(f.upTo(250 * time.Millisecond))
	case 2:
		death = "while it backs up"
		f.found(d)
		d.more(1 + f.r.IntN(40))
		d.tell("backup")
		time.Sleep(f.upTo(60 * time.Millisecond))
	default:
		death = "while it writes"
		f.found(d)
		time.Sleep(f.upTo(900 * time.Millisecond))
	}
	d.kill()
	f.deaths[death]++
	f.died(d)
}

func (f *fated) deploy() *deployed {
	return f.m.deploy(slices.Concat(f.args, []string{"-writers", "1", "-run", fmt.Sprint(f.run)})...)
}

// found waits until the bot has started, and compares.
func (f *fated) found(d *deployed) {
	f.t.Helper()
	d.up()
	st := d.last()
	decision := st.Sources[0].Start
	switch action := decision.Action; {
	case action == holdfast.StartNew && f.backed:
		f.t.Fatalf("start %d began anew beside backups: %+v", f.run, decision)
	case action == holdfast.StartRestored && !f.wiped && !f.torn:
		f.t.Fatalf("start %d restored over a database that nothing was done to: %+v", f.run, decision)
	case action == holdfast.StartFailed:
		f.t.Fatalf("start %d failed and goes on: %+v", f.run, decision)
	}
	want := f.saved
	if !f.wiped && !f.torn {
		want = f.disk
	}
	have := d.rows()
	if lost := have.lacks(want); lost != "" {
		f.t.Fatalf("start %d (wiped %v, torn %v) %s the database, which was %s (%s):\n%s", f.run, f.wiped, f.torn, decision.Action, decision.Found, decision.Reason, lost)
	}
	f.count.told(d)
	f.disk, f.wiped, f.torn = have, false, false
}

// died takes down what must be there from now on.
func (f *fated) died(d *deployed) {
	f.disk = f.disk.with(d.acknowledged())
	if st := d.last(); st != nil && st.Backups.LastAt != nil {
		f.backed = true
		f.saved = f.saved.with(d.before(st.Backups.LastAt.Time))
		if !f.wiped && !f.torn && len(d.before(st.Backups.LastAt.Time)) > 0 {
			// What was there at the start is in it, too.
			for h, n := range f.disk {
				if h.run < f.run {
					f.saved[h] = max(f.saved[h], n)
				}
			}
		}
	}
	f.count.end()
}

// strike does something to the disk, or nothing.
func (f *fated) strike() {
	f.t.Helper()
	switch f.r.IntN(10) {
	case 0, 1, 2, 3: // a plain crash
		return
	case 4, 5, 6:
		f.count.wiped()
		f.m.remove("data")
		f.wiped = true
		if f.replica && f.r.IntN(2) == 0 && f.inReplica() {
			f.m.remove("backups")
			f.count.forget()
		}
	default:
		// Without a backup it would stay torn, and no start would touch it.
		f.torn = f.backed && f.tear() || f.torn
	}
}

// inReplica tells whether the replica has what the repository has: it is served
// after each backup, so the last one may be missing.
func (f *fated) inReplica() bool {
	newest := func(dir string) string {
		found, _ := filepath.Glob(f.m.path(dir, "*", "backup_metadata.json"))
		var last string
		var at time.Time
		for _, name := range found {
			var md holdfast.Metadata
			data, err := os.ReadFile(name)
			if err == nil && json.Unmarshal(data, &md) == nil && md.CreatedAt.After(at) {
				last, at = string(md.BackupName), md.CreatedAt.Time
			}
		}
		return last
	}
	return newest("backups") == newest("usb")
}

// tear damages the database or its log, and tells whether it did.
func (f *fated) tear() bool {
	f.t.Helper()
	victim := "data/bot.db"
	if f.r.IntN(3) == 0 {
		victim += "-wal"
	}
	info, err := os.Stat(f.m.path(victim))
	if err != nil || info.Size() == 0 {
		return false
	}
	file, err := os.OpenFile(f.m.path(victim), os.O_RDWR, 0)
	if err != nil {
		f.t.Fatal(err)
	}
	defer file.Close()
	switch f.r.IntN(3) {
	case 0:
		err = file.Truncate(0)
	case 1:
		err = file.Truncate(f.r.Int64N(info.Size()))
	default:
		const page = 4096
		noise := make([]byte, page)
		for i := range noise {
			noise[i] = byte(f.r.Uint32())
		}
		_, err = file.WriteAt(noise, f.r.Int64N(info.Size()/page+1)*page)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return true
}

// finish starts once more, and looks at everything.
func (f *fated) finish() {
	f.t.Helper()
	f.run++
	f.count.begin(true)
	d := f.deploy()
	f.found(d)
	f.count.settled(d)
	d.more(20)
	d.close()
	all := f.disk.with(d.acknowledged())
	if lost := f.m.onDisk("data/bot.db").lacks(all); lost != "" {
		f.t.Error(lost)
	}
	if left, _ := filepath.Glob(f.m.path("data", ".holdfast-stage*")); len(left) > 0 {
		f.t.Errorf("left behind: %v", left)
	}
	// Emergency backups hold what was torn, and say so; all others are proven.
	_, stdout, stderr := f.m.run("--repo", f.repository, "verify", "--all")
	for _, name := range f.m.list("--repo", f.repository).names() {
		if strings.HasPrefix(name, "emergency_") || f.replica && !f.m.exists(filepath.Join("backups", name)) {
			continue // or it is in the replica only
		}
		if !strings.Contains(stdout, "proven "+name+":") {
			f.t.Errorf("%s is not proven:\n%s%s", name, stdout, stderr)
		}
	}
	if lost := f.m.heldBy(f.repository, "latest").lacks(all); lost != "" {
		f.t.Errorf("the last backup: %s", lost)
	}
	f.t.Logf("it died %v", f.deaths)
}
