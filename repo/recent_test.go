package repo

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

// lagging is object storage whose listing of folders stands still.
type lagging struct {
	*mem.Bucket
	still []string // nil: it shows everything
}

func (l *lagging) Remote() bool { return true }

func (l *lagging) Folders(ctx context.Context, prefix string) iter.Seq2[string, error] {
	if l.still == nil || prefix != "" {
		return l.Bucket.Folders(ctx, prefix)
	}
	return func(yield func(string, error) bool) {
		for _, name := range l.still {
			if !yield(name, nil) {
				return
			}
		}
	}
}

func TestRecent_ALaggingListingHidesNoBackupAndFreesNothing(t *testing.T) {
	b := &lagging{Bucket: mem.New()}
	r, err := Init(t.Context(), b, Options{Cache: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	data := noise(2<<20, 1)
	commit := func(name holdfast.BackupName, base holdfast.BackupName) {
		t.Helper()
		p, err := r.Create(t.Context(), name, true, CreateOptions{Compress: true, Base: base, Remember: true})
		if err != nil {
			t.Fatal(err)
		}
		put(t, p.Sink("bot"), "bot.db", data)
		if _, err := p.Commit(t.Context(), &holdfast.Metadata{CreatedAt: holdfast.At(testTime)}); err != nil {
			t.Fatal(err)
		}
	}
	commit("full", "")
	b.still = []string{"full"}
	data[5000]++
	commit("delta", "full")

	if _, err := r.Delete(t.Context(), "full"); err != nil {
		t.Fatal(err)
	}
	list, err := r.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "delta" {
		t.Fatalf("listed %v, %v", list, err)
	}
	from, err := r.Backup(t.Context(), "delta")
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	problems, err := from.Verify(t.Context(), nil)
	if err != nil || len(problems) > 0 {
		t.Fatalf("verify: %v, %v", problems, err)
	}
}

func TestRecent_Damaged(t *testing.T) {
	b := &lagging{Bucket: mem.New()}
	r, err := Init(t.Context(), b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	one := func(name holdfast.BackupName) {
		t.Helper()
		p, err := r.Create(t.Context(), name, true, CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		put(t, p.Sink("bot"), "bot.db", []byte("x"))
		if _, err := p.Commit(t.Context(), &holdfast.Metadata{CreatedAt: holdfast.At(testTime)}); err != nil {
			t.Fatal(err)
		}
	}
	one("a")
	if err := b.Put(t.Context(), recentKey, []byte("rubbish"), bucket.Replace); err != nil {
		t.Fatal(err)
	}
	if list, err := r.List(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("a damaged list hides backups: %v, %v", list, err)
	}
	if _, err := r.Delete(t.Context(), "a"); !errors.Is(err, holdfast.ErrDamaged) {
		t.Errorf("deleted without knowing what was committed lately: %v", err)
	}
	one("b")
	if _, err := r.Delete(t.Context(), "a"); err != nil {
		t.Errorf("the next backup did not write it anew: %v", err)
	}
}
