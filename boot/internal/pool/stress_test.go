package pool_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/boot/internal/pool"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// A ledger is what several goroutines have written, each in its own way, and what
// they were told of it.
type ledger struct {
	db  *sql.DB
	ctx context.Context

	next  atomic.Int64
	mu    sync.Mutex
	acked map[string]bool
	err   map[string]error
}

func newLedger(t *testing.T, db *sql.DB) *ledger {
	t.Helper()
	do(t, db, "CREATE TABLE ledger (entry TEXT NOT NULL)")
	// A statement that hangs is a deadlock.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return &ledger{db: db, ctx: ctx, acked: map[string]bool{}, err: map[string]error{}}
}

const enter = "INSERT INTO ledger VALUES (?)"

// ways are the ways in which a program writes.
var ways = map[string]func(ctx context.Context, db *sql.DB, entry string) error{
	"exec": func(ctx context.Context, db *sql.DB, entry string) error {
		_, err := db.ExecContext(ctx, enter, entry)
		return err
	},
	"returning": func(ctx context.Context, db *sql.DB, entry string) error {
		var got string
		return db.QueryRowContext(ctx, enter+" RETURNING entry", entry).Scan(&got)
	},
	"transaction": func(ctx context.Context, db *sql.DB, entry string) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, enter, entry); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return tx.Commit()
	},
	"by hand": func(ctx context.Context, db *sql.DB, entry string) (err error) {
		c, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Close()) }()
		if _, err := c.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
			return err
		}
		if _, err := c.ExecContext(ctx, enter, entry); err != nil {
			_, _ = c.ExecContext(ctx, "ROLLBACK") // SQLite may have done so
			return err
		}
		_, err = c.ExecContext(ctx, "COMMIT")
		return err
	},
	"nested": func(ctx context.Context, db *sql.DB, entry string) (err error) {
		rows, err := db.QueryContext(ctx, "VALUES (1)")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		if !rows.Next() {
			return errors.Join(errors.New("no row"), rows.Err())
		}
		_, err = db.ExecContext(ctx, enter, entry)
		return err
	},
}

// write enters one numbered entry after another until stop is closed.
func (l *ledger) write(name string, way func(context.Context, *sql.DB, string) error, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		l.put(fmt.Sprint(name, " ", l.next.Add(1)), way)
	}
}

func (l *ledger) put(entry string, way func(context.Context, *sql.DB, string) error) {
	err := way(l.ctx, l.db, entry)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.err[entry] = err
		return
	}
	l.acked[entry] = true
}

// everybody lets all ways write at once.
func (l *ledger) everybody() (stop func()) {
	var group sync.WaitGroup
	done := make(chan struct{})
	for name, way := range ways {
		group.Go(func() { l.write(name, way, done) })
	}
	group.Go(func() { // a statement that is prepared once for all
		s, err := l.db.PrepareContext(l.ctx, enter)
		if err != nil {
			l.mu.Lock()
			l.err["prepare"] = err
			l.mu.Unlock()
			return
		}
		defer s.Close()
		l.write("prepared", func(ctx context.Context, _ *sql.DB, entry string) error {
			_, err := s.ExecContext(ctx, entry)
			return err
		}, done)
	})
	return func() {
		close(done)
		group.Wait()
	}
}

// count tells how many entries were acknowledged so far.
func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// check compares what is there with what was told.
func (l *ledger) check(t *testing.T, db *sql.DB) {
	t.Helper()
	if err := l.ctx.Err(); err != nil {
		t.Fatalf("something hangs: %v", err)
	}
	rows, err := db.QueryContext(t.Context(), "SELECT entry, count(*) FROM ledger GROUP BY entry")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := 0
	for rows.Next() {
		var entry string
		var count int
		if err := rows.Scan(&entry, &count); err != nil {
			t.Fatal(err)
		}
		if count != 1 {
			t.Errorf("%q is there %d times", entry, count)
		}
		if l.acked[entry] {
			found++
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if found != len(l.acked) {
		t.Errorf("%d of %d acknowledged entries are there", found, len(l.acked))
	}
	t.Logf("%d entries acknowledged, %d failed", len(l.acked), len(l.err))
}

// Acknowledged writes survive moves to memory and back at any moment, nothing is
// written twice, and nobody waits for ever.
func TestMove_LosesNothing(t *testing.T) {
	p, path := newPool(t, pool.Options{})
	l := newLedger(t, p.DB())
	stop := l.everybody()
	moves := 0
	for until := time.Now().Add(4 * time.Second); time.Now().Before(until); {
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(200))*time.Millisecond)
		h, err := p.Hold(ctx)
		cancel()
		if err != nil {
			if !errors.Is(err, holdfast.ErrLocked) {
				t.Error(err)
			}
			continue
		}
		uri, m := toMemory(t, path)
		h.Move(uri)
		h.Release()
		moves++

		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		h = hold(t, p)
		path = filepath.Join(filepath.Dir(path), fmt.Sprintf("bot%d.db", moves))
		if err := m.Save(t.Context(), path); err != nil {
			t.Error(err)
		}
		h.Move(diskURI(t, path))
		h.Release()
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	stop()
	for entry, err := range l.err {
		t.Errorf("%s: %v", entry, err)
	}
	l.check(t, p.DB())
	if moves == 0 {
		t.Error("the pool was never held")
	}
	t.Logf("%d moves there and back", moves)
}

// toMemory loads the database at path into memory.
func toMemory(t *testing.T, path string) (uri string, m *sqlite.Memory) {
	t.Helper()
	uri = sqlite.MemoryURI(t.Name())
	m, err := sqlite.NewMemory("bot", path, uri)
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlite.LoadMemoryFrom(t.Context(), uri, path); err != nil {
		t.Fatal(err)
	}
	return uri, m
}
