package hnsw

import (
	"encoding/binary"
	"math"
)

// HeaderSize is the size of header.bin.
const HeaderSize = 100

// Limits far beyond any real index; they keep the arithmetic below from
// overflowing.
const (
	maxLinks       = 1 << 16
	maxDimension   = 1 << 20
	maxElementSize = 4 + 4*maxLinks + 4*maxDimension + 8
)

// A Header is header.bin, with its numbers known to fit each other.
type Header struct {
	Capacity    uint64 // elements the files may hold
	Count       uint64 // elements they hold
	ElementSize int    // bytes of one element of data_level0.bin
	LabelOffset int    // of the label inside an element
	DataOffset  int    // of the vector inside an element
	Dimension   int
	MaxLinks    int // upper levels
	MaxLinks0   int // level 0
	MaxLevel    int32
	EntryPoint  uint32
}

// ParseHeader reads header.bin and refuses numbers that do not fit each other.
func ParseHeader(b []byte) (Header, error) {
	if len(b) != HeaderSize {
		return Header{}, damaged("%s has %d bytes instead of %d", HeaderFile, len(b), HeaderSize)
	}
	u64 := func(off int) uint64 { return binary.LittleEndian.Uint64(b[off:]) }
	u32 := func(off int) uint32 { return binary.LittleEndian.Uint32(b[off:]) }
	if v := u32(0); v != 1 {
		return Header{}, damaged("%s has version %d, only 1 is known", HeaderFile, v)
	}
	var (
		size, label, data = u64(28), u64(36), u64(44)
		maxM, maxM0       = u64(60), u64(68)
	)
	if u64(4) != 0 || maxM == 0 || maxM > maxLinks || maxM0 == 0 || maxM0 > maxLinks || size > maxElementSize ||
		data != 4+4*maxM0 || size < data+4+8 || label != size-8 || (label-data)%4 != 0 {
		return Header{}, damaged("the layout in %s is impossible", HeaderFile)
	}
	h := Header{
		Capacity:    u64(12),
		Count:       u64(20),
		ElementSize: int(size),
		LabelOffset: int(label),
		DataOffset:  int(data),
		Dimension:   int(label-data) / 4,
		MaxLinks:    int(maxM),
		MaxLinks0:   int(maxM0),
		MaxLevel:    int32(u32(52)),
		EntryPoint:  u32(56),
	}
	if h.Count > h.Capacity || h.Count > math.MaxUint32 {
		return Header{}, damaged("%s claims %d elements where %d have room", HeaderFile, h.Count, h.Capacity)
	}
	if h.Count > 0 && (uint64(h.EntryPoint) >= h.Count || h.MaxLevel < 0) {
		return Header{}, damaged("%s enters the index at element %d of %d", HeaderFile, h.EntryPoint, h.Count)
	}
	return h, nil
}

// fits compares the claimed elements with the size of a file that holds so
// many bytes of each.
func (h Header) fits(f *file, each int) error {
	if need := int64(h.Count) * int64(each); f.size < need {
		return damaged("%s has %d bytes, the %d elements of %s need %d", f.name, f.size, h.Count, HeaderFile, need)
	}
	return nil
}
