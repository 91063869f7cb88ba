package s3

import (
	"context"
	"errors"

	"github.com/minio/minio-go/v7"

	"github.com/holdfast-backup/holdfast/bucket"
)

// Put implements bucket.Bucket.
func (b *Bucket) Put(ctx context.Context, key string, data []byte, mode bucket.PutMode) error {
	if err := b.begin(ctx, key); err != nil {
		return err
	}
	l := b.holder()
	if mode == bucket.Replace {
		if err := b.aside(ctx, l, key); err != nil {
			return b.fail("write", key, err)
		}
	}
	_, err := b.putSmall(ctx, l, key, data, condition{absent: mode == bucket.IfAbsent}, minio.PutObjectOptions{})
	if errors.Is(err, errCondition) {
		err = errTaken
	}
	return b.fail("write", key, err)
}

// Delete implements bucket.Bucket.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := b.begin(ctx, key); err != nil {
		return err
	}
	return b.fail("delete", key, b.remove(ctx, b.holder(), key))
}

// Create implements bucket.Bucket. A large object shows when its upload is
// completed, which is one request.
func (b *Bucket) Create(ctx context.Context, key string) (bucket.Writer, error) {
	if err := b.begin(ctx, key); err != nil {
		return nil, err
	}
	l := b.holder()
	if l.isLost() {
		return nil, b.fail("write", key, bucket.ErrFenced)
	}
	return b.newWriter(ctx, l, key, key), nil
}
