package dir

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast/internal/durable"
)

// A stage that can be resumed has a folder ".resume-<name>-<digest>" in the
// root, which the prefix alone names. In it "tree" holds what is complete and
// durable, "open" what is being written: no half object is ever taken for a
// whole one. Its time is when it was begun or resumed last.
const (
	resumePrefix  = ".resume-"
	treeFolder    = "tree"
	openFolder    = "open"
	keepResumable = 7 * 24 * time.Hour
	digestLength  = 13 // as long as what TempName draws by lot
)

// resuming are the stages of this process by their folder: whoever resumes one
// that was not given up ends it.
var resuming = struct {
	sync.Mutex
	stages map[string]*stage
}{stages: map[string]*stage{}}

// resumePath gives the folder of a prefix's stages that can be resumed.
func (b *Bucket) resumePath(rel string) string {
	temp := strings.TrimPrefix(filepath.Base(b.tempPath(rel)), tempPrefix)
	digest := sha256.Sum256([]byte(filepath.ToSlash(rel)))
	name := temp[:len(temp)-digestLength] + base32.StdEncoding.EncodeToString(digest[:])[:digestLength]
	return filepath.Join(b.root, resumePrefix+name)
}

// isResumable tells whether an entry of the root is such a folder.
func isResumable(name string) bool {
	rest, ok := strings.CutPrefix(name, resumePrefix)
	return ok && durable.IsTemp(tempPrefix+rest)
}

// take begins in the folder of the stage before, or makes it.
func (s *stage) take() error {
	s.home = s.b.resumePath(s.rel)
	s.dir, s.open = filepath.Join(s.home, treeFolder), filepath.Join(s.home, openFolder)
	resuming.Lock()
	defer resuming.Unlock()
	if running := resuming.stages[s.home]; running != nil {
		running.giveUp()
	}
	if err := s.b.fsys.RemoveAll(s.open); err != nil {
		return err
	}
	for _, dir := range []string{s.home, s.dir, s.open} {
		if err := s.b.fsys.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := s.b.fsys.Chtimes(s.home, time.Now()); err != nil {
		return err
	}
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(s.dir, path)
		s.folders[rel] = true
		return err
	})
	if err != nil {
		return err
	}
	// A Commit that was cut may have written it.
	if err := s.b.fsys.Remove(filepath.Join(s.dir, s.marker)); err != nil && !errors.Is(err, fs.ErrNotExist) && !isNotDirectory(err) {
		return err
	}
	resuming.stages[s.home] = s
	return nil
}

// giveUp ends a stage that another goes on with.
func (s *stage) giveUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for _, w := range s.writers {
		_ = w.f.Close() // its file goes
	}
}

// leave forgets a stage that was resumed or can be; the caller holds its mutex.
func (s *stage) leave() {
	if !s.resume {
		return
	}
	resuming.Lock()
	defer resuming.Unlock()
	if resuming.stages[s.home] == s {
		delete(resuming.stages, s.home)
	}
}

// place gives the path at which a new object is written.
func (s *stage) place(rel string) string {
	if !s.resume {
		return filepath.Join(s.dir, rel)
	}
	s.opened++
	return filepath.Join(s.open, strconv.Itoa(s.opened))
}

// waits tells whether a folder of the root holds a stage that may be resumed
// still.
func waits(path string, now time.Time) bool {
	info, err := os.Stat(path)
	if err != nil || now.Sub(info.ModTime()) >= keepResumable {
		return false
	}
	_, err = os.Stat(filepath.Join(path, treeFolder))
	return err == nil
}
