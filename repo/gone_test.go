package repo_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/repo"
)

// A repository that was moved away while it is in use is not one without backups.
func TestList_RepositoryThatIsGone(t *testing.T) {
	place := filepath.Join(t.TempDir(), "backups")
	b, err := dir.New(place, dir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := repo.Init(t.Context(), b, repo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := r.List(t.Context()); err != nil || len(list) != 0 {
		t.Fatalf("a new repository: %v, %v", list, err)
	}
	if err := os.Rename(place, place+".away"); err != nil {
		t.Fatal(err)
	}
	_, err = r.List(t.Context())
	if err == nil || !strings.Contains(err.Error(), "is gone") || holdfast.HintOf(err) == "" {
		t.Errorf("the repository is gone: %v", err)
	}
	if errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("it counts as one that was never made: %v", err)
	}
	if err := os.Rename(place+".away", place); err != nil {
		t.Fatal(err)
	}
	if _, err := r.List(t.Context()); err != nil {
		t.Errorf("it is back: %v", err)
	}
}
