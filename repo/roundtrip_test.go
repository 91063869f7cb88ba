package repo

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/mem"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// drawContent makes content of text, noise and zeros in pieces whose ends lie
// on, before and after blocks and frames.
func drawContent(t *rapid.T) []byte {
	var b []byte
	for range rapid.IntRange(0, 5).Draw(t, "pieces") {
		n := rapid.SampledFrom([]int{1, 100, blockSize, 5 * blockSize, frameSize, 2 * frameSize, 5 * frameSize}).Draw(t, "size")
		n += rapid.SampledFrom([]int{0, 0, -1, 1, 4095}).Draw(t, "shift")
		seed := rapid.Uint64Range(0, 1000).Draw(t, "seed")
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			b = append(b, make([]byte, n)...)
		case 1:
			b = append(b, noise(n, seed)...)
		default:
			b = append(b, text(n, seed)...)
		}
	}
	return b
}

// drawChange makes what a second pass could meet: some blocks changed, the
// end moved.
func drawChange(t *rapid.T, b []byte) []byte {
	b = bytes.Clone(b)
	for range rapid.IntRange(0, 4).Draw(t, "changes") {
		if len(b) == 0 {
			break
		}
		at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
		n := min(rapid.SampledFrom([]int{1, 4096, 10000, frameSize, 2 * frameSize}).Draw(t, "length"), len(b)-at)
		if rapid.Bool().Draw(t, "zeros") {
			clear(b[at : at+n])
		} else {
			copy(b[at:at+n], text(n, uint64(at)))
		}
	}
	switch rapid.IntRange(0, 3).Draw(t, "end") {
	case 0:
		b = append(b, drawContent(t)...)
	case 1:
		b = b[:rapid.IntRange(0, len(b)).Draw(t, "cut")]
	}
	return b
}

// feed writes b in pieces, zeros now and then as a hole.
func feed(t *rapid.T, w holdfast.FileWriter, b []byte) {
	sizes := rapid.SampledFrom([]int{4096, 70_000, 1 << 20})
	for len(b) > 0 {
		n := min(sizes.Draw(t, "write"), len(b))
		var err error
		if bytes.Count(b[:n], []byte{0}) == n {
			err = w.Skip(int64(n))
		} else {
			_, err = w.Write(b[:n])
		}
		if err != nil {
			t.Fatal(err)
		}
		b = b[n:]
	}
}

func TestRoundTrip_AnyContentAnyPasses(t *testing.T) {
	base := t.TempDir()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		roundTrip(t, rt, mem.New(), filepath.Join(base, fmt.Sprint(runs)))
	})
}

func roundTrip(t *testing.T, rt *rapid.T, b bucket.Bucket, dir string) {
	r, err := initAt(t.Context(), b, Options{}, "testrepository", testTime)
	if err != nil {
		rt.Fatal(err)
	}
	p, err := r.Create(t.Context(), "any", true, CreateOptions{Compress: rapid.Bool().Draw(rt, "compress")})
	if err != nil {
		rt.Fatal(err)
	}
	defer p.Abort(t.Context())
	want := map[string][]byte{}
	for i := range rapid.IntRange(1, 3).Draw(rt, "files") {
		name := fmt.Sprintf("file%d", i)
		w, err := p.Sink("src").Create(holdfast.Entry{Path: name, Mode: 0o644, ModTime: testTime})
		if err != nil {
			rt.Fatal(err)
		}
		content := drawContent(rt)
		feed(rt, w, content)
		for range rapid.IntRange(0, 2).Draw(rt, "resets") {
			if err := w.Reset(); err != nil {
				rt.Fatal(err)
			}
			content = drawChange(rt, content)
			feed(rt, w, content)
		}
		if err := w.Close(); err != nil {
			rt.Fatal(err)
		}
		want["src/"+name] = content
	}
	if _, err := p.Commit(t.Context(), &holdfast.Metadata{CreatedAt: holdfast.At(testTime)}); err != nil {
		rt.Fatal(err)
	}
	back, err := r.Backup(t.Context(), "any")
	if err != nil {
		rt.Fatal(err)
	}
	defer back.Close()
	problems, err := back.Verify(t.Context(), nil)
	if err != nil || len(problems) > 0 {
		rt.Fatalf("verify: %v %+v", err, problems)
	}
	var stored int64
	for _, f := range back.Files() {
		if f.Source != "" {
			stored += f.Stored
		}
	}
	if p.Stored() < stored {
		rt.Fatalf("counted %d stored bytes, there are %d", p.Stored(), stored)
	}
	if err := back.Extract(t.Context(), "src", dir, durable.OS, nil); err != nil {
		rt.Fatal(err)
	}
	defer os.RemoveAll(dir)
	var archive bytes.Buffer
	if err := back.WriteTar(t.Context(), &archive); err != nil {
		rt.Fatal(err)
	}
	packed := untar(rt, &archive)
	zipped := unzip(rt, back, "src")
	for name, data := range want {
		got, err := os.ReadFile(filepath.Join(dir, filepath.Base(name)))
		if err != nil || !bytes.Equal(got, data) {
			rt.Fatalf("%s extracted: %v, %d bytes of %d", name, err, len(got), len(data))
		}
		if !bytes.Equal(packed[name], data) {
			rt.Fatalf("%s in the tar differs", name)
		}
		if !bytes.Equal(zipped[name], data) {
			rt.Fatalf("%s in the zip differs", name)
		}
		randomReads(rt, back, name, data)
	}
}

func untar(rt *rapid.T, r io.Reader) map[string][]byte {
	all := map[string][]byte{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return all
		}
		if err == nil {
			all[h.Name], err = io.ReadAll(tr)
		}
		if err != nil {
			rt.Fatal(err)
		}
	}
}

func randomReads(rt *rapid.T, b *Backup, name string, data []byte) {
	f, err := b.Open(name)
	if err != nil {
		rt.Fatal(err)
	}
	defer f.Close()
	for range 5 {
		if len(data) == 0 {
			return
		}
		off := rapid.IntRange(0, len(data)-1).Draw(rt, "off")
		n := min(rapid.SampledFrom([]int{1, 4096, 300_000}).Draw(rt, "n"), len(data)-off)
		got := make([]byte, n)
		if _, err := f.(io.ReaderAt).ReadAt(got, int64(off)); err != nil && err != io.EOF {
			rt.Fatal(err)
		}
		if !bytes.Equal(got, data[off:off+n]) {
			rt.Fatalf("%s: wrong bytes at %d", name, off)
		}
	}
}
