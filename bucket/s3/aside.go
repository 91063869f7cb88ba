package s3

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// sideTime is what leaving and giving up may take after a cancellation.
const sideTime = time.Minute

// enter remembers that an object is being read, so that aside can keep its
// version.
func (b *Bucket) enter(o *object) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.readers[o.at] == nil {
		b.readers[o.at] = map[*object]bool{}
	}
	b.readers[o.at][o] = true
}

// leave forgets a reader. The copy that was kept for it goes with the last one;
// should that fail, Clean removes it.
func (b *Bucket) leave(o *object) error {
	at, _ := o.version()
	b.mu.Lock()
	delete(b.readers[at], o)
	last := len(b.readers[at]) == 0
	if last {
		delete(b.readers, at)
	}
	l := b.lease
	b.mu.Unlock()
	if last && strings.HasPrefix(at, scratchDir) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(o.ctx), sideTime)
		defer cancel()
		_ = b.remove(ctx, l, at)
	}
	return nil
}

// aside keeps what this process is reading at key before it is replaced or
// removed: the service makes a copy, and the readers go on there. Objects that
// were small enough to come whole need none.
func (b *Bucket) aside(ctx context.Context, l *lease, key string) error {
	b.mu.Lock()
	var moving []*object
	for o := range b.readers[key] {
		if !o.whole() {
			moving = append(moving, o)
		}
	}
	b.mu.Unlock()
	if len(moving) == 0 {
		return nil
	}
	to := scratchDir + rand.Text()
	etag := ""
	err := b.change(ctx, l, moving[0].size, func(ctx context.Context) error {
		info, err := b.core.ComposeObject(ctx,
			minio.CopyDestOptions{Bucket: b.o.Bucket, Object: b.at(to)},
			minio.CopySrcOptions{Bucket: b.o.Bucket, Object: b.at(key)})
		etag = info.ETag
		return err
	})
	if absent(err) {
		return nil // somebody else has removed it: the readers will be told
	}
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.readers[to] = map[*object]bool{}
	for _, o := range moving {
		if !b.readers[key][o] {
			continue // it has left meanwhile
		}
		delete(b.readers[key], o)
		b.readers[to][o] = true
		o.mu.Lock()
		o.at, o.etag = to, etag
		o.mu.Unlock()
	}
	return nil
}

// whole tells whether all of the object came with its opening.
func (o *object) whole() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.windows {
		if w.off == 0 && int64(len(w.data)) == o.size {
			return true
		}
	}
	return o.closed
}
