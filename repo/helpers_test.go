package repo

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

var testTime = time.Date(2024, 10, 30, 14, 30, 0, 0, time.UTC)

// newRepo makes a repository in memory.
func newRepo(t testing.TB) (*Repository, *mem.Bucket) {
	t.Helper()
	b := mem.New()
	return newRepoIn(t, b), b
}

func newRepoIn(t testing.TB, b bucket.Bucket) *Repository {
	t.Helper()
	r, err := initAt(t.Context(), b, Options{}, "testrepository", testTime)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// put writes a file of a source through its sink.
func put(t testing.TB, s holdfast.Sink, path string, data []byte) {
	t.Helper()
	w, err := s.Create(holdfast.Entry{Path: path, Mode: 0o640, ModTime: testTime.Add(123456789)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func create(t testing.TB, r *Repository, name holdfast.BackupName, o CreateOptions) *Pending {
	t.Helper()
	p, err := r.Create(t.Context(), name, true, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Abort(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func commit(t testing.TB, p *Pending) Info {
	t.Helper()
	info, err := p.Commit(t.Context(), &holdfast.Metadata{CreatedAt: holdfast.At(testTime), Type: holdfast.Standard, Trigger: holdfast.TriggerManual})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func open(t testing.TB, r *Repository, name holdfast.BackupName) *Backup {
	t.Helper()
	b, err := r.Backup(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// verify fails the test if the backup is not perfect.
func verify(t testing.TB, b *Backup) {
	t.Helper()
	problems, err := b.Verify(t.Context(), nil)
	if err != nil || len(problems) > 0 {
		t.Fatalf("verify: %v, problems %+v", err, problems)
	}
}

// text gives n bytes that compress well and hold no block of zeros.
func text(n int, seed uint64) []byte {
	rnd := rand.New(rand.NewPCG(seed, 1))
	words := [][]byte{[]byte("orders "), []byte("customer "), []byte("2024-10-30 "), []byte("paid "), []byte("ราคา "), []byte("سلام ")}
	var b bytes.Buffer
	for b.Len() < n {
		b.Write(words[rnd.IntN(len(words))])
		b.WriteByte(byte('a' + rnd.IntN(26)))
	}
	return b.Bytes()[:n]
}

// noise gives n bytes that do not compress.
func noise(n int, seed uint64) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	rand.NewChaCha8(key).Read(b)
	return b
}

// contents reads every regular file below an fs.FS.
func contents(t testing.TB, fsys fs.FS) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		all[path], err = fs.ReadFile(fsys, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func readAll(t testing.TB, fsys fs.FS, name string) []byte {
	t.Helper()
	f, err := fsys.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func tempDir(t testing.TB) string { return filepath.Join(t.TempDir(), "out") }
