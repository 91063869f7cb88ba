package s3

import (
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/holdfast-backup/holdfast"
)

// stored gives the options of what belongs to a backup: its storage class, and
// until when nobody may delete it.
func (b *Bucket) stored() minio.PutObjectOptions {
	o := b.kept()
	o.StorageClass = b.o.StorageClass
	return o
}

// kept gives the options of a marker: it is read all the time, so it stays in
// the ordinary storage class, but is locked like what it stands for. It is
// written last, so it is locked longest.
func (b *Bucket) kept() minio.PutObjectOptions {
	var o minio.PutObjectOptions
	switch b.o.LockMode {
	case Governance:
		o.Mode = minio.Governance
	case Compliance:
		o.Mode = minio.Compliance
	default:
		return o
	}
	o.RetainUntilDate = b.o.Now().Add(b.o.LockFor).UTC().Truncate(time.Second)
	return o
}

// lockedUntil refuses what the object lock forbids.
func lockedUntil(until time.Time) error {
	return &holdfast.Error{
		Err:  holdfast.Kindf(holdfast.ErrRefused, "locked until %s", until.UTC().Format(time.RFC3339)),
		Hint: "the bucket's object lock keeps it; it can go after that time",
	}
}
