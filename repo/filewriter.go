package repo

import (
	"errors"
	"fmt"

	"github.com/holdfast-backup/holdfast"
)

const (
	// rawBelow is the size up to which a file is stored as it is:
	// compressing saves nothing worth a second tool to read it.
	rawBelow = 16 << 10
	// probeFrames is the number of first frames with data that decide
	// whether a file is worth compressing; until then nothing is written.
	probeFrames = 4
	// probeMax bounds the probe where a file begins with long holes.
	probeMax = 16
	// frames in flight behind the probe, beside the one being filled.
	inFlight = 6
)

// A fileWriter stores one file of a capture. The first frames are worked on in
// the caller's goroutine, so a small file costs no more than its bytes; a
// large one gets a pipeline.
type fileWriter struct {
	p        *Pending
	source   string
	e        *entry
	compress bool

	size int64  // bytes taken in
	cur  *frame // being filled, nil if empty
	held []*frame
	data int // of held, frames that are not holes

	out    *payloadWriter // nil until the encoding is decided
	pipe   *pipeline[frame]
	second *secondPass  // once the file was begun again
	delta  *deltaWriter // instead of all these, if the base has the file
	begun  bool         // whether it has was decided
	taken  int          // frames that delta took without a pipeline

	list, again *spool // the hashes of the first pass, and of a further one
	stamp       string
	err         error
	done        bool
}

var _ holdfast.FileWriter = (*fileWriter)(nil)

// Write implements io.Writer.
func (w *fileWriter) Write(b []byte) (int, error) {
	total := len(b)
	for len(b) > 0 {
		if err := w.usable(); err != nil {
			return total - len(b), err
		}
		f := w.current()
		n := min(frameSize-len(f.raw), len(b))
		f.raw = append(f.raw, b[:n]...)
		b = b[n:]
		w.size += int64(n)
		if len(f.raw) == frameSize {
			w.flush()
		}
	}
	w.p.progress(w)
	return total, w.err
}

// Skip implements holdfast.FileWriter.
func (w *fileWriter) Skip(n int64) error {
	if n < 0 || n > maxSize-w.size {
		return &holdfast.Error{Op: "skip", Object: w.e.Path, Err: holdfast.Kindf(holdfast.ErrUsage, "%d bytes", n)}
	}
	for n > 0 {
		if err := w.usable(); err != nil {
			return err
		}
		if w.cur == nil && n >= frameSize {
			run := n / frameSize
			w.push(w.runFrame(run))
			w.size += run * frameSize
			n -= run * frameSize
			continue
		}
		f := w.current()
		k := min(int64(frameSize-len(f.raw)), n)
		f.raw = append(f.raw, zeros[:k]...)
		w.size += k
		n -= k
		if len(f.raw) == frameSize {
			w.flush()
		}
	}
	w.p.progress(w)
	return w.err
}

// usable tells why nothing more can be written.
func (w *fileWriter) usable() error {
	switch {
	case w.done:
		return &holdfast.Error{Op: "write", Object: w.e.Path, Err: fmt.Errorf("the file is closed")}
	case w.err != nil:
		return w.err
	case w.p.ctx.Err() != nil:
		w.err = w.p.ctx.Err()
	case w.pipe != nil:
		w.err = w.pipe.failed()
	}
	return w.err
}

// current is the frame being filled.
func (w *fileWriter) current() *frame {
	if w.cur == nil {
		w.cur = w.takeFrame()
	}
	return w.cur
}

func (w *fileWriter) takeFrame() *frame {
	if w.pipe == nil {
		return takeFrame()
	}
	f := w.pipe.take()
	f.reset()
	return f
}

func (w *fileWriter) runFrame(run int64) *frame {
	f := w.takeFrame()
	f.run = run
	return f
}

// flush passes the frame being filled on.
func (w *fileWriter) flush() {
	if f := w.cur; f != nil {
		w.cur = nil
		w.push(f)
	}
}

// push passes a frame on: to the probe at first, later to the pipeline.
func (w *fileWriter) push(f *frame) {
	if w.pipe != nil {
		w.pipe.submit(f)
		return
	}
	if !w.begun {
		w.begin(f)
	}
	if w.delta != nil {
		w.pushDelta(f)
		return
	}
	if f.run == 0 {
		f.hash()
		if w.compress && w.size > rawBelow {
			f.pack()
		}
		if !f.allZero() {
			w.data++
		}
	}
	w.held = append(w.held, f)
	if w.data < probeFrames && len(w.held) < probeMax {
		return
	}
	if w.fail(w.decide()); w.err != nil {
		return
	}
	w.startPipe(func(f *frame) error {
		if f.run == 0 {
			f.hash()
			if w.out.zstd {
				f.pack()
			}
		}
		return nil
	}, w.out.add)
}

// startPipe puts further frames on all cores.
func (w *fileWriter) startPipe(work, done func(*frame) error) {
	items := make([]*frame, inFlight)
	for i := range items {
		items[i] = takeFrame()
	}
	w.pipe = newPipeline(items, work, done)
}

// worthPacking tells whether zstd saves enough: below a sixteenth, a file is
// better readable as it is.
func worthPacking(held []*frame) bool {
	var raw, packed int
	for _, f := range held {
		if f.run == 0 && !f.allZero() {
			raw += len(f.raw)
			packed += len(f.packed)
		}
	}
	return packed <= raw-raw/16
}

// decide chooses the encoding from the frames held, opens the payload and
// writes them.
func (w *fileWriter) decide() error {
	// What is encrypted is not readable as it is anyway, and its holes would
	// be stored as zeros.
	zstd := w.compress && w.size > rawBelow && (w.p.sealing != nil || worthPacking(w.held))
	w.e.Payload = w.p.names.claim(w.e.Path, zstd)
	n := w.newNotes()
	out, err := w.p.newPayloadWriter(w.e.Payload, zstd, n)
	if err != nil {
		w.p.names.release(w.e.Payload)
		return err
	}
	w.out = out
	for _, f := range w.held {
		if err := out.add(f); err != nil {
			return err
		}
	}
	w.dropHeld()
	return nil
}

// newNotes begins to note what the file is. The hashes of a file that has more
// than a frame are kept: for a second pass, and for the next backup.
func (w *fileWriter) newNotes() *notes {
	w.list = nil
	if w.size > frameSize {
		w.list = newList()
	}
	return newNotes(w.list)
}

// nextList is where the hashes of a further pass are kept.
func (w *fileWriter) nextList() *spool {
	w.fail(w.again.close())
	w.again = nil
	if w.p.remembers() {
		w.again = newList()
	}
	return w.again
}

func (w *fileWriter) dropHeld() {
	for _, f := range w.held {
		frames.Put(f)
	}
	w.held = w.held[:0]
}

func (w *fileWriter) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// finish stores what is left and ends the payload.
func (w *fileWriter) finish() error {
	w.flush()
	w.stopPipe()
	switch {
	case w.err != nil:
	case w.delta != nil:
		w.fail(w.delta.finish(w.e))
	case w.second != nil:
		w.fail(w.second.finish())
	default:
		w.fail(w.finishFull())
	}
	return w.err
}

func (w *fileWriter) finishFull() error {
	if w.out == nil {
		if same, err := w.heldByBase(); same || err != nil {
			return err
		}
		if err := w.decide(); err != nil {
			return err
		}
	}
	return w.out.finish(w.e)
}

// stopPipe waits until everything that was passed on is stored.
func (w *fileWriter) stopPipe() {
	if w.pipe == nil {
		return
	}
	w.fail(w.pipe.wait())
	for range inFlight {
		frames.Put(w.pipe.take())
	}
	w.pipe = nil
}

// Reset implements holdfast.FileWriter. What a large file stored so far is
// kept, and the second pass only compares.
func (w *fileWriter) Reset() error {
	if err := w.usable(); err != nil {
		return err
	}
	switch {
	case w.second != nil:
		w.returnCurrent()
		w.stopPipe()
		w.fail(w.second.restart())
	case w.delta != nil && (w.delta.first != nil || w.size >= smallFile):
		w.resetDelta()
	case w.out != nil:
		if w.finish() == nil {
			w.second = newSecondPass(w)
			w.fail(w.second.restart())
		}
	default:
		w.drop()
	}
	w.size, w.data, w.stamp = 0, 0, ""
	return w.err
}

// Stamp implements holdfast.FileWriter.
func (w *fileWriter) Stamp(stamp string) { w.stamp = stamp }

// returnCurrent gives back the frame being filled.
func (w *fileWriter) returnCurrent() {
	switch {
	case w.cur == nil:
	case w.pipe == nil:
		frames.Put(w.cur)
	default:
		w.pipe.free <- w.cur
	}
	w.cur = nil
}

// drop forgets everything stored so far.
func (w *fileWriter) drop() {
	w.returnCurrent()
	w.stopPipe()
	w.dropHeld()
	w.fail(w.closeLists())
	if w.delta != nil {
		w.fail(w.delta.drop())
		w.delta = nil
	}
	w.begun, w.taken = false, 0
	if w.out == nil {
		return
	}
	w.fail(w.out.discard())
	if w.second != nil {
		w.fail(w.second.drop())
	}
	w.p.names.release(w.e.Payload)
	w.out = nil
}

func (w *fileWriter) closeLists() error {
	err := errors.Join(w.list.close(), w.again.close())
	w.list, w.again = nil, nil
	return err
}

// Close implements io.Closer.
func (w *fileWriter) Close() error {
	if w.done {
		return nil
	}
	if err := w.usable(); err != nil {
		return w.wrap(errors.Join(err, w.Discard()))
	}
	err := w.finish()
	if err == nil {
		err = w.referWhole()
	}
	if err != nil {
		return w.wrap(errors.Join(err, w.Discard()))
	}
	w.done = true
	w.e.stamp = w.stamp
	list := w.list
	if w.second != nil || w.delta != nil && w.delta.first != nil {
		list = w.again
	}
	w.p.rememberHashes(w.e, list)
	w.p.completed(w)
	return w.closeLists()
}

// Discard implements holdfast.FileWriter.
func (w *fileWriter) Discard() error {
	if w.done {
		return nil
	}
	w.done = true
	w.err = nil
	w.drop()
	w.p.discarded(w)
	return w.err
}

func (w *fileWriter) wrap(err error) error {
	return &holdfast.Error{Op: "store", Object: w.e.Path, Err: err}
}
