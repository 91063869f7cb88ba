package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
)

// sealed makes the repository of w one that is encrypted to a new key, which
// only what is opened with the answer has.
func (w *world) sealed() repo.Keys {
	w.t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		w.t.Fatal(err)
	}
	w.reopen(repo.Options{Recipients: []string{id.Recipient().String()}, Cache: w.t.TempDir()})
	return repo.Keys{Identities: func(context.Context) ([]age.Identity, error) { return []age.Identity{id}, nil }}
}

// reopen opens the repository otherwise from here on.
func (w *world) reopen(o repo.Options) {
	w.t.Helper()
	r, err := repo.Open(w.t.Context(), w.bucket, o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.repo, w.opts.Repository = r, r
}

func (w *world) scheduled(req engine.BackupRequest) *engine.BackupResult {
	w.t.Helper()
	req.Trigger = holdfast.TriggerScheduled
	got, err := w.engine().Backup(w.t.Context(), req)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// A host without a key makes full backups as ever: what it has just written it
// can check and export memory from.
func TestEncrypted_AFullIsCheckedAndExportedWithoutAKey(t *testing.T) {
	w := newWorld(t)
	keys := w.sealed()
	w.backup("monday")
	w.reopen(repo.Options{Keys: keys})
	result, err := w.engine().Verify(t.Context(), engine.VerifyRequest{Name: "monday"})
	if err != nil || !result.Proof.OK || result.Proof.Kind != holdfast.ProofVerify || result.StoredOnly {
		t.Fatalf("%v %+v", err, result)
	}
	b, err := w.repo.Backup(t.Context(), "monday")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	m := b.Metadata()
	if !slices.ContainsFunc(m.Sources, func(s holdfast.SourceMetadata) bool { return slices.Contains(s.Memory, "enhanced_rag_memory") }) {
		t.Errorf("memory was not exported: %+v", m.Sources)
	}
	w.set("two")
	w.restore(engine.RestoreRequest{Name: "monday"})
	w.want("one")
}

func TestVerify_WithoutAKeyProvesNothing(t *testing.T) {
	w := newWorld(t)
	keys := w.sealed()
	w.backup("monday")
	result, err := w.engine().Verify(t.Context(), engine.VerifyRequest{Name: "monday"})
	if err != nil || !result.StoredOnly || result.Proof.Kind != holdfast.ProofStored || !result.Proof.OK {
		t.Fatalf("%v %+v", err, result)
	}
	info, err := w.repo.Stat(t.Context(), "monday")
	if err != nil {
		t.Fatal(err)
	}
	if _, proven := info.Proven(); proven || len(info.Proofs) != 1 {
		t.Errorf("proofs %+v", info.Proofs)
	}
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	w.reopen(repo.Options{Keys: repo.Keys{Identities: func(context.Context) ([]age.Identity, error) { return []age.Identity{stranger}, nil }}})
	if _, err := w.engine().Verify(t.Context(), engine.VerifyRequest{Name: "monday"}); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("a key that does not fit: %v", err)
	}
	w.reopen(repo.Options{Keys: keys})
	if result, err = w.engine().Verify(t.Context(), engine.VerifyRequest{Name: "monday"}); err != nil || result.StoredOnly {
		t.Errorf("with the key: %v %+v", err, result)
	}
}

// Memory is exported from all of a capture. What lies in an earlier backup
// cannot be read on a host without a key, so such a backup is a full one; one
// without memory is a delta that was not checked, and says so.
func TestEncrypted_DeltasOfAHostWithoutAKey(t *testing.T) {
	w := newWorld(t)
	keys := w.sealed()
	w.scheduled(engine.BackupRequest{Name: "monday"})
	w.set("two")
	got := w.scheduled(engine.BackupRequest{Name: "tuesday"})
	if got.Form.Base != "" || !strings.Contains(got.Form.Reason, "encrypted") {
		t.Errorf("with memory: %s", got.Form)
	}
	w.set("three")
	got = w.scheduled(engine.BackupRequest{Name: "wednesday", Type: holdfast.Standard})
	if got.Form.Base != "tuesday" || got.Incomplete() {
		t.Errorf("without memory: %s, %+v", got.Form, got.Problems)
	}
	for _, s := range got.Backup.Metadata.Sources {
		if s.Facts.SQLite != nil && s.Facts.SQLite.QuickCheck != holdfast.CheckUnchecked {
			t.Errorf("%s is told to be checked: %s", s.Name, s.Facts.SQLite.QuickCheck)
		}
		if !slices.ContainsFunc(got.Problems, func(p holdfast.Problem) bool {
			return p.Source == s.Name && p.Severity == holdfast.Warning && strings.Contains(p.Message, "not checked")
		}) {
			t.Errorf("that %s was not checked is not told: %+v", s.Name, got.Problems)
		}
	}
	w.reopen(repo.Options{Keys: keys})
	for _, name := range []string{"tuesday", "wednesday"} {
		if result, err := w.engine().Verify(t.Context(), engine.VerifyRequest{Name: name}); err != nil || !result.Proof.OK {
			t.Errorf("%s: %v %+v", name, err, result)
		}
	}
}

// That encryption begins is told with the backup that begins it, and once.
func TestEncrypted_TurningItOnIsTold(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.sealed()
	told := func(r *engine.BackupResult) bool {
		return slices.ContainsFunc(r.Problems, func(p holdfast.Problem) bool { return strings.Contains(p.Message, "not encrypted") })
	}
	if !told(w.backup("tuesday")) {
		t.Error("that earlier backups are in the open is not told")
	}
	if told(w.backup("wednesday")) {
		t.Error("it is told again")
	}
}
