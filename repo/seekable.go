package repo

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// The seek table is written by hand instead of through a library: it is forty
// lines, appends in place and keeps 8 bytes a frame, where a general writer
// keeps an entry of 24 and hashes every frame once more for a checksum that
// the frame already has.
const (
	skippableMagic  = 0x184D2A5E
	seekableMagic   = 0x8F92EAB1
	seekHeaderSize  = 8
	seekFooterSize  = 9
	seekChecksumBit = 1 << 7
	seekUnusedBits  = 0x7C // reserved by the standard, must be zero

	// seekBuffer is what is read at once of a table, since each piece may be a request to a
	// bucket far away: that of 2 GiB.
	seekBuffer = 64 << 10
	// seekGuess is how many stored bytes a frame has at least, mostly: by it is guessed how
	// long the table is before its foot was read.
	seekGuess = frameSize / 8
)

// A seekTable tells where each frame of a seekable zstd payload begins.
type seekTable struct {
	offsets []int64 // of each frame, and the end of the last
	plain   int64   // plaintext bytes of all frames
}

func (t *seekTable) frames() int { return len(t.offsets) - 1 }

// seekTableWriter collects the sizes of the frames as they are written.
type seekTableWriter struct{ entries []byte }

func (w *seekTableWriter) add(compressed, plain int) {
	w.entries = binary.LittleEndian.AppendUint32(w.entries, uint32(compressed))
	w.entries = binary.LittleEndian.AppendUint32(w.entries, uint32(plain))
}

// frame is the skippable frame that ends the payload.
func (w *seekTableWriter) frame() []byte {
	b := make([]byte, 0, seekHeaderSize+len(w.entries)+seekFooterSize)
	b = binary.LittleEndian.AppendUint32(b, skippableMagic)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(w.entries)+seekFooterSize))
	b = append(b, w.entries...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(w.entries)/8))
	b = append(b, 0) // no checksums here: every frame has its own
	return binary.LittleEndian.AppendUint32(b, seekableMagic)
}

// readSeekTable reads and checks the table at the end of a payload of size
// bytes. Every frame but the last holds exactly frameSize bytes.
func readSeekTable(r io.ReaderAt, size int64) (*seekTable, error) {
	if size < seekHeaderSize+seekFooterSize {
		return nil, fmt.Errorf("too short for a seek table (%d bytes)", size)
	}
	end := make([]byte, min(seekHeaderSize+8*(size/seekGuess+2)+seekFooterSize, seekBuffer, size))
	if err := readFull(r, end, size-int64(len(end))); err != nil {
		return nil, err
	}
	foot := end[len(end)-seekFooterSize:]
	count := int64(binary.LittleEndian.Uint32(foot))
	flags := foot[4]
	if binary.LittleEndian.Uint32(foot[5:]) != seekableMagic || flags&seekUnusedBits != 0 {
		return nil, fmt.Errorf("no seek table at its end")
	}
	entry := int64(8)
	if flags&seekChecksumBit != 0 {
		entry = 12
	}
	tableSize := seekHeaderSize + count*entry + seekFooterSize
	if tableSize > size {
		return nil, fmt.Errorf("seek table of %d frames does not fit in %d bytes", count, size)
	}
	in := io.Reader(bytes.NewReader(end[max(0, int64(len(end))-tableSize):]))
	if tableSize > int64(len(end)) {
		in = bufio.NewReaderSize(io.NewSectionReader(r, size-tableSize, tableSize), seekBuffer)
	}
	var head [seekHeaderSize]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(head[:]) != skippableMagic || int64(binary.LittleEndian.Uint32(head[4:])) != tableSize-seekHeaderSize {
		return nil, fmt.Errorf("seek table does not begin where it should")
	}
	return readSeekEntries(in, count, entry, size-tableSize)
}

// readSeekEntries reads count entries in pieces, so that the memory taken
// follows the bytes that are really there.
func readSeekEntries(in io.Reader, count, entry, end int64) (*seekTable, error) {
	t := &seekTable{offsets: []int64{0}}
	buf := make([]byte, 1024*entry)
	for done := int64(0); done < count; {
		piece := buf[:min(1024, count-done)*entry]
		if _, err := io.ReadFull(in, piece); err != nil {
			return nil, err
		}
		for ; len(piece) > 0; piece = piece[entry:] {
			compressed := int64(binary.LittleEndian.Uint32(piece))
			plain := int64(binary.LittleEndian.Uint32(piece[4:]))
			done++
			if plain > frameSize || plain == 0 || (plain < frameSize && done < count) || compressed == 0 || compressed > maxCompressed {
				return nil, fmt.Errorf("seek table entry %d is impossible: %d bytes from %d", done-1, plain, compressed)
			}
			t.offsets = append(t.offsets, t.offsets[len(t.offsets)-1]+compressed)
			t.plain += plain
		}
	}
	if got := t.offsets[len(t.offsets)-1]; got != end {
		return nil, fmt.Errorf("seek table accounts for %d of %d bytes", got, end)
	}
	return t, nil
}

// maxCompressed bounds the compressed size of a frame: incompressible data
// grows by a few bytes a block and the frame's header.
const maxCompressed = frameSize + 1024

// plainSize is the plaintext size of frame i of a payload with plain bytes.
func plainSize(i, plain int64) int { return int(max(0, min(frameSize, plain-i*frameSize))) }

// readFull reads exactly len(p) bytes at off; fewer are an io.ErrUnexpectedEOF.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
