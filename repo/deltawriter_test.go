package repo

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

// rememberingRepo makes a repository in b that remembers in a folder.
func rememberingRepo(t testing.TB, b bucket.Bucket, cache string) *Repository {
	t.Helper()
	r, err := initAt(t.Context(), b, Options{Cache: cache}, "testrepository", testTime)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// based begins a backup based on the last one and remembered in turn.
func based(t testing.TB, r *Repository, name holdfast.BackupName) *Pending {
	t.Helper()
	base, why, err := r.Base(t.Context())
	if err != nil || base == "" {
		t.Fatalf("no base: %q, %v", why, err)
	}
	p := create(t, r, name, CreateOptions{Compress: true, Base: base, Remember: true})
	if notices := p.Notices(); len(notices) > 0 {
		t.Fatalf("notices: %+v", notices)
	}
	return p
}

// fileOf gives one file of a backup.
func fileOf(t testing.TB, b *Backup, path string) File {
	t.Helper()
	for _, f := range b.Files() {
		if f.Path == path {
			return f
		}
	}
	t.Fatalf("%s is not in %s", path, b.name)
	return File{}
}

func TestDelta_StoresOnlyChangedBlocks(t *testing.T) {
	root := filepath.Join(t.TempDir(), "repository")
	b, err := dir.New(root, dir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := rememberingRepo(t, b, filepath.Join(t.TempDir(), "cache"))
	data := text(20*frameSize+100, 1)
	p := create(t, r, "monday", CreateOptions{Compress: true, Remember: true})
	put(t, p.Sink("bot"), "bot.db", data)
	put(t, p.Sink("bot"), "still", noise(3*frameSize, 2))
	commit(t, p)

	states := map[holdfast.BackupName][]byte{"monday": data}
	for i, day := range []holdfast.BackupName{"tuesday", "wednesday", "thursday"} {
		data = bytes.Clone(data)
		for k := range 10 {
			copy(data[(k*7+i)*5*blockSize:], noise(100, uint64(i*100+k)))
		}
		states[day] = data
		p := based(t, r, day)
		put(t, p.Sink("bot"), "bot.db", data)
		put(t, p.Sink("bot"), "still", noise(3*frameSize, 2))
		if got := readAll(t, p.FS(), "bot/bot.db"); !bytes.Equal(got, data) {
			t.Errorf("%s reads back wrong before it is committed", day)
		}
		if p.Unchanged("bot") {
			t.Error("a changed source counts as unchanged")
		}
		commit(t, p)
	}
	for day, want := range states {
		back := open(t, r, day)
		verify(t, back)
		if got := readAll(t, back, "bot/bot.db"); !bytes.Equal(got, want) {
			t.Errorf("%s reads wrong", day)
		}
		if day == "monday" {
			continue
		}
		if f := fileOf(t, back, "bot/bot.db"); f.Form != formDelta || f.Stored == 0 || f.Stored > 10*(blockSize+100) {
			t.Errorf("%s: %+v", day, f)
		}
		if f := fileOf(t, back, "bot/still"); f.Form != formDelta || f.Stored != 0 {
			t.Errorf("%s: %+v", day, f)
		}
		out := run(t, root, "python3", readerScript(t), root, string(day), "bot/bot.db")
		if out != string(want) {
			t.Errorf("the script of FORMAT.md reads %s wrong", day)
		}
	}
	m := open(t, r, "thursday").Metadata()
	if m.Parent != "wednesday" || !slices.Equal(m.Needs, []holdfast.BackupName{"monday", "tuesday", "wednesday"}) {
		t.Errorf("parent %s, needs %v", m.Parent, m.Needs)
	}
}

func TestDelta_NothingChangedStoresNothing(t *testing.T) {
	r := rememberingRepo(t, mem.New(), t.TempDir())
	files := map[string][]byte{"big": text(9*frameSize+5, 1), "small": text(5000, 2), "empty": {}}
	write := func(p *Pending, reuse bool) {
		t.Helper()
		for name, data := range files {
			e := holdfast.Entry{Path: name, Mode: 0o600, ModTime: testTime}
			if reuse {
				if ok, err := p.Sink("bot").Reuse(e, "stamp of "+name); !ok || err != nil {
					t.Errorf("%s is not reused: %v", name, err)
				}
				continue
			}
			w, err := p.Sink("bot").Create(e)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(data); err != nil {
				t.Fatal(err)
			}
			w.Stamp("stamp of " + name)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	p := create(t, r, "monday", CreateOptions{Compress: true, Remember: true})
	write(p, false)
	commit(t, p)
	for i, day := range []holdfast.BackupName{"tuesday", "wednesday"} {
		p := based(t, r, day)
		if ok, err := p.Sink("bot").Reuse(holdfast.Entry{Path: "big"}, "another"); ok || err != nil {
			t.Errorf("reused under another stamp: %v", err)
		}
		write(p, i == 1)
		if !p.Unchanged("bot") {
			t.Errorf("%s: counts as changed", day)
		}
		if stored := p.Stored(); stored != 0 {
			t.Errorf("%s: stored %d bytes", day, stored)
		}
		commit(t, p)
		back := open(t, r, day)
		verify(t, back)
		for name, want := range files {
			if got := readAll(t, back, "bot/"+name); !bytes.Equal(got, want) {
				t.Errorf("%s: %s reads wrong", day, name)
			}
		}
		if m := back.Metadata(); !slices.Equal(m.Needs, []holdfast.BackupName{"monday"}) {
			t.Errorf("%s needs %v: references lead by way of another delta", day, m.Needs)
		}
		if list, err := os.ReadDir(filepath.Join(r.o.Cache, r.id)); err != nil || len(list) != 3 {
			t.Errorf("%s: the cache holds %v, %v", day, list, err)
		}
	}
}
