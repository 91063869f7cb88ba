package hnsw_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/hnsw"
)

// sound is a folder that a real server persisted: 5 vectors of 3 dimensions, one
// of them deleted, in files with no room for more.
func sound(t testing.TB) fstest.MapFS {
	t.Helper()
	fsys := fstest.MapFS{}
	for _, name := range hnsw.Files() {
		b, err := os.ReadFile("testdata/sound/" + name)
		if err != nil {
			t.Fatal(err)
		}
		fsys[name] = &fstest.MapFile{Data: b}
	}
	return fsys
}

// verify opens and verifies a folder.
func verify(fsys fstest.MapFS) (hnsw.Verdict, []string, error) {
	f, err := hnsw.Open(fsys)
	if err != nil {
		return hnsw.Verdict{}, nil, err
	}
	var ids []string
	v, err := f.Verify(func(id string) error { ids = append(ids, id); return nil })
	slices.Sort(ids)
	return v, ids, errors.Join(err, f.Close())
}

func TestVerify_AcceptsARealFolder(t *testing.T) {
	v, ids, err := verify(sound(t))
	if err != nil {
		t.Fatal(err)
	}
	if v.Live != 4 || !slices.Equal(ids, []string{"a", "b", "d", "e"}) {
		t.Errorf("%+v, ids %q", v, ids)
	}
}

// TestFolder_ReadsVectors compares with what was added: cosine vectors are
// stored normalised, with their length beside them.
func TestFolder_ReadsVectors(t *testing.T) {
	f, err := hnsw.Open(sound(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	labels := map[uint64]hnsw.Element{}
	err = f.Elements(func(e hnsw.Element) error { labels[e.Label] = e; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(labels)); !slices.Equal(got, []uint64{1, 2, 3, 4, 5}) || !labels[3].Deleted {
		t.Fatalf("labels %v, %+v", got, labels[3])
	}
	v, ok, err := f.Vector(labels[2].Slot)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	norm, err := f.Norm(labels[2].Slot)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float32{0, 3, 4} {
		if got := v[i] * norm; got < want-1e-5 || got > want+1e-5 {
			t.Errorf("[%d] is %v, want %v", i, got, want)
		}
	}
	if _, _, err := f.Vector(99); err == nil {
		t.Error("a vector beyond the end was read")
	}
}

// TestVerify_NeverTrustsAByte changes every byte of the header and cuts every
// file at every length: the answer is damage or a folder that is still sound,
// never a panic or a giant allocation.
func TestVerify_NeverTrustsAByte(t *testing.T) {
	for i := range hnsw.HeaderSize {
		for _, value := range []byte{0x00, 0x01, 0x7f, 0x80, 0xff} {
			fsys := sound(t)
			fsys[hnsw.HeaderFile].Data = slices.Clone(fsys[hnsw.HeaderFile].Data)
			fsys[hnsw.HeaderFile].Data[i] = value
			if _, _, err := verify(fsys); err != nil && !errors.Is(err, hnsw.ErrDamaged) {
				t.Errorf("byte %d = %#x: %v", i, value, err)
			}
		}
	}
	whole := sound(t)
	for _, name := range hnsw.Files() {
		data := whole[name].Data
		for n := range data {
			fsys := maps.Clone(whole)
			fsys[name] = &fstest.MapFile{Data: data[:n]}
			if _, _, err := verify(fsys); !errors.Is(err, hnsw.ErrDamaged) {
				t.Errorf("%s cut to %d of %d bytes: %v", name, n, len(data), err)
			}
		}
		fsys := maps.Clone(whole)
		delete(fsys, name)
		if _, _, err := verify(fsys); err == nil {
			t.Errorf("a folder without %s was accepted", name)
		}
	}
}

func TestParseHeader_RefusesTheImpossible(t *testing.T) {
	good := sound(t)[hnsw.HeaderFile].Data
	for name, edit := range map[string]func(b []byte){
		"another version":         func(b []byte) { b[0] = 2 },
		"an offset":               func(b []byte) { b[4] = 1 },
		"more than there is room": func(b []byte) { binary.LittleEndian.PutUint64(b[20:], 1<<40) },
		"elements of exabytes":    func(b []byte) { binary.LittleEndian.PutUint64(b[28:], 1<<62) },
		"a label outside":         func(b []byte) { binary.LittleEndian.PutUint64(b[36:], 1<<63) },
		"links of exabytes":       func(b []byte) { binary.LittleEndian.PutUint64(b[68:], 1<<61) },
		"an entry outside":        func(b []byte) { binary.LittleEndian.PutUint32(b[56:], 1<<31) },
		"no vector":               func(b []byte) { binary.LittleEndian.PutUint64(b[28:], 4+4*32+8) },
	} {
		b := slices.Clone(good)
		edit(b)
		if h, err := hnsw.ParseHeader(b); !errors.Is(err, hnsw.ErrDamaged) {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
}

// FuzzFolder looks for panics in folders whose header and pickle are anything.
func FuzzFolder(f *testing.F) {
	fsys := sound(f)
	header, maps := fsys[hnsw.HeaderFile].Data, fsys[hnsw.PickleFile].Data
	f.Add(header, maps)
	f.Add(make([]byte, hnsw.HeaderSize), maps)
	f.Add(bytes.Repeat([]byte{0xff}, hnsw.HeaderSize), maps)
	f.Add(header, []byte("\x80\x03}."))
	f.Fuzz(func(t *testing.T, header, pickle []byte) {
		fsys := sound(t)
		fsys[hnsw.HeaderFile] = &fstest.MapFile{Data: header}
		fsys[hnsw.PickleFile] = &fstest.MapFile{Data: pickle}
		if _, _, err := verify(fsys); err != nil && !errors.Is(err, hnsw.ErrDamaged) {
			t.Errorf("an error of another kind: %v", err)
		}
	})
}
