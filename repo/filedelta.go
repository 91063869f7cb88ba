package repo

// These are the parts of a fileWriter that only matter when there is a base:
// a file that it has becomes a delta, and one that it has whole a reference.

// begin chooses, by the first frame, whether the file becomes a delta. Where
// the base or the file itself is no more than a frame, its digest says enough.
func (w *fileWriter) begin(f *frame) {
	w.begun = true
	old := w.p.base.file(w.e.Path)
	if old == nil || w.source == "" || old.Size <= frameSize || f.size() < frameSize {
		return
	}
	if hashes := w.p.hashesOfBase(old); hashes != nil {
		w.list = newList()
		w.delta = newDeltaWriter(w.p, w.e.Path, w.compress, hashes, w.p.base.extents(old, &w.p.refs), newNotes(w.list))
	}
}

// pushDelta passes a frame to the delta: the first few in the caller's
// goroutine.
func (w *fileWriter) pushDelta(f *frame) {
	if f.run == 0 {
		f.hash()
	}
	w.fail(w.delta.take(f))
	frames.Put(f)
	if w.taken++; w.taken == probeFrames {
		w.startDelta()
	}
}

func (w *fileWriter) startDelta() {
	w.startPipe(func(f *frame) error {
		if f.run == 0 {
			f.hash()
		}
		return nil
	}, w.delta.take)
}

// resetDelta begins a further pass over a delta.
func (w *fileWriter) resetDelta() {
	if w.delta.first == nil {
		w.flush()
	} else {
		w.returnCurrent()
	}
	w.stopPipe()
	w.fail(w.delta.again(newNotes(w.nextList())))
	w.startDelta()
}

// heldByBase tells whether the base has a file that is held whole, so that
// nothing needs to be stored.
func (w *fileWriter) heldByBase() (bool, error) {
	if w.p.base == nil {
		return false, nil
	}
	n := w.newNotes()
	for _, f := range w.held {
		if err := n.note(f); err != nil {
			return false, err
		}
	}
	w.e.Digest = n.digest.String()
	if w.p.base.same(w.e.Path, w.e.Digest) == nil {
		return false, nil
	}
	w.dropHeld()
	return true, nil
}

// referWhole refers to the base for a file whose every byte it has.
func (w *fileWriter) referWhole() error {
	f := w.p.base.same(w.e.Path, w.e.Digest)
	if f == nil {
		return nil
	}
	err := w.p.dropPayload(w.e)
	w.p.refer(w.e, f)
	return err
}
