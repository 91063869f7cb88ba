package repo

import "sync"

// A frame is the piece of a file that is worked on at once: frameSize bytes,
// fewer at the end of the file.
type frame struct {
	raw    []byte // the plaintext, with room for frameSize and decodeSlack
	hashes []blockHash
	zero   uint64 // a bit for each whole block of zeros
	packed []byte // the zstd frame, if the file is compressed
	off    int64  // where in the file it begins, when read
	run    int64  // if not zero, stands for that many frames of zeros instead
}

// frames are reused across files, so that a small file allocates nothing.
var frames = sync.Pool{New: func() any {
	return &frame{raw: make([]byte, 0, frameSize+decodeSlack), hashes: make([]blockHash, 0, blocksPerFrame)}
}}

func takeFrame() *frame {
	f := frames.Get().(*frame)
	f.reset()
	return f
}

func (f *frame) reset() {
	f.raw, f.hashes, f.packed = f.raw[:0], f.hashes[:0], f.packed[:0]
	f.zero, f.off, f.run = 0, 0, 0
}

// allZero tells whether the frame is whole and one hole.
func (f *frame) allZero() bool { return len(f.raw) == frameSize && f.zero == ^uint64(0) }

// hash finds the holes and hashes the blocks.
func (f *frame) hash() { f.hashes, f.zero = hashBlocks(f.raw, f.hashes[:0]) }

// pack compresses the plaintext.
func (f *frame) pack() {
	if f.allZero() {
		f.packed = append(f.packed[:0], zeroFrame()...)
		return
	}
	if cap(f.packed) == 0 {
		f.packed = make([]byte, 0, maxCompressed)
	}
	f.packed = encoder().EncodeAll(f.raw, f.packed[:0])
}

// takeFrames gives the items for a pipeline over a file of size bytes: a small
// file needs one.
func takeFrames(size int64) []*frame {
	n := inFlight
	if size <= smallFile {
		n = 1
	}
	list := make([]*frame, n)
	for i := range list {
		list[i] = takeFrame()
	}
	return list
}

func putFrames(list []*frame) {
	for _, f := range list {
		frames.Put(f)
	}
}

// smallFile is the size up to which a file is worked on in one goroutine:
// below, starting others costs more than they save.
const smallFile = 4 * frameSize

// data calls f for each run of blocks that are not zeros.
func (f *frame) data(each func(off int64, b []byte) error) error {
	for i := 0; i < len(f.hashes); {
		n := i + 1
		for n < len(f.hashes) && f.zero>>n&1 == f.zero>>i&1 {
			n++
		}
		if f.zero>>i&1 == 0 {
			from := i * blockSize
			if err := each(f.off+int64(from), f.raw[from:min(n*blockSize, len(f.raw))]); err != nil {
				return err
			}
		}
		i = n
	}
	return nil
}
