package repo

import (
	"encoding/binary"
	"encoding/hex"
	"sync"

	"github.com/zeebo/blake3"
)

// A blockHash is the BLAKE3-256 of one block of a file.
type blockHash [32]byte

// digestContext separates file digests from every other use of BLAKE3.
const digestContext = "holdfast format 1 file digest"

// groupSize is the length of the check of one frame of a raw payload.
const groupSize = 8

// zeroBlockHash is the hash of a whole block of zeros, so that holes need not
// be hashed.
var zeroBlockHash = sync.OnceValue(func() blockHash { return hashBlock(zeros[:blockSize]) })

// hashers are reused because a fresh one clears 10 KiB, more than a block.
var hashers = sync.Pool{New: func() any { return blake3.New() }}

func hashBlock(b []byte) (h blockHash) {
	s := hashers.Get().(*blake3.Hasher)
	s.Reset()
	s.Write(b) // never fails
	s.Sum(h[:0])
	hashers.Put(s)
	return h
}

// hashBlocks appends the hashes of the blocks of b, the last as long as it is,
// to dst. zero has a bit for each block that is whole and all zeros.
func hashBlocks(b []byte, dst []blockHash) (_ []blockHash, zero uint64) {
	for i := 0; len(b) > 0; i++ {
		n := min(blockSize, len(b))
		if n == blockSize && isZero(b[:n]) {
			zero |= 1 << i
			dst = append(dst, zeroBlockHash())
		} else {
			dst = append(dst, hashBlock(b[:n]))
		}
		b = b[n:]
	}
	return dst, zero
}

// groupCheck protects one frame of a raw payload against wrong random reads.
func groupCheck(hashes []blockHash) (sum [groupSize]byte) {
	h := blake3.New()
	for i := range hashes {
		h.Write(hashes[i][:])
	}
	copy(sum[:], h.Sum(nil))
	return sum
}

// fileDigest computes the digest of a file from the hashes of its blocks in
// order: BLAKE3 in key derivation mode over all hashes and the file's size.
type fileDigest struct {
	h    *blake3.Hasher
	size int64
}

func newFileDigest() *fileDigest { return &fileDigest{h: blake3.NewDeriveKey(digestContext)} }

// add takes the hashes of the next size bytes.
func (d *fileDigest) add(hashes []blockHash, size int64) {
	for i := range hashes {
		d.h.Write(hashes[i][:])
	}
	d.size += size
}

// addZeros takes size bytes of zeros; size must be whole blocks.
func (d *fileDigest) addZeros(size int64) {
	z := zeroBlockHash()
	for n := size / blockSize; n > 0; n-- {
		d.h.Write(z[:])
	}
	d.size += size
}

func (d *fileDigest) String() string {
	var tail [8]byte
	binary.LittleEndian.PutUint64(tail[:], uint64(d.size))
	d.h.Write(tail[:])
	return "blake3:" + hex.EncodeToString(d.h.Sum(nil))
}

// zeroGroup is the check of a whole frame of zeros.
var zeroGroup = sync.OnceValue(func() []byte {
	hashes, _ := hashBlocks(zeros[:], nil)
	sum := groupCheck(hashes)
	return sum[:]
})
