// Package repotest holds any bucket to what a repository needs of it: backups
// that come back byte for byte, appear only when they are committed, and show
// their damage. bucket/buckettest checks the bucket's own sentences; this suite
// checks that the format works on top.
//
// Start from [Run].
package repotest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/repo"
)

// Run runs the suite. open gives an empty bucket for each test.
func Run(t *testing.T, open func(t *testing.T) bucket.Bucket) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, bucket.Bucket){
		"a backup comes back whole":      comesBack,
		"nothing shows before commit":    invisible,
		"a second pass replaces a file":  secondPass,
		"reopening finds the same":       reopened,
		"delete removes one backup only": deleted,
		"instances are recorded":         instances,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var when = time.Date(2024, 10, 30, 14, 30, 0, 0, time.UTC)

// files is content of every kind: empty, tiny, compressible, not, sparse.
func files() map[string][]byte {
	rnd := rand.New(rand.NewPCG(1, 1))
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	return map[string][]byte{
		"empty":      {},
		"tiny":       []byte("tiny"),
		"text":       bytes.Repeat([]byte("all work and no play "), 150_000),
		"noise":      noise,
		"sub/sparse": append(make([]byte, 3<<20), "end"...),
		"ไทย/فارسی":  []byte("unicode"),
	}
}

func initialize(t *testing.T, b bucket.Bucket) *repo.Repository {
	t.Helper()
	r, err := repo.Init(t.Context(), b, repo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	lease, err := r.Lock(t.Context(), "repotest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lease.Release(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// begin starts a backup that ends with the test.
func begin(t *testing.T, r *repo.Repository, name holdfast.BackupName) *repo.Pending {
	t.Helper()
	p, err := r.Create(t.Context(), name, true, repo.CreateOptions{Compress: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Abort(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return p
}

func write(t *testing.T, p *repo.Pending, path string, passes ...[]byte) {
	t.Helper()
	w, err := p.Sink("bot").Create(holdfast.Entry{Path: path, Mode: 0o640, ModTime: when})
	if err != nil {
		t.Fatal(err)
	}
	for i, data := range passes {
		if i > 0 {
			if err := w.Reset(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// backup makes a whole backup of files.
func backup(t *testing.T, r *repo.Repository, name holdfast.BackupName) {
	t.Helper()
	p := begin(t, r, name)
	for path, data := range files() {
		write(t, p, path, data)
	}
	commit(t, p)
}

func commit(t *testing.T, p *repo.Pending) {
	t.Helper()
	if _, err := p.Commit(t.Context(), &holdfast.Metadata{CreatedAt: holdfast.At(when), Type: holdfast.Standard}); err != nil {
		t.Fatal(err)
	}
}

// check verifies a backup and compares its files.
func check(t *testing.T, r *repo.Repository, name holdfast.BackupName, want map[string][]byte) {
	t.Helper()
	b, err := r.Backup(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if problems, err := b.Verify(t.Context(), nil); err != nil || len(problems) > 0 {
		t.Fatalf("verify: %v %+v", err, problems)
	}
	for path, data := range want {
		if got, err := fs.ReadFile(b, "bot/"+path); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %v, %d bytes of %d", path, err, len(got), len(data))
		}
	}
}

func comesBack(t *testing.T, b bucket.Bucket) {
	r := initialize(t, b)
	backup(t, r, "whole")
	check(t, r, "whole", files())
	back, err := r.Backup(t.Context(), "whole")
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	sub, err := fs.Sub(back, "bot/ไทย")
	if err == nil {
		err = fstest.TestFS(sub, "فارسی")
	}
	if err != nil {
		t.Error(err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	if err := back.Extract(t.Context(), "bot", dir, durable.OS, nil); err != nil {
		t.Fatal(err)
	}
	for path, data := range files() {
		if got, err := os.ReadFile(filepath.Join(dir, path)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("extracted %s: %v", path, err)
		}
	}
	if err := back.WriteTar(t.Context(), io.Discard); err != nil {
		t.Error(err)
	}
}

func invisible(t *testing.T, b bucket.Bucket) {
	r := initialize(t, b)
	p := begin(t, r, "unfinished")
	write(t, p, "x", []byte("x"))
	if list, err := r.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("before commit: %v %+v", err, list)
	}
	if _, err := r.Backup(t.Context(), "unfinished"); !errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("opened before commit: %v", err)
	}
	if data, err := fs.ReadFile(p.FS(), "bot/x"); err != nil || string(data) != "x" {
		t.Errorf("read back: %q %v", data, err)
	}
	if err := p.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	for info, err := range b.List(t.Context(), "unfinished/") {
		t.Errorf("left behind: %s %v", info.Key, err)
	}
}

func secondPass(t *testing.T, b bucket.Bucket) {
	r := initialize(t, b)
	p := begin(t, r, "busy")
	first := files()["text"]
	second := bytes.Clone(first)
	copy(second[len(second)/2:], "something else")
	write(t, p, "db", first, second)
	commit(t, p)
	check(t, r, "busy", map[string][]byte{"db": second})
}

func reopened(t *testing.T, b bucket.Bucket) {
	r := initialize(t, b)
	backup(t, r, "kept")
	if err := r.SetPinned(t.Context(), "kept", true); err != nil {
		t.Fatal(err)
	}
	if err := r.AddProof(t.Context(), "kept", holdfast.Proof{At: holdfast.At(when), Kind: holdfast.ProofVerify, OK: true}); err != nil {
		t.Fatal(err)
	}
	again, err := repo.Open(t.Context(), b, repo.Options{})
	if err != nil || again.ID() != r.ID() {
		t.Fatalf("opened again: %v", err)
	}
	info, err := again.Stat(t.Context(), "latest")
	if _, proven := info.Proven(); err != nil || info.Name != "kept" || !info.Pinned || !proven {
		t.Errorf("%v %+v", err, info)
	}
	check(t, again, "kept", files())
}

func deleted(t *testing.T, b bucket.Bucket) {
	r := initialize(t, b)
	backup(t, r, "old")
	backup(t, r, "old_2")
	if _, err := r.Delete(t.Context(), "old"); err != nil {
		t.Fatal(err)
	}
	for info, err := range b.List(t.Context(), "old/") {
		t.Errorf("left behind: %s %v", info.Key, err)
	}
	check(t, r, "old_2", files())
}

// instances are recorded by whoever lives, beside whoever writes.
func instances(t *testing.T, b bucket.Bucket) {
	r := initialize(t, b)
	mine := repo.Instance{ID: "k5t7q2mzv4", Run: "one", Source: "bot", Seen: holdfast.At(when), Expires: holdfast.At(when.Add(time.Minute))}
	for run := range 3 {
		mine.Run = string(rune('a' + run))
		if err := r.PutInstance(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		list, err := r.Instances(t.Context())
		if err != nil || len(list) != 1 || list[0].Run != mine.Run || list[0].Modified.IsZero() {
			t.Errorf("got %+v, %v", list, err)
		}
	}
	if err := r.RemoveInstance(t.Context(), mine.ID); err != nil {
		t.Error(err)
	}
	if list, err := r.Instances(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("left: %+v, %v", list, err)
	}
}
