package engine

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// leftovers are the entries at the top of an old set that its owner had left behind.
type leftovers map[string]bool

// hold tells whether a path of the old set is one of them, or lies in one.
func (l leftovers) hold(inside string) bool {
	top, _, _ := strings.Cut(filepath.ToSlash(inside), "/")
	return l[top]
}

// leftBehind finds what the emergency backup left out because it belongs to nothing, such
// as the index of a deleted collection: an old set is not kept for that. It says nothing
// about anything else in the old set, which is compared with the backup as ever, so that
// what belonged to nothing in the backup still does.
func (r *run) leftBehind(t *replacement, b *repo.Backup) (leftovers, error) {
	source, ok := r.e.source(t.Source).(holdfast.Leaver)
	if !ok || !t.Dir {
		return nil, nil
	}
	captured := map[string]bool{}
	for _, f := range b.Files() {
		if inside, ok := strings.CutPrefix(f.Path, t.Source+"/"); ok {
			top, _, _ := strings.Cut(inside, "/")
			captured[top] = true
		}
	}
	var out []fs.DirEntry
	for _, m := range t.Out {
		entries, err := t.top(m)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if !captured[e.Name()] {
				out = append(out, e)
			}
		}
	}
	left := leftovers{}
	for _, name := range source.LeftBehind(out, sourceMetadata(b, t.Source).Facts) {
		left[name] = true
	}
	return left, nil
}

// top lists what of the top of the target was moved by m: all of it, or one entry.
func (t *replacement) top(m move) ([]fs.DirEntry, error) {
	if m.From == t.Path {
		return os.ReadDir(m.To)
	}
	if filepath.Dir(m.From) != t.Path || filepath.Base(m.From) != filepath.Base(m.To) {
		return nil, nil
	}
	info, err := os.Lstat(m.To)
	if err != nil {
		return nil, err
	}
	return []fs.DirEntry{fs.FileInfoToDirEntry(info)}, nil
}
