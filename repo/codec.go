package repo

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Sizes that format 1 fixes.
const (
	blockSize = 4 << 10   // unit of extents and of the file digest
	frameSize = 256 << 10 // plaintext in one zstd frame, and in one group of a raw payload

	blocksPerFrame = frameSize / blockSize
)

// workers is the number of frames compressed, or decoded, at the same time by
// one file. Two keep two cores busy; more would only cost memory.
const workers = 2

// encoder compresses single frames. It is stateless between calls, so one
// serves the whole process. The fastest level: level 3 takes twice the time
// and saves 3 % on databases. Literals are packed even where nothing repeats:
// vectors have bytes that are rarer than others and no repetitions. The content
// checksum is on by default.
var encoder = sync.OnceValue(func() *zstd.Encoder {
	e, _ := zstd.NewWriter(nil, // fails only on bad options
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithAllLitEntropyCompression(true),
		zstd.WithEncoderConcurrency(workers),
		zstd.WithWindowSize(frameSize),
		zstd.WithLowerEncoderMem(true))
	return e
})

// decoder decodes single frames, never more than the destination can hold, so
// that a hostile frame cannot take memory.
var decoder = sync.OnceValue(func() *zstd.Decoder {
	d, _ := zstd.NewReader(nil, // fails only on bad options
		zstd.WithDecoderConcurrency(workers),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxWindow(8<<20))
	return d
})

// decodeSlack is room behind a frame being decoded. With it the decoder copies
// in whole words up to the end, instead of looking at every byte.
const decodeSlack = 16

var zeros [frameSize]byte

// zeroFrame is the compressed form of one frame of zeros: a hole of a GiB
// costs 4096 times these few bytes and no compression.
var zeroFrame = sync.OnceValue(func() []byte { return encoder().EncodeAll(zeros[:], nil) })

// isZero tells whether b, at most a frame, holds only zeros.
func isZero(b []byte) bool { return bytes.Equal(b, zeros[:len(b)]) }
