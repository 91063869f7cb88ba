package repo

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
)

// A view is the fs.FS over the entries of a backup, committed or not.
type view struct {
	tree  *tree
	from  blockSource
	cache *frameCache
	// literal gives entries whose bytes are at hand (the metadata).
	literal map[string][]byte
}

var (
	_ fs.ReadDirFS  = (*view)(nil)
	_ fs.StatFS     = (*view)(nil)
	_ fs.ReadLinkFS = (*view)(nil)
)

// maxLinks bounds the symbolic links followed for one path.
const maxLinks = 40

// lookup finds the entry at name; directories on the way are followed through
// links, the last element only if follow is set.
func (v *view) lookup(op, name string, follow bool) (*entry, error) {
	fail := func(err error) (*entry, error) { return nil, &fs.PathError{Op: op, Path: name, Err: err} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	at, rest := ".", name
	for links := 0; rest != "" && rest != "."; {
		var first string
		first, rest, _ = strings.Cut(rest, "/")
		e := v.tree.entries[path.Join(at, first)]
		if e == nil {
			return fail(fs.ErrNotExist)
		}
		if e.Type == typeSymlink && (follow || rest != "") {
			if links++; links > maxLinks {
				return fail(errors.New("too many symbolic links"))
			}
			target := path.Join(at, e.Link, rest)
			if path.IsAbs(e.Link) || !fs.ValidPath(target) {
				return fail(fs.ErrNotExist) // leads out of the backup
			}
			at, rest = ".", target
			continue
		}
		at = e.Path
	}
	return v.tree.entries[at], nil
}

// Open implements fs.FS.
func (v *view) Open(name string) (fs.File, error) {
	e, err := v.lookup("open", name, true)
	if err != nil {
		return nil, err
	}
	info := fileInfo{e, path.Base(name)}
	if e.Type == typeDir {
		return &openDir{v: v, info: info}, nil
	}
	c, err := newContent(e, v.from, v.cache)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	f := &openFile{info: info, content: c}
	if b, ok := v.literal[e.Path]; ok {
		f.literal = strings.NewReader(string(b))
	}
	return f, nil
}

// Stat implements fs.StatFS.
func (v *view) Stat(name string) (fs.FileInfo, error) {
	e, err := v.lookup("stat", name, true)
	if err != nil {
		return nil, err
	}
	return fileInfo{e, path.Base(name)}, nil
}

// Lstat implements fs.ReadLinkFS.
func (v *view) Lstat(name string) (fs.FileInfo, error) {
	e, err := v.lookup("lstat", name, false)
	if err != nil {
		return nil, err
	}
	return fileInfo{e, path.Base(name)}, nil
}

// ReadLink implements fs.ReadLinkFS.
func (v *view) ReadLink(name string) (string, error) {
	e, err := v.lookup("readlink", name, false)
	if err != nil {
		return "", err
	}
	if e.Type != typeSymlink {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return e.Link, nil
}

// ReadDir implements fs.ReadDirFS.
func (v *view) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := v.lookup("readdir", name, true)
	if err != nil {
		return nil, err
	}
	if e.Type != typeDir {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
	}
	return v.list(e.Path), nil
}

func (v *view) list(dir string) []fs.DirEntry {
	children := v.tree.children[dir]
	list := make([]fs.DirEntry, len(children))
	for i, e := range children {
		list[i] = fs.FileInfoToDirEntry(fileInfo{e, path.Base(e.Path)})
	}
	return list
}

// fileInfo describes an entry under the name by which it was asked for.
type fileInfo struct {
	e    *entry
	name string
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.e.Size }
func (i fileInfo) Mode() fs.FileMode  { return i.e.perm }
func (i fileInfo) ModTime() time.Time { return i.e.modTime }
func (i fileInfo) IsDir() bool        { return i.e.Type == typeDir }
func (i fileInfo) Sys() any           { return nil }

// openFile is an open file of a backup: an fs.File, io.ReaderAt and io.Seeker.
type openFile struct {
	info    fileInfo
	content *content
	literal io.ReaderAt // instead of content, where the bytes are at hand
	off     int64
	closed  bool
}

var (
	_ io.ReaderAt = (*openFile)(nil)
	_ io.Seeker   = (*openFile)(nil)
)

func (f *openFile) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.info.e.Path, Err: err}
}

// Stat implements fs.File.
func (f *openFile) Stat() (fs.FileInfo, error) {
	if f.closed {
		return nil, f.fail("stat", fs.ErrClosed)
	}
	return f.info, nil
}

// Read implements io.Reader.
func (f *openFile) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := f.ReadAt(p, f.off)
	f.off += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// ReadAt implements io.ReaderAt.
func (f *openFile) ReadAt(p []byte, off int64) (int, error) {
	switch {
	case f.closed:
		return 0, f.fail("read", fs.ErrClosed)
	case off < 0:
		return 0, f.fail("read", fs.ErrInvalid)
	case off >= f.info.e.Size:
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), f.info.e.Size-off))
	var err error
	if f.literal != nil {
		_, err = f.literal.ReadAt(p[:n], off)
	} else {
		err = f.content.readAt(p[:n:n], off, true)
	}
	if err != nil {
		return 0, f.fail("read", err)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Seek implements io.Seeker.
func (f *openFile) Seek(offset int64, whence int) (int64, error) {
	switch {
	case f.closed:
		return 0, f.fail("seek", fs.ErrClosed)
	case whence == io.SeekCurrent:
		offset += f.off
	case whence == io.SeekEnd:
		offset += f.info.e.Size
	case whence != io.SeekStart:
		return 0, f.fail("seek", fs.ErrInvalid)
	}
	if offset < 0 {
		return 0, f.fail("seek", fs.ErrInvalid)
	}
	f.off = offset
	return offset, nil
}

// Close implements fs.File.
func (f *openFile) Close() error {
	if f.closed {
		return f.fail("close", fs.ErrClosed)
	}
	f.closed = true
	return f.content.close()
}

// openDir is an open directory of a backup.
type openDir struct {
	v    *view
	info fileInfo
	next int
}

// Stat implements fs.File.
func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }

// Read implements fs.File: a directory has no bytes.
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.e.Path, Err: errors.New("is a directory")}
}

// Close implements fs.File.
func (d *openDir) Close() error { return nil }

// ReadDir implements fs.ReadDirFile.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	list := d.v.list(d.info.e.Path)[d.next:]
	if n > 0 {
		if len(list) == 0 {
			return nil, io.EOF
		}
		list = list[:min(n, len(list))]
	}
	d.next += len(list)
	return list, nil
}
