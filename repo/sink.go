package repo

import (
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-backup/holdfast"
)

// sink takes the capture of one source.
type sink struct {
	p      *Pending
	source string
}

// Sink takes the capture of one source.
func (p *Pending) Sink(source string) holdfast.Sink { return &sink{p, source} }

// path gives the place of an entry from the backup's root.
func (s *sink) path(name string) (string, error) {
	if _, err := holdfast.ParseSourceName(s.source); err != nil {
		return "", err
	}
	if !fs.ValidPath(name) || strings.ContainsRune(name, 0) {
		return "", &holdfast.Error{
			Op: "store", Object: path.Join(s.source, name),
			Err: holdfast.Kindf(holdfast.ErrUsage, "%q cannot be a path in a backup", name), Hint: "names must be valid UTF-8; rename it, or leave it out",
		}
	}
	return path.Join(s.source, name), nil
}

// Create implements holdfast.Sink.
func (s *sink) Create(e holdfast.Entry) (holdfast.FileWriter, error) {
	at, err := s.path(e.Path)
	if err != nil {
		return nil, err
	}
	if e.Path == "." || e.Mode.Type() != 0 {
		return nil, &holdfast.Error{Op: "store", Object: at, Err: holdfast.Kindf(holdfast.ErrUsage, "not a regular file")}
	}
	return s.p.create(at, e, s.p.o.Compress)
}

// Add implements holdfast.Sink. The path "." stands for the source's folder
// itself.
func (s *sink) Add(e holdfast.Entry) error {
	at, err := s.path(e.Path)
	if err != nil {
		return err
	}
	link := e.Mode&fs.ModeSymlink != 0
	if !e.Mode.IsDir() && (!link || e.Path == "." || e.Link == "" || !utf8.ValidString(e.Link)) {
		return &holdfast.Error{Op: "store", Object: at, Err: holdfast.Kindf(holdfast.ErrUsage, "neither a directory nor a symbolic link that can be recorded")}
	}
	if err := s.p.remove(at); err != nil {
		return err
	}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.entries[at] = newEntry(at, e)
	return nil
}

// Reuse implements holdfast.Sink.
func (s *sink) Reuse(e holdfast.Entry, stamp string) (bool, error) {
	at, err := s.path(e.Path)
	if err != nil {
		return false, err
	}
	return s.p.reuse(at, e, stamp)
}

// Remove implements holdfast.Sink.
func (s *sink) Remove(name string) error {
	at, err := s.path(name)
	if err != nil {
		return err
	}
	return s.p.remove(at)
}
