package dir_test

import (
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/buckettest"
	"github.com/holdfast-backup/holdfast/bucket/dir"
)

func open(t *testing.T, path string, o dir.Options) *dir.Bucket {
	t.Helper()
	b, err := dir.New(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBucket(t *testing.T) {
	buckettest.Run(t, func(t *testing.T) bucket.Bucket {
		return open(t, filepath.Join(t.TempDir(), "not", "made", "yet"), dir.Options{})
	})
}
