package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/minio/minio-go/v7"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

const (
	firstBuffer = 32 << 10
	maxParts    = 10_000 // of one upload, by every service
	zerosAtOnce = 64 << 10
)

var zeros [zerosAtOnce]byte

var _ bucket.Writer = (*writer)(nil)

// writer uploads one object; one goroutine uses it. What fits into one part
// goes as one request when it is closed; of more, each part goes as soon as it
// is full, beside the filling of the next.
type writer struct {
	b      *Bucket
	l      *lease
	ctx    context.Context // of Create: io.Writer has none
	cancel context.CancelCauseFunc
	key    string // where the object goes
	name   string // what it is called in errors
	token  string
	ended  func(f facts, complete bool) // tells the stage; may be nil

	buf    []byte
	size   int64
	upload string // id; "" as long as one request may do
	sent   int    // parts
	done   bool
	err    error // the first failure; nothing good comes after it

	flying sync.WaitGroup
	mu     sync.Mutex // guards what parts on their way tell
	parts  []minio.CompletePart
	failed error
}

func (b *Bucket) newWriter(ctx context.Context, l *lease, key, name string) *writer {
	ctx, cancel := context.WithCancelCause(ctx)
	return &writer{b: b, l: l, ctx: ctx, cancel: cancel, key: key, name: name, token: rand.Text()}
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if err := w.ready(); err != nil {
		return 0, err
	}
	written := 0
	for written < len(p) {
		n := min(len(p)-written, int(w.b.o.PartSize)-len(w.buf))
		w.fill(p[written : written+n])
		written += n
		if int64(len(w.buf)) == w.b.o.PartSize {
			if err := w.keep(w.send()); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

// fill adds to the buffer, which grows with what is written: many objects are
// small.
func (w *writer) fill(p []byte) {
	if need := len(w.buf) + len(p); need > cap(w.buf) {
		grown := make([]byte, len(w.buf), min(int(w.b.o.PartSize), max(need, 2*cap(w.buf), firstBuffer)))
		copy(grown, w.buf)
		w.buf = grown
	}
	w.buf = append(w.buf, p...)
	w.size += int64(len(p))
}

// Skip implements bucket.Writer. Objects have no holes: zeros are sent.
func (w *writer) Skip(n int64) error {
	if err := w.ready(); err != nil {
		return err
	}
	if n < 0 {
		return w.b.fail("write", w.name, errNegative)
	}
	for n > 0 {
		some, err := w.Write(zeros[:min(n, zerosAtOnce)])
		if err != nil {
			return err
		}
		n -= int64(some)
	}
	return nil
}

// ready looks whether the writer can still take something.
func (w *writer) ready() error {
	switch {
	case w.done:
		return w.b.fail("write", w.name, errClosed)
	case w.err != nil:
		return w.err
	case w.ctx.Err() != nil:
		return context.Cause(w.ctx)
	}
	w.mu.Lock()
	failed := w.failed
	w.mu.Unlock()
	return w.keep(failed)
}

// keep remembers the first failure, so that half an object cannot be closed.
func (w *writer) keep(err error) error {
	if err != nil && w.err == nil {
		w.err = w.b.fail("write", w.name, err)
	}
	return w.err
}

// send gives the buffer as the next part to a goroutine, once one may start.
func (w *writer) send() error {
	if w.sent == maxParts {
		return &holdfast.Error{
			Err:  holdfast.Kindf(holdfast.ErrRefused, "it is larger than %d parts of %d MiB", maxParts, w.b.o.PartSize>>20),
			Hint: fmt.Sprintf("raise part_size in the URL, up to %dMiB", maxPart>>20),
		}
	}
	if w.upload == "" {
		if err := w.initiate(); err != nil {
			return err
		}
	}
	select {
	case w.b.uploads <- struct{}{}:
	case <-w.ctx.Done():
		return context.Cause(w.ctx)
	}
	data := w.buf
	w.buf = w.b.buffer()
	w.sent++
	number := w.sent
	w.flying.Go(func() {
		defer func() { <-w.b.uploads }()
		part, err := w.part(number, data)
		w.b.recycle(data)
		w.mu.Lock()
		defer w.mu.Unlock()
		if err != nil && w.failed == nil {
			w.failed = err
			return
		}
		w.parts = append(w.parts, part)
	})
	return nil
}

func (w *writer) initiate() error {
	o := w.b.stored()
	o.UserMetadata = map[string]string{metaToken: w.token}
	return w.b.change(w.ctx, w.l, 0, func(ctx context.Context) error {
		id, err := w.b.core.NewMultipartUpload(ctx, w.b.o.Bucket, w.b.at(w.key), o)
		if err == nil {
			w.b.remember(w, id)
		}
		return err
	})
}

// part sends one part. Sent twice it replaces itself.
func (w *writer) part(number int, data []byte) (minio.CompletePart, error) {
	sums := checksum(data)
	var sent minio.CompletePart
	err := w.b.change(w.ctx, w.l, int64(len(data)), func(ctx context.Context) error {
		p, err := w.b.core.PutObjectPart(ctx, w.b.o.Bucket, w.b.at(w.key), w.upload, number, bytes.NewReader(data), int64(len(data)),
			minio.PutObjectPartOptions{Md5Base64: sums.md5, Sha256Hex: sums.sha256, DisableContentSha256: true})
		if err == nil && p.ETag == "" {
			err = errIncomplete
		}
		sent = minio.CompletePart{PartNumber: number, ETag: p.ETag}
		return err
	})
	return sent, err
}

// Close implements bucket.Writer.
func (w *writer) Close() error {
	if w.done {
		return w.b.fail("write", w.name, errClosed)
	}
	err := w.ready()
	var f facts
	if err == nil {
		f, err = w.finish()
		err = w.keep(err)
	}
	if err != nil {
		return errors.Join(err, w.Discard())
	}
	w.end(f, true)
	return nil
}

// finish makes the object appear, whole.
func (w *writer) finish() (facts, error) {
	if err := w.b.aside(w.ctx, w.l, w.key); err != nil {
		return facts{}, err
	}
	f := facts{size: w.size, token: w.token}
	if w.upload == "" {
		o := w.b.stored()
		o.UserMetadata = map[string]string{metaToken: w.token}
		err := w.b.change(w.ctx, w.l, w.size, func(ctx context.Context) (err error) {
			f.etag, err = w.b.put(ctx, w.key, w.buf, o)
			return err
		})
		return f, err
	}
	if len(w.buf) > 0 {
		if err := w.send(); err != nil {
			return f, err
		}
	}
	w.flying.Wait()
	if w.failed != nil {
		return f, w.failed
	}
	slices.SortFunc(w.parts, func(x, y minio.CompletePart) int { return x.PartNumber - y.PartNumber })
	err := w.b.change(w.ctx, w.l, 0, func(ctx context.Context) error {
		info, err := w.b.core.CompleteMultipartUpload(ctx, w.b.o.Bucket, w.b.at(w.key), w.upload, w.parts, minio.PutObjectOptions{})
		f.etag = info.ETag
		if err == nil && f.etag == "" {
			err = errIncomplete
		}
		if code(err) == "NoSuchUpload" {
			// An attempt whose answer was lost may have completed it.
			if is, herr := w.b.headOnce(ctx, w.key); herr == nil && is.token == w.token {
				f.etag = is.etag
				return nil
			}
		}
		return err
	})
	return f, err
}

// Discard implements bucket.Writer. An upload that cannot be given up now is
// given up by Clean.
func (w *writer) Discard() error {
	if w.done {
		return nil
	}
	w.cancel(errClosed)
	w.flying.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), sideTime)
	defer cancel()
	w.giveUp(ctx)
	w.end(facts{}, false)
	return nil
}

// giveUp ends the upload, if there is one.
func (w *writer) giveUp(ctx context.Context) {
	w.b.mu.Lock()
	id := w.upload
	w.b.mu.Unlock()
	if id != "" {
		_ = w.b.abortUpload(ctx, w.l, w.b.at(w.key), id)
	}
}

func (w *writer) end(f facts, complete bool) {
	w.done = true
	w.cancel(errClosed)
	w.b.forget(w.upload)
	w.b.recycle(w.buf)
	w.buf = nil
	if w.ended != nil {
		w.ended(f, complete)
	}
}

// buffer gives a buffer for a part, one that was used before if there is one.
func (b *Bucket) buffer() []byte {
	select {
	case buf := <-b.spare:
		return buf[:0]
	default:
		return nil
	}
}

func (b *Bucket) recycle(buf []byte) {
	if int64(cap(buf)) != b.o.PartSize {
		return
	}
	select {
	case b.spare <- buf:
	default:
	}
}

// remember keeps the id of an upload of this process, for Clean to spare it and
// for Abort, which may come from another goroutine, to end it.
func (b *Bucket) remember(w *writer, id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w.upload = id
	b.pending[id] = true
}

func (b *Bucket) forget(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.pending, id)
}

// abortUpload gives up an upload; one that is not there is no error.
func (b *Bucket) abortUpload(ctx context.Context, l *lease, at, id string) error {
	err := b.change(ctx, l, 0, func(ctx context.Context) error {
		return b.core.AbortMultipartUpload(ctx, b.o.Bucket, at, id)
	})
	if status(err) == 404 {
		return nil
	}
	return err
}
