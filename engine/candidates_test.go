package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
)

// listed gives the candidates as "name from place", and what was told.
func listed(t *testing.T, w *world) (names []string, told []string) {
	t.Helper()
	all, problems, err := w.engine().Candidates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		name := string(c.Name)
		if c.From != "" {
			name += " from " + c.From
		}
		if c.Disproven() {
			name += ", disproven"
		}
		if len(c.Sources) != 2 || c.CreatedAt.IsZero() || c.Trigger == "" {
			t.Errorf("%+v", c)
		}
		names = append(names, name)
	}
	for _, p := range problems {
		told = append(told, p.Object+": "+p.Message)
	}
	return names, told
}

func TestCandidates_NewestFirstOverAllPlaces(t *testing.T) {
	w, near, far := replicated(t) // one is everywhere
	w.backup("two")
	if _, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{}); err != nil {
		t.Fatal(err)
	}
	w.set("three")
	w.backup("three")
	w.restore(engine.RestoreRequest{Name: "one"}) // makes an emergency backup
	disprove := func(name holdfast.BackupName) {
		t.Helper()
		if err := w.repo.AddProof(t.Context(), name, holdfast.Proof{At: holdfast.At(time.Now()), Kind: holdfast.ProofVerify}); err != nil {
			t.Fatal(err)
		}
	}
	names, told := listed(t, w)
	emergency := names[3]
	if want := []string{"three", "two", "one", emergency}; !slices.Equal(names, want) || !strings.HasPrefix(emergency, "emergency_") || len(told) > 0 {
		t.Errorf("listed %v, told %v", names, told)
	}
	disprove("three")
	disprove("two")
	if names, _ = listed(t, w); !slices.Equal(names, []string{"two from near", "one", emergency, "three, disproven"}) {
		t.Errorf("with failed proofs: %v", names)
	}
	rot(t, w.bucket, "one/"+holdfast.MetadataFile)
	names, told = listed(t, w)
	if !slices.Equal(names, []string{"two from near", "one from near", emergency, "three, disproven"}) || len(told) != 1 || !strings.HasPrefix(told[0], "one: ") {
		t.Errorf("with damage: %v, told %v", names, told)
	}
	w.opts.Repository = nil
	if names, told = listed(t, w); !slices.Equal(names, []string{"two from near", "one from near"}) || len(told) > 0 {
		t.Errorf("without a repository: %v, told %v", names, told)
	}
	w.opts.Unusable = errors.New("no route to host")
	w.unreachable("lost")
	if names, told = listed(t, w); !slices.Equal(names, []string{"two from near", "one from near"}) || len(told) != 2 {
		t.Errorf("with places that nothing reaches: %v, told %v", names, told)
	}
	for _, b := range []interface {
		Delete(context.Context, string) error
	}{near, far} {
		if err := b.Delete(t.Context(), "repository.json"); err != nil {
			t.Fatal(err)
		}
	}
	if names, told = listed(t, w); len(names) > 0 || len(told) < 2 {
		t.Errorf("with nothing left: %v, told %v", names, told)
	}
}

// silent adds a replica that never answers, and does not heed its context.
func (w *world) silent(name string) (release func()) {
	ever := make(chan struct{})
	w.opts.Replicas = append([]engine.Replica{{
		Name: name, Location: name + "://hangs",
		Open: func(context.Context) (*repo.Repository, error) {
			<-ever
			return nil, errors.New("too late")
		},
	}}, w.opts.Replicas...)
	return func() { close(ever) }
}

func TestCandidates_WaitForNobodyForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := replicated(t)
		release := w.silent("hangs")
		defer release()
		names, told := listed(t, w)
		if !slices.Equal(names, []string{"one"}) || len(told) != 1 || !strings.Contains(told[0], "no answer within 10s") {
			t.Errorf("listed %v, told %v", names, told)
		}
		w.opts.Repository = nil
		b, from, err := w.engine().Open(t.Context(), "one")
		if err != nil || from != "near" {
			t.Fatalf("from %q, %v", from, err)
		}
		defer b.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := w.engine().Candidates(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who cannot wait gets %v", err)
		}
	})
}

func TestOpen_TakesTheNearestCopyThatCanBeRead(t *testing.T) {
	w, near, far := replicated(t)
	want := func(name, place string) {
		t.Helper()
		b, from, err := w.engine().Open(t.Context(), name)
		if err != nil || from != place {
			t.Fatalf("%s from %q, %v; want it from %q", name, from, err, place)
		}
		defer b.Close()
		if data, err := fs.ReadFile(b, "bot/bot_database.db"); err != nil || string(data) != "one\none\n" {
			t.Errorf("it holds %q, %v", data, err)
		}
	}
	want("one", "")
	want("latest", "")
	rot(t, w.bucket, "one/"+holdfast.ManifestFile)
	want("one", "near")
	rot(t, near, "one/"+holdfast.MetadataFile)
	want("one", "far")
	rot(t, far, "one/"+holdfast.ManifestFile)
	_, _, err := w.engine().Open(t.Context(), "one")
	if !errors.Is(err, holdfast.ErrDamaged) {
		t.Errorf("damaged everywhere gives %v", err)
	}
	for name, kind := range map[string]error{"nowhere": holdfast.ErrNotFound, "../x": holdfast.ErrUsage, " ": holdfast.ErrUsage} {
		if _, _, err := w.engine().Open(t.Context(), name); !errors.Is(err, kind) || holdfast.HintOf(err) == "" && kind == holdfast.ErrNotFound {
			t.Errorf("%q gives %v", name, fmt.Sprint(err))
		}
	}
}
