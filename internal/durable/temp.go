package durable

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	tempPrefix = ".tmp-"
	tempRandom = 13  // characters of base32: 65 bits
	tempBase   = 200 // keeps a temporary name within 255 bytes
)

// TempName gives a name for an unfinished version of base, to lie beside it.
func TempName(base string) string {
	for len(base) > tempBase {
		_, size := utf8.DecodeLastRuneInString(base)
		base = base[:len(base)-size]
	}
	return tempPrefix + base + "-" + rand.Text()[:tempRandom]
}

// IsTemp tells whether the last element of a path is a name that TempName
// gave, so that cleaning up takes exactly those and nothing of anybody else.
func IsTemp(name string) bool {
	base := filepath.Base(name)
	cut := len(base) - tempRandom - 1
	if !strings.HasPrefix(base, tempPrefix) || cut <= len(tempPrefix) || base[cut] != '-' {
		return false
	}
	for _, c := range base[cut+1:] {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// TempOf tells whether a name is one that TempName gave for base.
func TempOf(name, base string) bool {
	mine := TempName(base)
	return IsTemp(name) && len(name) == len(mine) && strings.HasPrefix(name, mine[:len(mine)-tempRandom])
}

// CleanTemps removes what crashes left of WriteFile in a directory, and tells
// what it removed. An absent directory has nothing to clean. The caller must
// know that no other writer is at work there: of any file, or, where files are
// named, of these.
func CleanTemps(fsys FS, dir string, of ...string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	var removed []string
	for _, e := range entries {
		wanted := len(of) == 0 && IsTemp(e.Name()) ||
			slices.ContainsFunc(of, func(base string) bool { return TempOf(e.Name(), base) })
		if !wanted {
			continue
		}
		name := filepath.Join(dir, e.Name())
		if err := fsys.RemoveAll(name); err != nil {
			return removed, err
		}
		removed = append(removed, name)
	}
	if len(removed) == 0 {
		return nil, nil
	}
	return removed, fsys.SyncDir(dir)
}
