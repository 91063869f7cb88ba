// Package files is the source for plain files: a tree, or one file.
//
// Start from [New]. A capture walks the tree once and keeps modes, times to
// the nanosecond, symbolic links (as links, never followed), empty directories
// and holes. Hard links are stored as separate files.
//
// A file that is as it was at the last backup, as far as the file system can be
// trusted to tell (package internal/inode), is not opened.
//
// A tree has no transaction that would freeze it, so the promise is one file at
// a time: every file is whole, as it was at one instant. A file that changes
// while it is read is read again, and reported if it never holds still. What
// cannot be captured (no permission, sockets, devices, names that are not text)
// is reported by name and the rest is captured; nothing is left out silently
// except what Options.Exclude asks for. Databases want their own source.
//
// [Source.Look] lists and searches a copy where it lies.
package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/holdfast-backup/holdfast"
)

// Options are the optional parts of a source; the zero value captures
// everything.
type Options struct {
	// Exclude leaves out what matches one of these patterns: see path.Match
	// for *, ? and […]. A pattern without a slash is compared with the last
	// element of every path, one with a slash with the whole path below the
	// source; a final slash makes it match directories only. What lies below an
	// excluded directory is left out with it.
	Exclude []string
}

// A Source is a tree of files, or one file.
type Source struct {
	name    string
	path    string
	exclude patterns
}

var _ holdfast.TargetShaper = (*Source)(nil)

// New makes the source called name of the tree or file at path, which need not
// exist yet.
func New(name, path string, opts Options) (*Source, error) {
	name, err := holdfast.ParseSourceName(name)
	if err != nil {
		return nil, err
	}
	if path == "" {
		return nil, &holdfast.Error{Op: "files source", Object: name, Err: holdfast.Kindf(holdfast.ErrUsage, "it has no path")}
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, &holdfast.Error{Op: "files source", Object: name, Err: err}
	}
	exclude, err := parsePatterns(opts.Exclude)
	if err != nil {
		return nil, &holdfast.Error{Op: "files source", Object: name, Err: err}
	}
	return &Source{name: name, path: abs, exclude: exclude}, nil
}

// Name is the folder of the source in every backup.
func (s *Source) Name() string { return s.name }

// Kind is files.
func (s *Source) Kind() holdfast.Kind { return holdfast.KindFiles }

// Target tells where the tree or file lives. What exists decides which of them
// it is; nothing at all counts as a tree.
func (s *Source) Target() holdfast.Target {
	info, err := os.Stat(s.path)
	return s.target(err == nil && !info.IsDir())
}

// TargetFor is the target as it was when a backup with these facts was made.
func (s *Source) TargetFor(f holdfast.Facts) holdfast.Target {
	return s.target(f.Files != nil && f.Files.Single)
}

func (s *Source) target(single bool) holdfast.Target {
	if single {
		return holdfast.Target{Path: s.path, File: filepath.Base(s.path), LiveFiles: []string{""}}
	}
	return holdfast.Target{Path: s.path, Dir: true}
}

// open gives the directory that the source lies in and, for a single file, its
// name there. Symbolic links on the way to the source are followed; below it
// none is.
func (s *Source) open() (root *os.Root, file string, err error) {
	resolved, err := filepath.EvalSymlinks(s.path)
	if err != nil {
		return nil, "", err
	}
	info, err := os.Stat(resolved)
	if err != nil {
		return nil, "", err
	}
	if info.IsDir() {
		root, err = os.OpenRoot(resolved)
		return root, "", err
	}
	if !info.Mode().IsRegular() {
		return nil, "", &holdfast.Error{
			Op: "read", Object: printable(s.path), Err: holdfast.Kindf(holdfast.ErrUsage, "it is %s, neither a file nor a directory", typeName(info.Mode())),
			Hint: "point source " + s.name + " at a file or a directory",
		}
	}
	root, err = os.OpenRoot(filepath.Dir(resolved))
	return root, filepath.Base(resolved), err
}

// Capture writes the tree into sink, every file as it was at one instant.
func (s *Source) Capture(ctx context.Context, sink holdfast.Sink) (holdfast.Captured, error) {
	root, file, err := s.open()
	if err != nil {
		return holdfast.Captured{}, s.failed(err)
	}
	defer root.Close()
	c := &capture{source: s, sink: sink, buf: make([]byte, bufferSize)}
	if file != "" {
		c.facts.Single = true
		err = c.single(ctx, root, file)
	} else {
		err = c.tree(ctx, root)
	}
	if err != nil {
		return holdfast.Captured{}, s.failed(err)
	}
	return c.captured(), nil
}

// Check counts what a copy holds. Files have no inner structure to check: their
// bytes are compared with what was recorded when the backup is verified.
func (s *Source) Check(ctx context.Context, copy fs.FS, _ holdfast.CheckOptions) (holdfast.Report, error) {
	facts := &holdfast.FilesFacts{}
	err := fs.WalkDir(copy, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || path == "." {
			return err
		}
		return count(facts, d)
	})
	if err != nil {
		return holdfast.Report{}, s.failed(err)
	}
	return holdfast.Report{Facts: holdfast.Facts{Files: facts}}, nil
}

// count adds one entry to the facts.
func count(facts *holdfast.FilesFacts, d fs.DirEntry) error {
	switch {
	case d.IsDir():
		facts.Dirs++
	case d.Type()&fs.ModeSymlink != 0:
		facts.Symlinks++
	default:
		info, err := d.Info()
		if err != nil {
			return err
		}
		facts.Files++
		facts.Bytes += info.Size()
	}
	return nil
}

// failed names the path of the source in an error of the file system. An error
// that says already what failed on which object stays as it is.
func (s *Source) failed(err error) error {
	if _, named := errors.AsType[*holdfast.Error](err); named {
		return err
	}
	e := &holdfast.Error{Op: "read", Object: printable(s.path), Err: err}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		e.Err = pe.Err // its path may be relative to the source
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Hint = "check the path of source " + s.name
	case errors.Is(err, fs.ErrPermission):
		e.Hint = "run as a user who may read it"
	}
	return e
}

// typeName says what something other than a file, directory or link is.
func typeName(m fs.FileMode) string {
	switch {
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}

// printable gives a path for messages: as it is if it is text.
func printable(path string) string {
	for _, r := range path {
		if r == utf8.RuneError || r < ' ' || r == 0x7f {
			return fmt.Sprintf("%q", path)
		}
	}
	return path
}
