package api

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// exported gives the files of a backup as `holdfast export` writes them.
func (w *world) exported(name string) map[string][]byte {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "export")
	e, err := w.core.Keeper.Engine(w.t.Context())
	if err == nil {
		_, err = e.Export(w.t.Context(), name, dir)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return filesBelow(w.t, dir)
}

// filesBelow reads every file of a directory.
func filesBelow(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			all[path], err = os.ReadFile(filepath.Join(dir, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func same(t *testing.T, what string, got, want map[string][]byte) {
	t.Helper()
	if len(want) == 0 || len(got) != len(want) {
		t.Errorf("%s: %d files, want %d", what, len(got), len(want))
	}
	for path, data := range want {
		if !bytes.Equal(got[path], data) {
			t.Errorf("%s: %s differs", what, path)
		}
	}
}

// fill makes the database larger than what is kept of a response before it is sent.
func (w *world) fill() {
	w.t.Helper()
	sourcetest.SQLite(w.t, w.database, "CREATE TABLE ballast(data BLOB); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<400) INSERT INTO ballast SELECT randomblob(8192) FROM n;")
}

func TestDownload_IsTheTreeOfAnExport(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	w.backup("one")
	w.write("second")
	w.ask("POST", "backups", map[string]any{"trigger": "auto", "name": "two"}).want(http.StatusCreated)
	for _, name := range []string{"one", "two"} {
		want := w.exported(name)
		packed := w.ask("GET", "backups/"+name+"/download?format=tar", nil).want(http.StatusOK)
		same(t, name+" tar", untar(t, packed.body), want)
		zipped := w.ask("GET", "backups/"+name+"/download?format=zip", nil).want(http.StatusOK)
		same(t, name+" zip", unzip(t, zipped.body), want)
		if name == "one" {
			same(t, "GNU tar", byProgram(t, packed.body, "tar", "-xf"), want)
			same(t, "python3", byProgram(t, zipped.body, "python3", "-m", "zipfile", "-e"), want)
		}
		for path := range want {
			if !strings.HasPrefix(path, "bot/") {
				delete(want, path)
			}
		}
		part := w.ask("GET", "backups/"+name+"/download?source=bot", nil).want(http.StatusOK)
		same(t, name+" source", untar(t, part.body), want)
	}
	w.ask("GET", "backups/one/download?source=other", nil).problem(http.StatusNotFound, "not_found")
	w.ask("GET", "backups/one/download?source=..%2fbot", nil).problem(http.StatusBadRequest, "usage")
	w.ask("GET", "backups/one/download?format=rar", nil).problem(http.StatusUnprocessableEntity, "usage")
	w.ask("GET", "backups/none/download", nil).problem(http.StatusNotFound, "not_found")
	if head := w.ask("HEAD", "backups/one/download", nil).want(http.StatusOK); head.header.Get("Content-Type") != "application/x-tar" {
		t.Errorf("%v", head.header)
	}
}

func untar(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for tr := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err == nil && h.Typeflag == tar.TypeReg {
			all[h.Name], err = io.ReadAll(tr)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func unzip(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	zr, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, f := range zr.File {
		if !f.Mode().IsRegular() {
			continue
		}
		r, err := f.Open()
		if err == nil {
			all[f.Name], err = io.ReadAll(r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// byProgram opens an archive as somebody without us would.
func byProgram(t *testing.T, data []byte, program string, args ...string) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	archive := filepath.Join(dir, "archive")
	if err := os.WriteFile(archive, data, 0o600); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "to")
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	args = append(args, archive)
	if program == "tar" {
		args = append(args, "-C")
	}
	cmd := exec.Command(program, append(args, to)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", program, err, out)
	}
	return filesBelow(t, to)
}

// Damage that is met half-way cuts the connection: no client takes what it has for whole.
func TestDownload_DamageNeverLooksComplete(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	w.ask("POST", "backups", map[string]any{"name": "large"}).want(http.StatusCreated)
	w.damage("large")
	for _, format := range []string{"tar", "zip"} {
		res, err := http.Get(w.url + Root + "/backups/large/download?format=" + format)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK || n == 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: status %d, %d bytes, %v", format, res.StatusCode, n, err)
		}
	}
}

// Damage that is met before anything was sent is told.
func TestDownload_DamageOfSomethingSmallIsTold(t *testing.T) {
	w := newWorld(t, nil)
	w.backup("small")
	w.damage("small")
	for _, format := range []string{"tar", "zip"} {
		w.ask("GET", "backups/small/download?format="+format, nil).problem(http.StatusInternalServerError, "damaged")
	}
}

// The name of the file says which backup it is, in every script, and nothing else.
func TestDownload_NamesTheFile(t *testing.T) {
	w := newWorld(t, nil)
	w.backup("สำรอง")
	h := w.ask("GET", "backups/"+url.PathEscape("สำรอง")+"/download", nil).want(http.StatusOK).header.Get("Content-Disposition")
	if want := `attachment; filename="_____.tar"; filename*=UTF-8''` + url.PathEscape("สำรอง") + ".tar"; h != want {
		t.Errorf("got %s, want %s", h, want)
	}
}
