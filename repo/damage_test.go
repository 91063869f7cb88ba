package repo

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/mem"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// smallBackup makes a repository with one backup of every form of storage.
func smallBackup(t *testing.T, scale int) (*mem.Bucket, map[string][]byte) {
	t.Helper()
	r, b := newRepo(t)
	p := create(t, r, "victim", CreateOptions{Compress: true})
	want := map[string][]byte{
		"bot/bot.db":       text(scale*20_000, 1),
		"bot/noise":        noise(scale*9000, 2),
		"bot/tiny":         []byte("tiny"),
		"bot/empty":        {},
		"chromadb/sparse":  append(make([]byte, scale*70_000), text(5000, 3)...),
		"chromadb/sub/a b": text(100, 4),
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		source, path, _ := strings.Cut(name, "/")
		put(t, p.Sink(source), path, want[name])
	}
	err := p.WriteFile(holdfast.MemoriesFile, func(w io.Writer) error {
		_, err := w.Write(text(300, 5))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want[holdfast.MemoriesFile] = text(300, 5)
	commit(t, p)
	if err := r.AddProof(t.Context(), "victim", holdfast.Proof{At: holdfast.At(testTime), Kind: holdfast.ProofVerify, OK: true}); err != nil {
		t.Fatal(err)
	}
	return b, want
}

// found gives the objects in which a complete check finds damage.
func found(t *testing.T, b *mem.Bucket) []string {
	t.Helper()
	r, err := Open(t.Context(), b, Options{})
	if errors.Is(err, holdfast.ErrDamaged) {
		return []string{repositoryFile}
	}
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	back, err := r.Backup(t.Context(), "victim")
	var problems []holdfast.Problem
	if damaged, ok := errors.AsType[*holdfast.DamagedError](err); ok {
		problems = damaged.Problems
	} else if err != nil {
		t.Fatalf("backup: %v", err)
	} else {
		defer back.Close()
		if problems, err = back.Verify(t.Context(), nil); err != nil {
			t.Fatalf("verify: %v", err)
		}
	}
	var objects []string
	for _, p := range problems {
		objects = append(objects, p.Object)
	}
	return objects
}

// objectOf is how a problem names the object at key.
func objectOf(key string) string { return strings.TrimPrefix(key, "victim/") }

// harm changes the bytes of the object at key and gives those before.
func harm(t *testing.T, b *mem.Bucket, key string, change func([]byte) []byte) (before []byte) {
	t.Helper()
	err := b.Corrupt(key, func(old []byte) []byte {
		before = bytes.Clone(old)
		return change(old)
	})
	if err != nil {
		t.Fatal(err)
	}
	return before
}

func restoreObject(t *testing.T, b *mem.Bucket, key string, before []byte) {
	t.Helper()
	if err := b.Corrupt(key, func([]byte) []byte { return before }); err != nil {
		t.Fatal(err)
	}
}

func allKeys(t *testing.T, b *mem.Bucket) []string {
	t.Helper()
	var keys []string
	for info, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

func TestVerify_FindsEveryFlippedByte(t *testing.T) {
	b, _ := smallBackup(t, 1)
	if objects := found(t, b); len(objects) > 0 {
		t.Fatalf("the intact backup has problems in %v", objects)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, key := range allKeys(t, b) {
		obj, err := b.Open(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		step := int64(1)
		if obj.Size() > 2500 {
			step = obj.Size() / 300 // each byte of small files, many of large ones
		}
		for at := int64(0); at < obj.Size(); at += 1 + rnd.Int64N(step) {
			bit := byte(1) << rnd.IntN(8)
			before := harm(t, b, key, func(data []byte) []byte { data[at] ^= bit; return data })
			if objects := found(t, b); !slices.Contains(objects, objectOf(key)) {
				t.Errorf("bit %#x of byte %d of %s: problems in %v", bit, at, key, objects)
			}
			restoreObject(t, b, key, before)
		}
	}
}

func TestVerify_FindsTruncationGrowthAndLoss(t *testing.T) {
	b, _ := smallBackup(t, 1)
	for _, key := range allKeys(t, b) {
		changes := map[string]func([]byte) []byte{
			"grown":  func(d []byte) []byte { return append(d, 'x') },
			"padded": func(d []byte) []byte { return append(d, '\n') },
		}
		obj, err := b.Open(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int64{0, 1, obj.Size() / 2, obj.Size() - 1} {
			if n >= 0 && n < obj.Size() {
				changes["cut to "+strconv.FormatInt(n, 10)] = func(d []byte) []byte { return d[:n] }
			}
		}
		for what, change := range changes {
			before := harm(t, b, key, change)
			if objects := found(t, b); !slices.Contains(objects, objectOf(key)) {
				t.Errorf("%s %s: problems in %v", key, what, objects)
			}
			restoreObject(t, b, key, before)
		}
		if !strings.HasPrefix(key, "victim/") || objectOf(key) == holdfast.MetadataFile {
			continue // without its marker a backup is not there
		}
		before := harm(t, b, key, func(d []byte) []byte { return d })
		if err := b.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if objects := found(t, b); !slices.Contains(objects, objectOf(key)) {
			t.Errorf("%s missing: problems in %v", key, objects)
		}
		if err := b.Put(t.Context(), key, before, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever is damaged, a reader gets right bytes or an error.
func TestReaders_NeverPassDamageOn(t *testing.T) {
	b, want := smallBackup(t, 40)
	rnd := rand.New(rand.NewPCG(3, 4))
	refused := 0
	for _, key := range allKeys(t, b) {
		if !strings.HasPrefix(key, "victim/") {
			continue
		}
		for range 12 {
			before := harm(t, b, key, func(data []byte) []byte {
				if len(data) > 0 {
					data[rnd.IntN(len(data))] ^= 1 << rnd.IntN(8)
				}
				return data
			})
			if !readsRight(t, b, want, rnd) {
				refused++
			}
			restoreObject(t, b, key, before)
		}
	}
	if refused == 0 {
		t.Error("no damage was ever noticed")
	}
}

// readsRight tells whether everything could be read; wrong bytes fail the
// test.
func readsRight(t *testing.T, b *mem.Bucket, want map[string][]byte, rnd *rand.Rand) bool {
	t.Helper()
	r, err := Open(t.Context(), b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	back, err := r.Backup(t.Context(), "victim")
	if err != nil {
		return mustBeDamage(t, err)
	}
	defer back.Close()
	dir := tempDir(t)
	extractErr := back.Extract(t.Context(), ".", dir, durable.OS, nil)
	if extractErr != nil {
		mustBeDamage(t, extractErr)
		if _, ok := errors.AsType[*holdfast.DamagedError](extractErr); !ok {
			t.Errorf("extract does not name what is damaged: %v", extractErr)
		}
	}
	for name, data := range want {
		if extractErr == nil {
			if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, data) {
				t.Errorf("extracted %s is wrong (%v) and nothing was said", name, err)
			}
		}
		got, err := fs.ReadFile(back, name)
		if err != nil {
			mustBeDamage(t, err)
		} else if !bytes.Equal(got, data) {
			t.Errorf("%s reads wrong and nothing was said", name)
		}
		if len(data) > 0 {
			readSome(t, back, name, data, rnd.IntN(len(data)))
		}
	}
	return extractErr == nil
}

func readSome(t *testing.T, back *Backup, name string, data []byte, at int) {
	t.Helper()
	f, err := back.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := make([]byte, min(4096, len(data)-at))
	if _, err := f.(io.ReaderAt).ReadAt(p, int64(at)); err != nil && err != io.EOF {
		mustBeDamage(t, err)
	} else if !bytes.Equal(p, data[at:at+len(p)]) {
		t.Errorf("%s reads wrong at %d and nothing was said", name, at)
	}
}

func mustBeDamage(t *testing.T, err error) bool {
	t.Helper()
	if !errors.Is(err, holdfast.ErrDamaged) {
		t.Errorf("damage is reported as %v", err)
	}
	return false
}

func TestVerify_WarnsOfForeignFiles(t *testing.T) {
	b, _ := smallBackup(t, 1)
	if err := b.Put(t.Context(), "victim/chromadb/.DS_Store", []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	problems, err := open(t, r, "victim").Verify(t.Context(), nil)
	if err != nil || len(problems) != 1 || problems[0].Severity != holdfast.Warning || problems[0].Object != "chromadb/.DS_Store" {
		t.Errorf("%v, %+v", err, problems)
	}
}

func TestState_DamagedCountsAsPinnedAndUnproven(t *testing.T) {
	b, _ := smallBackup(t, 1)
	r, err := Open(t.Context(), b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	info, err := r.Stat(t.Context(), "victim")
	if _, proven := info.Proven(); err != nil || info.Pinned || !proven {
		t.Fatalf("before: %v %+v", err, info)
	}
	harm(t, b, stateKey("victim"), func(d []byte) []byte { return d[:len(d)/2] })
	info, err = r.Stat(t.Context(), "victim")
	if _, proven := info.Proven(); err != nil || !info.Pinned || proven || !errors.Is(info.StateErr, holdfast.ErrDamaged) {
		t.Fatalf("damaged: %v %+v", err, info)
	}
	if err := r.AddProof(t.Context(), "victim", holdfast.Proof{OK: true, Kind: holdfast.ProofVerify}); err != nil {
		t.Fatal(err)
	}
	info, err = r.Stat(t.Context(), "victim")
	if _, proven := info.Proven(); err != nil || !info.Pinned || !proven || info.StateErr != nil {
		t.Fatalf("after a new proof: %v %+v", err, info)
	}
	if err := r.SetPinned(t.Context(), "victim", false); err != nil {
		t.Fatal(err)
	}
	if info, err = r.Stat(t.Context(), "victim"); err != nil || info.Pinned || len(info.Proofs) != 1 {
		t.Fatalf("unpinned: %v %+v", err, info)
	}
}

func TestList_ShowsWhatCannotBeRead(t *testing.T) {
	b, _ := smallBackup(t, 1)
	r, err := Open(t.Context(), b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	harm(t, b, "victim/"+holdfast.MetadataFile, func(d []byte) []byte {
		return bytes.Replace(d, []byte(`"created_at": "2024`), []byte(`"created_at": "2034`), 1)
	})
	for _, foreign := range []string{"notes.txt", "photos/a.jpg", ".hidden/backup_metadata.json"} {
		if err := b.Put(t.Context(), foreign, []byte("{}"), 0); err != nil {
			t.Fatal(err)
		}
	}
	list, err := r.List(t.Context())
	if err != nil || len(list) != 1 || !errors.Is(list[0].Err, holdfast.ErrDamaged) || list[0].Metadata != nil {
		t.Errorf("%v, %+v", err, list)
	}
	if _, err := r.Stat(t.Context(), "latest"); !errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("latest: %v", err)
	}
}

func TestInit_MakesLostRepositoryFileAgain(t *testing.T) {
	b, _ := smallBackup(t, 1)
	if err := b.Delete(t.Context(), repositoryFile); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), b, Options{}); !errors.Is(err, holdfast.ErrNotFound) {
		t.Fatalf("open without repository.json: %v", err)
	}
	r, err := Init(t.Context(), b, Options{})
	if err != nil || r.ID() != "testrepository" {
		t.Fatalf("init: %v", err)
	}
	verify(t, open(t, r, "victim"))

	foreign := mem.New()
	if err := foreign.Put(t.Context(), "thesis.doc", []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(t.Context(), foreign, Options{}); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("init over foreign files: %v", err)
	}
}

// One unreadable backup does not hide the others.
func TestList_SurvivesReadErrors(t *testing.T) {
	b, _ := smallBackup(t, 1)
	r, err := Open(t.Context(), b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := create(t, r, "healthy", CreateOptions{})
	commit(t, p)
	failure := errors.New("input/output error")
	b.Inject(func(op, key string) error {
		if op == "open" && strings.Contains(key, "victim") {
			return failure
		}
		return nil
	})
	defer b.Inject(nil)
	list, err := r.List(t.Context())
	if err != nil || len(list) != 2 || list[0].Name != "healthy" || !errors.Is(list[1].Err, failure) || !list[1].Pinned {
		t.Errorf("%v %+v", err, list)
	}
}
