package repo

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

// unzip writes a part of a backup as a zip and gives what is in it.
func unzip(rt *rapid.T, b *Backup, path string) map[string][]byte {
	var archive bytes.Buffer
	if err := b.WriteZipOf(rt.Context(), path, &archive); err != nil {
		rt.Fatal(err)
	}
	zr, err := zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		rt.Fatal(err)
	}
	all := map[string][]byte{}
	for _, f := range zr.File {
		r, err := f.Open()
		if err == nil {
			all[f.Name], err = io.ReadAll(r)
		}
		if err != nil {
			rt.Fatal(err)
		}
	}
	return all
}

// twoSources is a backup with a link and a folder, of two sources.
func twoSources(t *testing.T) *Backup {
	t.Helper()
	r, err := initAt(t.Context(), mem.New(), Options{}, "testrepository", testTime)
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Create(t.Context(), "two", true, CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{"one", "one_more"} {
		sink := p.Sink(source)
		w, err := sink.Create(holdfast.Entry{Path: "dir/file", Mode: 0o640, ModTime: testTime})
		if err == nil {
			_, err = io.WriteString(w, source)
		}
		if err == nil {
			err = w.Close()
		}
		if err == nil {
			err = sink.Add(holdfast.Entry{Path: "link", Mode: fs.ModeSymlink | 0o777, ModTime: testTime, Link: "dir/file"})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Commit(t.Context(), &holdfast.Metadata{CreatedAt: holdfast.At(testTime)}); err != nil {
		t.Fatal(err)
	}
	b, err := r.Backup(t.Context(), "two")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestArchives_HoldOneSourceWithItsKindsAndModes(t *testing.T) {
	b := twoSources(t)
	var zipped, tarred bytes.Buffer
	if err := errors.Join(b.WriteZipOf(t.Context(), "one", &zipped), b.WriteTarOf(t.Context(), "one", &tarred)); err != nil {
		t.Fatal(err)
	}
	want := map[string]fs.FileMode{
		"one/": fs.ModeDir | 0o700, "one/dir/": fs.ModeDir | 0o700, "one/dir/file": 0o640, "one/link": fs.ModeSymlink | 0o777,
	}
	zr, err := zip.NewReader(bytes.NewReader(zipped.Bytes()), int64(zipped.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if len(zr.File) != len(want) {
		t.Errorf("the zip has %d entries, want %d", len(zr.File), len(want))
	}
	for _, f := range zr.File {
		if got := f.Mode(); got != want[f.Name] {
			t.Errorf("%s in the zip has mode %v, want %v", f.Name, got, want[f.Name])
		}
	}
	n := 0
	for tr := tar.NewReader(&tarred); ; n++ {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := want[h.Name]; !ok {
			t.Errorf("%s is in the tar", h.Name)
		}
	}
	if n != len(want) {
		t.Errorf("the tar has %d entries, want %d", n, len(want))
	}
}

func TestArchives_OfAPartThatIsNotThere(t *testing.T) {
	b := twoSources(t)
	for _, path := range []string{"two", "on", "one/dir/file/x"} {
		if err := b.WriteZipOf(t.Context(), path, io.Discard); !errors.Is(err, holdfast.ErrNotFound) {
			t.Errorf("zip of %s: %v", path, err)
		}
		if err := b.WriteTarOf(t.Context(), path, io.Discard); !errors.Is(err, holdfast.ErrNotFound) {
			t.Errorf("tar of %s: %v", path, err)
		}
	}
}
