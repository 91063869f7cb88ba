package engine

import (
	"path/filepath"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// resolve gives the absolute path behind links. What does not exist yet is
// resolved as far as it exists; a dangling link is followed.
func resolve(path string) (string, error) {
	return resolveDepth(path, 0)
}

func resolveDepth(path string, depth int) (string, error) {
	const maxLinks = 40
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real, nil
	}
	if link, ok := readLink(abs); ok && depth < maxLinks {
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(abs), link)
		}
		return resolveDepth(link, depth+1)
	}
	parent := filepath.Dir(abs)
	if parent == abs {
		return abs, nil
	}
	parent, err = resolveDepth(parent, depth)
	if err != nil {
		return "", err
	}
	return filepath.Join(parent, filepath.Base(abs)), nil
}

// within tells whether path is dir or lies below it. Both are resolved.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// repositoryDir gives the directory of a repository that lies on this machine,
// or is to be made there.
func (e *Engine) repositoryDir() (string, bool) {
	loc := e.o.Location
	if e.o.Repository != nil {
		if loc = e.o.Repository.Location(); !exists(loc) {
			return "", false
		}
	}
	if loc == "" || strings.Contains(loc, "://") {
		return "", false
	}
	dir, err := resolve(loc)
	return dir, err == nil
}

// replicaWithin gives the replica that lies in a directory of this machine.
func (e *Engine) replicaWithin(path string) (name string, ok bool) {
	for _, r := range e.o.Replicas {
		if r.Location == "" || strings.Contains(r.Location, "://") {
			continue
		}
		if dir, err := resolve(r.Location); err == nil && within(dir, path) {
			return r.Name, true
		}
	}
	return "", false
}

// checkOverlap refuses sources that contain the repository or the state
// directory, lie inside them, or are configured twice.
func (e *Engine) checkOverlap() error {
	type place struct{ name, path string }
	repository, local := e.repositoryDir()
	state, err := resolve(e.o.StateDir)
	if err != nil {
		return err
	}
	var places []place
	for _, s := range e.o.Sources {
		target := s.Target()
		path, err := whereOf(target)
		if err != nil {
			return err
		}
		refuse := func(hint, format string, args ...any) error {
			return &holdfast.Error{Op: "source", Object: s.Name(), Err: holdfast.Kindf(holdfast.ErrRefused, format, args...), Hint: hint}
		}
		for _, p := range places {
			if p.path == path {
				return refuse("name each path once", "%s is already the source %s", path, p.name)
			}
		}
		places = append(places, place{s.Name(), path})
		if target.Remote {
			continue
		}
		if local && within(repository, path) {
			return refuse("keep the repository beside the source, or exclude it by choosing a narrower source", "the repository %s lies inside %s and would back up itself", repository, path)
		}
		if local && within(path, repository) {
			return refuse("move the repository, or name the right path with --repo", "%s lies inside the repository %s", path, repository)
		}
		if replica, ok := e.replicaWithin(path); ok {
			return refuse("keep the replica outside of all sources", "the replica %s lies inside %s and would be backed up", replica, path)
		}
		if within(state, path) {
			return refuse("choose another state directory", "the state directory %s lies inside %s, where a restore would replace it", state, path)
		}
	}
	return nil
}

// whereOf is the one form in which the places of sources are compared.
func whereOf(t holdfast.Target) (string, error) {
	if t.Remote {
		return t.Path, nil
	}
	return resolve(t.Path)
}

// checkElsewhere refuses a directory that must not be written to: inside the
// repository or a source, or around them.
func (e *Engine) checkElsewhere(dir string) error {
	path, err := resolve(dir)
	if err != nil {
		return err
	}
	refuse := func(what, where string) error {
		return &holdfast.Error{Op: "write to", Object: dir, Err: holdfast.Kindf(holdfast.ErrRefused, "it overlaps with %s %s", what, where), Hint: "choose a directory outside of it"}
	}
	if repository, ok := e.repositoryDir(); ok && (within(path, repository) || within(repository, path)) {
		return refuse("the repository", repository)
	}
	for _, s := range e.o.Sources {
		if s.Target().Remote {
			continue
		}
		target, err := resolve(s.Target().Path)
		if err != nil {
			return err
		}
		if within(path, target) || within(target, path) {
			return refuse("the source "+s.Name(), target)
		}
	}
	return nil
}
