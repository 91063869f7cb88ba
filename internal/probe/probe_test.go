package probe

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/durable/crashfs"
	"github.com/holdfast-backup/holdfast/internal/volume"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// codes gives what was found, but for what depends on the machine of the test.
func codes(s holdfast.Storage) string {
	var list []string
	for _, f := range s.Findings {
		switch f.Code {
		case holdfast.FindingMemory, holdfast.FindingOverlay, holdfast.FindingNetwork, holdfast.FindingLow, holdfast.FindingSameDisk:
		default:
			list = append(list, string(f.Code))
		}
	}
	return strings.Join(list, " ")
}

// told fails the test if a finding does not say what it means and what to do.
func told(t *testing.T, s holdfast.Storage) {
	t.Helper()
	damaged := false
	for _, f := range s.Findings {
		if f.Hint == "" || strings.Contains(f.Message, "%") || !strings.Contains(f.Message, s.Dir) || strings.Contains(f.Message, ".tmp-") {
			t.Errorf("%s says %q with hint %q", f.Code, f.Message, f.Hint)
		}
		damaged = damaged || f.Severity == holdfast.Damaged
	}
	if s.Usable == damaged {
		t.Errorf("usable %v with %+v", s.Usable, s.Findings)
	}
}

func empty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v (%v)", entries, err)
	}
}

func TestDir_AHealthyDirectory(t *testing.T) {
	dir := t.TempDir()
	s := Dir(t.Context(), dir, Options{SQLite: true, Need: 1})
	if codes(s) != "" || !s.Usable || s.Dir != dir || s.FileSystem == "" || s.FreeBytes <= 0 {
		t.Errorf("found %+v", s)
	}
	told(t, s)
	empty(t, dir)
}

func TestDir_MakesItOnlyWhenAsked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := Dir(t.Context(), dir, Options{SQLite: true})
	if codes(s) != "missing" || s.FreeBytes <= 0 {
		t.Errorf("found %+v", s)
	}
	told(t, s)
	if s = Dir(t.Context(), dir, Options{Make: true, SQLite: true}); codes(s) != "" {
		t.Errorf("found %+v", s)
	}
	empty(t, dir)
}

func TestDir_SomethingElseHasTheName(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	link := file + "-link"
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Symlink("absent", link)); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below"), link} {
		s := Dir(t.Context(), dir, Options{Make: true})
		if codes(s) != "not_a_dir" {
			t.Errorf("%s: found %+v", dir, s)
		}
		told(t, s)
	}
}

func TestDir_CutShort(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	s := Dir(ctx, dir, Options{SQLite: true})
	if codes(s) != "undecided" {
		t.Errorf("found %+v", s)
	}
	told(t, s)
	empty(t, dir)
}

// The parts that a machine with good disks cannot break are broken here.
func TestDir_EveryBrokenPartIsNamed(t *testing.T) {
	for name, tt := range map[string]struct {
		op    string // of the file system
		err   error
		spoil func(*system)
		want  string
	}{
		"no room for a folder":    {op: "mkdir", err: syscall.ENOSPC, want: "full"},
		"quota":                   {op: "write", err: syscall.EDQUOT, want: "full"},
		"full at the sync":        {op: "sync", err: syscall.ENOSPC, want: "full"},
		"read-only":               {op: "mkdir", err: syscall.EROFS, want: "read_only"},
		"denied":                  {op: "mkdir", err: syscall.EACCES, want: "denied"},
		"denied below":            {op: "create", err: syscall.EPERM, want: "denied"},
		"device fails":            {op: "write", err: syscall.EIO, want: "io_error"},
		"device fails at a sync":  {op: "sync", err: syscall.EIO, want: "io_error"},
		"sync":                    {op: "sync", err: syscall.EINVAL, want: "no_sync"},
		"directory sync":          {op: "syncdir", err: syscall.ENOSYS, want: "no_sync"},
		"rename":                  {op: "rename", err: syscall.EPERM, want: "no_rename"},
		"device fails at the end": {op: "remove", err: syscall.EIO, want: "io_error"},

		"reads nothing": {spoil: func(s *system) {
			s.read = func(string) ([]byte, error) { return nil, nil }
		}, want: "mangled"},
		"reads zeros": {spoil: func(s *system) {
			s.read = func(string) ([]byte, error) { return make([]byte, pageSize), nil }
		}, want: "mangled"},
		"cannot read": {spoil: func(s *system) {
			s.read = func(string) ([]byte, error) { return nil, syscall.EIO }
		}, want: "io_error"},
		"rename does nothing": {spoil: func(s *system) { s.fsys = lazyRename{s.fsys} }, want: "no_rename"},
		"locks refused": {spoil: func(s *system) {
			s.locks = func(string) error { return syscall.ENOLCK }
		}, want: "no_locks"},
		"locks keep nobody out": {spoil: func(s *system) {
			s.locks = func(string) error { return errNotExcluded }
		}, want: "no_locks"},
		"SQLite keeps nobody out": {spoil: func(s *system) {
			s.wal = func(context.Context, string) error { return sqlite.ErrNoLocks }
		}, want: "no_locks"},
		"no WAL": {spoil: func(s *system) {
			s.wal = func(context.Context, string) error { return sqlite.ErrNoWAL }
		}, want: "no_wal"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			d, err := crashfs.New(dir, crashfs.Never)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			d.Inject(func(op, _ string) error {
				if op == tt.op {
					return tt.err
				}
				return nil
			})
			s := system{fsys: d, stat: volume.Stat, same: volume.Same, read: os.ReadFile, locks: tryLocks, wal: sqlite.TryWAL}
			if tt.spoil != nil {
				tt.spoil(&s)
			}
			// SQLite writes past the file system that counts; its part is
			// tried where it is what fails.
			found := s.probe(t.Context(), dir, Options{SQLite: strings.Contains(name, "SQLite") || strings.Contains(name, "WAL")})
			if got := codes(found); got != tt.want {
				t.Errorf("found %q, want %q: %+v", got, tt.want, found)
			}
			told(t, found)
			if tt.op != "remove" {
				empty(t, dir)
			}
		})
	}
}

// lazyRename reports renames that did not happen.
type lazyRename struct{ durable.FS }

func (lazyRename) Rename(_, _ string) error { return nil }

func TestDir_WhatTheFileSystemSays(t *testing.T) {
	const mib = 1 << 20
	for name, tt := range map[string]struct {
		info volume.Info
		err  error
		need int64
		want string
	}{
		"a disk":                     {info: volume.Info{Total: 2 << 40, Kind: "ext4", Free: 1 << 40, FreeInodes: 9}, want: ""},
		"a network":                  {info: volume.Info{Total: 2 << 40, Kind: "nfs4", Free: 1 << 40, FreeInodes: -1}, want: "network"},
		"memory":                     {info: volume.Info{Total: 2 << 40, Kind: "tmpfs", Free: 1 << 40, FreeInodes: 9}, want: "memory"},
		"a container":                {info: volume.Info{Total: 2 << 40, Kind: "overlay", Free: 1 << 40, FreeInodes: 9}, want: "overlay"},
		"no inodes":                  {info: volume.Info{Total: 2 << 40, Kind: "ext4", Free: 1 << 40}, want: "full"},
		"no space":                   {info: volume.Info{Total: 2 << 40, Kind: "ext4", FreeInodes: 9}, want: "full"},
		"less than needed":           {info: volume.Info{Total: 2 << 40, Kind: "ext4", Free: 5 * mib, FreeInodes: 9}, need: 6 * mib, want: "full"},
		"little":                     {info: volume.Info{Total: 2 << 40, Kind: "ext4", Free: 60 * mib, FreeInodes: 9}, want: "low_space"},
		"little more than":           {info: volume.Info{Total: 2 << 40, Kind: "ext4", Free: 150 * mib, FreeInodes: 9}, need: 100 * mib, want: "low_space"},
		"nobody knows":               {info: volume.Info{Total: 2 << 40, Kind: volume.Unknown, Free: -1, FreeInodes: -1}, need: mib, want: ""},
		"read-only container":        {info: volume.Info{Total: 2 << 40, Kind: "overlay", ReadOnly: true, Free: 1 << 40, FreeInodes: 9}, want: "read_only overlay"},
		"FUSE that fills in nothing": {info: volume.Info{Kind: "fuse.x"}, need: mib, want: ""},
		"it cannot be asked":         {err: syscall.EIO, want: "io_error"},
	} {
		t.Run(name, func(t *testing.T) {
			s := system{
				fsys: durable.OS, read: os.ReadFile, locks: tryLocks, wal: sqlite.TryWAL, same: volume.Same,
				stat: func(string) (volume.Info, error) { return tt.info, tt.err },
			}
			found := s.probe(t.Context(), t.TempDir(), Options{Need: tt.need})
			var got []string
			for _, f := range found.Findings {
				got = append(got, string(f.Code))
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("found %v, want %q", got, tt.want)
			}
			told(t, found)
		})
	}
}

func TestDir_TheRepositoryOnTheSameDisk(t *testing.T) {
	dir := t.TempDir()
	for place, want := range map[string]bool{
		filepath.Join(dir, "data", "chromadb_backup"): true,
		"s3://bucket/prefix":                          false,
		"":                                            false,
	} {
		found := Dir(t.Context(), dir, Options{Repository: place})
		got := false
		for _, f := range found.Findings {
			got = got || f.Code == holdfast.FindingSameDisk
		}
		if got != want {
			t.Errorf("%q: same disk %v, want %v", place, got, want)
		}
	}
}

func TestDir_RemovesWhatACutProbeLeft(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, durable.TempName(tempBase))
	running := filepath.Join(dir, durable.TempName(tempBase))
	others := filepath.Join(dir, durable.TempName("bot.db"))
	long := time.Now().Add(-leftAfter - time.Minute)
	err := errors.Join(
		os.Mkdir(old, 0o700), os.WriteFile(filepath.Join(old, "wal.db"), nil, 0o600), os.Chtimes(old, long, long),
		os.Mkdir(running, 0o700), os.Mkdir(others, 0o700), os.Chtimes(others, long, long),
	)
	if err != nil {
		t.Fatal(err)
	}
	Dir(t.Context(), dir, Options{})
	for path, want := range map[string]bool{old: false, running: true, others: true} {
		if _, err := os.Lstat(path); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", filepath.Base(path), err == nil, want)
		}
	}
}

// A power cut at any point leaves nothing that cleaning up does not know.
func TestDir_EveryCutCanBeCleaned(t *testing.T) {
	for n := 0; ; n++ {
		dir := t.TempDir()
		d, err := crashfs.New(dir, n)
		if err != nil {
			t.Fatal(err)
		}
		s := system{fsys: d, stat: volume.Stat, same: volume.Same, read: os.ReadFile, locks: tryLocks}
		s.probe(t.Context(), dir, Options{})
		cut := d.WasCut()
		if err := errors.Join(d.Reboot(crashfs.Kill), d.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := durable.CleanTemps(durable.OS, dir); err != nil {
			t.Fatal(err)
		}
		empty(t, dir)
		if !cut {
			return
		}
	}
}

func TestQuick(t *testing.T) {
	dir := t.TempDir()
	if err := Quick(t.Context(), dir, 1); err != nil {
		t.Error(err)
	}
	empty(t, dir)
	if err := Quick(t.Context(), dir, 1<<60); !errors.Is(err, holdfast.ErrRefused) || holdfast.HintOf(err) == "" {
		t.Errorf("too little space: got %v", err)
	}
	if err := Quick(t.Context(), filepath.Join(dir, "absent"), 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: got %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Quick(t.Context(), file, 0); err == nil {
		t.Error("a file was taken for a directory")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Quick(ctx, dir, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestQuick_EveryBrokenStepIsTold(t *testing.T) {
	for _, op := range []string{"create", "write", "sync", "rename"} {
		dir := t.TempDir()
		d, err := crashfs.New(dir, crashfs.Never)
		if err != nil {
			t.Fatal(err)
		}
		d.Inject(func(o, _ string) error {
			if o == op {
				return syscall.EROFS
			}
			return nil
		})
		err = quick(t.Context(), d, dir, 0)
		if !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), dir) || holdfast.HintOf(err) == "" {
			t.Errorf("%s: got %v with hint %q", op, err, holdfast.HintOf(err))
		}
		empty(t, dir)
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Every code has a meaning, and none is forgotten here.
func TestMeanings(t *testing.T) {
	all := []holdfast.FindingCode{
		holdfast.FindingMissing, holdfast.FindingNotDir, holdfast.FindingDenied, holdfast.FindingReadOnly, holdfast.FindingFull,
		holdfast.FindingLow, holdfast.FindingNoLocks, holdfast.FindingNoWAL, holdfast.FindingNoRename, holdfast.FindingNoSync,
		holdfast.FindingMangled, holdfast.FindingNetwork, holdfast.FindingMemory, holdfast.FindingOverlay, holdfast.FindingIO,
		holdfast.FindingSameDisk, holdfast.FindingUndecided,
	}
	for _, code := range all {
		if m := meanings[code]; m.severity == "" || strings.Count(m.message, "%s") != 1 || m.hint == "" {
			t.Errorf("%s means %+v", code, m)
		}
	}
	if len(meanings) != len(all) {
		t.Errorf("%d meanings for %d codes", len(meanings), len(all))
	}
}
