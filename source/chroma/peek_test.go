package chroma_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// Whatever a server does with its directory moves the state; an idle server leaves
// it alone, and so does who only asks it something.
func TestPeek_SeesWhatAServerWrites(t *testing.T) {
	t.Parallel()
	for _, v := range chromatest.Versions() {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			s := stage{v, filepath.Join(t.TempDir(), "live")}
			server := chromatest.Start(t, v, s.dir)
			c, ctx, src := server.Client(), t.Context(), s.source(t)
			var col string
			sourcetest.WantSeen(t, src, "a collection", func() error {
				made, err := c.Create(ctx, chromatest.CollectionSpec{Name: notes, Space: "cosine", SyncThreshold: threshold})
				col = made.ID
				return err
			})
			sourcetest.WantSeen(t, src, "records", func() error { return c.Add(ctx, col, makeNotes(0, threshold-5)) })
			sourcetest.WantSeen(t, src, "records that persist the index", func() error { return c.Add(ctx, col, makeNotes(threshold-5, 10)) })
			sourcetest.WantSeen(t, src, "records in the index that is there", func() error { return c.Add(ctx, col, makeNotes(threshold+5, threshold)) })
			before := sourcetest.Settle(t, src)
			if _, err := c.Count(ctx, col); err != nil {
				t.Fatal(err)
			}
			s.capture(t)
			if after := sourcetest.Settle(t, src); after != before {
				t.Error("reading moved the state")
			}
			sourcetest.WantSeen(t, src, "the collection dropped", func() error { return c.Drop(ctx, notes) })
			if err := server.Stop(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestPeek_SeesIndexFoldersAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	const id = "0b5a7c1e-6a0f-4d5c-9c39-3a3f0e6f1c11"
	src := stage{chromatest.New, dir}.source(t)
	if g := sourcetest.Peek(t, src); g.State != "" || !g.Settled {
		t.Errorf("a directory without a database gives %+v", g)
	}
	sourcetest.WantSeen(t, src, "the database", func() error { return os.WriteFile(in("chroma.sqlite3"), []byte("x"), 0o600) })
	sourcetest.WantSeen(t, src, "a log", func() error { return os.WriteFile(in("chroma.sqlite3-wal"), []byte("x"), 0o600) })
	sourcetest.WantSeen(t, src, "a folder", func() error { return os.Mkdir(in(id), 0o700) })
	sourcetest.WantSeen(t, src, "a file", func() error { return os.WriteFile(in(id+"/header.bin"), []byte("x"), 0o600) })
	sourcetest.WantSeen(t, src, "a byte", func() error { return os.WriteFile(in(id+"/header.bin"), []byte("y"), 0o600) })
	sourcetest.WantSeen(t, src, "a file less", func() error { return os.Remove(in(id + "/header.bin")) })
	before := sourcetest.Settle(t, src)
	if err := errors.Join(os.Mkdir(in("photos"), 0o700), os.WriteFile(in("server.log"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if after := sourcetest.Peek(t, src); after.State != before {
		t.Error("what no capture takes moved the state")
	}
	sourcetest.WantSeen(t, src, "the database gone", func() error { return os.Remove(in("chroma.sqlite3")) })
}
