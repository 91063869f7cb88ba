package repo

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

// What a replica was told once holds until it is told otherwise: who forgets to
// say it does not put copies in the open.
func TestOwnEncryption_IsRemembered(t *testing.T) {
	r, _ := newRepo(t)
	commit(t, writeSealed(t, r, "full", true))
	there := mem.New()
	id, to := newKey(t)
	ownReplica(t, r, there, form{make: Options{Recipients: []string{to}}})
	forgetful := newReplica(t, r, there)
	if notes, err := r.ShareEncryption(t.Context(), forgetful); err != nil || len(notes) > 0 {
		t.Fatal(notes, err)
	}
	copyAll(t, r, forgetful, "full")
	back := open(t, opened(t, there, Options{Keys: keysOf(id)}), "full")
	verify(t, back)
	if !back.Metadata().Encrypted {
		t.Error("the copy lies in the open")
	}
}

// The keys of the repository, copied for its passphrase, are not taken for those
// of a replica that gets a passphrase of its own.
func TestOwnEncryption_KeysAreNotMixed(t *testing.T) {
	r, err := Init(t.Context(), mem.New(), Options{ByPassphrase: true, Keys: passphraseOf("correct horse")})
	if err != nil {
		t.Fatal(err)
	}
	there := mem.New()
	if _, err := r.ShareEncryption(t.Context(), newReplica(t, r, there)); err != nil {
		t.Fatal(err)
	}
	before, err := readSmall(t.Context(), there, identityFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, passphrase := range []string{"correct horse", "another horse"} {
		replica := opened(t, there, Options{Own: true, ByPassphrase: true, Keys: passphraseOf(passphrase)})
		if _, err := r.ShareEncryption(t.Context(), replica); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), "new place") {
			t.Errorf("got %v", err)
		}
	}
	if after, err := readSmall(t.Context(), there, identityFile); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the keys were replaced: %v", err)
	}
}

// A repository that is made again from what a replica holds keeps the keys which
// the copies need, and goes on encrypting to them.
func TestInitFrom_KeepsKeysAndEncryption(t *testing.T) {
	for _, f := range forms(t)[1:] {
		t.Run(f.name, func(t *testing.T) {
			there := mem.New()
			gone, err := Init(t.Context(), mem.New(), f.make)
			if err != nil {
				t.Fatal(err)
			}
			commit(t, writeSealed(t, gone, "before", true))
			to := newReplica(t, gone, there)
			if _, err := gone.ShareEncryption(t.Context(), to); err != nil {
				t.Fatal(err)
			}
			copyAll(t, gone, to, "before")

			made, err := to.InitFrom(t.Context(), mem.New(), f.make)
			if err != nil {
				t.Fatal(err)
			}
			p := writeSealed(t, made, "after", true)
			if commit(t, p); len(p.Notices()) > 0 {
				t.Errorf("encrypted otherwise: %+v", p.Notices())
			}
			if _, err := made.ShareEncryption(t.Context(), to); err != nil {
				t.Fatal(err)
			}
			copyAll(t, made, to, "after")
			for _, name := range []holdfast.BackupName{"before", "after"} {
				back := open(t, opened(t, there, Options{Keys: f.keys}), name)
				verify(t, back)
				if !back.Metadata().Encrypted {
					t.Errorf("%s lies in the open", name)
				}
			}
		})
	}
}

// Keys that copies need are never replaced by others; by more of them they are.
func TestShareEncryption_NeverTakesKeysAway(t *testing.T) {
	o := Options{ByPassphrase: true, Keys: passphraseOf("correct horse")}
	r, err := Init(t.Context(), mem.New(), o)
	if err != nil {
		t.Fatal(err)
	}
	there := mem.New()
	share := func(from *Repository) error {
		to, err := InitReplica(t.Context(), there, from.ID(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = from.ShareEncryption(t.Context(), to)
		return err
	}
	commit(t, writeSealed(t, r, "monday", true))
	if err := share(r); err != nil {
		t.Fatal(err)
	}
	copyAll(t, r, opened(t, there, Options{}), "monday")
	for range 2 {
		if err := r.RotateKey(t.Context(), "correct horse"); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.ChangePassphrase(t.Context(), "correct horse"); err != nil {
		t.Fatal(err)
	}
	if err := share(r); err != nil {
		t.Fatalf("after a rotation: %v", err)
	}
	other, err := initAt(t.Context(), mem.New(), o, r.ID(), testTime)
	if err != nil {
		t.Fatal(err)
	}
	if err := share(other); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), "new place") {
		t.Errorf("other keys: %v", err)
	}
	verify(t, open(t, opened(t, there, Options{Keys: o.Keys}), "monday"))
}

// What is configured for a replica counts, whatever it had before.
func TestOwnEncryption_Changes(t *testing.T) {
	r, _ := newRepo(t)
	there := mem.New()
	id, to := newKey(t)
	pass := passphraseOf("correct horse")
	for i, c := range []struct {
		o    Options
		keys Keys
	}{
		{Options{Recipients: []string{to}}, keysOf(id)},
		{Options{ByPassphrase: true, Keys: pass}, pass},
		{Options{}, Keys{}},
		{Options{Recipients: []string{to}}, keysOf(id)},
	} {
		name := holdfast.BackupName(fmt.Sprint("backup", i))
		commit(t, writeSealed(t, r, name, true))
		replica := ownReplica(t, r, there, form{make: c.o})
		notes, err := r.ShareEncryption(t.Context(), replica)
		if err != nil || (len(notes) == 0) != (i == 0) {
			t.Errorf("%s: told %+v, %v", name, notes, err)
		}
		copyAll(t, r, replica, name)
		back := open(t, opened(t, there, Options{Keys: c.keys}), name)
		verify(t, back)
		same(t, back)
		if m := back.Metadata(); m.Encrypted == (i == 2) || i != 1 && m.Encrypted && !slices.Equal(m.Recipients, []string{to}) {
			t.Errorf("%s is encrypted to %v", name, m.Recipients)
		}
	}
}

// A replica whose repository.json is lost is known by its copies.
func TestOwnEncryption_OutlivesRepositoryFile(t *testing.T) {
	for _, f := range forms(t) {
		t.Run(f.name, func(t *testing.T) {
			id, to := newKey(t)
			r, err := Init(t.Context(), mem.New(), Options{Recipients: []string{to}, Keys: keysOf(id)})
			if err != nil {
				t.Fatal(err)
			}
			there := mem.New()
			commit(t, writeSealed(t, r, "one", true))
			copyAll(t, r, ownReplica(t, r, there, f), "one")
			if err := there.Delete(t.Context(), repositoryFile); err != nil {
				t.Fatal(err)
			}
			replica := newReplica(t, r, there)
			if _, err := r.ShareEncryption(t.Context(), replica); err != nil {
				t.Fatal(err)
			}
			commit(t, writeSealed(t, r, "two", true))
			copyAll(t, r, replica, "two")
			alone := opened(t, there, Options{Keys: f.keys})
			for _, name := range []holdfast.BackupName{"one", "two"} {
				back := open(t, alone, name)
				verify(t, back)
				same(t, back)
			}
		})
	}
}
