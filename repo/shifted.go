package repo

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// Blocks of a file that grows or shrinks in its middle keep their content and lose their
// place. They are looked for once so many blocks in a row were not where they had been:
// databases, which are edited in place, hardly ever have that. Where much is new, only some
// blocks are still looked for, and one of them that is found leads to those after it; a
// file that goes on being new ends the search for good.
const (
	shiftedAfter = 8       // blocks in a row that were not found
	shiftedDense = 512     // new blocks in a row up to which each is looked for
	shiftedEach  = 16      // beyond them, one of so many
	shiftedGive  = 1 << 14 // new blocks in a row that end it: 64 MiB
	shiftedMost  = 1 << 20 // blocks of the base: 16 bytes each are in memory
)

// A shifted finds blocks of a base wherever they were.
type shifted struct {
	list   *hashList
	known  []shiftedBlock // in the order of their keys; nil: not looked for yet
	misses int
	vain   int // blocks since the last success
	never  bool
	next   int64 // the block that follows the one that was found last
}

// A shiftedBlock is a block of the base by the beginning of its hash.
type shiftedBlock struct {
	key   uint64
	block int64
}

// found tells that a block was where it had been, or needed no place.
func (m *shifted) found() { m.misses = 0 }

// find gives a block of the base that has the hash.
func (m *shifted) find(hash []byte) (block int64, ok bool, err error) {
	if m.never {
		return 0, false, nil
	}
	if m.known == nil {
		if m.misses++; m.misses < shiftedAfter {
			return 0, false, nil
		}
		if err := m.build(); err != nil || m.never {
			return 0, false, err
		}
	}
	if m.vain++; m.vain > shiftedDense && m.vain%shiftedEach != 0 {
		return 0, false, nil
	}
	if ok, err := m.is(m.next, hash); ok || err != nil {
		return m.hit(m.next), ok, err
	}
	key := binary.BigEndian.Uint64(hash)
	i, _ := slices.BinarySearchFunc(m.known, key, func(b shiftedBlock, key uint64) int { return cmp.Compare(b.key, key) })
	for ; i < len(m.known) && m.known[i].key == key; i++ {
		if ok, err := m.is(m.known[i].block, hash); ok || err != nil {
			return m.hit(m.known[i].block), ok, err
		}
	}
	if m.vain >= shiftedGive {
		m.never, m.known = true, nil
	}
	return 0, false, nil
}

func (m *shifted) hit(block int64) int64 {
	m.vain, m.next = 0, block+1
	return block
}

// is tells whether a block of the base has the hash.
func (m *shifted) is(block int64, hash []byte) (bool, error) {
	if block >= blocksOf(m.list.size) {
		return false, nil
	}
	var there [listedHash]byte
	if err := m.list.from.at(there[:], block*listedHash); err != nil {
		return false, err
	}
	return bytes.Equal(there[:], hash), nil
}

// build reads the whole list, and believes it only if it is that of the base.
func (m *shifted) build() error {
	blocks := blocksOf(m.list.size)
	if blocks > shiftedMost {
		m.never = true
		return nil
	}
	known := make([]shiftedBlock, 0, blocks)
	sum := newFileDigest()
	piece := make([]byte, frameList)
	for block := int64(0); block < blocks; {
		b := piece[:min(frameList, (blocks-block)*listedHash)]
		if err := m.list.from.at(b, block*listedHash); err != nil {
			return err
		}
		sum.addList(b, min(frameSize, m.list.size-block*blockSize))
		for ; len(b) > 0; b = b[listedHash:] {
			if !isZero(b[:listedHash]) {
				known = append(known, shiftedBlock{binary.BigEndian.Uint64(b), block})
			}
			block++
		}
	}
	if m.list.digest != "" && sum.String() != m.list.digest {
		return errList
	}
	slices.SortFunc(known, func(a, b shiftedBlock) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.block, b.block)) })
	m.known = known
	return nil
}
