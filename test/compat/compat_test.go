// Package compat restores repositories that earlier releases wrote. See
// README.md: the fixtures are never written anew.
package compat

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/repo"
)

// fixtures are the repositories of format 1: their visible backups, and what
// opens them.
var fixtures = map[string]struct {
	backups []string
	hidden  []string
	keys    func(t *testing.T) repo.Keys
}{
	"plain":      {[]string{"friday", "monday", "saturday", "thursday", "tuesday"}, []string{"wednesday"}, func(*testing.T) repo.Keys { return repo.Keys{} }},
	"recipient":  {[]string{"tuesday", "wednesday"}, nil, identity},
	"passphrase": {[]string{"monday", "tuesday"}, nil, passphrase},
}

func identity(t *testing.T) repo.Keys {
	t.Helper()
	f, err := os.Open(filepath.Join("v1", "key.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ids, err := age.ParseIdentities(f)
	if err != nil {
		t.Fatal(err)
	}
	return repo.Keys{Identities: func(context.Context) ([]age.Identity, error) { return ids, nil }}
}

func passphrase(*testing.T) repo.Keys {
	return repo.Keys{Passphrase: func(context.Context) (string, error) { return "correct horse battery staple", nil }}
}

// open opens a copy of a fixture.
func open(t *testing.T, name string, keys repo.Keys) (*repo.Repository, string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(root, os.DirFS(filepath.Join("v1", name))); err != nil {
		t.Fatal(err)
	}
	b, err := dir.New(root, dir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := repo.Open(t.Context(), b, repo.Options{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return r, root
}

// digests reads what every file of a fixture must be, by backup and path.
func digests(t *testing.T, fixture string) map[string]map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join("v1", "DIGESTS"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string]map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		sum, path, ok := strings.Cut(lines.Text(), "  "+fixture+"/")
		if !ok {
			continue
		}
		backup, path, _ := strings.Cut(path, "/")
		if all[backup] == nil {
			all[backup] = map[string]string{}
		}
		all[backup][path] = sum
	}
	return all
}

// Every backup of every fixture verifies and restores bit for bit.
func TestFormat1_RestoresForEver(t *testing.T) {
	for name, f := range fixtures {
		t.Run(name, func(t *testing.T) {
			r, _ := open(t, name, f.keys(t))
			if got := visible(t, r); !slices.Equal(got, f.backups) {
				t.Errorf("there are %v, want %v", got, f.backups)
			}
			want := digests(t, name)
			if got := slices.Sorted(maps.Keys(want)); !slices.Equal(got, f.backups) {
				t.Fatalf("DIGESTS has %v", got)
			}
			for _, backup := range f.backups {
				restores(t, r, backup, want[backup])
			}
		})
	}
}

func visible(t *testing.T, r *repo.Repository) []string {
	t.Helper()
	list, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range list {
		if i.Err != nil || i.StateErr != nil {
			t.Errorf("%s: %v %v", i.Name, i.Err, i.StateErr)
		}
		names = append(names, string(i.Name))
	}
	slices.Sort(names)
	return names
}

// restores verifies and restores one backup.
func restores(t *testing.T, r *repo.Repository, name string, want map[string]string) {
	t.Helper()
	b, err := r.Backup(t.Context(), holdfast.BackupName(name))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if problems, err := b.Verify(t.Context(), nil); err != nil || len(problems) > 0 {
		t.Errorf("%s does not verify: %v %+v", name, err, problems)
	}
	out := filepath.Join(t.TempDir(), "out")
	if err := b.Extract(t.Context(), ".", out, durable.OS, nil); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	got := map[string]string{}
	err = filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == holdfast.MetadataFile {
			return err
		}
		rel, err := filepath.Rel(out, path)
		if err == nil {
			got[filepath.ToSlash(rel)], err = sum(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, want) {
		t.Errorf("%s restores\n%v\nbut was\n%v", name, got, want)
	}
}

func sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}

// What lies beside the backups is understood, too.
func TestFormat1_KeepsWhatItKnew(t *testing.T) {
	r, _ := open(t, "plain", repo.Keys{})
	if tuesday, err := r.Stat(t.Context(), "tuesday"); err != nil || !tuesday.Pinned {
		t.Errorf("the pin is lost: %v", err)
	}
	friday, err := r.Stat(t.Context(), "friday")
	if _, proven := friday.Proven(); err != nil || !proven {
		t.Errorf("the proof is lost: %v", err)
	}
	hidden, err := r.Hidden(t.Context())
	if err != nil || len(hidden) != 1 || hidden[0].Name != "wednesday" || !slices.Equal(hidden[0].NeededBy, []holdfast.BackupName{"saturday", "thursday"}) {
		t.Errorf("%v %+v", err, hidden)
	}
	if _, err := r.Backup(t.Context(), "wednesday"); !errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("a deleted backup opens: %v", err)
	}
}

// Without a key the stored bytes of encrypted backups can be checked, and
// nothing more.
func TestFormat1_WithoutAKey(t *testing.T) {
	for _, name := range []string{"recipient", "passphrase"} {
		r, _ := open(t, name, repo.Keys{})
		for _, backup := range fixtures[name].backups {
			if problems, err := r.VerifyStored(t.Context(), holdfast.BackupName(backup), nil); err != nil || len(problems) > 0 {
				t.Errorf("%s/%s: %v %+v", name, backup, err, problems)
			}
			if _, err := r.Backup(t.Context(), holdfast.BackupName(backup)); !errors.Is(err, repo.ErrNoKey) {
				t.Errorf("%s/%s opens without a key: %v", name, backup, err)
			}
		}
	}
}

// The work goes on in an old repository: a new backup, compacting and freeing.
func TestFormat1_CanBeWrittenOn(t *testing.T) {
	r, root := open(t, "plain", repo.Keys{})
	lease, err := r.Lock(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Release()
	if done, err := r.Compact(t.Context(), repo.CompactOptions{}); err != nil || len(done.Freed) != 1 || len(done.Rewritten) != 2 {
		t.Errorf("%v %+v", err, done)
	}
	if _, err := os.Stat(filepath.Join(root, "wednesday")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("wednesday is still there: %v", err)
	}
	p, err := r.Create(t.Context(), "today", true, repo.CreateOptions{Compress: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Commit(t.Context(), &holdfast.Metadata{}); err != nil {
		t.Fatal(err)
	}
	want := digests(t, "plain")
	for _, backup := range fixtures["plain"].backups {
		restores(t, r, backup, want[backup])
	}
}
