package repotest_test

import (
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/bucket/mem"
	"github.com/holdfast-backup/holdfast/repo/repotest"
)

func TestMemory(t *testing.T) {
	repotest.Run(t, func(*testing.T) bucket.Bucket { return mem.New() })
}

func TestDirectory(t *testing.T) {
	repotest.Run(t, func(t *testing.T) bucket.Bucket {
		b, err := dir.New(filepath.Join(t.TempDir(), "repository"), dir.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}
