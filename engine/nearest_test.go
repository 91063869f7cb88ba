package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/mem"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// replicated is a world whose backup "one" is in two replicas, too, and whose
// state is "two" since.
func replicated(t *testing.T) (w *world, near, far *mem.Bucket) {
	t.Helper()
	w = newWorld(t)
	near, far = mem.New(), mem.New()
	w.replica("near", near, retention.Policy{})
	w.replica("far", far, retention.Policy{})
	w.backup("one")
	if _, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{}); err != nil {
		t.Fatal(err)
	}
	w.set("two")
	w.forget()
	return w, near, far
}

// rot damages an object.
func rot(t *testing.T, b bucket.Bucket, key string) {
	t.Helper()
	if err := b.Put(t.Context(), key, []byte("rot"), bucket.Replace); err != nil {
		t.Fatal(err)
	}
}

func TestRestore_TakesTheNearestCopyThatCanBeUsed(t *testing.T) {
	const payload = "one/bot/bot_database.db"
	for name, c := range map[string]struct {
		lose func(t *testing.T, w *world, near, far *mem.Bucket)
		from string
		told int // problems: places that could not be used
	}{
		"the repository has it": {func(*testing.T, *world, *mem.Bucket, *mem.Bucket) {}, "", 0},
		"deleted in the repository": {func(t *testing.T, w *world, _, _ *mem.Bucket) {
			if _, err := w.engine().Delete(t.Context(), "one"); err != nil {
				t.Fatal(err)
			}
		}, "near", 0},
		"metadata damaged in the repository": {func(t *testing.T, w *world, _, _ *mem.Bucket) { rot(t, w.bucket, "one/"+holdfast.MetadataFile) }, "near", 1},
		"manifest damaged in the repository": {func(t *testing.T, w *world, _, _ *mem.Bucket) { rot(t, w.bucket, "one/"+holdfast.ManifestFile) }, "near", 1},
		"bytes damaged in the repository":    {func(t *testing.T, w *world, _, _ *mem.Bucket) { rot(t, w.bucket, payload) }, "near", 1},
		"damaged in two places": {func(t *testing.T, w *world, near, _ *mem.Bucket) {
			rot(t, w.bucket, payload)
			rot(t, near, payload)
		}, "far", 2},
		"no repository any more": {func(_ *testing.T, w *world, _, _ *mem.Bucket) { w.opts.Repository = nil }, "near", 0},
		"nothing reaches it": {func(_ *testing.T, w *world, _, _ *mem.Bucket) {
			w.opts.Repository, w.opts.Unusable = nil, errors.New("no route to host")
		}, "near", 1},
		"only the far one is left": {func(t *testing.T, w *world, near, _ *mem.Bucket) {
			w.opts.Repository = nil
			rot(t, near, payload)
		}, "far", 1},
	} {
		for _, elsewhere := range []bool{false, true} {
			t.Run(name+map[bool]string{false: "", true: ", elsewhere"}[elsewhere], func(t *testing.T) {
				w, near, far := replicated(t)
				c.lose(t, w, near, far)
				req := engine.RestoreRequest{Name: "one"}
				if elsewhere {
					req.To = filepath.Join(w.dir, "copy")
				}
				result := w.restore(req)
				if result.Plan.From != c.from {
					t.Errorf("from %q, want %q", result.Plan.From, c.from)
				}
				if len(result.Problems) != c.told {
					t.Errorf("told of the places that were left: %+v", result.Problems)
				}
				if elsewhere {
					if got := read(t, filepath.Join(req.To, "bot", "bot_database.db")); got != "one\none\n" {
						t.Errorf("the copy holds %q", got)
					}
					return
				}
				w.want("one")
				w.clean()
			})
		}
	}
}

func TestRestore_DamagedEverywhereIsRefused(t *testing.T) {
	w, near, far := replicated(t)
	for _, b := range []bucket.Bucket{w.bucket, near, far} {
		rot(t, b, "one/bot/bot_database.db")
	}
	if _, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "one"}); !errors.Is(err, holdfast.ErrDamaged) {
		t.Errorf("got %v", err)
	}
	w.want("two")
	w.clean()
}

func TestRestore_AnotherBackupOfTheSameNameIsNoCopy(t *testing.T) {
	w, _, _ := replicated(t)
	if _, err := w.engine().Delete(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	w.backup("one") // another, of the state two
	w.set("three")
	rot(t, w.bucket, "one/bot/bot_database.db")
	if _, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "one"}); !errors.Is(err, holdfast.ErrDamaged) {
		t.Errorf("got %v", err)
	}
	w.want("three")
}

func TestRestore_FoundNowhereTellsWhatCouldNotBeAsked(t *testing.T) {
	w := newWorld(t)
	w.unreachable("offsite")
	_, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "nothing"})
	if !errors.Is(err, holdfast.ErrNotFound) || !strings.Contains(err.Error(), "offsite: no route to host") {
		t.Errorf("got %v", err)
	}
}

func TestExport_TakesTheNextCopyIfOneIsDamaged(t *testing.T) {
	w, _, _ := replicated(t)
	rot(t, w.bucket, "one/bot/bot_database.db")
	to := filepath.Join(w.dir, "out")
	r, err := w.engine().Export(t.Context(), "one", to)
	if err != nil || r.From != "near" || len(r.Problems) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if got := read(t, filepath.Join(to, "bot", "bot_database.db")); got != "one\none\n" {
		t.Errorf("the copy holds %q", got)
	}
	if _, err := os.Stat(filepath.Join(to, holdfast.MetadataFile)); err != nil {
		t.Error(err)
	}
}

func TestVerify_OfACopyProvesTheCopy(t *testing.T) {
	w, near, _ := replicated(t)
	on, err := w.engine().OnReplica(t.Context(), "near")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := on.Verify(t.Context(), engine.VerifyRequest{Name: "latest"}); err != nil {
		t.Fatal(err)
	}
	if info, err := w.repo.Stat(t.Context(), "one"); err != nil || len(info.Proofs) != 0 {
		t.Errorf("in the repository %+v, %v", info.Proofs, err)
	}
	if _, err := w.engine().Delete(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	v, err := w.engine().Verify(t.Context(), engine.VerifyRequest{Name: "one"})
	if err != nil || v.From != "near" || !v.Proof.OK {
		t.Errorf("the copy alone: %+v, %v", v, err)
	}
	rot(t, near, "one/bot/bot_database.db")
	if _, err := on.Verify(t.Context(), engine.VerifyRequest{Name: "one"}); !errors.Is(err, holdfast.ErrDamaged) {
		t.Errorf("the damaged copy: %v", err)
	}
}

func TestVerify_DamageHereIsToldThoughThereAreCopies(t *testing.T) {
	w, _, _ := replicated(t)
	for _, key := range []string{"one/bot/bot_database.db", "one/" + holdfast.ManifestFile} {
		rot(t, w.bucket, key)
		if _, err := w.engine().Verify(t.Context(), engine.VerifyRequest{Name: "one"}); !errors.Is(err, holdfast.ErrDamaged) {
			t.Errorf("%s: %v", key, err)
		}
	}
}
