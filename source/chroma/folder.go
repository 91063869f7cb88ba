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
	"github.com/holdfast-backup/holdfast/internal/inode"
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
	files  map[string]look
	added  bool // the folder itself is recorded in the sink
	read   bool // something of it had to be read

	stamper inode.Stamper

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
	err = f.take(ctx, sink, before)
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

// take brings those files into the sink that are not there yet as fp has them:
// out of the last backup if that has the folder as it is, else by reading them.
func (f *folder) take(ctx context.Context, sink holdfast.Sink, fp fingerprint) (err error) {
	if err := f.add(sink); err != nil {
		return err
	}
	all := fp.String()
	if len(f.files) == 0 {
		if whole, err := f.reuse(sink, fp, all); whole || err != nil {
			return err
		}
	}
	if f.state, err = f.inspect(fp); err != nil {
		return err
	}
	for _, k := range fp {
		if !k.regular || f.has(k) {
			continue
		}
		if err := f.drop(sink, k.name); err != nil {
			return err
		}
		if err := f.copyFile(ctx, sink, k, all); err != nil {
			return err
		}
		f.files[k.name], f.read = k, true
	}
	return nil
}

// reuse takes the files over from the last backup as far as that has the folder
// as it is, and tells whether that was all of it.
func (f *folder) reuse(sink holdfast.Sink, fp fingerprint, all string) (bool, error) {
	for _, k := range fp {
		if !k.regular {
			continue
		}
		same, err := sink.Reuse(f.entry(k), f.stamper.Stamp(k.State, all))
		if err != nil || !same {
			return false, err
		}
		f.files[k.name] = k
	}
	// Only a folder that agrees with itself is given stamps.
	f.state = disk.FolderState{Status: disk.FolderEmpty}
	if fp.indexed() {
		f.state.Status = disk.FolderComplete
	}
	return true, nil
}

// add records the folder itself.
func (f *folder) add(sink holdfast.Sink) error {
	if f.added {
		return nil
	}
	info, err := os.Stat(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return errChanged
	}
	if err != nil {
		return err
	}
	f.added = true
	return sink.Add(holdfast.Entry{Path: f.id, Mode: info.Mode(), ModTime: info.ModTime()})
}

// has tells whether the sink has the file as it is.
func (f *folder) has(k look) bool {
	old, ok := f.files[k.name]
	return ok && old == k
}

func (f *folder) entry(k look) holdfast.Entry {
	return holdfast.Entry{Path: path.Join(f.id, k.name), Mode: k.mode, ModTime: k.Mtime, Size: k.Size}
}

// copyFile reads a file. all is the state of the whole folder: its files are
// known again together or not at all.
func (f *folder) copyFile(ctx context.Context, sink holdfast.Sink, k look, all string) error {
	in, err := os.Open(filepath.Join(f.dir, k.name))
	if errors.Is(err, fs.ErrNotExist) {
		return errChanged
	}
	if err != nil {
		return err
	}
	defer in.Close()
	certain, err := f.certain(in, k)
	if err != nil {
		return err
	}
	w, err := sink.Create(f.entry(k))
	if err != nil {
		return err
	}
	if err := copySparse(ctx, w, in, k.Size); err != nil {
		return errors.Join(err, w.Discard())
	}
	if certain {
		w.Stamp(f.stamper.Stamp(k.State, all))
	}
	return w.Close()
}

// certain tells whether the file is what k saw, no write to it is under way, and
// every later one moves its state, in a folder of which there is nothing to tell.
func (f *folder) certain(in *os.File, k look) (bool, error) {
	if f.damaged() || !inode.ShowsWrites(in, inode.Calls) {
		return false, nil
	}
	now := inode.Clock()
	if err := inode.Await(in, inode.Calls); err != nil {
		return false, err
	}
	info, err := in.Stat()
	return err == nil && inode.StateOf(info) == k.State && k.Rested(now, tick), err
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
		for _, k := range f.copied {
			wanted[k.name] = true
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
	for _, k := range f.copied {
		if !k.regular {
			names = append(names, k.name)
		}
	}
	return names
}
