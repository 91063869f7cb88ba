package repo

import (
	"context"
	"errors"
	"fmt"
)

// A list of hashes has 32 bytes for each block of a file, in order. A whole
// block of zeros has 32 bytes of zeros instead of its hash, so that the list
// of a file with holes has holes itself.
const listedHash = 32

// frameList is the length of the list of one frame.
const frameList = blocksPerFrame * listedHash

// listInMemory bounds the part of a list that is kept in memory while its file
// is being written.
const listInMemory = 4 << 20

func newList() *spool { return &spool{limit: listInMemory} }

// list appends what the list has for the blocks of the frame to dst.
func (f *frame) list(dst []byte) []byte {
	for i := range f.hashes {
		if f.zero>>i&1 == 1 {
			dst = append(dst, zeros[:listedHash]...)
		} else {
			dst = append(dst, f.hashes[i][:]...)
		}
	}
	return dst
}

// listLength is the length of the list of a file of size bytes.
func listLength(size int64) int64 { return blocksOf(size) * listedHash }

// addList takes a piece of a list, for the next size bytes.
func (d *fileDigest) addList(list []byte, size int64) {
	z := zeroBlockHash()
	for ; len(list) > 0; list = list[listedHash:] {
		if isZero(list[:listedHash]) {
			d.h.Write(z[:])
		} else {
			d.h.Write(list[:listedHash])
		}
	}
	d.size += size
}

// errList tells that a list is not that of the file it is said to be of.
var errList = errors.New("the remembered hashes are not those of the file")

// A hashList reads the list of a file from front to back. Only the digest
// computed over all of it tells that it can be believed; without a digest, it
// is one that was just made.
type hashList struct {
	from   *spool
	size   int64 // of the file
	digest string
	left   int64 // bytes of the file whose hashes were not read yet
	sum    *fileDigest
	space  [frameList]byte
}

func newHashList(from *spool, size int64, digest string) *hashList {
	l := &hashList{from: from, size: size, digest: digest}
	l.rewind()
	return l
}

func (l *hashList) rewind() {
	l.from.rewind()
	l.left = l.size
	if l.digest != "" {
		l.sum = newFileDigest()
	}
}

// next gives the part for the next frame: shorter, or empty, where the file
// ends. It is good until the next call.
func (l *hashList) next() ([]byte, error) {
	n := min(frameSize, l.left)
	b := l.space[:listLength(n)]
	if err := l.from.next(b); err != nil {
		return nil, fmt.Errorf("remembered hashes: %w", err)
	}
	if l.sum != nil {
		l.sum.addList(b, n)
	}
	l.left -= n
	return b, nil
}

// finish reads what is left and tells whether what was read is the list of the
// file.
func (l *hashList) finish(ctx context.Context) error {
	for l.left > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := l.next(); err != nil {
			return err
		}
	}
	if l.sum.String() != l.digest {
		return errList
	}
	return nil
}

func (l *hashList) close() error { return l.from.close() }
