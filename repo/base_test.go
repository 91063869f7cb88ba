package repo

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

// remembered makes a repository whose backup monday, with one file, is
// remembered.
func remembered(t *testing.T, data []byte) (*Repository, *mem.Bucket) {
	t.Helper()
	b := mem.New()
	r := rememberingRepo(t, b, t.TempDir())
	p := create(t, r, "monday", CreateOptions{Compress: true, Remember: true})
	put(t, p.Sink("bot"), "bot.db", data)
	commit(t, p)
	return r, b
}

// cached gives the file of the cache whose name ends so.
func cached(t *testing.T, r *Repository, suffix string) string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(r.o.Cache, r.id, "*"+suffix))
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v end in %s", err, list, suffix)
	}
	return list[0]
}

func TestBase_SaysWhyThereIsNone(t *testing.T) {
	for what, c := range map[string]struct {
		harm func(t *testing.T, r *Repository, b *mem.Bucket)
		why  string
	}{
		"no cache":   {func(_ *testing.T, r *Repository, _ *mem.Bucket) { r.o.Cache = "" }, "nothing is remembered"},
		"lost cache": {func(t *testing.T, r *Repository, _ *mem.Bucket) { lose(t, r.o.Cache) }, "nothing is remembered"},
		"damaged index": {func(t *testing.T, r *Repository, _ *mem.Bucket) {
			flip(t, cached(t, r, indexFile), 40)
		}, "cannot be used"},
		"another repository": {func(_ *testing.T, r *Repository, _ *mem.Bucket) {
			id := r.id
			r.id = "other"
			if err := os.Rename(filepath.Join(r.o.Cache, id), filepath.Join(r.o.Cache, r.id)); err != nil {
				panic(err)
			}
		}, "belongs to another repository"},
		"deleted": {func(t *testing.T, r *Repository, _ *mem.Bucket) {
			if _, err := r.Delete(t.Context(), "monday"); err != nil {
				t.Fatal(err)
			}
		}, "monday is gone"},
		"hidden": {func(t *testing.T, r *Repository, _ *mem.Bucket) {
			p := create(t, r, "tuesday", CreateOptions{Base: "monday"})
			put(t, p.Sink("bot"), "bot.db", text(2*frameSize, 1))
			commit(t, p)
			if _, err := r.Delete(t.Context(), "monday"); err != nil {
				t.Fatal(err)
			}
		}, "monday is gone"},
		"rewritten": {func(t *testing.T, r *Repository, b *mem.Bucket) {
			if err := b.RemoveTree(t.Context(), "monday", holdfast.MetadataFile); err != nil {
				t.Fatal(err)
			}
			p := create(t, r, "monday", CreateOptions{})
			commit(t, p)
		}, "not as it was"},
		"damaged marker": {func(t *testing.T, _ *Repository, b *mem.Bucket) {
			harm(t, b, "monday/"+holdfast.MetadataFile, func(d []byte) []byte { d[20] ^= 1; return d })
		}, "cannot be read"},
		"failed check": {func(t *testing.T, r *Repository, _ *mem.Bucket) {
			for _, ok := range []bool{true, false} {
				if err := r.AddProof(t.Context(), "monday", holdfast.Proof{Kind: holdfast.ProofVerify, OK: ok}); err != nil {
					t.Fatal(err)
				}
			}
		}, "check of the backup monday failed"},
	} {
		t.Run(what, func(t *testing.T) {
			r, b := remembered(t, text(2*frameSize, 1))
			if name, why, err := r.Base(t.Context()); name != "monday" || why != "" || err != nil {
				t.Fatalf("before: %s, %q, %v", name, why, err)
			}
			c.harm(t, r, b)
			name, why, err := r.Base(t.Context())
			if name != "" || err != nil || !strings.Contains(why, c.why) {
				t.Fatalf("%q, %q, %v", name, why, err)
			}
			// Who insists gets a backup all the same, and is told.
			p := create(t, r, "insists", CreateOptions{Base: "monday"})
			put(t, p.Sink("bot"), "bot.db", text(2*frameSize, 1))
			if n := p.Notices(); len(n) != 1 || !strings.Contains(n[0].Message, c.why) {
				t.Errorf("notices %+v", n)
			}
			commit(t, p)
			if m := open(t, r, "insists").Metadata(); m.Parent != "" || len(m.Needs) > 0 {
				t.Errorf("parent %q, needs %v", m.Parent, m.Needs)
			}
		})
	}
}

// What the base refers to must be good too.
func TestBase_LooksAtWhatItNeeds(t *testing.T) {
	data := text(2*frameSize, 1)
	r, b := remembered(t, data)
	p := based(t, r, "tuesday")
	put(t, p.Sink("bot"), "bot.db", edited(data, 0, 1, 3))
	commit(t, p)
	for _, ok := range []bool{false, true} {
		if err := r.AddProof(t.Context(), "monday", holdfast.Proof{Kind: holdfast.ProofVerify, OK: ok}); err != nil {
			t.Fatal(err)
		}
		name, why, err := r.Base(t.Context())
		if err != nil || ok != (name == "tuesday") || ok == strings.Contains(why, "monday, which the last one needs") {
			t.Errorf("a check of monday was %v: %q, %q, %v", ok, name, why, err)
		}
	}
	harm(t, b, "monday/"+holdfast.MetadataFile, func(d []byte) []byte { return d[:10] })
	if name, why, err := r.Base(t.Context()); name != "" || err != nil || !strings.Contains(why, "monday") {
		t.Errorf("monday is damaged: %q, %q, %v", name, why, err)
	}
}

func lose(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// flip changes one bit of a file.
func flip(t *testing.T, name string, at int) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	data[at] ^= 1
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Each byte of each file that is remembered may change: the next backup has
// every byte right, and is no larger than a full one.
func TestMemory_EveryDamagedByteIsHarmless(t *testing.T) {
	before := text(2*frameSize+100, 1)
	after := bytes.Clone(before)
	copy(after[5*blockSize:], "changed")
	r, _ := remembered(t, before)
	for _, suffix := range []string{indexFile, manifestExt, hashesExt} {
		name := cached(t, r, suffix)
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(data); at += 1 + len(data)/60 {
			wrong := bytes.Clone(data)
			wrong[at] ^= 0x20
			if err := os.WriteFile(name, wrong, 0o600); err != nil {
				t.Fatal(err)
			}
			p := create(t, r, "tuesday", CreateOptions{Compress: true, Base: "monday"})
			put(t, p.Sink("bot"), "bot.db", after)
			if got := readAll(t, p.FS(), "bot/bot.db"); !bytes.Equal(got, after) {
				t.Errorf("byte %d of %s: wrong bytes", at, suffix)
			}
			if err := p.Abort(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A list that says of the new file what should be said of the old one would
// make a backup without the change.
func TestMemory_HashesOfAnotherFileAreNotBelieved(t *testing.T) {
	before, after := text(3*frameSize, 1), text(3*frameSize, 2)
	r, _ := remembered(t, before)
	name := cached(t, r, hashesExt)
	var list []byte
	for _, h := range hashAll(after) {
		list = append(list, h[:]...)
	}
	if err := os.WriteFile(name, list, 0o600); err != nil {
		t.Fatal(err)
	}
	p := based(t, r, "tuesday")
	put(t, p.Sink("bot"), "bot.db", after)
	commit(t, p)
	back := open(t, r, "tuesday")
	verify(t, back)
	if !bytes.Equal(readAll(t, back, "bot/bot.db"), after) {
		t.Error("wrong bytes")
	}
}

// farAway is a bucket from which reading is dear.
type farAway struct{ bucket.Bucket }

func (farAway) Remote() bool { return true }

// Without the hashes, the base itself is read where that is cheap.
func TestMemory_LostHashesAreMadeAgainOnlyNearby(t *testing.T) {
	before := text(5*frameSize, 1)
	after := bytes.Clone(before)
	copy(after[5*blockSize:], "changed")
	for _, far := range []bool{false, true} {
		r, b := remembered(t, before)
		lose(t, cached(t, r, hashesExt))
		if far {
			r.b = farAway{b}
		}
		p := based(t, r, "tuesday")
		put(t, p.Sink("bot"), "bot.db", after)
		notices := p.Notices()
		commit(t, p)
		back := open(t, r, "tuesday")
		verify(t, back)
		f := fileOf(t, back, "bot/bot.db")
		if !far && (f.Form != formDelta || f.Stored > 2*blockSize || len(notices) > 0) {
			t.Errorf("nearby: %+v, %+v", f, notices)
		}
		if far && (f.Form != formFull || len(notices) != 1) {
			t.Errorf("far away: %+v, %+v", f, notices)
		}
		if !bytes.Equal(readAll(t, back, "bot/bot.db"), after) {
			t.Error("wrong bytes")
		}
	}
}

// A crash between the commit and the new index leaves the one before, and so
// does a folder that cannot be written.
func TestMemory_WhatCannotBeKeptFailsNoBackup(t *testing.T) {
	data := text(3*frameSize, 1)
	r, _ := remembered(t, data)
	dir := filepath.Join(r.o.Cache, r.id)
	if err := os.Rename(dir, dir+".before"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	copy(data[7*blockSize:], "second")
	p := create(t, r, "tuesday", CreateOptions{Remember: true})
	put(t, p.Sink("bot"), "bot.db", data)
	commit(t, p)
	if n := p.Notices(); len(n) != 2 || n[1].Severity != holdfast.Warning || !strings.Contains(n[1].Message, "the backup is complete") {
		t.Errorf("notices %+v", n)
	}
	verify(t, open(t, r, "tuesday"))

	lose(t, dir)
	if err := os.Rename(dir+".before", dir); err != nil {
		t.Fatal(err)
	}
	copy(data[9*blockSize:], "third")
	p = based(t, r, "wednesday")
	put(t, p.Sink("bot"), "bot.db", data)
	commit(t, p)
	back := open(t, r, "wednesday")
	verify(t, back)
	if m := back.Metadata(); m.Parent != "monday" || !bytes.Equal(readAll(t, back, "bot/bot.db"), data) {
		t.Errorf("based on %s, or wrong bytes", m.Parent)
	}
}

// What crashes left is removed with the next index; what is not ours stays.
func TestMemory_IsCleanedWhenItIsSaved(t *testing.T) {
	r, _ := remembered(t, text(3*frameSize, 1))
	dir := filepath.Join(r.o.Cache, r.id)
	old := cached(t, r, hashesExt)
	stray := []string{".tmp-manifest-AAAAAAAAAAAAA", strings.Repeat("0", 64) + hashesExt, strings.Repeat("0", 64) + manifestExt}
	for _, name := range append(stray, "notes.txt") {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := based(t, r, "tuesday")
	put(t, p.Sink("bot"), "bot.db", text(3*frameSize, 2))
	commit(t, p)
	for _, name := range append(stray, filepath.Base(old)) {
		if _, err := os.Stat(filepath.Join(dir, name)); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "notes.txt")); err != nil {
		t.Error(err)
	}
	err := filepath.WalkDir(r.o.Cache, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && filepath.Base(path) != "notes.txt" && path != r.o.Cache && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
