package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/mem"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// ageKey makes a key: the public half, and what opens with the private one.
func ageKey(t *testing.T) (string, repo.Keys) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id.Recipient().String(), repo.Keys{Identities: func(context.Context) ([]age.Identity, error) { return []age.Identity{id}, nil }}
}

// ownReplica adds a replica with an encryption of its own.
func (w *world) ownReplica(name string, b bucket.Bucket, o repo.Options) {
	o.Own = true
	w.opts.Replicas = append(w.opts.Replicas, engine.Replica{
		Name: name, Location: name + "://" + w.t.Name(), Retention: retention.Policy{},
		Open: func(ctx context.Context) (*repo.Repository, error) { return repo.Open(ctx, b, o) },
		Make: func(ctx context.Context, id string) (*repo.Repository, error) { return repo.InitReplica(ctx, b, id, o) },
	})
}

// intactBy is intact with keys.
func intactBy(t *testing.T, b bucket.Bucket, keys repo.Keys) {
	t.Helper()
	r, err := repo.Open(t.Context(), b, repo.Options{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range held(t, b) {
		backup, err := r.Backup(t.Context(), holdfast.BackupName(name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if problems, err := backup.Verify(t.Context(), nil); err != nil || len(problems) > 0 || !backup.Metadata().Encrypted {
			t.Errorf("%s: %v, %+v", name, err, problems)
		}
		backup.Close()
	}
}

func TestReplicate_IntoAnEncryptionOfItsOwn(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t).remembering()
			to, keys := ageKey(t)
			add := func(b bucket.Bucket) { w.ownReplica("offsite", b, repo.Options{Recipients: []string{to}}) }
			w.replicateThroughCuts(seed, add, func(t *testing.T, b bucket.Bucket) { intactBy(t, b, keys) })
			result, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{})
			if err != nil || result.Replicas[0].Present != 3 || len(result.Replicas[0].Copied) != 0 {
				t.Errorf("once more: %+v, %v", result, err)
			}
		})
	}
}

// A copy that is encrypted otherwise is a copy: what the repository lost is
// restored from it.
func TestRestore_FromAReplicaWithAnEncryptionOfItsOwn(t *testing.T) {
	w := newWorld(t).remembering()
	to, keys := ageKey(t)
	w.ownReplica("offsite", mem.New(), repo.Options{Recipients: []string{to}, Keys: keys})
	w.backup("monday")
	w.set("two")
	w.backup("tuesday")
	if _, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"monday", "tuesday"} {
		if err := w.bucket.Put(t.Context(), name+"/"+holdfast.ManifestFile, []byte("rot"), bucket.Replace); err != nil {
			t.Fatal(err)
		}
	}
	w.set("three")
	w.opts.Settings.Deltas = engine.DeltasNever // the emergency backup must not rest on the damaged ones
	for name, want := range map[string]string{"tuesday": "two", "monday": "one"} {
		if got := w.restore(engine.RestoreRequest{Name: name}); got.Plan.From != "offsite" {
			t.Errorf("%s was restored from %q", name, got.Plan.From)
		}
		w.want(want)
	}
}

func TestReplicate_WithoutTheKeyOfWhatMustBeRead(t *testing.T) {
	w := newWorld(t)
	w.sealed()
	to, _ := ageKey(t)
	target := mem.New()
	w.ownReplica("offsite", target, repo.Options{Recipients: []string{to}})
	w.backup("monday")
	_, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{})
	if !errors.Is(err, holdfast.ErrIncomplete) || !strings.Contains(err.Error(), "monday") || !strings.Contains(err.Error(), "no key was given") {
		t.Errorf("got %v", err)
	}
	wantHeld(t, target)
}

// Other recipients are told once, and keep a delta from resting on what they
// cannot read.
func TestReplicate_OtherRecipients(t *testing.T) {
	w := newWorld(t).remembering()
	target := mem.New()
	first, _ := ageKey(t)
	w.ownReplica("offsite", target, repo.Options{Recipients: []string{first}})
	w.grow("monday")
	w.backup("monday")
	if _, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{}); err != nil {
		t.Fatal(err)
	}
	second, _ := ageKey(t)
	w.opts.Replicas = nil
	w.ownReplica("offsite", target, repo.Options{Recipients: []string{second}})
	w.grow("tuesday")
	w.backup("tuesday")
	result, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{})
	if !errors.Is(err, holdfast.ErrIncomplete) || !strings.Contains(err.Error(), "encrypted otherwise") || len(result.Replicas[0].Notes) != 1 {
		t.Errorf("got %v, %+v", err, result)
	}
	w.opts.Settings.Deltas = engine.DeltasNever
	w.backup("wednesday")
	result, _ = w.engine().Replicate(t.Context(), engine.ReplicateRequest{Names: []string{"wednesday"}})
	if len(result.Replicas[0].Notes) != 0 || len(result.Replicas[0].Copied) != 1 {
		t.Errorf("%+v", result)
	}
	wantHeld(t, target, "monday", "wednesday")
}
