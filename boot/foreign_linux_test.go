package boot

import (
	"context"
	"database/sql/driver"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"

	"github.com/holdfast-backup/holdfast"
)

// A watchdog counts how often the files of a directory are opened, by whomever.
type watchdog struct {
	t  *testing.T
	fd int
}

func watch(t *testing.T, dir string) *watchdog {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_OPEN|unix.IN_CLOSE); err != nil {
		t.Fatal(err)
	}
	return &watchdog{t, fd}
}

// opened gives how often each file was opened since the last call.
func (w *watchdog) opened() map[string]int {
	w.t.Helper()
	seen := map[string]int{}
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Read(w.fd, buf)
		if err == unix.EAGAIN {
			return seen
		}
		if err != nil {
			w.t.Fatal(err)
		}
		for at := 0; at < n; {
			e := (*unix.InotifyEvent)(unsafe.Pointer(&buf[at]))
			name := buf[at+unix.SizeofInotifyEvent : at+unix.SizeofInotifyEvent+int(e.Len)]
			if e.Mask&unix.IN_OPEN != 0 {
				seen[unix.ByteSliceToString(name)]++
			}
			at += unix.SizeofInotifyEvent + int(e.Len)
		}
	}
}

// While another library has the database open, nothing of ours opens the file, in
// backups, change detection, status or the end; and all of it works.
func TestForeign_NothingOfOursOpensTheFile(t *testing.T) {
	w := newWorld(t)
	w.o.OnChange, w.o.Every = Never, Never
	library := new(sqlite.Driver)
	var opens atomic.Int64
	w.o.Open = func(_ context.Context, uri string) (driver.Conn, error) {
		opens.Add(1)
		return library.Open(uri + "&_pragma=journal_mode(wal)&_pragma=busy_timeout(10000)")
	}
	s := w.start()
	s.DB().SetMaxOpenConns(1)
	fill(t, s.DB(), 12)
	eventually(t, "the first backup", func() bool { return s.Status().Backups.Last != "" })
	if err := os.WriteFile(filepath.Join(filepath.Dir(w.o.Database), "canary"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dog := watch(t, filepath.Dir(w.o.Database))
	before := opens.Load()
	b, err := s.Backup(t.Context(), BackupOptions{})
	if err != nil || b.Rows != 12 {
		t.Fatalf("a backup: %+v, %v", b, err)
	}
	for range 10 {
		if st := s.Status(); st.State != Ready {
			t.Errorf("the state is %s", st.State)
		}
	}
	if _, err := os.ReadFile(filepath.Join(filepath.Dir(w.o.Database), "canary")); err != nil {
		t.Fatal(err)
	}
	seen, byLibrary := dog.opened(), int(opens.Load()-before)
	// The library may use a descriptor again that it could not close.
	if n := seen[filepath.Base(w.o.Database)]; n > byLibrary || seen["canary"] != 1 {
		t.Errorf("%v were opened, the database by the library at most %d times", seen, byLibrary)
	}
	run(t, s.DB(), "DELETE FROM users")
	if _, err := s.Restore(t.Context(), b.Name); err != nil {
		t.Fatal(err)
	}
	if n := rows(t, s); n != 12 {
		t.Errorf("%d rows after the restore, want 12", n)
	}
	w.close(s)
	s = w.start()
	if d := decision(t, s); d.Action != holdfast.StartKept || rows(t, s) != 12 {
		t.Errorf("the second start: %+v", d)
	}
}

// Where the storage fails, a foreign library goes on in a temporary file.
func TestForeign_FallsBackToAFile(t *testing.T) {
	w := newWorld(t)
	library := new(sqlite.Driver)
	w.o.Open = func(_ context.Context, uri string) (driver.Conn, error) {
		return library.Open(uri + "&_pragma=busy_timeout(10000)")
	}
	f := failures(w, "full")
	s := w.start()
	fill(t, s.DB(), 10)
	f.fail()
	for i := 0; s.Status().State == Ready && i < 10000; i++ { // until it needs another page
		run(t, s.DB(), "INSERT INTO users(name) VALUES(?)", "x")
	}
	at := s.Status().Sources[0].At
	if at == "" {
		t.Fatalf("the status: %+v", s.Status())
	}
	n := rows(t, s)
	fill(t, s.DB(), 5)
	f.mend()
	eventually(t, "back", func() bool { return s.Status().State == Ready })
	if got := rows(t, s); got != n+5 {
		t.Errorf("%d rows, want %d", got, n+5)
	}
	if _, err := os.Stat(at); !os.IsNotExist(err) {
		t.Errorf("the temporary file is still there: %v", err)
	}
}
