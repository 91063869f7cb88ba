package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// Many writers in memory keep neither a backup nor each other out, and every
// backup is one instant.
func TestMemory_CaptureBesideWriters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	bank := sourcetest.NewBank(t, path, "DELETE", 6<<20)
	m := newMemory(t, path)
	if err := LoadMemory(t.Context(), m.uri, os.DirFS(filepath.Dir(path)), "bot.db"); err != nil {
		t.Fatal(err)
	}
	db := botDB(t, m.uri)
	var group sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	moved := make([]int, 4)
	for i := range moved {
		group.Go(func() {
			for ctx.Err() == nil {
				tx, err := db.Begin()
				if err != nil {
					t.Error(err)
					return
				}
				for _, change := range []string{"balance-1 WHERE id=?", "balance+1 WHERE id=?+100"} {
					if _, err := tx.Exec("UPDATE account SET balance="+change, i+1); err != nil {
						t.Error(err)
					}
				}
				if err := tx.Commit(); err != nil {
					t.Error(err)
					return
				}
				moved[i]++
			}
		})
	}
	for range 5 {
		sink := sourcetest.NewSink(t)
		got, err := m.Capture(t.Context(), sink)
		if err != nil {
			t.Fatal(err)
		}
		if got.Stall == 0 {
			t.Error("no time for which a writer may have waited")
		}
		t.Log(got.Method, got.Stall)
		bank.Check(t, sink.Path("bot.db"))
		if _, _, err := m.Peek(); err != nil {
			t.Error(err)
		}
		if _, err := m.Inspect(t.Context(), holdfast.InspectOptions{Counts: true}); err != nil {
			t.Error(err)
		}
	}
	stop()
	group.Wait()
	for i, n := range moved {
		if n == 0 {
			t.Errorf("writer %d never wrote", i)
		}
	}
	t.Log(moved)
}
