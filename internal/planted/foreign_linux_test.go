package planted_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/planted"
)

// nobody is a user that no test runs as.
const nobody = 65534

// What another user made counts only where not everybody can make files. Giving
// files away takes root; as anybody else, the owner of /dev/null and the like is
// met, which is root and trusted, so that only the rule for our own is tested.
func TestCheck_AnotherUsersFile(t *testing.T) {
	if os.Geteuid() != 0 {
		if err := planted.Check(filepath.Join(os.TempDir(), "..")); err != nil {
			t.Errorf("what is root's: %v", err)
		}
		return
	}
	dir := shared(t)
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	write(t, file)
	if err := os.Symlink("/etc/passwd", link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link} {
		if err := os.Lchown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		if err := planted.Check(path); !errors.Is(err, holdfast.ErrRefused) {
			t.Errorf("%s: error %v", path, err)
		}
		if _, err := planted.Read(path, 100); !errors.Is(err, holdfast.ErrRefused) {
			t.Errorf("read %s: error %v", path, err)
		}
	}
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if err := planted.Check(file); err != nil {
		t.Errorf("what belongs to the owner of the directory: %v", err)
	}
	if err := errors.Join(os.Chown(dir, 0, 0), os.Chmod(dir, 0o775)); err != nil {
		t.Fatal(err)
	}
	if err := planted.Check(file); err != nil {
		t.Errorf("where only chosen users make files: %v", err)
	}
}
