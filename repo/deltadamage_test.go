package repo

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

// smallDelta makes a repository whose backup victim is a delta of monday, with
// files of every form: changed, raw and compressed, grown, renamed, unchanged,
// new, sparse.
func smallDelta(t *testing.T) (*mem.Bucket, map[string][]byte) {
	t.Helper()
	b := mem.New()
	r := rememberingRepo(t, b, t.TempDir())
	old := map[string][]byte{
		"db":     text(frameSize+9*blockSize, 1),
		"raw":    noise(frameSize+100, 2),
		"still":  text(3000, 3),
		"before": text(frameSize+500, 4),
	}
	p := create(t, r, "monday", CreateOptions{Compress: true, Remember: true})
	for _, name := range []string{"db", "raw", "still", "before"} {
		put(t, p.Sink("bot"), name, old[name])
	}
	commit(t, p)
	db := bytes.Clone(old["db"])
	copy(db[3*blockSize:], text(blockSize, 8))
	clear(db[10*blockSize : 30*blockSize])
	files := map[string][]byte{
		"db":    append(db, text(600, 5)...),
		"raw":   edited(old["raw"], -10, 6, 7),
		"still": old["still"],
		"after": old["before"],
		"new":   text(2000, 7),
	}
	p = based(t, r, "victim")
	want := map[string][]byte{}
	for _, name := range []string{"db", "raw", "still", "after", "new"} {
		put(t, p.Sink("bot"), name, files[name])
		want["bot/"+name] = files[name]
	}
	commit(t, p)
	return b, want
}

// Every byte of a delta, and of what it reads in other backups, is checked.
func TestVerify_FindsEveryFlippedByteOfADelta(t *testing.T) {
	b, want := smallDelta(t)
	if objects := found(t, b); len(objects) > 0 {
		t.Fatalf("the intact backup has problems in %v", objects)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, key := range allKeys(t, b) {
		mine := strings.HasPrefix(key, "victim/")
		if !mine && (!strings.HasPrefix(key, "monday/") || strings.HasSuffix(key, holdfast.SumsFile)) {
			continue
		}
		obj, err := b.Open(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		step := int64(1)
		if obj.Size() > 1000 {
			step = obj.Size() / 150
		}
		for at := int64(0); at < obj.Size(); at += 1 + rnd.Int64N(step) {
			before := harm(t, b, key, func(data []byte) []byte { data[at] ^= 1 << rnd.IntN(8); return data })
			objects := found(t, b)
			// A block that only monday has is found by verifying monday.
			if mine && !slices.Contains(objects, objectOf(key)) || slices.ContainsFunc(objects, func(o string) bool { return o != objectOf(key) }) {
				t.Errorf("byte %d of %s: problems in %v", at, key, objects)
			}
			if len(objects) == 0 {
				readsAll(t, b, want)
			}
			restoreObject(t, b, key, before)
		}
	}
}

// readsAll reads every file of victim, all of which must be right.
func readsAll(t *testing.T, b *mem.Bucket, want map[string][]byte) {
	t.Helper()
	r, err := Open(t.Context(), b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	back := open(t, r, "victim")
	for name, data := range want {
		if got := readAll(t, back, name); !bytes.Equal(got, data) {
			t.Errorf("%s reads wrong", name)
		}
	}
}

// Damage in a backup that a delta needs is named there.
func TestVerify_NamesWhatADeltaNeeds(t *testing.T) {
	for key, object := range map[string]string{
		"monday/" + holdfast.ManifestFile: "monday/" + holdfast.ManifestFile,
		"monday/" + holdfast.MetadataFile: "monday", // without its marker there is no backup
		"monday/bot/db.zst":               "monday/bot/db.zst",
	} {
		b, _ := smallDelta(t)
		if err := b.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if objects := found(t, b); !slices.Contains(objects, object) {
			t.Errorf("without %s: problems in %v", key, objects)
		}
		r, err := Open(t.Context(), b, Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = fs.ReadFile(open(t, r, "victim"), "bot/db")
		if !errors.Is(err, holdfast.ErrDamaged) || !strings.Contains(err.Error(), "monday") {
			t.Errorf("without %s: %v", key, err)
		}
	}
}

// A backup that does not say what it needs would lose it.
func TestVerify_ComparesNeedsWithReferences(t *testing.T) {
	b, _ := smallDelta(t)
	harm(t, b, "victim/"+holdfast.MetadataFile, func(data []byte) []byte {
		m, err := parseMarker(data, "victim")
		if err != nil {
			t.Fatal(err)
		}
		m.Needs, m.Checksum = nil, ""
		if data, err = seal(m); err != nil {
			t.Fatal(err)
		}
		return data
	})
	r, err := Open(t.Context(), b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	problems, err := open(t, r, "victim").Verify(t.Context(), nil)
	if err != nil || !slices.ContainsFunc(problems, func(p holdfast.Problem) bool {
		return p.Object == holdfast.MetadataFile && strings.Contains(p.Message, "needs monday")
	}) {
		t.Errorf("%v, %+v", err, problems)
	}
}
