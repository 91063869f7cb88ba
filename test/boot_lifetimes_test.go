//go:build linux

package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/s3test"
	"github.com/holdfast-backup/holdfast/internal/survival"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
)

// lifetimes count for a fated bot what its survival marker should count: how
// often its disk was kept and how often it was wiped.
type lifetimes struct {
	f *fated
	// runs are those that this disk saw begin, by the ids in the marker.
	runs []string
	id   string // of the marker
	// starts, kept and wipes are of disks that are gone.
	starts, kept, wipes int64
	// expect is what the next start has to say, if nobody else may live.
	expect holdfast.SurvivalState
	aged   bool
}

// A mark is the marker beside the database.
type mark struct {
	ID, Run string
}

func (l *lifetimes) mark() (m mark, there bool) {
	l.f.t.Helper()
	data, err := os.ReadFile(survival.MarkerPath(l.f.m.path("data", "bot.db")))
	if errors.Is(err, fs.ErrNotExist) {
		return m, false
	}
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		l.f.t.Fatalf("the marker: %v", err)
	}
	return m, true
}

// keysOfS3 lets this process reach the servers that its tests start.
var keysOfS3 = sync.OnceFunc(func() {
	for _, v := range s3test.Environment() {
		name, value, _ := strings.Cut(v, "=")
		os.Setenv(name, value)
	}
})

// repository opens the repository; nil if there is none yet.
func (l *lifetimes) repository() *repo.Repository {
	l.f.t.Helper()
	keysOfS3()
	c, err := config.Load(config.Flags{Repository: l.f.inMachine(l.f.repository)}, l.f.m.env)
	if err != nil {
		l.f.t.Fatal(err)
	}
	r, err := wire.OpenRepository(l.f.t.Context(), c)
	if errors.Is(err, holdfast.ErrNotFound) {
		return nil
	}
	if err != nil {
		l.f.t.Fatal(err)
	}
	return r
}

// records are what the repository knows of instances.
func (l *lifetimes) records(r *repo.Repository) []repo.Instance {
	l.f.t.Helper()
	if r == nil {
		return nil
	}
	list, err := r.Instances(l.f.t.Context())
	if err != nil {
		l.f.t.Fatal(err)
	}
	for _, i := range list {
		if i.Err != nil {
			l.f.t.Fatalf("a record that a kill has left: %v", i.Err)
		}
	}
	return list
}

// begin is called before each start. Half of them come after a long time, so that
// nobody can take the one before for alive.
func (l *lifetimes) begin(aged bool) {
	l.f.t.Helper()
	r := l.repository()
	records := l.records(r)
	_, there := l.mark()
	switch {
	case there:
		l.expect = holdfast.SurvivalKept
	case len(records) > 0:
		l.expect = holdfast.SurvivalWiped
	default:
		l.expect = holdfast.SurvivalFirst
	}
	if l.aged = aged; aged {
		slices.SortFunc(records, func(a, b repo.Instance) int { return a.Modified.Compare(b.Modified) })
		for _, i := range records {
			l.age(r, i, time.Hour)
		}
	}
}

// age makes a record older.
func (l *lifetimes) age(r *repo.Repository, i repo.Instance, by time.Duration) {
	l.f.t.Helper()
	earlier := func(t holdfast.Time) holdfast.Time { return holdfast.At(t.Add(-by)) }
	i.Seen, i.Expires = earlier(i.Seen), earlier(i.Expires)
	if err := r.PutInstance(l.f.t.Context(), i); err != nil {
		l.f.t.Fatal(err)
	}
	key := filepath.Join(".holdfast", "instances", i.ID+".json")
	if s := l.f.store; s != nil {
		s.server.Age(l.f.t, s.bucket, filepath.Join("backups", key), by+time.Since(i.Modified))
		return
	}
	old := i.Modified.Add(-by)
	if err := os.Chtimes(filepath.Join(l.f.inMachine(l.f.repository), key), old, old); err != nil {
		l.f.t.Fatal(err)
	}
}

// told compares what a bot that has started says of its disk.
func (l *lifetimes) told(d *deployed) {
	l.f.t.Helper()
	if l.aged {
		d.when("the disk is "+string(l.expect), func(st *holdfast.Standing) bool {
			return st.Survival != nil && st.Survival.State == l.expect
		})
	}
}

// end is called after each death.
func (l *lifetimes) end() {
	l.f.t.Helper()
	m, there := l.mark()
	switch {
	case !there && len(l.runs) > 0:
		l.f.t.Fatal("the marker is gone from a disk that was kept")
	case !there:
		return
	case len(l.runs) > 0 && m.ID != l.id:
		l.f.t.Fatalf("the marker of a disk that was kept is another one: %s, was %s", m.ID, l.id)
	}
	l.id = m.ID
	if !slices.Contains(l.runs, m.Run) {
		l.runs = append(l.runs, m.Run)
	}
}

// wiped is called before the disk is. What the repository was not told of it
// nobody will know.
func (l *lifetimes) wiped() {
	l.f.t.Helper()
	for _, i := range l.records(l.repository()) {
		if n := int64(slices.Index(l.runs, i.Run) + 1); i.ID == l.id && n > 0 {
			l.starts += n
			l.kept += n - 1
			l.wipes++
		}
	}
	l.runs, l.id = nil, ""
}

// forget is called when the repository is wiped with the disk.
func (l *lifetimes) forget() { l.starts, l.kept, l.wipes = 0, 0, 0 }

// settled compares the counters with those of a bot that runs.
func (l *lifetimes) settled(d *deployed) {
	l.f.t.Helper()
	l.end() // takes note of this start
	here := int64(len(l.runs))
	starts, kept := l.starts+here, l.kept+here-1
	// What the repository knows comes in a while after the start.
	d.when(fmt.Sprintf("%d starts, %d kept, %d wiped, %s", starts, kept, l.wipes, l.expect), func(st *holdfast.Standing) bool {
		s := st.Survival
		return s != nil && s.State == l.expect && s.Starts == starts && s.Kept == kept && s.Wiped == l.wipes
	})
}

// inMachine gives a path as a process in the machine means it.
func (f *fated) inMachine(path string) string {
	if f.store != nil {
		return path
	}
	return f.m.path(path)
}
