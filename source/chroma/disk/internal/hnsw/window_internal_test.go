package hnsw

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
)

// told counts what is read of a file.
type told struct {
	io.ReaderAt
	reads, bytes int64
}

func (r *told) ReadAt(p []byte, off int64) (int, error) {
	r.reads++
	r.bytes += int64(len(p))
	return r.ReaderAt.ReadAt(p, off)
}

// Entries in their order are read many at once, others a few.
func TestWindow_ReadsWhatWillBeWanted(t *testing.T) {
	const each, count = 100, 40_000
	data := make([]byte, each*count)
	for i := range count {
		binary.LittleEndian.PutUint64(data[i*each:], uint64(i))
	}
	for name, tt := range map[string]struct {
		step, entries uint64
		reads, bytes  int64
	}{
		"in their order": {1, count, count*each/windowSize + 8, count * each},
		"with gaps":      {3, count / 3, count*each/windowSize + 8, count * each},
		"all over":       {7919, 1000, 1000, 1000 * smallWindow},
	} {
		t.Run(name, func(t *testing.T) {
			from := &told{ReaderAt: bytes.NewReader(data)}
			w := window{file: &file{ReaderAt: from, name: "data", size: int64(len(data))}, each: each, count: count}
			for n := range tt.entries {
				i := n * tt.step % count
				e, err := w.at(i)
				if err != nil || binary.LittleEndian.Uint64(e) != i {
					t.Fatalf("entry %d: %x, %v", i, e, err)
				}
			}
			if from.reads > tt.reads || from.bytes > tt.bytes {
				t.Errorf("%d reads of %d bytes, want no more than %d of %d", from.reads, from.bytes, tt.reads, tt.bytes)
			}
		})
	}
}
