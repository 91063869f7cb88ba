package startup_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/durable/crashfs"
	"github.com/holdfast-backup/holdfast/internal/startup"
)

var companions = []string{"-wal", "-shm", "-journal"}

// filled makes a fill that writes text through fsys.
func filled(fsys durable.FS, text string) func(context.Context, string) error {
	return func(_ context.Context, stage string) error {
		f, err := fsys.Create(stage, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write([]byte(text))
		return errors.Join(err, f.Close())
	}
}

func wantText(text string) func(context.Context, string) error {
	return func(_ context.Context, stage string) error {
		data, err := os.ReadFile(stage)
		if err == nil && string(data) != text {
			err = holdfast.Kindf(holdfast.ErrDamaged, "it holds %q", data)
		}
		return err
	}
}

// A place is a directory with a database and a log, or without.
func oldSet(t *testing.T, with string) (root, target string) {
	t.Helper()
	root = filepath.Join(t.TempDir(), "disk")
	target = filepath.Join(root, "data", "bot.db")
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		t.Fatal(err)
	}
	switch with {
	case "database and log":
		write(t, target, []byte("old"))
		write(t, target+"-wal", []byte("old log"))
		write(t, target+"-shm", []byte("old shm"))
	case "log alone":
		write(t, target+"-wal", []byte("old log"))
	case "no directory":
		if err := os.RemoveAll(filepath.Dir(target)); err != nil {
			t.Fatal(err)
		}
	}
	return root, target
}

// listing is what lies in a directory: names and texts.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range list {
		out[e.Name()] = string(read(t, filepath.Join(dir, e.Name())))
	}
	return out
}

// wantWhole wants the old set whole or the new file alone, with the old set
// aside, and tells which.
func wantWhole(t *testing.T, target, with, at string) (placed bool) {
	t.Helper()
	files := listing(t, filepath.Dir(target))
	for name := range files {
		if strings.HasPrefix(name, ".") {
			t.Errorf("%s: %s is left", at, name)
		}
	}
	placed = files["bot.db"] == "new"
	base, prefix := "bot.db", ""
	if placed {
		prefix = ".before-"
		if files["bot.db-wal"] != "" || files["bot.db-shm"] != "" {
			t.Errorf("%s: the new file lies beside an old companion: %v", at, files)
		}
	}
	find := func(suffix string) string {
		for name, text := range files {
			rest, ok := strings.CutPrefix(name, base+prefix)
			if prefix != "" {
				rest = strings.TrimLeft(rest, "0123456789_")
			}
			if ok && rest == suffix {
				return text
			}
		}
		return ""
	}
	switch with {
	case "database and log":
		if find("") != "old" || find("-wal") != "old log" || find("-shm") != "old shm" {
			t.Errorf("%s: the old set is not whole: %v", at, files)
		}
	case "log alone":
		if find("-wal") != "old log" {
			t.Errorf("%s: the old log is gone: %v", at, files)
		}
	}
	return placed
}

// The power is cut after every single operation, also of the settling that
// follows: there is never anything but the old set or the new file.
func TestPlace_CutAnywhere(t *testing.T) {
	for _, with := range []string{"database and log", "nothing", "log alone", "no directory"} {
		t.Run(with, func(t *testing.T) {
			for _, mode := range crashfs.Modes() {
				outcomes := map[bool]int{}
				for n := 0; ; n++ {
					root, target := oldSet(t, with)
					d, err := crashfs.New(root, n)
					if err != nil {
						t.Fatal(err)
					}
					_, placeErr := startup.Place(t.Context(), d, target, companions, filled(d, "new"), wantText("new"))
					cut, at := d.WasCut(), d.CutAt()
					if err := d.Reboot(mode); err != nil {
						t.Fatal(err)
					}
					if !cut && placeErr != nil {
						t.Fatalf("%v: %v", mode, placeErr)
					}
					for m := 0; cut; m++ { // settling is cut as well
						d.CutAfter(m)
						startup.Settle(t.Context(), d, target)
						again := d.WasCut()
						if err := d.Reboot(mode); err != nil {
							t.Fatal(err)
						}
						if !again {
							break
						}
					}
					if _, err := startup.Settle(t.Context(), d, target); err != nil {
						t.Fatalf("%v, %s: settle: %v", mode, at, err)
					}
					outcomes[wantWhole(t, target, with, mode.String()+", "+at)]++
					d.Close()
					if !cut {
						break
					}
				}
				if outcomes[true] < 2 || outcomes[false] < 2 {
					t.Errorf("%v: the cuts were not telling: %v", mode, outcomes)
				}
			}
		})
	}
}

// Each operation fails once: the error leaves the old set, or settling finishes.
func TestPlace_FailsAnywhere(t *testing.T) {
	const with = "database and log"
	for n := 0; ; n++ {
		root, target := oldSet(t, with)
		d, err := crashfs.New(root, crashfs.Never)
		if err != nil {
			t.Fatal(err)
		}
		count, failed := 0, ""
		d.Inject(func(op, name string) error {
			count++
			if count == n+1 {
				failed = op + " " + filepath.Base(name)
				return &fs.PathError{Op: op, Path: name, Err: syscall.EIO}
			}
			return nil
		})
		_, err = startup.Place(t.Context(), d, target, companions, filled(d, "new"), wantText("new"))
		if failed == "" {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		d.Inject(nil)
		if files := listing(t, filepath.Dir(target)); err != nil && files["bot.db"] == "old" && len(files) > 3 {
			// What its owner writes from now on must not be replaced later.
			write(t, target, []byte("old")) // it may open it: nothing of a plan is left
			for name := range files {
				if strings.HasSuffix(name, ".plan") && !strings.HasPrefix(failed, "remove") && !strings.HasPrefix(failed, "syncdir") {
					t.Errorf("%s failed: a plan is left with the old set in place: %v", failed, files)
				}
			}
		}
		if _, err := startup.Settle(t.Context(), d, target); err != nil {
			t.Fatalf("%s failed: settle: %v", failed, err)
		}
		wantWhole(t, target, with, failed+" failed")
		d.Close()
	}
}

func TestPlace_KeepsTheOldSetWhereTheNewFileIsNoGood(t *testing.T) {
	for name, c := range map[string]struct {
		fill, check func(context.Context, string) error
		want        error
	}{
		"fill fails":   {func(context.Context, string) error { return syscall.ENOSPC }, nil, syscall.ENOSPC},
		"fill is half": {func(_ context.Context, s string) error { os.WriteFile(s, []byte("ne"), 0o600); return syscall.EIO }, nil, syscall.EIO},
		"check fails":  {filled(durable.OS, "nwe"), wantText("new"), holdfast.ErrDamaged},
		"not whole without its log": {func(ctx context.Context, s string) error {
			return errors.Join(filled(durable.OS, "new")(ctx, s), os.WriteFile(s+"-wal", []byte("more"), 0o600))
		}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, target := oldSet(t, "database and log")
			aside, err := startup.Place(t.Context(), durable.OS, target, companions, c.fill, c.check)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || len(aside) > 0 {
				t.Fatalf("got %v, %v", aside, err)
			}
			if wantWhole(t, target, "database and log", name) {
				t.Error("the new file was placed")
			}
		})
	}
}

// The new file has the mode of what it replaces, and asides never meet.
func TestPlace_Again(t *testing.T) {
	_, target := oldSet(t, "database and log")
	if err := os.Chmod(target, 0o644); err != nil {
		t.Fatal(err)
	}
	first, err := startup.Place(t.Context(), durable.OS, target, companions, filled(durable.OS, "new"), nil)
	if err != nil || len(first) != 3 {
		t.Fatal(first, err)
	}
	second, err := startup.Place(t.Context(), durable.OS, target, companions, filled(durable.OS, "newer"), nil)
	if err != nil || len(second) != 1 || second[0] == first[0] {
		t.Fatal(second, err)
	}
	if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o644 {
		t.Error(info, err)
	}
	if string(read(t, first[0])) != "old" || string(read(t, second[0])) != "new" || string(read(t, target)) != "newer" {
		t.Error("something is in the wrong place")
	}
}

// A plan of a later version is left alone.
func TestSettle_RefusesWhatItCannotRead(t *testing.T) {
	_, target := oldSet(t, "database and log")
	plan := filepath.Join(filepath.Dir(target), ".holdfast-place-bot.db.plan")
	for _, text := range []string{`{"version":2}`, `nonsense`, `{"version":1,"stage":"../x","aside":"y"}`} {
		write(t, plan, []byte(text))
		if _, err := startup.Settle(t.Context(), durable.OS, target); !errors.Is(err, holdfast.ErrRefused) || holdfast.HintOf(err) == "" {
			t.Errorf("%s: %v", text, err)
		}
	}
}
