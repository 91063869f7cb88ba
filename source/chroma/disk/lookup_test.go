package disk_test

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// tallyFS counts the bytes that are read of the index.
type tallyFS struct {
	fs.FS
	bytes *atomic.Int64
}

func (t tallyFS) Open(name string) (fs.File, error) {
	f, err := t.FS.Open(name)
	if err != nil || !strings.HasSuffix(name, "data_level0.bin") {
		return f, err
	}
	return tallyFile{f, t.bytes}, nil
}

type tallyFile struct {
	fs.File
	bytes *atomic.Int64
}

func (f tallyFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.(io.ReaderAt).ReadAt(p, off)
	f.bytes.Add(int64(n))
	return n, err
}

// A server adds a batch with several threads, so that the vectors of a batch lie in no order.
// They are found all the same, without the whole index being read for a few.
func TestLookup_FindsVectorsThatLieInNoOrder(t *testing.T) {
	const batch, batches, dim = 800, 6, 60
	dir := t.TempDir()
	server := chromatest.Start(t, chromatest.New, dir)
	a := apiOf(t, server)
	id := a.create("shuffled", "l2", batch, nil)
	rnd := rand.New(rand.NewPCG(3, 4))
	want := map[string][]float32{}
	for b := range batches {
		var c content
		for i := range batch {
			v := make([]float32, dim)
			for d := range v {
				v[d] = rnd.Float32()
			}
			name := fmt.Sprintf("r-%05d", b*batch+i)
			c.IDs, c.Embeddings, want[name] = append(c.IDs, name), append(c.Embeddings, v), v
		}
		a.send(id, "add", c)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	var read atomic.Int64
	d, err := disk.Open(t.Context(), tallyFS{os.DirFS(dir), &read})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c, err := d.Collection("shuffled")
	if err != nil {
		t.Fatal(err)
	}
	look := func(ids []string) int64 {
		t.Helper()
		before := read.Load()
		found, err := d.Lookup(t.Context(), c, ids)
		if err != nil || len(found) != len(ids) {
			t.Fatalf("%d of %d records: %v", len(found), len(ids), err)
		}
		for _, r := range found {
			if !reflect.DeepEqual(r.Embedding, want[r.ID]) {
				t.Errorf("%s has another vector", r.ID)
			}
		}
		return read.Load() - before
	}
	whole := int64(batch*batches) * (dim*4 + 140)
	var page []string
	for i := range 40 {
		page = append(page, fmt.Sprintf("r-%05d", batch+i))
	}
	if took := look(page); took > whole*3/4 {
		t.Errorf("of %d bytes %d were read for a page", whole, took)
	}
	for range 20 {
		look([]string{fmt.Sprintf("r-%05d", rnd.IntN(batch*batches)), fmt.Sprintf("r-%05d", rnd.IntN(batch*batches))})
	}
	look([]string{"r-00000"})
	look([]string{fmt.Sprintf("r-%05d", batch*batches-1)})
}
