// Package idset compares sets of record ids and labels that are too large to
// keep in memory.
//
// A [Sum] is the fingerprint of a set: one number however large the set is,
// the same whatever the order. A [Buckets] is a fingerprint in parts, so that
// two sets that differ can be searched for examples in a second pass. A [Map]
// holds what must be looked up by id, 24 bytes for each entry.
//
// Ids enter as keyed 128-bit hashes. The key is drawn anew in each process, so
// a file cannot be made whose ids collide.
package idset

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// A Hash stands for an id or a label.
type Hash struct{ hi, lo uint64 }

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// Of hashes an id.
func Of(id string) Hash {
	return Hash{maphash.String(seeds[0], id), maphash.String(seeds[1], id)}
}

// OfNumber hashes a label.
func OfNumber(n uint64) Hash {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	return Hash{maphash.Bytes(seeds[0], b[:]), maphash.Bytes(seeds[1], b[:])}
}

// OfPair hashes an id together with its label.
func OfPair(id string, n uint64) Hash {
	var b [24]byte
	h := Of(id)
	binary.LittleEndian.PutUint64(b[0:], h.hi)
	binary.LittleEndian.PutUint64(b[8:], h.lo)
	binary.LittleEndian.PutUint64(b[16:], n)
	return Hash{maphash.Bytes(seeds[0], b[:]), maphash.Bytes(seeds[1], b[:])}
}

// A Sum is the fingerprint of a multiset: the number of its members and the
// sum of their hashes. Equal multisets have equal sums; others differ, up to a
// chance of 2^-128.
type Sum struct {
	N      int64
	hi, lo uint64
}

// Add adds a member.
func (s *Sum) Add(h Hash) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, h.lo, 0)
	s.hi, _ = bits.Add64(s.hi, h.hi, carry)
	s.N++
}

const bucketCount = 4096

// A Buckets is the fingerprint of a multiset in parts.
type Buckets struct {
	N    int64
	sums [bucketCount]Sum
}

// Add adds a member.
func (b *Buckets) Add(h Hash) {
	b.sums[h.bucket()].Add(h)
	b.N++
}

func (h Hash) bucket() uint64 { return h.hi % bucketCount }

// Equal tells whether two multisets are the same.
func (b *Buckets) Equal(c *Buckets) bool { return *b == *c }

// A Difference chooses members that may belong to only one of two sets.
type Difference struct{ a, b *Buckets }

// Between gives the difference of two sets.
func Between(a, b *Buckets) Difference { return Difference{a, b} }

// Suspect tells whether a member lies in a part where the sets differ.
func (d Difference) Suspect(h Hash) bool {
	i := h.bucket()
	return d.a.sums[i] != d.b.sums[i]
}
