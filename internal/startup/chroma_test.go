package startup_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/demo/fixture"
	"github.com/holdfast-backup/holdfast/source/chroma"
	"github.com/holdfast-backup/holdfast/source/files"
)

// A Chroma directory and a tree of files, as they can be found.
func TestPrepare_Directories(t *testing.T) {
	type found struct {
		harm   func(t *testing.T, dir string)
		action holdfast.StartAction
		found  string
	}
	database := func(dir string) string { return filepath.Join(dir, "chroma.sqlite3") }
	cases := map[holdfast.Kind]map[string]found{
		holdfast.KindChroma: {
			"whole":            {func(*testing.T, string) {}, holdfast.StartKept, "healthy"},
			"missing":          {func(_ *testing.T, dir string) { os.RemoveAll(dir) }, holdfast.StartRestored, "missing"},
			"empty":            {func(_ *testing.T, dir string) { os.RemoveAll(dir); os.Mkdir(dir, 0o755) }, holdfast.StartRestored, "empty"},
			"database missing": {func(_ *testing.T, dir string) { os.Remove(database(dir)) }, holdfast.StartRestored, "damaged"},
			"database empty":   {func(_ *testing.T, dir string) { os.Truncate(database(dir), 0) }, holdfast.StartRestored, "damaged"},
			"database cut":     {func(_ *testing.T, dir string) { os.Truncate(database(dir), 8192) }, holdfast.StartRestored, "damaged"},
			"database of text": {func(t *testing.T, dir string) { write(t, database(dir), []byte("no")) }, holdfast.StartRestored, "not a database"},
			"index damaged":    {damageIndex, holdfast.StartKept, "healthy"},
		},
		holdfast.KindFiles: {
			"whole":     {func(*testing.T, string) {}, holdfast.StartKept, "healthy"},
			"missing":   {func(_ *testing.T, dir string) { os.RemoveAll(dir) }, holdfast.StartRestored, "missing"},
			"empty":     {func(_ *testing.T, dir string) { os.RemoveAll(dir); os.Mkdir(dir, 0o755) }, holdfast.StartRestored, "empty"},
			"half gone": {func(_ *testing.T, dir string) { os.Remove(database(dir)) }, holdfast.StartKept, "healthy"},
		},
	}
	for kind, byName := range cases {
		for name, c := range byName {
			t.Run(string(kind)+" "+name, func(t *testing.T) {
				w := newWorld(t)
				dir := filepath.Join(w.root, "chromadb")
				if err := fixture.Unpack(dir); err != nil {
					t.Fatal(err)
				}
				var err error
				if kind == holdfast.KindChroma {
					w.source, err = chroma.New("chromadb", dir, chroma.Options{})
				} else {
					w.source, err = files.New("chromadb", dir, files.Options{})
				}
				if err != nil {
					t.Fatal(err)
				}
				w.opts.Source = w.source
				whole := tree(t, dir)
				backup := w.backup()
				c.harm(t, dir)
				harmed := tree(t, dir)
				d := w.prepare()
				if d.Action != c.action || d.Found != c.found {
					t.Fatalf("got %+v", d)
				}
				want := harmed
				if c.action == holdfast.StartRestored {
					want = whole
					wantWords(t, d.Reason, string(backup))
				}
				if got := tree(t, dir); got != want {
					t.Errorf("it holds\n%s\nwant\n%s", got, want)
				}
				if name == "index damaged" {
					wantWords(t, d.Reason, "kept all the same")
				}
			})
		}
	}
}

func tree(t *testing.T, dir string) string {
	t.Helper()
	out := ""
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			out += fmt.Sprintf("%s %x\n", rel, hash(read(t, path)))
		}
		return nil
	})
	return out
}

// damageIndex overwrites the pickle of every index folder.
func damageIndex(t *testing.T, dir string) {
	t.Helper()
	pickles, err := filepath.Glob(filepath.Join(dir, "*", "index_metadata.pickle"))
	if err != nil || len(pickles) == 0 {
		t.Fatalf("no index: %v", err)
	}
	for _, p := range pickles {
		write(t, p, []byte("no pickle"))
	}
}
