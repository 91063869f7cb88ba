package repo

// notes are what the manifest says about the plaintext of a file, collected as
// its frames pass.
type notes struct {
	digest  *fileDigest
	extents extentBuilder
	list    *spool // the hashes of all blocks, if they are needed again
}

func newNotes(list *spool) *notes { return &notes{digest: newFileDigest(), list: list} }

// add takes one frame of a full file that was hashed, or a run of zeros.
func (n *notes) add(f *frame) error {
	if f.run > 0 {
		n.extents.hole(f.run * blocksPerFrame)
	} else {
		n.extents.frame(len(f.hashes), f.zero)
	}
	return n.note(f)
}

// note takes what does not depend on how the frame is stored.
func (n *notes) note(f *frame) error {
	if f.run > 0 {
		n.digest.addZeros(f.run * frameSize)
		if n.list == nil {
			return nil
		}
		return n.list.skip(f.run * frameList)
	}
	n.digest.add(f.hashes, int64(len(f.raw)))
	if n.list == nil {
		return nil
	}
	var space [frameList]byte
	_, err := n.list.Write(f.list(space[:0]))
	return err
}

// A payloadWriter stores the frames of one file in order. It is used by one
// goroutine at a time.
type payloadWriter struct {
	file   *storedFile
	zstd   bool
	table  seekTableWriter
	groups []byte
	notes  *notes // of a full file
}

func (p *Pending) newPayloadWriter(key string, zstd bool, n *notes) (*payloadWriter, error) {
	f, err := p.newStoredFile(key, true)
	if err != nil {
		return nil, err
	}
	return &payloadWriter{file: f, zstd: zstd, notes: n}, nil
}

// add notes and stores one frame that was hashed and, if the payload is
// compressed, packed.
func (o *payloadWriter) add(f *frame) error {
	if err := o.notes.add(f); err != nil {
		return err
	}
	return o.store(f)
}

// store stores one frame, or a run of frames of zeros.
func (o *payloadWriter) store(f *frame) error {
	for range f.run {
		if err := o.storeZeros(); err != nil {
			return err
		}
	}
	switch {
	case f.run > 0:
		return nil
	case o.zstd:
		o.table.add(len(f.packed), len(f.raw))
		return o.write(f.packed)
	}
	sum := groupCheck(f.hashes)
	o.groups = append(o.groups, sum[:]...)
	return o.writeSparse(f)
}

// storeZeros stores one frame of zeros.
func (o *payloadWriter) storeZeros() error {
	if o.zstd {
		z := zeroFrame()
		o.table.add(len(z), frameSize)
		return o.write(z)
	}
	o.groups = append(o.groups, zeroGroup()...)
	return o.file.skip(frameSize)
}

// writeSparse stores the plaintext itself, its zero blocks as holes.
func (o *payloadWriter) writeSparse(f *frame) error {
	end := f.off
	err := f.data(func(off int64, b []byte) error {
		if err := o.file.skip(off - end); err != nil {
			return err
		}
		end = off + int64(len(b))
		return o.write(b)
	})
	if err != nil {
		return err
	}
	return o.file.skip(f.off + int64(len(f.raw)) - end)
}

func (o *payloadWriter) write(b []byte) error {
	_, err := o.file.Write(b)
	return err
}

// finish ends the payload of a full file and fills in what e says about it.
func (o *payloadWriter) finish(e *entry) error {
	e.Form = formFull
	e.Size = o.notes.digest.size
	e.Digest = o.notes.digest.String()
	e.Extents = o.notes.extents.xs
	return o.end(e)
}

// end ends the payload and fills in what e says about it.
func (o *payloadWriter) end(e *entry) error {
	if o.zstd {
		if err := o.write(o.table.frame()); err != nil {
			return err
		}
		e.Encoding, e.Groups = encodingZstd, nil
	} else {
		e.Encoding, e.Groups = encodingRaw, o.groups
	}
	return o.file.finish(e)
}

// discard drops the payload.
func (o *payloadWriter) discard() error { return o.file.discard() }
