package s3

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // the checksum that S3 asks for, not a secret
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
)

// User metadata of objects.
const (
	// metaToken is the random name of the one write that made an object: by
	// it a writer whose answer was lost knows its own.
	metaToken = "Holdfast-Token"
	// metaReserved is on the object that keeps a marker's place until the
	// tree is whole. It holds the token of the stage.
	metaReserved = "Holdfast-Reserved"
)

// facts are what the service tells of an object.
type facts struct {
	size     int64
	etag     string
	modified time.Time
	token    string
	reserved string        // token of the stage that reserves the key
	locked   time.Time     // until when it cannot be deleted
	age      time.Duration // by the service's own clock; only entries tell
}

func (f facts) isReservation() bool { return f.reserved != "" }

func factsOf(info minio.ObjectInfo) facts {
	f := facts{
		size: info.Size, etag: info.ETag, modified: info.LastModified,
		token: info.UserMetadata[metaToken], reserved: info.UserMetadata[metaReserved],
	}
	if until := info.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"); until != "" {
		f.locked, _ = time.Parse(time.RFC3339, until) // unreadable is unlocked: the service decides
	}
	return f
}

// head asks for the facts of an object; fs.ErrNotExist if there is none.
func (b *Bucket) head(ctx context.Context, key string) (facts, error) {
	var f facts
	err := b.retry(ctx, 0, func(ctx context.Context) error {
		info, err := b.core.StatObject(ctx, b.o.Bucket, b.at(key), minio.StatObjectOptions{})
		f = factsOf(info)
		return err
	})
	if absent(err) {
		err = errAbsent
	}
	return f, err
}

// small gives the content of one of the bucket's own objects, which are a few
// hundred bytes long, with the headers of the answer.
func (b *Bucket) small(ctx context.Context, key string) ([]byte, facts, http.Header, error) {
	const limit = 1 << 20
	var data []byte
	var f facts
	var header http.Header
	err := b.retry(ctx, limit, func(ctx context.Context) error {
		body, info, h, err := b.core.GetObject(ctx, b.o.Bucket, b.at(key), minio.GetObjectOptions{})
		if err != nil {
			return err
		}
		defer body.Close()
		if data, err = io.ReadAll(io.LimitReader(body, limit)); err != nil {
			return err
		}
		f, header = factsOf(info), h
		return nil
	})
	if absent(err) {
		err = errAbsent
	}
	return data, f, header, err
}

// condition is what must be there for a put to be carried out: nothing, one
// version, or whatever.
type condition struct {
	absent bool
	etag   string
}

// errCondition is the outcome of a put whose condition did not hold.
var errCondition = errors.New("somebody else has written the object")

// putSmall writes a whole small object in one request and gives its ETag. With
// a condition it is sure to be told correctly whether it was carried out: where
// the condition does not hold, the object tells by its token whether it was an
// attempt of ours that made it so.
func (b *Bucket) putSmall(ctx context.Context, l *lease, key string, data []byte, c condition, o minio.PutObjectOptions) (string, error) {
	if b.o.NoLease && c != (condition{}) {
		return b.putUnconditional(ctx, l, key, data, c, o)
	}
	switch {
	case c.absent:
		o.SetMatchETagExcept("*")
	case c.etag != "":
		o.SetMatchETag(c.etag)
	}
	token := rand.Text()
	meta := map[string]string{metaToken: token}
	for name, value := range o.UserMetadata {
		meta[name] = value
	}
	o.UserMetadata = meta
	etag := ""
	err := b.change(ctx, l, int64(len(data)), func(ctx context.Context) error {
		var err error
		etag, err = b.put(ctx, key, data, o)
		unmet := conditionFailed(err) || c.etag != "" && absent(err)
		if !unmet {
			return err
		}
		// Even the first answer may be that to a copy of our request which the
		// network made.
		f, err := b.headOnce(ctx, key)
		if err == nil && f.token == token {
			etag = f.etag
			return nil
		}
		if err != nil && !absent(err) {
			return err
		}
		return fmt.Errorf("%w: %w", errCondition, errForGood)
	})
	if errors.Is(err, errAmbiguous) {
		if f, herr := b.headOnce(ctx, key); herr == nil && f.token == token {
			return f.etag, nil
		}
	}
	return etag, err
}

// putUnconditional is for services without conditional requests: it looks and
// then writes, which is safe for a single writer only.
func (b *Bucket) putUnconditional(ctx context.Context, l *lease, key string, data []byte, c condition, o minio.PutObjectOptions) (string, error) {
	f, err := b.head(ctx, key)
	switch exists := err == nil; {
	case err != nil && !errors.Is(err, errAbsent):
		return "", err
	case c.absent && exists, c.etag != "" && (!exists || f.etag != c.etag):
		return "", errCondition
	}
	etag := ""
	err = b.change(ctx, l, int64(len(data)), func(ctx context.Context) (err error) {
		etag, err = b.put(ctx, key, data, o)
		return err
	})
	return etag, err
}

// headOnce is head without further attempts, for use within one.
func (b *Bucket) headOnce(ctx context.Context, key string) (facts, error) {
	info, err := b.core.StatObject(ctx, b.o.Bucket, b.at(key), minio.StatObjectOptions{})
	return factsOf(info), err
}

// put is one attempt of one request, with checksums of what is sent.
func (b *Bucket) put(ctx context.Context, key string, data []byte, o minio.PutObjectOptions) (string, error) {
	o.DisableContentSha256 = true // of the library's own making: ours is signed
	o.DisableMultipart = true
	sums := checksum(data)
	info, err := b.core.PutObject(ctx, b.o.Bucket, b.at(key), bytes.NewReader(data), int64(len(data)), sums.md5, sums.sha256, o)
	if err == nil && info.ETag == "" {
		err = errIncomplete
	}
	return info.ETag, err
}

// errIncomplete is an answer without the ETag that belongs to it: something
// between here and the service made it up.
var errIncomplete = errors.New("the answer is incomplete")

// sums are the checksums that travel with what is sent; the service compares.
type sums struct{ md5, sha256 string }

func checksum(data []byte) sums {
	m, s := md5.Sum(data), sha256.Sum256(data) //nolint:gosec // see above
	return sums{base64.StdEncoding.EncodeToString(m[:]), hex.EncodeToString(s[:])}
}

// remove deletes one object; an absent one is no error.
func (b *Bucket) remove(ctx context.Context, l *lease, key string) error {
	err := b.change(ctx, l, 0, func(ctx context.Context) error {
		return b.core.RemoveObject(ctx, b.o.Bucket, b.at(key), minio.RemoveObjectOptions{})
	})
	if absent(err) {
		return nil
	}
	if status(err) == http.StatusForbidden || status(err) == http.StatusBadRequest { // services differ
		if f, herr := b.head(ctx, key); herr == nil && f.locked.After(b.o.Now()) {
			return lockedUntil(f.locked)
		}
	}
	return err
}

// change is retry for what changes the bucket: no attempt begins or goes on
// when the lease that l is may belong to somebody else. Nil is no lease.
func (b *Bucket) change(ctx context.Context, l *lease, size int64, do func(ctx context.Context) error) error {
	return b.retry(ctx, size, func(ctx context.Context) error {
		ctx, done, err := l.guard(ctx)
		if err != nil {
			return err
		}
		defer done()
		return do(ctx)
	})
}

// parseDate gives the service's clock as an answer tells it.
func parseDate(h http.Header) (time.Time, error) { return http.ParseTime(h.Get("Date")) }
