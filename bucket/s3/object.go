package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"

	"github.com/holdfast-backup/holdfast/bucket"
)

const (
	// firstWindow is what Open fetches together with the size: all of most
	// objects that are read whole.
	firstWindow = 128 << 10
	// readAhead is what a sequential reader gets at once.
	readAhead = 512 << 10
	// windowsKept lets that many sequential readers share one object.
	windowsKept = 2
	// longestRange bounds what one request asks for, and so its time.
	longestRange = 4 << 20
)

// object reads one version of an object by ranges. Whoever reads in order gets
// more at once than asked for; who jumps about gets what was asked for.
type object struct {
	b   *Bucket
	ctx context.Context // of Open: io.ReaderAt has none
	key string          // of ours; its reader moves with it, see aside.go

	size int64

	mu      sync.Mutex
	at      string // where the version lies: a key of ours
	etag    string
	windows [windowsKept]window
	clock   uint64 // counts uses of windows
	closed  bool
}

// window is a range that was read ahead.
type window struct {
	off  int64
	data []byte
	used uint64
}

func (w *window) end() int64 { return w.off + int64(len(w.data)) }

// Open implements bucket.Bucket. One request brings the size and the beginning.
// Reading goes on as long as ctx does.
func (b *Bucket) Open(ctx context.Context, key string) (bucket.Object, error) {
	if err := b.begin(ctx, key); err != nil {
		return nil, err
	}
	if b.unseen(key) {
		return nil, b.fail("open", key, errAbsent)
	}
	o, err := b.open(ctx, key)
	if err != nil {
		return nil, b.fail("open", key, err)
	}
	return o, nil
}

// unseen tells whether a key lies in a tree that a stage of this process has
// not committed. For those of others that would cost a request more for each
// object; their readers come by the marker, which is not there.
func (b *Bucket) unseen(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for prefix := range b.staged {
		if strings.HasPrefix(key, prefix+"/") {
			return true
		}
	}
	return false
}

func (b *Bucket) open(ctx context.Context, key string) (*object, error) {
	o := &object{b: b, ctx: ctx, key: key, at: key}
	var f facts
	err := b.retry(ctx, firstWindow, func(ctx context.Context) error {
		data := make([]byte, firstWindow)
		n, size, info, err := b.getRange(ctx, key, "", data, 0)
		if err != nil {
			return err
		}
		o.size, f = size, info
		if n < firstWindow/2 { // many small objects may be open at once
			data = slices.Clone(data[:n])
		}
		o.windows[0] = window{data: data[:n]}
		return nil
	})
	if status(err) == http.StatusRequestedRangeNotSatisfiable { // an empty object has no ranges
		if f, err = b.head(ctx, key); err == nil && f.size > 0 {
			err = errReplaced // in the moment between the two requests
		}
	}
	switch {
	case err != nil:
		return nil, err
	case f.isReservation():
		return nil, errAbsent // a marker's place, but no marker
	}
	o.etag = f.etag
	b.enter(o)
	return o, nil
}

// Size implements bucket.Object.
func (o *object) Size() int64 { return o.size }

// Close implements io.Closer.
func (o *object) Close() error {
	o.mu.Lock()
	o.closed = true
	o.windows = [windowsKept]window{}
	o.mu.Unlock()
	return o.b.leave(o)
}

// ReadAt implements io.ReaderAt.
func (o *object) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, o.b.fail("read", o.key, errNegative)
	}
	done := 0
	for done < len(p) && off+int64(done) < o.size {
		n, err := o.readSome(p[done:], off+int64(done))
		done += n
		if err != nil {
			return done, o.b.fail("read", o.key, err)
		}
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// readSome reads at least one byte, from a window or the service. off is below
// the size.
func (o *object) readSome(p []byte, off int64) (int, error) {
	p = p[:min(int64(len(p)), o.size-off, longestRange)]
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return 0, errClosed
	}
	sequential := false
	for i := range o.windows {
		w := &o.windows[i]
		if off >= w.off && off < w.end() {
			o.clock++
			w.used = o.clock
			n := copy(p, w.data[off-w.off:])
			o.mu.Unlock()
			return n, nil
		}
		sequential = sequential || off == w.end() && w.data != nil
	}
	o.mu.Unlock()
	if !sequential || len(p) >= readAhead {
		if err := o.fetch(p, off); err != nil {
			return 0, err
		}
		if sequential { // the next read goes on behind this one
			o.keep(window{off: off + int64(len(p)), data: []byte{}})
		}
		return len(p), nil
	}
	w := window{off: off, data: make([]byte, min(readAhead, o.size-off))}
	if err := o.fetch(w.data, off); err != nil {
		return 0, err
	}
	o.keep(w)
	return copy(p, w.data), nil
}

// keep puts a window in place of the one that it continues, or else of the one
// that was not used for longest.
func (o *object) keep(w window) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	oldest := 0
	for i := range o.windows {
		if o.windows[i].used < o.windows[oldest].used {
			oldest = i
		}
	}
	for i := range o.windows {
		if o.windows[i].end() == w.off && o.windows[i].data != nil {
			oldest = i
		}
	}
	o.clock++
	w.used = o.clock
	o.windows[oldest] = w
}

// fetch fills p from the service. What came before a cut is kept: the next
// attempt asks for the rest.
func (o *object) fetch(p []byte, off int64) error {
	done := 0
	return o.b.retry(o.ctx, int64(len(p)), func(ctx context.Context) error {
		for done < len(p) {
			at, etag := o.version()
			n, size, _, err := o.b.getRange(ctx, at, etag, p[done:], off+int64(done))
			done += n
			switch {
			case conditionFailed(err), absent(err), err == nil && size != o.size:
				if now, _ := o.version(); now != at {
					continue // it was moved aside meanwhile
				}
				if absent(err) {
					return fmt.Errorf("it was removed while it was being read: %w", errors.Join(errAbsent, errForGood))
				}
				return errReplaced
			case err != nil:
				return err
			}
		}
		return nil
	})
}

// version tells where what this object reads lies now.
func (o *object) version() (at, etag string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.at, o.etag
}

// getRange is one request for len(p) bytes at off of the version etag ("" takes
// the present one). Less may come: at the end of the object, or before a cut. It
// also gives the size of the whole object.
func (b *Bucket) getRange(ctx context.Context, key, etag string, p []byte, off int64) (int, int64, facts, error) {
	var opts minio.GetObjectOptions
	if err := opts.SetRange(off, off+int64(len(p))-1); err != nil {
		return 0, 0, facts{}, err
	}
	if etag != "" {
		if err := opts.SetMatchETag(etag); err != nil {
			return 0, 0, facts{}, err
		}
	}
	body, info, header, err := b.core.GetObject(ctx, b.o.Bucket, b.at(key), opts)
	if err != nil {
		return 0, 0, facts{}, err
	}
	defer body.Close()
	start, size, err := contentRange(header, info.Size)
	if err != nil {
		return 0, 0, facts{}, err
	}
	if start != off || etag != "" && info.ETag != "" && info.ETag != etag {
		return 0, 0, facts{}, fmt.Errorf("the service answered with byte %d of another range or version: %w", start, errForGood)
	}
	n, err := io.ReadFull(body, p[:min(int64(len(p)), size-off)])
	if err != nil {
		err = fmt.Errorf("the connection was cut: %v: %w", err, io.ErrUnexpectedEOF)
	}
	return n, size, factsOf(info), err
}

// contentRange gives the first byte of an answer and the size of the whole
// object. A service that does not know ranges answers with everything.
func contentRange(h http.Header, length int64) (start, size int64, err error) {
	value := h.Get("Content-Range")
	if value == "" {
		return 0, length, nil
	}
	bad := fmt.Errorf("the service answered with Content-Range %q: %w", value, errForGood)
	span, total, ok1 := strings.Cut(strings.TrimPrefix(value, "bytes "), "/")
	first, _, ok2 := strings.Cut(span, "-")
	if !ok1 || !ok2 {
		return 0, 0, bad
	}
	start, err1 := strconv.ParseInt(first, 10, 64)
	size, err2 := strconv.ParseInt(total, 10, 64)
	if err1 != nil || err2 != nil || start < 0 || size <= start {
		return 0, 0, bad
	}
	return start, size, nil
}
