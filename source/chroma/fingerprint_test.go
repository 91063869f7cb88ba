package chroma

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/inode"
)

// Every change of a folder shows in its fingerprint.
func TestFingerprint_ShowsEveryChange(t *testing.T) {
	t.Parallel()
	write := func(t *testing.T, name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]func(t *testing.T, dir string) error{
		"file grew":    func(t *testing.T, dir string) error { write(t, filepath.Join(dir, "header.bin"), "longer"); return nil },
		"file added":   func(t *testing.T, dir string) error { write(t, filepath.Join(dir, "new.bin"), ""); return nil },
		"file removed": func(t *testing.T, dir string) error { return os.Remove(filepath.Join(dir, "header.bin")) },
		"file renamed": func(t *testing.T, dir string) error {
			return os.Rename(filepath.Join(dir, "header.bin"), filepath.Join(dir, "other.bin"))
		},
		"file replaced by an equal one with its time": func(t *testing.T, dir string) error {
			name := filepath.Join(dir, "header.bin")
			info, err := os.Stat(name)
			if err != nil {
				return err
			}
			write(t, name+".new", "same")
			if err := os.Chtimes(name+".new", info.ModTime(), info.ModTime()); err != nil {
				return err
			}
			return os.Rename(name+".new", name)
		},
		"folder removed": func(t *testing.T, dir string) error { return os.RemoveAll(dir) },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "folder")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "header.bin"), "same")
			before := mustFingerprint(t, dir)
			if again := mustFingerprint(t, dir); !again.equal(before) {
				t.Fatal("a folder that nobody touched has two fingerprints")
			}
			if err := change(t, dir); err != nil {
				t.Fatal(err)
			}
			if after := mustFingerprint(t, dir); after.equal(before) {
				t.Error("the change does not show")
			}
		})
	}
}

// An empty folder and none at all are not the same.
func TestFingerprint_TellsEmptyFromMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if mustFingerprint(t, dir).equal(mustFingerprint(t, filepath.Join(dir, "none"))) {
		t.Error("an empty folder passes for a missing one")
	}
}

// The rule by which a folder counts as complete.
func TestFolder_Resting(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(name string, ago time.Duration) look {
		return look{name: name, State: inode.State{Mtime: now.Add(-ago), Ctime: now.Add(-ago)}}
	}
	tests := []struct {
		name string
		fp   fingerprint
		want bool
	}{
		{"pickle newest and old", fingerprint{at("header.bin", 2*time.Minute), at(pickleFile, time.Minute)}, true},
		{"all of one moment", fingerprint{at("header.bin", time.Second), at(pickleFile, time.Second)}, true},
		{"pickle newest, this very moment", fingerprint{at("header.bin", time.Minute), at(pickleFile, 0)}, false},
		{"a file newer than the pickle", fingerprint{at("header.bin", time.Second), at(pickleFile, time.Minute)}, false},
		{"a file newer than the pickle, long ago", fingerprint{at("header.bin", 3*time.Second), at(pickleFile, time.Minute)}, true},
		{"times of the future", fingerprint{at("header.bin", -time.Hour), at(pickleFile, -time.Hour)}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &folder{}
			f.see(tt.fp)
			if got := f.resting(tt.fp, defaultPace); got != tt.want {
				t.Errorf("resting = %v, want %v", got, tt.want)
			}
			f.since = now.Add(-3 * time.Second)
			if !f.resting(tt.fp, defaultPace) {
				t.Error("seen unchanged for 3 s, and still not at rest")
			}
		})
	}
}

func TestSegment_FolderNames(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		"1c2e8a3e-0c55-4f0e-9a2b-5b8f3f0a7d11": true,
		"..":                                   false,
		"../../etc":                            false,
		"/etc":                                 false,
		"a/b":                                  false,
		`a\b`:                                  false,
		"":                                     false,
		".":                                    false,
	} {
		if got := (segment{id: id}).isFolderName(); got != want {
			t.Errorf("%q can be a folder: %v, want %v", id, got, want)
		}
	}
}

func mustFingerprint(t *testing.T, dir string) fingerprint {
	t.Helper()
	fp, err := takeFingerprint(dir)
	if err != nil {
		t.Fatal(err)
	}
	return fp
}
