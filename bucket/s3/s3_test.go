package s3_test

import (
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/buckettest"
	"github.com/holdfast-backup/holdfast/bucket/s3"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

const marker = "backup_metadata.json"

// open makes a bucket of a URL. Options can be changed before.
func open(t *testing.T, url string, change ...func(*s3.Options)) *s3.Bucket {
	t.Helper()
	o, err := s3.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	o.Deadline = 20 * time.Second
	for _, c := range change {
		c(&o)
	}
	b, err := s3.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Without a prefix here, with one where faults are random.
func TestBucket(t *testing.T) {
	server := s3test.Start(t)
	buckettest.Run(t, func(t *testing.T) bucket.Bucket {
		return open(t, server.URL(server.NewBucket(t), ""))
	})
}
