package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// fingerprint identifies the set that lies under some names: every path below
// them with kind, size and modification time, and every link with its goal.
// After a rename the very same files must be found; their bytes were verified
// and synced in the stage and cannot change by a rename.
//
// The names are given as moves: the label of each is the base of its To, so
// that the stage and the target of one set have the same fingerprint.
func fingerprint(moves []move, at func(move) string) (string, error) {
	h := sha256.New()
	for _, m := range moves {
		root := at(m)
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			return describeFile(h, filepath.ToSlash(filepath.Join(filepath.Base(m.To), rel)), path)
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func describeFile(w io.Writer, label, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		_, err = fmt.Fprintf(w, "%q dir\n", label)
	case info.Mode()&fs.ModeSymlink != 0:
		link, lerr := os.Readlink(path)
		if lerr != nil {
			return lerr
		}
		_, err = fmt.Fprintf(w, "%q link %q\n", label, link)
	default:
		_, err = fmt.Fprintf(w, "%q %v %d %d\n", label, info.Mode().Type(), info.Size(), info.ModTime().UnixNano())
	}
	return err
}

// staged and placed give the two ends of a move.
func staged(m move) string { return m.From }
func placed(m move) string { return m.To }

// A labelled root is a place whose files are compared under a name that stays
// when they move.
type labelled struct{ label, path string }

// dataState identifies the files that hold data at some places, so that a
// write between the emergency backup and the swap does not go unnoticed. Shared
// memory holds no data and is left out, as are places that do not exist.
func dataState(roots []labelled) (string, error) {
	h := sha256.New()
	for _, r := range roots {
		err := filepath.WalkDir(r.path, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || d.IsDir() || strings.HasSuffix(path, "-shm") {
				return err
			}
			rel, err := filepath.Rel(r.path, path)
			if err != nil {
				return err
			}
			return describeFile(h, filepath.ToSlash(filepath.Join(r.label, rel)), path)
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// dataState identifies what lies at a target now.
func (w *work) dataState() (string, error) {
	t := &replacement{Path: w.path, Dir: w.target.Dir, Method: w.method, Companions: w.target.Companions}
	if err := t.planOut(); err != nil {
		return "", err
	}
	return dataState(t.oldSet(staged))
}

// oldSet labels the old set by its place in the target, wherever it is.
func (t *replacement) oldSet(at func(move) string) []labelled {
	var roots []labelled
	for _, m := range t.Out {
		label := strings.TrimPrefix(m.From, t.Path)
		roots = append(roots, labelled{strings.TrimPrefix(label, string(filepath.Separator)), at(m)})
	}
	return roots
}
