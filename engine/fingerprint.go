package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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
