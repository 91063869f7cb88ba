package chroma

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// errChanged tells that a file went away or became shorter while it was read.
var errChanged = errors.New("the file was changed while it was read")

// A folder is one index folder during a capture: what of it lies in the sink,
// and what is known of the original.
type folder struct {
	segment
	dir string // the original

	// known tells that copied, state and files describe the sink.
	known  bool
	copied fingerprint // of the original when it was copied; nil if it did not exist
	state  disk.FolderState
	files  map[string]stamp
	added  bool // the folder itself is recorded in the sink

	// seen is the last fingerprint met and since when it has been that,
	// which tells more than the file times of a clock that jumps.
	seen  fingerprint
	since time.Time
}

// unchanged tells whether the original is still what was copied.
func (f *folder) unchanged() (bool, error) {
	if !f.known {
		return false, nil
	}
	now, err := takeFingerprint(f.dir)
	return err == nil && now.equal(f.copied), err
}

// An outcome tells what settle did.
type outcome int

const (
	restless outcome = iota // the folder was not at rest; the copy does not count
	copied                  // the folder had changed and was copied again
	settled                 // the copy was and is true
)

// settle brings the copy up to date. The copy counts if the folder was at
// rest, complete, and the same before and after.
func (f *folder) settle(ctx context.Context, sink holdfast.Sink, p pace) (outcome, error) {
	before, err := takeFingerprint(f.dir)
	if err != nil {
		return restless, err
	}
	if f.known && before.equal(f.copied) {
		return settled, nil
	}
	f.known = false
	f.see(before)
	if before == nil {
		f.copied, f.state, f.known = nil, disk.FolderState{}, true
		return copied, nil
	}
	if before.indexed() && !f.resting(before, p) {
		return restless, nil
	}
	err = f.copy(ctx, sink, before)
	if err == nil {
		f.state, err = f.inspect(before)
	}
	if errors.Is(err, errChanged) {
		return restless, nil
	}
	if err != nil {
		return restless, err
	}
	after, err := takeFingerprint(f.dir)
	if err != nil || !after.equal(before) {
		return restless, err
	}
	if f.damaged() && f.untouched(before) < p.untouched {
		// A persist may still be at work between two files.
		return restless, nil
	}
	f.copied, f.known = before, true
	return copied, nil
}

// resting tells whether no persist is at work: the pickle, written last, is
// the newest file and so old that a further change would show. A folder copied
// without its times, or whose server was killed, is never so; it counts when
// nothing has touched it for a while.
func (f *folder) resting(fp fingerprint, p pace) bool {
	idle := f.untouched(fp)
	return fp.pickleNewest() && idle >= tick || idle >= p.untouched
}

// untouched is how long the folder is known to have been as it is.
func (f *folder) untouched(fp fingerprint) time.Duration {
	return max(time.Since(fp.touched()), time.Since(f.since))
}

func (f *folder) see(fp fingerprint) {
	if f.since.IsZero() || !fp.equal(f.seen) {
		f.seen, f.since = fp, time.Now()
	}
}

// inspect looks at what the original says of itself. Without a pickle there is
// nothing that a server would read.
func (f *folder) inspect(fp fingerprint) (disk.FolderState, error) {
	if !fp.indexed() {
		return disk.FolderState{Status: disk.FolderEmpty}, nil
	}
	state, err := disk.CheckFolder(os.DirFS(f.dir))
	if errors.Is(err, fs.ErrNotExist) {
		return state, errChanged
	}
	return state, err
}

// damaged tells that the folder contradicts itself.
func (f *folder) damaged() bool { return f.state.Status == disk.FolderDamaged }

// copy writes those files into the sink that are not there yet as fp has them.
func (f *folder) copy(ctx context.Context, sink holdfast.Sink, fp fingerprint) error {
	if !f.added {
		info, err := os.Stat(f.dir)
		if errors.Is(err, fs.ErrNotExist) {
			return errChanged
		}
		if err != nil {
			return err
		}
		if err := sink.Add(holdfast.Entry{Path: f.id, Mode: info.Mode(), ModTime: info.ModTime()}); err != nil {
			return err
		}
		f.added = true
	}
	for _, s := range fp {
		if old, ok := f.files[s.name]; !s.regular || ok && old.equal(s) {
			continue
		}
		if err := f.drop(sink, s.name); err != nil {
			return err
		}
		if err := f.copyFile(ctx, sink, s); err != nil {
			return err
		}
		f.files[s.name] = s
	}
	return nil
}

func (f *folder) copyFile(ctx context.Context, sink holdfast.Sink, s stamp) error {
	in, err := os.Open(filepath.Join(f.dir, s.name))
	if errors.Is(err, fs.ErrNotExist) {
		return errChanged
	}
	if err != nil {
		return err
	}
	defer in.Close()
	w, err := sink.Create(holdfast.Entry{Path: path.Join(f.id, s.name), Mode: s.mode, ModTime: s.mtime, Size: s.size})
	if err != nil {
		return err
	}
	if err := copySparse(ctx, w, in, s.size); err != nil {
		return errors.Join(err, w.Discard())
	}
	return w.Close()
}

// drop takes a file out of the sink if it is there.
func (f *folder) drop(sink holdfast.Sink, name string) error {
	if _, ok := f.files[name]; !ok {
		return nil
	}
	delete(f.files, name)
	return sink.Remove(path.Join(f.id, name))
}

// tidy takes out of the sink what does not belong to the copy that counts: all
// of it if keep is false.
func (f *folder) tidy(sink holdfast.Sink, keep bool) error {
	keep = keep && f.copied != nil
	wanted := map[string]bool{}
	if keep {
		for _, s := range f.copied {
			wanted[s.name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		if wanted[name] {
			continue
		}
		if err := f.drop(sink, name); err != nil {
			return err
		}
	}
	if f.added && !keep {
		return sink.Remove(f.id)
	}
	return nil
}

// leftOut are the names in the folder that are not files and were not copied.
func (f *folder) leftOut() []string {
	var names []string
	for _, s := range f.copied {
		if !s.regular {
			names = append(names, s.name)
		}
	}
	return names
}
