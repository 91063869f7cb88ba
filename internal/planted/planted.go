// Package planted keeps what other users of the machine put in the way from being
// taken for our own.
//
// A database may lie in a directory where everybody can make files, such as /tmp,
// and what we keep beside it (markers, locks, plans, copies) lies there, too,
// under names that can be known. Whoever makes such a file first could have us
// trust it, write through a link, or wait for a pipe. [Check] tells whether what
// has a name is somebody else's, [Read] reads what is not, and [NoFollow] keeps an
// open from following a link.
//
// Ours is what belongs to this user, to root, or to the owner of the directory:
// they could replace it anyway. In a directory where only chosen users can make
// files all of them are trusted. Where the directory is not sticky others can also
// replace the database itself; nothing here helps against that.
//
// On Windows everything counts as ours: its temporary directory is the user's
// own, and access lists guard the rest.
package planted

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/holdfast-backup/holdfast"
)

// Check refuses what lies at path if another user may have planted it. An
// absent name is nobody's. A link is judged, and not followed.
func Check(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return judge(path, info)
}

// Read reads a small file that is ours. A link is not followed, a pipe is not
// waited for, and what is longer than limit is refused.
func Read(path string, limit int64) (_ []byte, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|NoFollow|noWait, 0)
	if err != nil {
		if info, lerr := os.Lstat(path); lerr == nil && info.Mode()&fs.ModeSymlink != 0 {
			return nil, refused(path, "it is a link")
		}
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, refused(path, "it is no regular file")
	}
	if err := judge(path, info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = refused(path, fmt.Sprintf("it has more than %d bytes", limit))
	}
	return data, err
}

// judge tells whether a file may be somebody else's.
func judge(path string, info fs.FileInfo) error {
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	owner, foreign := foreigner(info, dir)
	if !foreign {
		return nil
	}
	return refused(path, fmt.Sprintf("it belongs to user %d, and everybody can make files in %s", owner, filepath.Dir(path)))
}

func refused(path, why string) error {
	return &holdfast.Error{
		Op: "trust", Object: path, Err: holdfast.Kindf(holdfast.ErrRefused, "%s", why),
		Hint: "remove it, or keep the data in a directory of its own",
	}
}
