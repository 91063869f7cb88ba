package repo

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// tallied counts what is asked of a bucket.
type tallied struct {
	bucket.Bucket
	opens, reads atomic.Int64
}

func (c *tallied) Open(ctx context.Context, key string) (bucket.Object, error) {
	obj, err := c.Bucket.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(key, ".zst") {
		c.opens.Add(1)
	}
	return talliedObject{obj, c}, nil
}

type talliedObject struct {
	bucket.Object
	c *tallied
}

func (o talliedObject) ReadAt(p []byte, off int64) (int, error) {
	o.c.reads.Add(1)
	return o.Object.ReadAt(p, off)
}

// talliedFar is tallied as a service would be.
type talliedFar struct{ *tallied }

func (talliedFar) Remote() bool { return true }

const aheadTestFrames = 48

// aWalk makes a full backup of a file of many frames and three deltas of it.
func aWalk(t *testing.T, o Options) (*week, []byte) {
	t.Helper()
	w := emptyWeek(t, o)
	rnd := rand.New(rand.NewPCG(1, 2))
	var data []byte
	for i := range uint64(aheadTestFrames) {
		data = append(data, text(frameSize/2, i)...)
		data = append(data, noise(frameSize/2, i)...)
	}
	data = append(data, "the end"...)
	w.backUp(t, "day0", "", map[string][]byte{"f": data})
	for day := range 3 {
		data = bytes.Clone(data)
		for range 30 {
			copy(data[rnd.IntN(len(data)/blockSize)*blockSize:], text(blockSize, rnd.Uint64()))
		}
		w.backUp(t, dayName(day+1), dayName(day), map[string][]byte{"f": data})
	}
	return w, data
}

// Walks read what is there, each for itself and side by side, and take a small part of the
// requests that single frames would take. Who jumps about reads no more than he needs.
func TestAhead_ReadsWhatWillBeAskedFor(t *testing.T) {
	w, data := aWalk(t, Options{})
	c := &tallied{Bucket: w.b}
	r, err := Open(t.Context(), talliedFar{c}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	const step = 64 << 10
	read := func(f interface {
		ReadAt([]byte, int64) (int, error)
	}, off int64,
	) {
		p := make([]byte, min(step, int64(len(data))-off))
		if n, err := f.ReadAt(p, off); n != len(p) || !bytes.Equal(p, data[off:off+int64(n)]) {
			t.Errorf("at %d: %d bytes, %v, or others than were stored", off, n, err)
		}
	}
	within := func(t *testing.T, most int64, do func(f *openFile)) {
		t.Helper()
		back := open(t, r, "day3")
		file, err := back.Open("bot/f")
		if err != nil {
			t.Fatal(err)
		}
		before := c.reads.Load()
		do(file.(*openFile))
		if err := file.Close(); err != nil {
			t.Error(err)
		}
		if took := c.reads.Load() - before; took > most {
			t.Errorf("%d reads, want at most %d", took, most)
		}
	}
	t.Run("one walk", func(t *testing.T) {
		within(t, aheadTestFrames*2/3, func(f *openFile) {
			for off := int64(0); off < int64(len(data)); off += step {
				read(f, off)
			}
		})
	})
	t.Run("walks side by side", func(t *testing.T) {
		within(t, 2*aheadTestFrames, func(f *openFile) {
			var wg sync.WaitGroup
			for i := range int64(3) {
				wg.Go(func() {
					for off := i * int64(len(data)) / 3 / step * step; off < int64(len(data)); off += step {
						read(f, off)
					}
				})
			}
			wg.Wait()
		})
	})
	// As the vectors of records that were added together lie: each frame counts once.
	t.Run("jumps to and fro", func(t *testing.T) {
		const there = 16
		within(t, 3*there, func(f *openFile) {
			for i := range int64(20 * there) {
				read(f, (i*7%there+1)*frameSize-step/2)
			}
		})
	})
	t.Run("jumps", func(t *testing.T) {
		const jumps = 20
		within(t, 3*jumps+20, func(f *openFile) { // a piece may lie in two payloads or more
			for i := range int64(jumps) {
				read(f, i*7%jumps*(int64(len(data))/jumps)/step*step)
			}
		})
	})
}

// What is damaged is told to who asks for it, and to nobody before.
func TestAhead_DamageIsMetWhereItIs(t *testing.T) {
	w, data := aWalk(t, Options{})
	const at = 30 // the frame
	key := "day0/bot/f.zst"
	stored, err := readSmall(t.Context(), w.b, key)
	if err != nil {
		t.Fatal(err)
	}
	table, err := readSeekTable(bytes.NewReader(stored), int64(len(stored)))
	if err != nil {
		t.Fatal(err)
	}
	stored[table.offsets[at]+2000] ^= 1
	changed(t, w.b, key, stored)
	back := open(t, w.r, "day3")
	f, err := back.Open("bot/f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range int64(aheadTestFrames) {
		p := make([]byte, 1000)
		_, err := f.(*openFile).ReadAt(p, i*frameSize+frameSize-5000)
		if i == at {
			if !errors.Is(err, holdfast.ErrDamaged) {
				t.Errorf("the damaged frame reads as %v", err)
			}
		} else if off := i*frameSize + frameSize - 5000; err != nil || !bytes.Equal(p, data[off:off+1000]) {
			t.Errorf("frame %d: %v", i, err)
		}
	}
}

// From a service the payloads of a chain of deltas are opened together; elsewhere only what
// is read.
func TestContent_OpensAChainTogetherFromAService(t *testing.T) {
	w, data := aWalk(t, Options{})
	for _, far := range []bool{false, true} {
		c := &tallied{Bucket: w.b}
		b := bucket.Bucket(c)
		if far {
			b = talliedFar{c}
		}
		r, err := Open(t.Context(), b, Options{})
		if err != nil {
			t.Fatal(err)
		}
		back := open(t, r, "day3")
		f, err := back.Open("bot/f")
		if err != nil {
			t.Fatal(err)
		}
		own := back.view.tree.entries["bot/f"]
		xs, err := back.extents(own)
		if err != nil {
			t.Fatal(err)
		}
		read := map[int]bool{}
		for _, x := range xs { // something of two payloads
			if read[x.ref] || len(read) == 2 {
				continue
			}
			read[x.ref] = true
			p := make([]byte, 10)
			if _, err := f.(*openFile).ReadAt(p, x.block*blockSize); err != nil || !bytes.Equal(p, data[x.block*blockSize:][:10]) {
				t.Error(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if opens := c.opens.Load(); opens != map[bool]int64{false: 2, true: 4}[far] {
			t.Errorf("far %v: %d payloads were opened", far, opens)
		}
	}
}
