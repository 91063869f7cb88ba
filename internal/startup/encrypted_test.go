package startup_test

import (
	"context"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/startup"
	"github.com/holdfast-backup/holdfast/repo"
)

// encrypted lets the world's repository encrypt to a key, and gives back what is
// to be done on a machine that has the key, and on one that has not.
func (w *world) encrypted() (withKey, withoutKey func()) {
	w.t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		w.t.Fatal(err)
	}
	makeRepo(w.t, w.repoDir)
	use := func(keys repo.Keys) func() {
		return func() {
			w.opts.Engine = func(ctx context.Context) (*engine.Engine, error) {
				b, err := dir.New(w.repoDir, dir.Options{})
				if err != nil {
					return nil, err
				}
				r, err := repo.Open(ctx, b, repo.Options{Recipients: []string{key.Recipient().String()}, Keys: keys})
				if err != nil {
					return nil, err
				}
				return engine.New(engine.Options{
					Sources: []holdfast.Source{w.source}, StateDir: w.opts.StateDir, Repository: r, Now: w.clock,
					Settings: engine.Settings{Compress: true, EmergencyBackup: true},
				})
			}
		}
	}
	return use(repo.Keys{Identities: func(context.Context) ([]age.Identity, error) { return []age.Identity{key}, nil }}), use(repo.Keys{})
}

// The facts of an encrypted backup are private. It is a backup all the same.
func TestPrepare_EncryptedBackupsAreNotNothing(t *testing.T) {
	w := newWorld(t)
	withKey, withoutKey := w.encrypted()
	w.fill(7)
	withKey()
	e, err := w.opts.Engine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := e.Backup(t.Context(), engine.BackupRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	w.wipe()

	withoutKey()
	d, err := w.refuse(startup.ErrNothingUsable)
	wantWords(t, d.Reason+err.Error(), "encrypted", "no key")
	if len(d.Passed) != 1 || !strings.Contains(holdfast.HintOf(err), "identity_file") {
		t.Errorf("passed over %d backups of one place, with the hint %q", len(d.Passed), holdfast.HintOf(err))
	}

	withKey()
	if d := w.prepare(); d.Action != holdfast.StartRestored {
		t.Fatalf("got %+v", d)
	}
	if got := w.notes(); got != "7" {
		t.Errorf("%s notes came back, want 7", got)
	}
}
