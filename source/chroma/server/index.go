package server

import (
	"encoding/binary"
	"errors"
	"hash/maphash"
	"io"
	"math"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// An entry is what is remembered of a record between two looks: by which numbers its
// id and its content are known.
type entry struct{ id, content uint64 }

const entrySize = 16

// A span is the entries of a collection, in the order of its records.
type span struct {
	in  *scratch
	off int64
	n   int64
}

// entries reads a span from its beginning.
type entries struct {
	r    io.Reader
	left int64
}

func (s span) open() *entries {
	if s.n == 0 {
		return &entries{}
	}
	return &entries{r: s.in.reader(s.off, s.n*entrySize), left: s.n}
}

// next gives the next entry; false at the end.
func (e *entries) next() (entry, bool, error) {
	if e.left == 0 {
		return entry{}, false, nil
	}
	e.left--
	var b [entrySize]byte
	_, err := io.ReadFull(e.r, b[:])
	return entry{binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])}, err == nil, err
}

func (s *scratch) add(e entry) error {
	var b [entrySize]byte
	_, err := s.Write(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b[:0], e.id), e.content))
	return err
}

// A hasher makes entries. The numbers mean something within one capture only.
type hasher struct {
	seed maphash.Seed
	h    maphash.Hash
}

func newHasher(seed maphash.Seed) *hasher {
	h := &hasher{seed: seed}
	h.h.SetSeed(seed)
	return h
}

func (h *hasher) ofID(id string) uint64 { return maphash.String(h.seed, id) }

// of makes the entry of a record: everything in it counts.
func (h *hasher) of(r disk.Record) (entry, error) {
	h.h.Reset()
	for _, text := range []*string{r.Document, r.URI} {
		if text == nil {
			h.h.WriteByte(0)
			continue
		}
		h.h.WriteByte(1)
		h.number(uint64(len(*text)))
		h.h.WriteString(*text)
	}
	text, err := r.Metadata.MarshalJSON()
	if err != nil {
		return entry{}, &holdfast.Error{Op: "read the metadata of record", Object: r.ID, Err: err}
	}
	h.number(uint64(len(text)))
	h.h.Write(text)
	h.number(uint64(len(r.Embedding)))
	var b [4]byte
	for _, f := range r.Embedding {
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(f))
		h.h.Write(b[:])
	}
	return entry{h.ofID(r.ID), h.h.Sum64()}, nil
}

func (h *hasher) number(n uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	h.h.Write(b[:])
}

// lists tells whether a list of ids is that of the span, in the same order.
func (s span) lists(l *idList) (bool, error) {
	if s.n != l.n-int64(len(l.skip)) {
		return false, nil
	}
	known, same := s.open(), true
	var failed error
	err := l.eachHash(func(at int64, hash uint64) {
		if !same || l.skip[at] {
			return
		}
		e, ok, err := known.next()
		if err != nil {
			failed = err
		}
		same = ok && e.id == hash
	})
	return same, errors.Join(err, failed)
}

// compare counts what is in one span and not in the other. Records are compared in as
// many parts as fit in memory one after the other.
func compare(then, now span) (m holdfast.ChromaMoved, err error) {
	buckets := uint64(max(then.n, now.n)/bucketSize) + 1
	before := make(map[uint64]uint64, min(then.n, bucketSize))
	for b := range buckets {
		clear(before)
		err := then.each(func(e entry) {
			if e.id%buckets == b {
				before[e.id] = e.content
			}
		})
		if err != nil {
			return m, err
		}
		err = now.each(func(e entry) {
			if e.id%buckets != b {
				return
			}
			content, there := before[e.id]
			switch {
			case !there:
				m.Added++
			case content != e.content:
				m.Changed++
			}
			delete(before, e.id)
		})
		if err != nil {
			return m, err
		}
		m.Removed += int64(len(before))
	}
	return m, nil
}

func (s span) each(f func(entry)) error {
	r := s.open()
	for {
		e, ok, err := r.next()
		if err != nil || !ok {
			return err
		}
		f(e)
	}
}
