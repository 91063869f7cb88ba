//go:build linux

package test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// pythonDir makes a directory as a Python release left it, with some records in its log.
func (m *machine) pythonDir(name, schema string) {
	m.t.Helper()
	tables, err := os.ReadFile(filepath.Join("..", "source", "chroma", "disk", "testdata", "python", schema))
	if err != nil {
		m.t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString("BEGIN;\n") // what begins with "--" is a flag of sqlite3
	b.Write(tables)
	b.WriteString("\nDELETE FROM max_seq_id WHERE segment_id LIKE '2222%';\n")
	for i, id := range []string{"หนึ่ง", "two", "three"} {
		var vector []byte
		for _, x := range []float32{1, float32(i), 0.25} {
			bits := math.Float32bits(x)
			vector = append(vector, byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24))
		}
		fmt.Fprintf(&b, "INSERT INTO embeddings_queue (seq_id, operation, topic, id, vector, encoding, metadata) VALUES (%d, 0, 'persistent://default/default/11111111-1111-4111-8111-111111111111', '%s', x'%x', 'FLOAT32', '{}');\n", i+1, id, vector)
		fmt.Fprintf(&b, "INSERT INTO embeddings (id, segment_id, embedding_id, seq_id) VALUES (%d, '33333333-3333-4333-8333-333333333333', '%s', x'%016x');\n", i+1, id, i+1)
		fmt.Fprintf(&b, "INSERT INTO embedding_metadata (id, key, string_value) VALUES (%d, 'chroma:document', 'document of %s');\n", i+1, id)
		fmt.Fprintf(&b, "INSERT INTO embedding_metadata (id, key, float_value) VALUES (%d, 'two', 2.0);\n", i+1)
		fmt.Fprintf(&b, "INSERT INTO embedding_metadata (id, key, int_value) VALUES (%d, 'n', %d);\n", i+1, i)
	}
	if err := os.MkdirAll(m.path(name), 0o700); err != nil {
		m.t.Fatal(err)
	}
	b.WriteString("COMMIT;\n")
	m.sqlite(filepath.Join(name, disk.DatabaseFile), b.String())
}

// Backups of directories, of Python releases and of servers that run, go into running
// servers that are as new or newer; what an older one cannot keep is refused, or told.
func directories(t *testing.T, f fleet) {
	for _, schema := range []string{"0.4.0", "0.4.15", "0.5.0", "0.5.4", "0.6.3"} {
		m := newMachine(t)
		m.pythonDir("chromadb", schema+".sql")
		m.must(0, "--chroma", "chromadb", "--repo", "backups", "backup", "--name", "python")
		for _, v := range chromatest.Versions() {
			into := f[v].of(t)
			name := "python-" + schema
			from := m.onlyCollection("python")
			m.must(0, "--chroma", "chromadb", "--repo", "backups", "restore", "python", "--into", into.url, "--collection", from+"="+name)
			c, err := into.Collection(t.Context(), api.DefaultTenant, api.DefaultDatabase, name)
			into.must(err)
			var want []disk.Record
			for i, id := range []string{"หนึ่ง", "two", "three"} {
				want = append(want, disk.Record{ID: id, Document: new("document of " + id), Metadata: holdfast.Values{"two": 2.0, "n": int64(i)}, Embedding: []float32{1, float32(i), 0.25}})
			}
			if err := equalRecords(into.records(c), want, c.Space, nil); err != nil {
				t.Errorf("%s into the %s server: %v", schema, v, err)
			}
		}
	}

	older, newer := f[chromatest.Old].of(t), f[chromatest.New].of(t)
	for _, from := range []*remote{older, newer} {
		tenant := from.newTenant()
		from.fill(tenant, "awkward", awkwardly()...)
		from.fill(tenant, "notes", notes(80)...)
		m := newMachine(t)
		flags := []string{"--chroma", "chromadb=" + from.dir, "--repo", "backups"}
		m.must(0, append(flags, "backup", "--name", "hot")...)
		restore := append(flags, "restore", "hot", "--database", tenant+"/"+api.DefaultDatabase)
		want := from.state(tenant)
		for _, into := range []*remote{older, newer} {
			if into == from {
				into.must(into.DropDatabase(t.Context(), tenant, api.DefaultDatabase))
			}
			m.must(0, append(restore, "--into", into.url)...)
			hello, err := into.Hello(t.Context())
			into.must(err)
			same(t, "a directory into "+into.url, into.state(tenant), want, hello.Kept)
		}
	}

	tenant := newer.newTenant()
	listed := notes(3)
	listed[1].Metadata["words"] = []any{"a", "b"}
	newer.fill(tenant, "listed", listed...)
	m := newMachine(t)
	flags := []string{"--chroma", "chromadb=" + newer.dir, "--repo", "backups"}
	m.must(0, append(flags, "backup", "--name", "hot")...)
	restore := append(flags, "restore", "hot", "--into", older.url, "--collection", tenant+"/"+api.DefaultDatabase+"/listed="+tenant+"-listed")
	_, stderr := m.must(holdfast.ExitRefused, restore...)
	refusal(t, stderr, "arrays", "--accept-losses")
	stdout, _ := m.must(0, append(restore, "--dry-run")...)
	contains(t, "a dry run", stdout, "arrays")
	if _, err := older.Databases(t.Context(), tenant); err == nil {
		t.Error("a restore that was refused made a tenant")
	}
	code, stdout, stderr := m.run(append(restore, "--accept-losses")...)
	if code != 0 && code != holdfast.ExitIncomplete {
		t.Fatalf("with accepted losses: exit %d\n%s%s", code, stdout, stderr)
	}
	contains(t, "a restore with losses", stdout+stderr, "arrays")
}

// onlyCollection is the name of the one collection of a backup.
func (m *machine) onlyCollection(backup string) string {
	m.t.Helper()
	stdout, _ := m.must(0, "--repo", "backups", "--json", "show", backup)
	_, rest, ok := strings.Cut(stdout, `"collections":`)
	_, rest, found := strings.Cut(rest, `"name":"`)
	name, _, end := strings.Cut(rest, `"`)
	if !ok || !found || !end {
		m.t.Fatalf("no collection in %s", stdout)
	}
	return name
}

// A backup by requests goes into the directory of a server that does not run, by way of a
// server at hand, and is served from there as it was.
func stoppedDirectory(t *testing.T, f fleet) {
	from := f[chromatest.Old].of(t)
	tenant := from.newTenant()
	from.fill(tenant, "notes", notes(200)...)
	from.fill(tenant, "awkward", awkwardly()...)
	want := from.state(tenant)
	m := newMachine(t).asks(from.url, tenant)
	m.must(0, "backup", "--name", "monday")
	m.file("holdfast.yaml", fmt.Sprintf("repository: backups\nsources: {chromadb: {type: chroma, path: data}}\ndrill: {chroma_command: %q}\n", chromatest.ShellCommand(t, chromatest.New)))
	m.must(0, "--yes", "restore", "monday")
	m.must(0, "verify", "monday")
	again := newRemote(t, chromatest.Start(t, chromatest.New, m.path("data")).URL())
	hello, err := again.Hello(t.Context())
	again.must(err)
	same(t, "out of a directory", again.state(tenant), want, hello.Kept)
	m.must(0, "backup", "--name", "of-the-directory")
	m.must(0, "diff", "monday", "of-the-directory", "--exit-code")
}
