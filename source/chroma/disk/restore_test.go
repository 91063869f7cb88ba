package disk_test

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// export gives a collection's memories.json and what is known of it, as they
// come back from a backup.
func export(t testing.TB, dir, name string) ([]byte, holdfast.MemoryCollection) {
	t.Helper()
	d, err := disk.Open(t.Context(), os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var b bytes.Buffer
	info, err := disk.ExportMemory(t.Context(), d, name, &b)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	var loaded holdfast.MemoryCollection
	if err := json.Unmarshal(stored, &loaded); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(loaded, info) {
		t.Fatalf("info changes in JSON:\n%+v\n%+v", info, loaded)
	}
	return b.Bytes(), loaded
}

func restore(t testing.TB, dir string, info holdfast.MemoryCollection, memories []byte) {
	t.Helper()
	if err := disk.RestoreMemory(t.Context(), dir, info, bytes.NewReader(memories)); err != nil {
		t.Fatal(err)
	}
	d := open(t, dir)
	report, err := d.Check(t.Context(), holdfast.CheckOptions{Full: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range report.Problems {
		t.Errorf("after the restore: %+v", p)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".holdfast-*"))
	if err != nil || left != nil {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// copyDir copies a stopped directory.
func copyDir(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestExportMemory_HasTheShapeOfGet(t *testing.T) {
	eachServer(t, func(t *testing.T, v chromatest.Version) {
		dir, want := served(t, v)
		for name, w := range want {
			memories, info := export(t, dir, name)
			var got content
			if err := json.Unmarshal(memories, &got); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, memories)
			}
			same(t, name, got, w)
			documents := int64(0)
			keys := map[string]int64{}
			for i := range w.IDs {
				if w.Documents[i] != nil {
					documents++
				}
				for key := range w.Metadatas[i] {
					keys[key]++
				}
			}
			if len(keys) == 0 {
				keys = nil
			}
			if info.Records != int64(len(w.IDs)) || info.Documents != documents || !reflect.DeepEqual(info.MetadataKeys, keys) {
				t.Errorf("%s: statistics %+v, want %d records, %d documents, keys %v", name, info, len(w.IDs), documents, keys)
			}
			if info.Tenant != "default_tenant" || info.Database != "default_database" {
				t.Errorf("%s: tenant %q, database %q", name, info.Tenant, info.Database)
			}
			if len(w.IDs) > 0 && (info.Oldest == nil || info.Newest == nil || info.Newest.Before(info.Oldest.Time) || info.Dimension != dimension) {
				t.Errorf("%s: oldest %v, newest %v, dimension %d", name, info.Oldest, info.Newest, info.Dimension)
			}
			metadata := holdfast.Values{"owner": "ผู้ใช้", "level": int64(3), "weight": 2.0, "live": true}
			if !reflect.DeepEqual(info.Metadata, metadata) {
				t.Errorf("%s: metadata %#v", name, info.Metadata)
			}
		}
	})
}

func TestExportMemory_NamesAMissingCollection(t *testing.T) {
	_, err := disk.ExportMemory(t.Context(), open(t, fixture(t)), "notes", &bytes.Buffer{})
	if holdfast.ExitCode(err) != holdfast.ExitNotFound || !strings.Contains(holdfast.HintOf(err), "documents") {
		t.Errorf("got %v (hint %q)", err, holdfast.HintOf(err))
	}
}

// folders hashes every file in the index folders of a directory.
func folders(t testing.TB, dir string) map[string][32]byte {
	t.Helper()
	sums := map[string][32]byte{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !strings.Contains(path, "/") {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		sums[path] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

func TestRestoreMemory_ServesExactlyTheBackup(t *testing.T) {
	eachServer(t, func(t *testing.T, v chromatest.Version) {
		dir, want := served(t, v)

		// What happens to a collection between the backup and its restore.
		situations := map[string]func(a api, name string){
			"others changed": func(a api, name string) {
				if name == "cosine" { // once: the log runs far ahead
					a.send(a.create("bulk", "l2", 30, nil), "add", records(0, 200, v == chromatest.New))
					a.call(http.MethodDelete, "/collections/bulk", nil, nil)
				}
			},
			"changed": func(a api, name string) {
				id := a.describe(name).ID
				a.send(id, "upsert", records(0, 30, false))
				a.send(id, "upsert", content{IDs: []string{"เก่า"}, Embeddings: [][]float32{vector(1)}, Documents: []*string{new("stale")}})
				a.call(http.MethodPut, "/collections/"+id, map[string]any{"new_metadata": map[string]any{"other": 1}}, nil)
			},
			"emptied": func(a api, name string) {
				id := a.describe(name).ID
				if ids := a.get(id).IDs; len(ids) > 0 {
					a.call(http.MethodPost, "/collections/"+id+"/delete", map[string]any{"ids": ids}, nil)
				}
			},
			"deleted and made anew": func(a api, name string) {
				a.call(http.MethodDelete, "/collections/"+name, nil, nil)
				if name == "queued" {
					return
				}
				id := a.create(name, "l2", 10, nil)
				a.send(id, "add", content{IDs: []string{"x"}, Embeddings: [][]float32{{1, 2, 3}}})
			},
		}
		names := []string{"cosine", "queued", "empty"}
		for situation, change := range situations {
			t.Run(situation, func(t *testing.T) {
				there := copyDir(t, dir)
				if situation == "emptied" { // and a log that is never purged, as directories from before 0.5.6 have it
					alter(t, there, `UPDATE embeddings_queue_config SET config_json_str = '{"automatically_purge":false,"_type":"EmbeddingsQueueConfigurationInternal"}'`)
				}
				s := chromatest.Start(t, v, there)
				for _, name := range names {
					change(apiOf(t, s), name)
				}
				if err := s.Stop(); err != nil {
					t.Fatal(err)
				}
				before, saved := folders(t, there), copyDir(t, there)
				for _, name := range names {
					memories, info := export(t, dir, name)
					restore(t, there, info, memories)
				}
				for path, sum := range folders(t, there) {
					if before[path] != sum {
						t.Errorf("%s changed", path)
					}
				}
				if situation == "changed" {
					// A crash right after the commit leaves the old folders.
					for path := range before {
						b, err := os.ReadFile(filepath.Join(saved, path))
						if err == nil {
							err = errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(there, path)), 0o700), os.WriteFile(filepath.Join(there, path), b, 0o600))
						}
						if err != nil {
							t.Fatal(err)
						}
					}
				}
				checkServed(t, v, there, names, want)
			})
		}
	})
}

// checkServed starts a server on a restored directory: the collection is what
// the backup held, the others are as before, and new records are seen.
func checkServed(t *testing.T, v chromatest.Version, dir string, names []string, want map[string]content) {
	t.Helper()
	s := chromatest.Start(t, v, dir)
	a := apiOf(t, s)
	for other, w := range want {
		c := a.describe(other)
		if n := a.count(c.ID); n != len(w.IDs) {
			t.Errorf("%s: count %d, want %d", other, n, len(w.IDs))
		}
		same(t, other, a.get(c.ID), w)
		if level := c.Metadata["level"]; level != int64(3) {
			t.Errorf("%s: collection metadata %v", other, c.Metadata)
		}
		for i := 0; i < len(w.IDs); i += 9 {
			if got := a.query(c.ID, w.Embeddings[i], 1); len(got) != 1 || got[0] != w.IDs[i] && !nearest(w, i, got[0]) {
				t.Errorf("%s: nearest to %s is %q", other, w.IDs[i], got)
			}
		}
		if got := a.query(c.ID, vector(0), len(w.IDs)+50); len(got) != len(w.IDs) && other != "ip-settled" {
			t.Errorf("%s: a query for everything gives %d records, want %d", other, len(got), len(w.IDs))
		}
		added := records(500, 30, v == chromatest.New)
		a.send(c.ID, "add", added)
		if n := a.count(c.ID); n != len(w.IDs)+len(added.IDs) {
			t.Errorf("%s: count %d after adding %d to %d", other, n, len(added.IDs), len(w.IDs))
		}
		var got content
		a.call(http.MethodPost, "/collections/"+c.ID+"/get", map[string]any{"ids": added.IDs, "include": []string{"documents", "uris", "metadatas", "embeddings"}}, &got)
		same(t, other+" added", got, added)
	}
	for _, name := range names {
		if c := a.describe(name); c.Config.HNSW["space"] != "cosine" {
			t.Errorf("%s: configuration %v", name, c.Config.HNSW)
		}
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	report, err := disk.Check(t.Context(), os.DirFS(dir), holdfast.CheckOptions{})
	if err != nil || report.Problems != nil {
		t.Errorf("after the server has used it: %v %+v", err, report.Problems)
	}
}

// nearest tells whether another record lies where record i lies.
func nearest(c content, i int, id string) bool {
	for j := range c.IDs {
		if c.IDs[j] == id {
			return near(c.Embeddings[i], c.Embeddings[j]) == nil
		}
	}
	return false
}

// TestRestoreMemory_BetweenReleases restores into a directory of the other
// server: the configuration is kept in another form there.
func TestRestoreMemory_BetweenReleases(t *testing.T) {
	for _, pair := range [][2]chromatest.Version{{chromatest.Old, chromatest.New}, {chromatest.New, chromatest.Old}} {
		t.Run(string(pair[0])+" to "+string(pair[1]), func(t *testing.T) {
			from, to := t.TempDir(), t.TempDir()
			s := chromatest.Start(t, pair[0], from)
			a := apiOf(t, s)
			id := a.create("moved", "ip", 12, holdfast.Values{"n": int64(1)})
			a.send(id, "add", records(0, 30, false))
			want := a.get(id)
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
			if err := chromatest.Start(t, pair[1], to).Stop(); err != nil {
				t.Fatal(err)
			}
			memories, info := export(t, from, "moved")
			info.Tenant, info.Database = "elsewhere", "books"
			restore(t, to, info, memories)

			s = chromatest.Start(t, pair[1], to)
			a = apiOf(t, s)
			a.client = a.client.Database("elsewhere", "books")
			c := a.describe("moved")
			same(t, "moved", a.get(c.ID), want)
			if c.Config.HNSW["space"] != "ip" || c.Config.HNSW["sync_threshold"] != 12.0 {
				t.Errorf("configuration %v", c.Config.HNSW)
			}
		})
	}
}

func TestRestoreMemory_RefusesWhatTheDirectoryCannotHold(t *testing.T) {
	dir := t.TempDir()
	if err := chromatest.Start(t, chromatest.Old, dir).Stop(); err != nil {
		t.Fatal(err)
	}
	before := folders(t, dir)
	sum := func() [32]byte {
		b, err := os.ReadFile(filepath.Join(dir, disk.DatabaseFile))
		if err != nil {
			t.Fatal(err)
		}
		return sha256.Sum256(b)
	}
	database := sum()
	for name, c := range map[string]struct {
		memories string
		info     holdfast.MemoryCollection
		exit     int
		says     string
	}{
		"an array":            {`{"ids":["a"],"metadatas":[{"tags":[1]}],"embeddings":[[1]]}`, holdfast.MemoryCollection{}, holdfast.ExitRefused, "arrays"},
		"no embedding":        {`{"ids":["a","b"],"embeddings":[[1],null]}`, holdfast.MemoryCollection{}, holdfast.ExitRefused, `"b"`},
		"no embeddings":       {`{"ids":["a"]}`, holdfast.MemoryCollection{}, holdfast.ExitRefused, `"a"`},
		"cut":                 {`{"ids":["a"],"embeddings":[[1`, holdfast.MemoryCollection{}, holdfast.ExitDamaged, "complete"},
		"empty":               {``, holdfast.MemoryCollection{}, holdfast.ExitDamaged, "complete"},
		"two objects":         {`{"ids":[]}{}`, holdfast.MemoryCollection{}, holdfast.ExitDamaged, "follows"},
		"two lists":           {`{"ids":[],"ids":[]}`, holdfast.MemoryCollection{}, holdfast.ExitDamaged, "two lists"},
		"no ids":              {`{"embeddings":[[1]]}`, holdfast.MemoryCollection{}, holdfast.ExitDamaged, "no ids"},
		"an empty id":         {`{"ids":[""],"embeddings":[[1]]}`, holdfast.MemoryCollection{}, holdfast.ExitDamaged, "empty"},
		"an id twice":         {`{"ids":["a","a"],"embeddings":[[1],[2]]}`, holdfast.MemoryCollection{}, holdfast.ExitDamaged, "twice"},
		"unequal lists":       {`{"ids":["a","b"],"embeddings":[[1]]}`, holdfast.MemoryCollection{}, holdfast.ExitDamaged, "2 ids but 1 embeddings"},
		"unequal dimensions":  {`{"ids":["a","b"],"embeddings":[[1],[1,2]]}`, holdfast.MemoryCollection{}, holdfast.ExitDamaged, "between 1 and 2"},
		"null in a vector":    {`{"ids":["a"],"embeddings":[[1,null]]}`, holdfast.MemoryCollection{}, holdfast.ExitDamaged, "null"},
		"a nested vector":     {`{"ids":["a"],"embeddings":[[[1]]]}`, holdfast.MemoryCollection{}, holdfast.ExitDamaged, "embeddings[0]"},
		"a vector of text":    {`{"ids":["a"],"embeddings":["1"]}`, holdfast.MemoryCollection{}, holdfast.ExitDamaged, "embeddings[0]"},
		"an empty vector":     {`{"ids":["a"],"embeddings":[[]]}`, holdfast.MemoryCollection{}, holdfast.ExitDamaged, "dimensions"},
		"beyond float32":      {`{"ids":["a"],"embeddings":[[1e39]]}`, holdfast.MemoryCollection{}, holdfast.ExitDamaged, "embeddings[0]"},
		"nested metadata":     {`{"ids":["a"],"metadatas":[{"a":{}}],"embeddings":[[1]]}`, holdfast.MemoryCollection{}, holdfast.ExitDamaged, "metadatas[0]"},
		"another count":       {`{"ids":["a"],"embeddings":[[1]]}`, holdfast.MemoryCollection{Records: 2}, holdfast.ExitDamaged, "recorded 2"},
		"another dimension":   {`{"ids":["a"],"embeddings":[[1]]}`, holdfast.MemoryCollection{Dimension: 2}, holdfast.ExitDamaged, "recorded 2"},
		"a list of something": {`[]`, holdfast.MemoryCollection{}, holdfast.ExitDamaged, "expected"},
	} {
		t.Run(name, func(t *testing.T) {
			c.info.Name = "memory"
			err := disk.RestoreMemory(t.Context(), dir, c.info, strings.NewReader(c.memories))
			if err == nil || holdfast.ExitCode(err) != c.exit || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v (exit code %d), want exit code %d and %q", err, holdfast.ExitCode(err), c.exit, c.says)
			}
			if holdfast.HintOf(err) == "" {
				t.Errorf("%v comes without a hint", err)
			}
			if left, _ := os.ReadDir(dir); len(left) != 1+len(before) {
				t.Errorf("the directory has %v", left)
			}
			if sum() != database {
				t.Error("the database changed")
			}
		})
	}
}

func TestRestoreMemory_NamesADirectoryInUse(t *testing.T) {
	dir := fixture(t)
	memories, info := export(t, dir, "documents")
	db, err := sql.Open("sqlite", filepath.Join(dir, disk.DatabaseFile))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	err = disk.RestoreMemory(t.Context(), dir, info, bytes.NewReader(memories))
	if holdfast.ExitCode(err) != holdfast.ExitLocked || !strings.Contains(holdfast.HintOf(err), "stop") {
		t.Errorf("got %v, hint %q", err, holdfast.HintOf(err))
	}
	err = disk.RestoreMemory(t.Context(), t.TempDir(), info, bytes.NewReader(memories))
	if holdfast.ExitCode(err) != holdfast.ExitNotFound {
		t.Errorf("no directory: got %v", err)
	}
}
