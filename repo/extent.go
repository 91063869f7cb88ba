package repo

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
)

// An extent maps count blocks of a file, from block on, to the blocks from at
// on in the plaintext of a payload: the file's own (ref 0) or that of
// refs[ref-1]. Blocks that no extent maps are holes.
type extent struct {
	block, count, at int64
	ref              int
}

// MarshalJSON writes [block,count,at], and the reference if it is not 0.
func (x extent) MarshalJSON() ([]byte, error) {
	b := append(make([]byte, 0, 32), '[')
	b = strconv.AppendInt(b, x.block, 10)
	b = strconv.AppendInt(append(b, ','), x.count, 10)
	b = strconv.AppendInt(append(b, ','), x.at, 10)
	if x.ref != 0 {
		b = strconv.AppendInt(append(b, ','), int64(x.ref), 10)
	}
	return append(b, ']'), nil
}

// UnmarshalJSON reads what MarshalJSON writes. A delta can have a hundred
// thousand extents, so it takes no detour by way of a slice.
func (x *extent) UnmarshalJSON(b []byte) error {
	var v [4]int64
	n := 0
	for rest := bytes.Trim(b, "[] \t\r\n"); ; n++ {
		if n == len(v) {
			return errExtent
		}
		first, after, more := bytes.Cut(rest, []byte{','})
		var err error
		if v[n], err = strconv.ParseInt(string(bytes.TrimSpace(first)), 10, 64); err != nil {
			return errExtent
		}
		if rest = after; !more {
			break
		}
	}
	if n < 2 || v[3] > math.MaxInt32 {
		return errExtent
	}
	*x = extent{block: v[0], count: v[1], at: v[2], ref: int(v[3])}
	return nil
}

var errExtent = errors.New("an extent has three or four numbers")

// blocksOf is the number of blocks of a file of size bytes.
func blocksOf(size int64) int64 { return size/blockSize + min(size%blockSize, 1) }

// checkExtents tells whether xs are in order, apart, inside the file and refer
// to what exists. A full file maps each block to the same place.
func checkExtents(xs []extent, size int64, refs int, full bool) error {
	end, blocks := int64(0), blocksOf(size)
	for _, x := range xs {
		switch {
		case x.count <= 0 || x.block < end || x.block > blocks || x.count > blocks-x.block:
			return fmt.Errorf("extent of %d blocks at %d does not fit in a file of %d blocks", x.count, x.block, blocks)
		case x.at < 0 || x.at > maxSize/blockSize:
			return fmt.Errorf("extent at %d points nowhere", x.block)
		case x.ref < 0 || x.ref > refs:
			return fmt.Errorf("extent at %d names reference %d of %d", x.block, x.ref, refs)
		case full && (x.ref != 0 || x.at != x.block):
			return fmt.Errorf("extent at %d of a full file points elsewhere", x.block)
		}
		end = x.block + x.count
	}
	return nil
}

// maxSize bounds the size of a file, so that sums of offsets cannot overflow.
const maxSize = 1 << 60

// findExtent gives the index of the first extent that ends after block.
func findExtent(xs []extent, block int64) int {
	return sort.Search(len(xs), func(i int) bool { return xs[i].block+xs[i].count > block })
}

// zeroOutside tells whether the count blocks from first on, of which zero has
// a bit for each that is all zeros, hold data only inside extents.
func zeroOutside(xs []extent, first int64, count int, zero uint64) bool {
	mapped := uint64(0)
	for i := findExtent(xs, first); i < len(xs) && xs[i].block < first+int64(count); i++ {
		from := max(xs[i].block-first, 0)
		to := min(xs[i].block+xs[i].count-first, int64(count))
		mapped |= ^uint64(0) >> (64 - (to - from)) << from
	}
	return ^(zero|mapped)<<(64-count) == 0
}

// Limits on the number of extents of one full file: beyond the first, only
// whole frames of zeros become holes; beyond the second, nothing does. The
// payload holds the zeros anyway, so a file with a hole in every other block
// costs bounded memory instead of bytes.
const (
	fineExtents = 1 << 15
	maxExtents  = 1 << 17
)

// extentBuilder collects the extents of a full file as its frames pass.
type extentBuilder struct {
	xs   []extent
	next int64 // the block after the last added
}

// data adds count blocks that hold data.
func (b *extentBuilder) data(count int64) {
	if n := len(b.xs); n > 0 && b.xs[n-1].block+b.xs[n-1].count == b.next {
		b.xs[n-1].count += count
	} else {
		b.xs = append(b.xs, extent{block: b.next, count: count, at: b.next})
	}
	b.next += count
}

// hole adds count blocks of zeros.
func (b *extentBuilder) hole(count int64) {
	if len(b.xs) >= maxExtents || len(b.xs) >= fineExtents && count < blocksPerFrame {
		b.data(count)
		return
	}
	b.next += count
}

// frame adds count blocks, of which zero has a bit for each hole.
func (b *extentBuilder) frame(count int, zero uint64) {
	for i := 0; i < count; {
		n := i + 1
		for n < count && zero>>n&1 == zero>>i&1 {
			n++
		}
		if zero>>i&1 == 1 {
			b.hole(int64(n - i))
		} else {
			b.data(int64(n - i))
		}
		i = n
	}
}
