package pool_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/boot/internal/pool"
)

// What only the open connections can reach is read over them before they are
// closed.
func TestHoldOpen_ReadsWhatHasNoNameAnyMore(t *testing.T) {
	p, path := newPool(t, pool.Options{})
	do(t, p.DB(), "CREATE TABLE t (x)")
	do(t, p.DB(), "INSERT INTO t VALUES (42)")
	dir := filepath.Dir(path)
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	h, err := p.HoldOpen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Execute("SELECT nothing FROM nowhere"); err == nil || errors.Is(err, pool.ErrNoneOpen) {
		t.Errorf("a statement that must fail: %v", err)
	}
	if err := h.Execute("VACUUM INTO '" + copied + "'"); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if open := openFiles(t, dir); len(open) > 0 {
		t.Errorf("after Close %q are open", open)
	}
	if err := h.Execute("SELECT 1"); !errors.Is(err, pool.ErrNoneOpen) {
		t.Errorf("without a connection: %v", err)
	}
	h.Move(diskURI(t, copied))
	h.Release()
	if x := number(t, p.DB(), "SELECT x FROM t"); x != 42 {
		t.Errorf("x is %d", x)
	}
}

// A hold that is released without Close leaves the connections as they were,
// except those that were given up meanwhile.
func TestHoldOpen_ReleaseLeavesConnectionsOpen(t *testing.T) {
	p, path := newPool(t, pool.Options{})
	do(t, p.DB(), "CREATE TABLE t (x)")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, idle := range []int{2, 0} {
		h, err := p.HoldOpen(ctx)
		if err != nil {
			t.Fatal(err)
		}
		p.DB().SetMaxIdleConns(idle)
		if open := openFiles(t, filepath.Dir(path)); len(open) == 0 {
			t.Error("nothing is open in an open hold")
		}
		h.Release()
		if open := openFiles(t, filepath.Dir(path)); (len(open) > 0) != (idle > 0) {
			t.Errorf("with %d idle connections %q are open after the release", idle, open)
		}
	}
	do(t, p.DB(), "INSERT INTO t VALUES (1)")
}
