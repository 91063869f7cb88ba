package pool_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/boot/internal/pool"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// disk is a tmpfs of its own. The tests run as root, in CI as elsewhere.
type disk struct {
	t   *testing.T
	dir string
}

func newDisk(t *testing.T, size string) *disk {
	t.Helper()
	d := &disk{t: t, dir: t.TempDir()}
	d.run("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", d.dir)
	t.Cleanup(func() { d.run("umount", d.dir) })
	return d
}

func (d *disk) run(name string, args ...string) {
	d.t.Helper()
	// A process that another test is just starting has, until it runs its
	// program, a copy of every file that is open here.
	for try := 0; ; try++ {
		out, err := exec.Command(name, args...).CombinedOutput()
		if err == nil {
			return
		}
		if try == 50 {
			d.t.Fatalf("%s %v: %v: %s(this test needs root)", name, args, err, out)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// readOnly remounts the disk, which the kernel allows only while no file is open
// for writing.
func (d *disk) readOnly() { d.t.Helper(); d.run("mount", "-o", "remount,ro", d.dir) }
func (d *disk) writable() { d.t.Helper(); d.run("mount", "-o", "remount,rw", d.dir) }

// fill writes until nothing fits any more.
func (d *disk) fill() (ballast string) {
	d.t.Helper()
	ballast = filepath.Join(d.dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return ballast
}

// A refuge plays the part of boot: at a fault the database goes to memory, and
// back when the storage works again.
type refuge struct {
	*pool.Pool
	t    *testing.T
	path string

	mu     sync.Mutex
	memory *sqlite.Memory
}

func newRefuge(t *testing.T, path string) *refuge {
	t.Helper()
	r := &refuge{t: t, path: path}
	r.Pool = pool.New(pool.Options{Open: open, IsFault: sqlite.Fault, Fault: r.flee})
	r.Use(diskURI(t, path))
	t.Cleanup(func() {
		if err := r.DB().Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// flee moves to memory. Whatever was acknowledged lies on the disk.
func (r *refuge) flee(fault error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.memory != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	h, err := r.Hold(ctx)
	if err != nil {
		r.t.Errorf("after %v: %v", fault, err)
		return
	}
	defer h.Release()
	var uri string
	uri, r.memory = toMemory(r.t, r.path)
	h.Move(uri)
}

func (r *refuge) inMemory() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.memory != nil
}

// home writes the database back and moves there.
func (r *refuge) home() {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	h := hold(r.t, r.Pool)
	defer h.Release()
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if err := os.RemoveAll(r.path + suffix); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := r.memory.Save(r.t.Context(), r.path); err != nil {
		r.t.Fatal(err)
	}
	h.Move(diskURI(r.t, r.path))
	if err := r.memory.Close(); err != nil {
		r.t.Error(err)
	}
	r.memory = nil
}

// eventually waits for something that other goroutines bring about.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// everythingIsThere checks the database by another program.
func (l *ledger) everythingIsThere(t *testing.T, path string) {
	t.Helper()
	l.check(t, l.db)
	if got := sourcetest.SQLiteInt(t, path, "SELECT count(*) FROM ledger"); got < int64(len(l.acked)) {
		t.Errorf("sqlite3 finds %d entries of %d", got, len(l.acked))
	}
	if got := sourcetest.SQLite(t, path, "PRAGMA integrity_check"); got != "ok\n" {
		t.Errorf("integrity_check: %s", got)
	}
}

// onlyTheStorageFailed looks at what was returned: in transactions, and where it
// was not sure.
func (l *ledger) onlyTheStorageFailed(t *testing.T) {
	t.Helper()
	for entry, err := range l.err {
		if storage, _ := sqlite.Fault(err); !storage {
			t.Errorf("%s: %v", entry, err)
		}
	}
}

// The disk fills up under a bot that writes, again and again.
func TestStorage_FullAndBack(t *testing.T) {
	d := newDisk(t, "24m")
	path := filepath.Join(d.dir, "bot.db")
	r := newRefuge(t, path)
	l := newLedger(t, r.DB())
	stop := l.everybody()
	for range 3 {
		time.Sleep(50 * time.Millisecond)
		before := l.count()
		ballast := d.fill()
		eventually(t, "the database is in memory", r.inMemory)
		during := l.count()
		eventually(t, "writes go on in memory", func() bool { return l.count() > during })
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		r.home()
		back := l.count()
		eventually(t, "writes go on on the disk", func() bool { return l.count() > back })
		t.Logf("acknowledged: %d before, %d during, %d when back", before, during, back)
	}
	stop()
	l.everythingIsThere(t, path)
	l.onlyTheStorageFailed(t)
}

// The disk is read-only when the bot wants to write, and has a log that cannot be
// moved into the file.
func TestStorage_ReadOnlyAndBack(t *testing.T) {
	d := newDisk(t, "24m")
	path := filepath.Join(d.dir, "bot.db")
	r := newRefuge(t, path)
	l := newLedger(t, r.DB())
	for round := range 3 {
		stop := l.everybody()
		time.Sleep(50 * time.Millisecond)
		h := hold(t, r.Pool)
		if round > 0 {
			killedWriter(t, path, round)
		}
		if round == 2 { // so that SQLite cannot read it there
			if err := os.Remove(path + "-shm"); err != nil {
				t.Fatal(err)
			}
		}
		d.readOnly()
		h.Release()
		eventually(t, "the database is in memory", r.inMemory)
		before := l.count()
		eventually(t, "writes go on in memory", func() bool { return l.count() > before })
		d.writable()
		r.home()
		before = l.count()
		eventually(t, "writes go on on the disk", func() bool { return l.count() > before })
		stop()
		if got := number(t, r.DB(), "SELECT count(*) FROM ledger WHERE entry LIKE 'killed%'"); got != round {
			t.Fatalf("%d of %d entries of the killed program are there", got, round)
		}
	}
	l.everythingIsThere(t, path)
	l.onlyTheStorageFailed(t)
}

// killedWriter commits an entry and dies, so that it lies in the log only.
func killedWriter(t *testing.T, path string, n int) {
	t.Helper()
	script := ".timeout 5000\nPRAGMA wal_autocheckpoint=0;\n" +
		fmt.Sprintf("INSERT INTO ledger VALUES ('killed %d');\n", n) + ".shell kill -9 $PPID\n"
	cmd := exec.Command("sqlite3", "-batch", path)
	cmd.Stdin = strings.NewReader(script)
	if err := cmd.Run(); err == nil {
		t.Fatal("sqlite3 was not killed")
	}
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() == 0 {
		t.Fatalf("there is no log: %v", err)
	}
}
