package boot

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/control"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

func TestRestore_TheSameHandleGoesOn(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	fill(t, s.DB(), 4)
	b, err := s.Backup(t.Context(), BackupOptions{Name: "four", Note: "before the party"})
	if err != nil || b.Name != "four" || b.Rows != 4 || b.Note == "" {
		t.Fatalf("%+v, %v", b, err)
	}
	run(t, s.DB(), "DELETE FROM users")
	fill(t, s.DB(), 1)
	insert, err := s.DB().Prepare("INSERT INTO users(name) VALUES(?)")
	if err != nil {
		t.Fatal(err)
	}
	defer insert.Close()

	r, err := s.Restore(t.Context(), "four")
	if err != nil || r.Backup != "four" || r.Emergency == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	if n := rows(t, s); n != 4 {
		t.Errorf("%d rows after the restore, want 4", n)
	}
	if _, err := insert.Exec("later"); err != nil {
		t.Errorf("a statement that was prepared before: %v", err)
	}
	if _, err := s.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := rows(t, s); n != 1 {
		t.Errorf("%d rows after the rollback, want 1", n)
	}
	all, err := s.Backups(t.Context())
	if err != nil || len(all) < 3 {
		t.Errorf("%d backups are listed, %v", len(all), err)
	}
	if _, err := s.Restore(t.Context(), "nothing"); !errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("a backup that does not exist: %v", err)
	}
	if st := s.Status(); st.State != Ready {
		t.Errorf("the state is %s", st.State)
	}
}

// A backup of an older program is brought up to date before the bot sees it.
// Several databases may share a repository: the latest of each is its own.
func TestRestore_TheLatestIsOurs(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	fill(t, s.DB(), 2)
	ours, err := s.Backup(t.Context(), BackupOptions{Name: "ours"})
	if err != nil {
		t.Fatal(err)
	}
	w.o.Database += ".other.db"
	other := w.start()
	fill(t, other.DB(), 5)
	if _, err := other.Backup(t.Context(), BackupOptions{Name: "theirs"}); err != nil {
		t.Fatal(err)
	}
	run(t, s.DB(), "DELETE FROM users")
	f, err := s.OpenBackup(t.Context(), "latest")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := f.Stat(); err != nil || info.Size() != ours.LogicalBytes || f.Close() != nil {
		t.Errorf("the latest that is opened: %v, %v", info, err)
	}
	for again := range 2 { // the second time there is an emergency backup that is newer
		r, err := s.Restore(t.Context(), "latest")
		ofRestored := again == 1 && strings.HasPrefix(r.Backup, "change_backup_") // soon after a restore there is one of what it brought
		if err != nil || r.Backup != "ours" && !ofRestored || rows(t, s) != 2 {
			t.Errorf("restored %+v, %v; %d rows", r, err, rows(t, s))
		}
	}
	if kept, _ := filepath.Glob(w.dir + "/data/*.before-*"); len(kept) > 0 {
		t.Errorf("a restore left %v, which its emergency backup holds", kept)
	}
}

func TestRestore_MigratesWhatWasRestored(t *testing.T) {
	w := newWorld(t)
	w.o.Migrations = migrations(first)
	s := w.start()
	fill(t, s.DB(), 2)
	if _, err := s.Backup(t.Context(), BackupOptions{Name: "old"}); err != nil {
		t.Fatal(err)
	}
	w.close(s)
	w.o.Migrations = migrations(first, second)
	s = w.start()
	run(t, s.DB(), "UPDATE users SET blocked_until = 1")
	if _, err := s.Restore(t.Context(), "old"); err != nil {
		t.Fatal(err)
	}
	if n := number(t, s.DB(), "SELECT count(*) FROM users WHERE blocked_until IS NULL"); n != 2 {
		t.Errorf("%d rows with the new column, want 2", n)
	}
}

// otherProcess is what another process restores with: `holdfast restore`.
func otherProcess(t *testing.T, w *world) *engine.Engine {
	t.Helper()
	source := config.Source{Name: "bot", Kind: holdfast.KindSQLite, Path: w.o.Database}
	c, err := config.Load(config.Flags{Repository: w.o.Repository, Sources: []config.Source{source}}, os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	r, err := wire.OpenRepository(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	sources, err := wire.Sources(c)
	if err != nil {
		t.Fatal(err)
	}
	state, err := wire.StateDir(c)
	if err != nil {
		t.Fatal(err)
	}
	e, err := wire.Engine(c, wire.Options{Repository: r, Sources: sources, Owner: control.Owners(state, sources), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestRestore_FromAnotherProcess(t *testing.T) {
	w := newWorld(t)
	w.o.Every, w.o.OnChange = Never, Never
	s := w.start()
	fill(t, s.DB(), 6)
	if _, err := s.Backup(t.Context(), BackupOptions{Name: "six"}); err != nil {
		t.Fatal(err)
	}
	run(t, s.DB(), "DELETE FROM users")
	e := otherProcess(t, w)
	r, err := e.Restore(context.Background(), engine.RestoreRequest{Name: "six"})
	if err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
	if n := rows(t, s); n != 6 {
		t.Errorf("%d rows, want 6", n)
	}
	if st := s.Status(); st.State != Ready {
		t.Errorf("the state is %s", st.State)
	}
}

// While a restore in another process has the database, statements wait; when that
// process is killed they go on.
func TestRestore_InAnotherProcessThatIsKilled(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	fill(t, s.DB(), 3)
	p := w.spawn(restoreDies)
	if got := p.line(); got != "stopped" {
		t.Fatalf("it said %q", got)
	}
	if st := s.Status(); st.State != Restoring {
		t.Errorf("the state is %s", st.State)
	}
	counted := make(chan int)
	go func() {
		var n int
		if err := s.DB().QueryRow("SELECT count(*) FROM users").Scan(&n); err != nil {
			t.Error(err)
		}
		counted <- n
	}()
	select {
	case n := <-counted:
		t.Fatalf("a statement gave %d while the database was let go", n)
	case <-time.After(200 * time.Millisecond):
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if n := <-counted; n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
	eventually(t, "ready", func() bool { return s.Status().State == Ready })
}
