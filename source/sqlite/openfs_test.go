package sqlite

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// seekOnly hides ReadAt.
type seekOnly struct{ fs.FS }

func (s seekOnly) Open(name string) (fs.File, error) {
	f, err := s.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return struct {
		fs.File
		io.Seeker
	}{f, f.(io.Seeker)}, nil
}

// streamOnly hides ReadAt and Seek.
type streamOnly struct{ fs.FS }

func (s streamOnly) Open(name string) (fs.File, error) {
	f, err := s.FS.Open(name)
	return struct{ fs.File }{f}, err
}

func TestOpenFS_ReadsADatabaseInAnyFileSystem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", "bot.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	sourcetest.NewBank(t, path, "WAL", 6<<20)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	systems := map[string]fs.FS{
		"directory": os.DirFS(dir),
		"memory":    fstest.MapFS{"sub/bot.db": {Data: content}},
		"seeker":    seekOnly{os.DirFS(dir)},
	}
	for name, fsys := range systems {
		t.Run(name, func(t *testing.T) {
			before := sourcetest.Fingerprint(t, dir)
			db, err := OpenFS(fsys, "sub/bot.db")
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					var sum int64
					var check string
					if err := db.QueryRow("SELECT sum(balance) FROM account").Scan(&sum); err != nil || sum != sourcetest.Total {
						t.Errorf("sum %d, %v", sum, err)
					}
					if err := db.QueryRow("PRAGMA integrity_check").Scan(&check); err != nil || check != "ok" {
						t.Errorf("integrity_check %q, %v", check, err)
					}
				})
			}
			wg.Wait()
			if _, err := db.Exec("DELETE FROM account"); err == nil {
				t.Error("a copy could be written to")
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			sameFiles(t, before, sourcetest.Fingerprint(t, dir))
		})
	}
}

func sameFiles(t testing.TB, before, after map[string]string) {
	t.Helper()
	if len(before) != len(after) {
		t.Errorf("there were %d files and are %d", len(before), len(after))
	}
	for name, print := range before {
		if after[name] != print {
			t.Errorf("%s was changed", name)
		}
	}
}

func TestOpenFS_SortsWithoutTemporaryFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "bot.db")
	sourcetest.NewBank(t, path, "DELETE", 6<<20)
	db, err := OpenFS(os.DirFS(dir), "bot.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRow("SELECT count(*) FROM (SELECT data FROM ballast ORDER BY data LIMIT 10000)").Scan(&n); err != nil {
		t.Fatal(err)
	}
}

func TestOpenFS_RefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{"dir/x": {Data: []byte("x")}}
	for _, name := range []string{"missing.db", "dir"} {
		if db, err := OpenFS(fsys, name); err == nil {
			t.Errorf("%s was opened: %v", name, db.Close())
		}
	}
	db, err := OpenFS(streamOnly{fsys}, "dir/x")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Ping(); err == nil {
		t.Error("a file without random access was opened")
	}
}

func TestBlockFile_ReadsLikeTheFile(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789abcdef"), (3*blockSize+100)/16)
	o := &oneFile{fsys: fstest.MapFS{"f": {Data: content}}, name: "f"}
	f, err := o.open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for off := int64(0); off < int64(len(content))+20; off += 4099 {
		if _, err := f.Seek(off, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 70000)
		n, err := io.ReadFull(f, got)
		want := content[min(off, int64(len(content))):]
		want = want[:min(len(want), len(got))]
		if !bytes.Equal(got[:n], want) || (err != nil) != (len(want) < len(got)) {
			t.Fatalf("at %d: %d bytes, %v; want %d", off, n, err, len(want))
		}
	}
}
