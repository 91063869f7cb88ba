package repo

import (
	"bytes"
	"errors"
	"fmt"
)

// changedInMemory bounds the changed blocks of a second pass that are kept in
// memory.
const changedInMemory = 8 << 20

// A secondPass takes a large file again while its owner may be waiting: every
// block is hashed and compared with the first pass, and only those that differ
// are put aside. The work of storing them waits for finish, when the owner
// goes on. Frames without a difference are copied as they were stored.
type secondPass struct {
	w     *fileWriter
	first firstPass

	notes   *notes
	frames  []secondFrame
	changed *spool
	differs bool // from the first pass, in any byte
}

// firstPass is what the first pass stored: a complete payload in the stage.
type firstPass struct {
	size, stored int64
	list         *hashList
}

// secondFrame tells how a frame of the second pass is made.
type secondFrame struct {
	how     howMade
	changed uint64 // blocks that lie in the spool
}

type howMade uint8

const (
	asBefore howMade = iota // the stored frame of the first pass, unchanged
	patched                 // the first pass with the changed blocks over it
	allZeros                // a hole
)

// newSecondPass begins after the first pass of w was stored.
func newSecondPass(w *fileWriter) *secondPass {
	w.out.file.size = 0 // accounted for by the first pass from here on
	return &secondPass{w: w, first: firstPass{
		size: w.e.Size, stored: w.e.StoredSize, list: newHashList(w.list, w.e.Size, ""),
	}}
}

// restart begins to take the file from byte 0.
func (s *secondPass) restart() error {
	err := s.changed.close()
	s.notes, s.frames, s.differs = newNotes(s.w.nextList()), s.frames[:0], false
	s.changed = &spool{limit: changedInMemory}
	s.first.list.rewind()
	s.w.startPipe(func(f *frame) error {
		if f.run == 0 {
			f.hash()
		}
		return nil
	}, s.take)
	return err
}

// take compares one frame, or a run of zeros, with the first pass.
func (s *secondPass) take(f *frame) error {
	if err := s.notes.add(f); err != nil {
		return err
	}
	for range f.run {
		if err := s.compare(zeros[:frameList], frameSize, nil, true); err != nil {
			return err
		}
	}
	if f.run > 0 {
		return nil
	}
	var space [frameList]byte
	return s.compare(f.list(space[:0]), len(f.raw), f.raw, f.allZero())
}

// compare looks at the next frame, given as listed hashes and plaintext.
func (s *secondPass) compare(hashes []byte, size int, raw []byte, zero bool) error {
	i := int64(len(s.frames))
	oldSize := plainSize(i, s.first.size)
	old, err := s.first.list.next()
	if err != nil {
		return fmt.Errorf("hashes of the first pass: %w", err)
	}
	if size == oldSize && bytes.Equal(hashes, old) {
		s.frames = append(s.frames, secondFrame{how: asBefore})
		return nil
	}
	s.differs = true
	if zero {
		s.frames = append(s.frames, secondFrame{how: allZeros})
		return nil
	}
	made := secondFrame{how: patched}
	for b := 0; b*listedHash < len(hashes); b++ {
		from, to := b*listedHash, (b+1)*listedHash
		if to <= len(old) && bytes.Equal(hashes[from:to], old[from:to]) {
			continue
		}
		made.changed |= 1 << b
		if _, err := s.changed.Write(raw[b*blockSize : min((b+1)*blockSize, size)]); err != nil {
			return fmt.Errorf("changed blocks: %w", err)
		}
	}
	s.frames = append(s.frames, made)
	return nil
}

// finish makes the payload of the second pass. Nothing waits for it.
func (s *secondPass) finish() error {
	size := s.notes.digest.size
	if !s.differs && size == s.first.size {
		return s.changed.close()
	}
	if err := s.rebuild(size); err != nil {
		return fmt.Errorf("second pass: %w", err)
	}
	return s.changed.close()
}

// rebuild writes the payload again under its own key, which replaces the first
// once it is complete; an object that is open stays readable.
func (s *secondPass) rebuild(size int64) (err error) {
	p, e := s.w.p, s.w.e
	obj, err := p.stage.Open(p.ctx, e.Payload)
	if err != nil {
		return err
	}
	old, err := newPayload(obj, e, string(p.name)+"/"+e.Payload)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, old.close()) }()

	out, err := p.newPayloadWriter(e.Payload, old.table != nil, s.notes)
	if err != nil {
		return err
	}
	p.unaccount(s.first.stored)
	s.first.stored = 0
	s.w.out = out
	s.w.startPipe(func(f *frame) error {
		if f.run == 0 && len(f.packed) == 0 {
			f.hash()
			if out.zstd {
				f.pack()
			}
		}
		return nil
	}, out.store)
	for i := range s.frames {
		if err := s.w.usable(); err != nil {
			return err
		}
		f := s.w.takeFrame()
		if err := s.build(old, int64(i), plainSize(int64(i), size), f); err != nil {
			s.w.pipe.free <- f
			return err
		}
		s.w.pipe.submit(f)
	}
	s.w.stopPipe()
	if s.w.err != nil {
		return s.w.err
	}
	return out.finish(e)
}

// build loads frame i of the second pass into f: packed if it is taken over as
// it was stored, else as plaintext of size bytes.
func (s *secondPass) build(old *payload, i int64, size int, f *frame) error {
	made := s.frames[i]
	switch {
	case made.how == allZeros:
		f.run = 1
		return nil
	case made.how == asBefore:
		if _, err := old.load(i, f); err != nil {
			return err
		}
		f.raw = f.raw[:size] // for a packed frame only the size counts
		return nil
	}
	f.raw = f.raw[:size]
	before := f.raw[:min(size, plainSize(i, old.plain))]
	if len(before) > 0 {
		// The old frame may be longer than what is left of it.
		spare := takeFrame()
		defer frames.Put(spare)
		plain, err := old.readFrame(i, spare.raw, true)
		if err != nil {
			return err
		}
		copy(before, plain)
	}
	for b := range blocksOf(int64(size)) {
		if made.changed>>b&1 == 0 {
			continue
		}
		if err := s.changed.next(f.raw[b*blockSize : min((b+1)*blockSize, int64(size))]); err != nil {
			return fmt.Errorf("changed blocks: %w", err)
		}
	}
	return nil
}

// drop removes what the first pass left in the stage.
func (s *secondPass) drop() error {
	p := s.w.p
	p.unaccount(s.first.stored)
	s.first.stored = 0
	return errors.Join(s.changed.close(), p.stage.Remove(p.ctx, s.w.e.Payload))
}
