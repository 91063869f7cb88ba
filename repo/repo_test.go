package repo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

func TestBackup_ComesBackWhole(t *testing.T) {
	for _, compress := range []bool{false, true} {
		t.Run(fmt.Sprintf("compress=%v", compress), func(t *testing.T) {
			r, _ := newRepo(t)
			p := create(t, r, "first", CreateOptions{Compress: compress})
			s := p.Sink("bot")
			want := map[string][]byte{
				"bot/empty":       {},
				"bot/tiny":        []byte("hello"),
				"bot/block":       text(blockSize, 1),
				"bot/frame":       text(frameSize, 2),
				"bot/frame+1":     text(frameSize+1, 3),
				"bot/noise":       noise(3*frameSize+77, 4),
				"bot/large.db":    text(6*frameSize+4097, 5),
				"bot/zeros":       make([]byte, 5*frameSize+blockSize),
				"bot/sub/deep/x":  text(100_000, 6),
				"bot/ข้อมูล/سلام": []byte("unicode"),
			}
			for name, data := range want {
				put(t, s, name[len("bot/"):], data)
			}
			if err := s.Add(holdfast.Entry{Path: "dir", Mode: fs.ModeDir | 0o750, ModTime: testTime}); err != nil {
				t.Fatal(err)
			}
			if err := s.Add(holdfast.Entry{Path: "link", Mode: fs.ModeSymlink | 0o777, ModTime: testTime, Link: "sub/deep"}); err != nil {
				t.Fatal(err)
			}
			err := p.WriteFile(holdfast.MemoriesFile, func(w io.Writer) error {
				_, err := io.WriteString(w, `{"ids":[]}`)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			want[holdfast.MemoriesFile] = []byte(`{"ids":[]}`)
			compare(t, contents(t, p.FS()), want)
			commit(t, p)

			b := open(t, r, "first")
			verify(t, b)
			got := contents(t, b)
			delete(got, holdfast.MetadataFile)
			compare(t, got, want)
			if err := fstest.TestFS(b, "bot/large.db", "bot/dir", "bot/link"); err != nil {
				t.Error(err)
			}

			dir := tempDir(t)
			if err := b.Extract(t.Context(), ".", dir, durable.OS, nil); err != nil {
				t.Fatal(err)
			}
			got = contents(t, os.DirFS(dir))
			delete(got, holdfast.MetadataFile)
			compare(t, got, want)
		})
	}
}

func compare(t *testing.T, got, want map[string][]byte) {
	t.Helper()
	for name, data := range want {
		if g, ok := got[name]; !ok || !bytes.Equal(g, data) {
			t.Errorf("%s: there %v, %d bytes, want %d", name, ok, len(g), len(data))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s should not be there", name)
		}
	}
}

// Restoring "latest" again after a restore must not bring back the very state
// that the first one replaced.
func TestRepository_LatestIsNoEmergencyBackup(t *testing.T) {
	r, _ := newRepo(t)
	ctx := t.Context()
	for i, c := range []struct {
		name    holdfast.BackupName
		trigger holdfast.Trigger
		latest  holdfast.BackupName
	}{
		{"emergency_restore_1", holdfast.TriggerEmergency, "emergency_restore_1"},
		{"monday", holdfast.TriggerManual, "monday"},
		{"emergency_restore_2", holdfast.TriggerEmergency, "monday"},
		{"auto", holdfast.TriggerAuto, "auto"},
	} {
		p := create(t, r, c.name, CreateOptions{})
		put(t, p.Sink("bot"), "x", []byte(c.name))
		if _, err := p.Commit(ctx, &holdfast.Metadata{CreatedAt: holdfast.At(time.Unix(int64(i), 0)), Trigger: c.trigger}); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Stat(ctx, "latest"); err != nil || got.Name != c.latest {
			t.Errorf("after %s, latest is %s, %v; want %s", c.name, got.Name, err, c.latest)
		}
	}
}

func TestRepository_ListStatDelete(t *testing.T) {
	r, _ := newRepo(t)
	ctx := t.Context()
	if _, err := r.Stat(ctx, "latest"); !errors.Is(err, holdfast.ErrNotFound) {
		t.Fatalf("latest of an empty repository: %v", err)
	}
	for _, name := range []holdfast.BackupName{"one", "two"} {
		p := create(t, r, name, CreateOptions{})
		put(t, p.Sink("bot"), "x", []byte(name))
		commit(t, p)
	}
	list, err := r.List(ctx)
	if err != nil || len(list) != 2 || list[0].Name != "two" {
		t.Fatalf("list %v: %+v", err, list)
	}
	if _, err := r.Stat(ctx, "onee"); !errors.Is(err, holdfast.ErrNotFound) || holdfast.HintOf(err) != "did you mean one?" {
		t.Errorf("stat of a misspelt name: %v, hint %q", err, holdfast.HintOf(err))
	}
	if _, err := r.Create(ctx, "one", true, CreateOptions{}); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("taken name: %v", err)
	}
	p, err := r.Create(ctx, "one", false, CreateOptions{})
	if err != nil || p.Name() != "one_2" {
		t.Fatalf("automatic name: %v %v", p.Name(), err)
	}
	if err := p.Abort(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Delete(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	if list, err := r.List(ctx); err != nil || len(list) != 1 {
		t.Errorf("after delete %v: %+v", err, list)
	}
	if _, err := r.Backup(ctx, "one"); !errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("open of a deleted backup: %v", err)
	}
}

// A list reads what it shows and nothing of what the backups hold.
func TestList_ReadsOnlyMarkersAndStates(t *testing.T) {
	r, b := newRepo(t)
	names := []holdfast.BackupName{"one", "two", "three"}
	for _, name := range names {
		p := create(t, r, name, CreateOptions{})
		for i := range 50 {
			put(t, p.Sink("bot"), fmt.Sprintf("sub/%d/x", i), []byte(name))
		}
		commit(t, p)
	}
	if err := b.Put(t.Context(), "photos/a.jpg", []byte("x"), bucket.Replace); err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{"photos/" + holdfast.MetadataFile: true} // it might be a backup
	for _, name := range names {
		allowed[string(name)+"/"+holdfast.MetadataFile] = true
		allowed[stateKey(name)] = true
	}
	b.Inject(func(op, key string) error {
		if op == "open" && !allowed[key] {
			t.Errorf("opened %s", key)
		}
		return nil
	})
	list, err := r.List(t.Context())
	b.Inject(nil)
	if err != nil || len(list) != len(names) {
		t.Errorf("listed %d backups (%v), want %d", len(list), err, len(names))
	}
	if _, err := r.Stat(t.Context(), "photo"); holdfast.HintOf(err) != "holdfast list shows all backups" {
		t.Errorf("a folder that is no backup was suggested: %q", holdfast.HintOf(err))
	}
}
