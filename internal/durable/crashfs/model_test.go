package crashfs_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/durable/crashfs"
)

// step makes one random change somewhere below root; many are refused by the
// file system, which is part of the game. It tells what it did.
func step(r *rand.Rand, d *crashfs.Disk, root string) string {
	names := []string{"a", "b", "c"}
	path := func() string {
		p := root
		for range 1 + r.IntN(3) {
			p = filepath.Join(p, names[r.IntN(len(names))])
		}
		return p
	}
	a, b := path(), path()
	var err error
	op := []string{"create", "create", "overwrite", "truncate", "mkdir", "mkdir", "rename", "rename", "exchange", "remove", "removeall", "symlink"}[r.IntN(12)]
	switch op {
	case "create":
		var f durable.File
		if f, err = d.Create(a, 0o600); err == nil {
			_, err = fmt.Fprintf(f, "%d", r.Uint64())
			_ = f.Close()
		}
	case "overwrite", "truncate":
		var f durable.File
		if f, err = d.OpenWrite(a); err == nil {
			if op == "truncate" {
				err = f.Truncate(int64(r.IntN(30)))
			} else {
				_, err = f.WriteAt([]byte("overwritten"), int64(r.IntN(20)))
			}
			_ = f.Close()
		}
	case "mkdir":
		err = d.Mkdir(a, 0o700)
	case "rename":
		err = d.Rename(a, b)
	case "exchange":
		err = d.Exchange(a, b)
	case "remove":
		err = d.Remove(a)
	case "removeall":
		err = d.RemoveAll(a)
	case "symlink":
		err = d.Symlink("nowhere", a)
	}
	return fmt.Sprintf("%s %s %s: %v", op, strings.TrimPrefix(a, root), strings.TrimPrefix(b, root), err)
}

// histories runs random histories, two after each other on one disk: what the
// first left is the durable state from which the second starts.
func histories(t *testing.T, check func(t *testing.T, d *crashfs.Disk, root, durable string)) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		d, root := disk(t, crashfs.Never)
		var history []string
		for range 2 {
			before := state(t, root)
			for range 30 {
				history = append(history, step(r, d, root))
			}
			check(t, d, root, before)
			if t.Failed() {
				t.Fatalf("seed %d:\n%s", seed, strings.Join(history, "\n"))
			}
			syncAll(t, d, root)
			reboot(t, d, crashfs.PowerCut)
		}
	}
}

func syncAll(t *testing.T, d *crashfs.Disk, root string) {
	t.Helper()
	if err := durable.SyncTree(t.Context(), d, root); err != nil {
		t.Fatal(err)
	}
}

func TestDisk_WithoutASyncNothingHappened(t *testing.T) {
	histories(t, func(t *testing.T, d *crashfs.Disk, root, before string) {
		// Ranges that were overwritten may hold anything: compare names and
		// the kinds of what has them.
		reboot(t, d, crashfs.PowerCut)
		if got, want := shape(t, root), shapeOf(before); got != want {
			t.Errorf("after the power cut:\n%s\nwant:\n%s", got, want)
		}
	})
}

func TestDisk_WithEverythingSyncedNothingIsLost(t *testing.T) {
	for _, mode := range crashfs.Modes() {
		t.Run(mode.String(), func(t *testing.T) {
			histories(t, func(t *testing.T, d *crashfs.Disk, root, _ string) {
				syncAll(t, d, root)
				want := state(t, root)
				reboot(t, d, mode)
				if got := state(t, root); got != want {
					t.Errorf("after the crash:\n%s\nwant:\n%s", got, want)
				}
			})
		})
	}
}

// shape describes a tree without the content of its files.
func shape(t *testing.T, root string) string { return shapeOf(state(t, root)) }

func shapeOf(state string) string {
	var b strings.Builder
	for line := range strings.Lines(state) {
		name, content, isFile := strings.Cut(strings.TrimSuffix(line, "\n"), " = ")
		fmt.Fprint(&b, name)
		if isFile {
			data, err := strconv.Unquote(content)
			fmt.Fprintf(&b, " (%d bytes, %v)", len(data), err)
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}
