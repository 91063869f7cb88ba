package repo

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// sealed gives body the checksum that a real file would have, so that fuzzing
// reaches the parser behind it.
func sealed(body []byte) []byte {
	h := sha256.New()
	h.Write(body)
	return append(bytes.Clone(body), sealEnd(h)...)
}

// example gives a file of the golden repository without its seal.
func example(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(goldenPath, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return data[:len(data)-sealSize]
}

// What parses must survive being written and read again.
func FuzzManifest(f *testing.F) {
	f.Add(example(f, "enhanced_backup_20241030_143000/manifest.json"))
	f.Fuzz(func(t *testing.T, body []byte) {
		data := sealed(body)
		m, err := readManifest(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := m.write(&again); err != nil {
			t.Fatal(err)
		}
		m2, err := readManifest(bytes.NewReader(again.Bytes()), int64(again.Len()))
		if err != nil {
			t.Fatalf("written again, it does not read: %v\n%s", err, again.Bytes())
		}
		if len(m2.Entries) != len(m.Entries) {
			t.Fatal("entries were lost")
		}
		if tr, err := newTree(m.Entries, testTime); err == nil {
			for _, e := range tr.below(".") {
				if e.Path != "." && tr.entries[parentOf(e.Path)].Type != typeDir {
					t.Fatalf("%s lies below what is no directory", e.Path)
				}
			}
		}
	})
}

func parentOf(name string) string { return filepath.ToSlash(filepath.Dir(name)) }

func FuzzExtents(f *testing.F) {
	f.Add([]byte(`[[0,3,0],[7,2,7]]`), int64(32868), true)
	f.Add([]byte(`[[0,5,0,1],[5,1,0],[6,64,6,1]]`), int64(1<<20), false)
	f.Fuzz(func(t *testing.T, data []byte, size int64, full bool) {
		var xs []extent
		if json.Unmarshal(data, &xs) != nil || size < 0 || size > maxSize || checkExtents(xs, size, 2, full) != nil {
			return
		}
		again, err := json.Marshal(xs)
		if err != nil {
			t.Fatal(err)
		}
		var ys []extent
		if err := json.Unmarshal(again, &ys); err != nil {
			t.Fatal(err)
		}
		for i, x := range xs {
			if ys[i] != x {
				t.Fatalf("%v became %v", x, ys[i])
			}
			if got := findExtent(xs, x.block+x.count-1); got != i {
				t.Fatalf("block %d found in extent %d, not %d", x.block+x.count-1, got, i)
			}
		}
	})
}

func FuzzSeekTable(f *testing.F) {
	f.Add(seekable(text(frameSize+100, 1)))
	f.Add((&seekTableWriter{}).frame())
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := readSeekTable(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		end := int64(0)
		for i := range table.frames() {
			size := table.offsets[i+1] - table.offsets[i]
			if table.offsets[i] != end || size <= 0 || size > maxCompressed || plainSize(int64(i), table.plain) <= 0 {
				t.Fatalf("frame %d at %d with %d bytes", i, table.offsets[i], size)
			}
			end += size
		}
		if end > int64(len(data)) {
			t.Fatal("frames beyond the end")
		}
	})
}

func FuzzSealedFiles(f *testing.F) {
	f.Add(example(f, "repository.json"))
	f.Add(example(f, "enhanced_backup_20241030_143000/backup_metadata.json"))
	f.Add(example(f, ".holdfast/state/enhanced_backup_20241030_143000.json"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, data := range [][]byte{body, sealed(body)} {
			for _, v := range []any{&repositoryInfo{}, &state{}, &instanceFile{}} {
				if err := unseal(data, v); err != nil && !errors.Is(err, holdfast.ErrDamaged) && !errors.Is(err, holdfast.ErrRefused) {
					t.Fatalf("neither damaged nor refused: %v", err)
				}
			}
			if m, err := parseMarker(data, "x"); err == nil && m.BackupName != "x" {
				t.Fatal("the marker of another backup was accepted")
			}
		}
	})
}

// Seeds that are lost let a fuzz test start from nothing without anybody
// noticing.
func TestFuzz_SeedsAreThere(t *testing.T) {
	for _, target := range []string{"FuzzManifest", "FuzzExtents", "FuzzSeekTable", "FuzzSealedFiles"} {
		seeds, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(seeds) < 2 {
			t.Errorf("%s has %d seeds, %v", target, len(seeds), err)
		}
	}
}
