package procs

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxInodes bounds what is remembered of the searched trees. Files beyond it
// are still found by their path.
const maxInodes = 50_000

type inode struct{ dev, ino uint64 }

type search struct {
	paths  []string // absolute, links resolved
	inodes map[inode]found
}

// found is a file of the searched trees.
type found struct {
	path string
	of   int // index of the searched path
}

// Holding finds the processes that have a file open at or below one of paths.
// Paths that do not exist match only files that were deleted while open.
func Holding(ctx context.Context, paths []string) (Scan, error) {
	s, err := newSearch(ctx, paths)
	if err != nil {
		return Scan{}, err
	}
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return Scan{}, err
	}
	var scan Scan
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return scan, err
		}
		files, err := s.heldBy(p.Name())
		if len(files) > 0 {
			files, err = s.settled(ctx, p.Name(), files)
		}
		if err != nil {
			if errors.Is(err, fs.ErrPermission) {
				scan.Hidden++
			}
			continue // it has ended, or is another user's
		}
		for _, f := range files {
			scan.Handles = append(scan.Handles, Handle{PID: pid, Command: command(p.Name()), Path: f.path, Of: f.of})
		}
	}
	slices.SortFunc(scan.Handles, func(a, b Handle) int {
		return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(a.Path, b.Path))
	})
	return scan, nil
}

func newSearch(ctx context.Context, paths []string) (*search, error) {
	s := &search{inodes: map[inode]found{}}
	for i, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, err
		}
		if real, err := filepath.EvalSymlinks(abs); err == nil {
			abs = real
		} else if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
			abs = filepath.Join(dir, filepath.Base(abs))
		}
		s.paths = append(s.paths, abs)
		err = filepath.WalkDir(abs, func(path string, d fs.DirEntry, err error) error {
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case len(s.inodes) >= maxInodes:
				return fs.SkipAll
			case err != nil, !d.Type().IsRegular():
				return nil // what cannot be read is still found by its path
			}
			if info, err := d.Info(); err == nil {
				if id, ok := inodeOf(info); ok {
					s.inodes[id] = found{path, i}
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// settled lists what a process holds that holds some of the files. A child of this process
// has all of its files until it has become the program that it is to be; what it holds then
// counts.
func (s *search) settled(ctx context.Context, pid string, held []found) (_ []found, err error) {
	self := strconv.Itoa(os.Getpid())
	own, err := memoryOf(self)
	if err != nil || pid == self {
		return held, nil //nolint:nilerr // nothing can be told apart
	}
	if its, err := memoryOf(pid); err != nil || its.parent != self {
		return held, nil //nolint:nilerr // it ends, or is nobody's child here
	}
	for end := time.Now().Add(mostBeginning); len(held) > 0; {
		its, err := memoryOf(pid)
		begun := err != nil || its.stack != own.stack
		if held, err = s.heldBy(pid); err != nil || begun || time.Now().After(end) {
			return held, err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return held, nil
}

// mostBeginning is how long a child may take to become its program.
const mostBeginning = 2 * time.Second

// A memory is whose child a process is, and where its stack begins: it is that of its
// parent as long as it shares the memory of that.
type memory struct{ parent, stack string }

func memoryOf(pid string) (memory, error) {
	b, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return memory{}, err
	}
	// PID (name) STATE PARENT …, where the name may hold anything; the stack is field 28.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 26 {
		return memory{}, fs.ErrInvalid
	}
	return memory{fields[1], fields[25]}, nil
}

// heldBy lists the searched files among the open files of one process.
func (s *search) heldBy(pid string) ([]found, error) {
	dir := filepath.Join("/proc", pid, "fd")
	fds, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var held []found
	for _, fd := range fds {
		name := filepath.Join(dir, fd.Name())
		if f, ok := s.match(name); ok && !slices.Contains(held, f) {
			held = append(held, f)
		}
	}
	return held, nil
}

func (s *search) match(fd string) (found, bool) {
	link, err := os.Readlink(fd)
	if err != nil || !strings.HasPrefix(link, "/") || link == "/dev/null" {
		return found{}, false // closed meanwhile, a socket, a pipe, nothing
	}
	path := strings.TrimSuffix(link, " (deleted)")
	for i, p := range s.paths {
		if path == p || strings.HasPrefix(path, strings.TrimSuffix(p, "/")+"/") {
			return found{link, i}, true
		}
	}
	info, err := os.Stat(fd) // follows the descriptor itself, whatever its name is now
	if err != nil || !info.Mode().IsRegular() {
		return found{}, false
	}
	id, ok := inodeOf(info)
	if !ok {
		return found{}, false
	}
	f, ok := s.inodes[id]
	return f, ok
}

func inodeOf(info fs.FileInfo) (inode, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return inode{}, false
	}
	return inode{dev: uint64(st.Dev), ino: st.Ino}, true //nolint:unconvert // the type differs between systems
}

// command names a process by its program and, where that is an interpreter, its
// script. Further arguments are left out: they may hold secrets.
func command(pid string) string {
	b, err := os.ReadFile(filepath.Join("/proc", pid, "cmdline"))
	args := strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")
	if err != nil || args[0] == "" {
		b, err = os.ReadFile(filepath.Join("/proc", pid, "comm"))
		if err != nil {
			return ""
		}
		return strings.ToValidUTF8(strings.TrimSpace(string(b)), "?")
	}
	line := filepath.Base(args[0])
	if len(args) > 1 && args[1] != "" && !strings.HasPrefix(args[1], "-") && !strings.ContainsAny(args[1], "=:@") {
		line += " " + filepath.Base(args[1])
	}
	return strings.ToValidUTF8(line, "?")
}
