package repo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

// manyBackups commits n small backups, a minute apart.
func manyBackups(t *testing.T, r *Repository, n int) {
	t.Helper()
	for i := range n {
		p := create(t, r, holdfast.BackupName(fmt.Sprintf("change_backup_%04d", i)), CreateOptions{})
		put(t, p.Sink("bot"), "bot.db", []byte("page"))
		at := holdfast.At(testTime.Add(time.Duration(i) * time.Minute))
		if _, err := p.Commit(t.Context(), &holdfast.Metadata{CreatedAt: at, Type: holdfast.Standard, Trigger: holdfast.TriggerChange}); err != nil {
			t.Fatal(err)
		}
	}
}

// far makes every answer of b take a while, and counts how many are waited for
// at once.
func far(b *mem.Bucket) (most *atomic.Int64) {
	most = new(atomic.Int64)
	var now atomic.Int64
	b.Inject(func(op, _ string) error {
		if op != "open" {
			return nil
		}
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(30 * time.Millisecond)
		return nil
	})
	return most
}

func TestRepository_ListAsksForManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, b := newRepo(t)
		const backups = 100
		manyBackups(t, r, backups)
		most := far(b)
		list, err := r.List(t.Context())
		b.Inject(nil)
		if err != nil || len(list) != backups {
			t.Fatalf("%d backups, %v", len(list), err)
		}
		if !slices.IsSortedFunc(list, newestFirst) || list[0].Name != "change_backup_0099" {
			t.Errorf("the first is %s", list[0].Name)
		}
		if n := most.Load(); n != listAtOnce {
			t.Errorf("%d objects were read at once, want %d", n, listAtOnce)
		}
	})
}

// What nobody may free is found out side by side too, and in the same order.
func TestRepository_NeedsAsksForManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, b := newRepo(t)
		manyBackups(t, r, 40)
		for _, name := range []string{"change_backup_0030", "change_backup_0007"} {
			if err := b.Corrupt(name+"/"+holdfast.MetadataFile, func([]byte) []byte { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		most := far(b)
		n, err := r.needs(t.Context())
		b.Inject(nil)
		if err != nil || !slices.Equal(n.unreadable, []holdfast.BackupName{"change_backup_0007", "change_backup_0030"}) {
			t.Errorf("unreadable %v, %v", n.unreadable, err)
		}
		if most.Load() != listAtOnce {
			t.Errorf("%d objects were read at once, want %d", most.Load(), listAtOnce)
		}
	})
}

func TestRepository_ListNamesWhatFails(t *testing.T) {
	r, b := newRepo(t)
	manyBackups(t, r, 40)
	outage := errors.New("no route to host")
	b.Inject(func(op, key string) error {
		if op == "open" && strings.HasPrefix(key, "change_backup_0020") {
			return outage
		}
		return nil
	})
	list, err := r.List(t.Context())
	if err != nil || len(list) != 40 || !errors.Is(list[39].Err, outage) {
		t.Errorf("one that cannot be read is listed last, with its error: %d, %v", len(list), err)
	}
	b.Inject(func(op, _ string) error {
		if op == "folders" || op == "list" {
			return outage
		}
		return nil
	})
	if _, err = r.List(t.Context()); !errors.Is(err, outage) {
		t.Errorf("got %v", err)
	}
}

func TestRepository_ListCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, b := newRepo(t)
		manyBackups(t, r, 100)
		far(b)
		tired := errors.New("nobody waits any more")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(100*time.Millisecond, func() { cancel(tired) })
		started := time.Now()
		if _, err := r.List(ctx); !errors.Is(err, tired) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(started); took > 200*time.Millisecond {
			t.Errorf("it went on for %s of the bubble's time", took)
		}
		b.Inject(nil)
	})
}
