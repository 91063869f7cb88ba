//go:build linux

package test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
)

// eachServer runs a test against the old and the newest server.
func eachServer(t *testing.T, test func(t *testing.T, v chromatest.Version)) {
	t.Parallel()
	for _, v := range chromatest.Versions() {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			test(t, v)
		})
	}
}

// configure writes holdfast.yaml for an assistant whose data lies in the
// manual's place.
func (m *machine) configure(mode string, more ...string) {
	m.t.Helper()
	file := fmt.Sprintf(`repository: ./data/chromadb_backup
sources:
  chromadb:
    type: chroma
    path: ./data/chromadb
    memory: {collection: %s}
    rag_mode: %s
%s`, memory, mode, strings.Join(more, "\n"))
	if err := os.WriteFile(m.path("holdfast.yaml"), []byte(file), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

const hooks = "hooks: {stop: " + stopHook + ", start: " + startHook + "}\n"

// contains asks for every one of some texts.
func contains(t *testing.T, what, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not say %q:\n%s", what, w, text)
		}
	}
}

// refusal checks an error as a person meets it: one line that names what
// matters, and a hint.
func refusal(t *testing.T, stderr string, want ...string) {
	t.Helper()
	contains(t, "the refusal", stderr, append(want, "hint: ")...)
	if n := strings.Count(stderr, "error: "); n != 1 {
		t.Errorf("%d lines of error, want one:\n%s", n, stderr)
	}
}

// The manual's flow from end to end: an enhanced backup of a server that runs,
// other data, the refusal to pull a directory from under its server, the
// restore between a stop and a start of it, and the way back.
func TestChroma_TheWholeFlow(t *testing.T) {
	eachServer(t, func(t *testing.T, v chromatest.Version) {
		m := newMachine(t)
		m.configure("enhanced")
		service := m.newService(v, "data/chromadb")
		client := service.client()
		monday := newAssistant(t, client)

		const name = "สำรอง_ก่อนอัปเกรด"
		m.must(0, "backup", "--name", name, "--note", "ก่อนนำเข้า")
		m.backedUp(name, v)
		stdout, _ := m.must(0, "verify", name)
		contains(t, "verify", stdout, "proven "+name)
		stdout, _ = m.must(0, "show", name)
		contains(t, "show", stdout, "ก่อนนำเข้า", documents, memory)

		present := monday.clone()
		present.remove(t, client, documents, 30)
		present.add(t, client, documents, 100, 25)
		present.remove(t, client, memory, 44)
		present.served(t, client)

		first := service.pid()
		_, stderr := m.must(13, "--yes", "restore", name)
		refusal(t, stderr, "chromadb", fmt.Sprintf("process %d", first))
		present.served(t, client)

		m.configure("enhanced", hooks)
		stdout, _ = m.must(0, "--yes", "restore", name)
		contains(t, "restore", stdout, "Restored chromadb from "+name, "memory: restored", "the state before is the backup emergency_restore_")
		second := service.pid()
		if second == first {
			t.Fatal("the hooks did not start another server")
		}
		client = service.client()
		monday.served(t, client)
		grown := monday.clone()
		grown.add(t, client, documents, 200, 30)
		grown.add(t, client, memory, 200, 30)
		grown.served(t, client)

		m.must(0, "--yes", "rollback")
		if service.pid() == second {
			t.Fatal("rollback did not start another server")
		}
		present.served(t, service.client())

		stdout, _ = m.must(0, "backup", "--trigger", "auto")
		contains(t, "backup", stdout, "Backed up to auto_backup_")
		m.must(0, "verify", "--all")
	})
}

// backedUp looks at the files of an enhanced backup of a new assistant: the
// manual's tree with the manual's fields.
func (m *machine) backedUp(name string, v chromatest.Version) {
	m.t.Helper()
	dir := m.path("data", "chromadb_backup", name)
	var md holdfast.Metadata
	m.json(dir+"/backup_metadata.json", &md)
	if string(md.BackupName) != name || md.Type != holdfast.Enhanced || !md.IncludesMemory || md.RAGMode != "enhanced" || md.DatabaseInfo.TotalRecords != 90 {
		m.t.Errorf("backup_metadata.json: %+v", md)
	}
	want := map[chromatest.Version]string{chromatest.Old: "2/5/9", chromatest.New: "2/6/10"}[v]
	s := md.Sources[0].Facts.Chroma.Schema
	if got := fmt.Sprintf("%d/%d/%d", s.EmbeddingsQueue, s.MetaDB, s.SysDB); got != want {
		m.t.Errorf("the backup is of schema %s, want %s", got, want)
	}
	var info holdfast.MemoryInfo
	m.json(dir+"/memory_info.json", &info)
	if info.TotalMemories != 45 || len(info.Collections) != 1 || info.Collections[0].Name != memory || info.Collections[0].Space != "cosine" {
		m.t.Errorf("memory_info.json: %+v", info)
	}
	m.must(0, "export", name, "exported")
	memories, err := readMemories(m.path("exported"))
	if err == nil {
		err = sameRecords(memories, thai(memory, 0, 45))
	}
	if err != nil {
		m.t.Errorf("memories.json: %v", err)
	}
}

// json reads a file of JSON.
func (m *machine) json(path string, v any) {
	m.t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// Memory alone comes back into a directory whose server is stopped; the
// documents keep what they have.
func TestChroma_MemoryAlone(t *testing.T) {
	eachServer(t, func(t *testing.T, v chromatest.Version) {
		m := newMachine(t)
		m.configure("enhanced")
		service := m.newService(v, "data/chromadb")
		client := service.client()
		monday := newAssistant(t, client)
		m.must(0, "backup", "--name", "monday")
		present := monday.clone()
		present.remove(t, client, documents, 30)
		present.remove(t, client, memory, 40)
		present.add(t, client, memory, 300, 50)

		_, stderr := m.must(13, "--yes", "restore", "monday", "--only", "memory")
		refusal(t, stderr, fmt.Sprintf("process %d", service.pid()))
		service.stop()
		stdout, _ := m.must(0, "--yes", "restore", "monday", "--only", "memory")
		contains(t, "restore", stdout, "Restored the memory from monday", "memory: restored")
		service.start()
		client = service.client()
		restored := assistant{documents: present[documents], memory: monday[memory]}
		restored.served(t, client)
		restored.add(t, client, memory, 400, 30)
		restored.served(t, client)

		service.stop()
		m.must(0, "--yes", "rollback")
		service.start()
		present.served(t, service.client())
	})
}

// An assistant in the standard mode takes no memory, a standard backup has
// none, and both say so.
func TestChroma_WithoutMemory(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.configure("enhanced")
	service := m.newService(chromatest.New, "data/chromadb")
	client := service.client()
	monday := newAssistant(t, client)
	m.must(0, "backup", "--name", "monday")
	stdout, _ := m.must(0, "backup", "--type", "standard")
	contains(t, "backup", stdout, "Backed up to standard_backup_", "not included")
	stdout, _ = m.must(0, "restore", "latest", "--to", "copy")
	contains(t, "restore", stdout, "memory: the backup includes none")
	for _, absent := range []string{"memory_collection", "memory_info.json"} {
		if _, err := os.Stat(m.path("copy", absent)); !os.IsNotExist(err) {
			t.Errorf("a standard backup holds %s: %v", absent, err)
		}
	}

	service.stop()
	m.configure("standard")
	_, stderr := m.must(13, "--yes", "restore", "monday", "--only", "memory")
	refusal(t, stderr, "rag_mode")
	stdout, stderr = m.must(0, "--yes", "restore", "monday")
	contains(t, "restore", stdout, "memory: skipped: rag_mode")
	contains(t, "the warning", stderr, "rag_mode")
	service.start()
	monday.served(t, service.client())
}

// The server leaves the index of a deleted collection where it was. No collection names
// it, so no restore keeps the replaced state for its sake, or warns of it.
func TestChroma_ADeletedCollectionKeepsNothingAside(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.configure("enhanced")
	service := m.newService(chromatest.New, "data/chromadb")
	monday := newAssistant(t, service.client())
	m.must(0, "backup", "--name", "monday")
	if err := service.client().Drop(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
	service.stop()
	stdout, _ := m.must(0, "show", "monday", "--json")
	var shown struct {
		Metadata holdfast.Metadata `json:"metadata"`
	}
	if err := json.Unmarshal([]byte(stdout), &shown); err != nil {
		t.Fatal(err)
	}
	for _, c := range shown.Metadata.Sources[0].Facts.Chroma.Collections {
		if _, err := os.Stat(m.path("data", "chromadb", c.Segment)); c.Name == documents && err != nil {
			t.Fatalf("the server removed the folder of the deleted collection: %v", err)
		}
	}
	stdout, stderr := m.must(0, "--yes", "restore", "monday")
	contains(t, "restore", stdout, "Restored chromadb from monday", "the state before is the backup emergency_restore_")
	if strings.Contains(stdout+stderr, "before-") {
		t.Errorf("the replaced state is kept:\n%s%s", stdout, stderr)
	}
	service.start()
	monday.served(t, service.client())
}

// A directory whose database is destroyed comes back, and what was there
// before, although no backup of it could be made, is kept.
func TestChroma_DestroyedDirectory(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.configure("enhanced")
	service := m.newService(chromatest.Old, "data/chromadb")
	monday := newAssistant(t, service.client())
	m.must(0, "backup", "--name", "monday")
	service.stop()
	garbage := []byte(strings.Repeat("no database any more ", 1000))
	if err := os.WriteFile(m.path("data", "chromadb", "chroma.sqlite3"), garbage, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := m.run("backup"); code == 0 {
		t.Errorf("a destroyed directory is backed up without a word: %s", stderr)
	}
	stdout, stderr := m.must(0, "--yes", "restore", "monday")
	contains(t, "restore", stdout, "kept aside: ")
	contains(t, "the warning", stderr, "the present state could not be backed up")
	service.start()
	monday.served(t, service.client())
}

// What a newer server wrote cannot be served by an older one: restoring it over
// an older server's directory warns.
func TestChroma_OntoAnOlderServer(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.configure("enhanced")
	service := m.newService(chromatest.New, "data/chromadb")
	newAssistant(t, service.client())
	m.must(0, "backup", "--name", "newer")
	service.stop()
	if err := os.RemoveAll(m.path("data", "chromadb")); err != nil {
		t.Fatal(err)
	}
	service = m.newService(chromatest.Old, "data/chromadb")
	older := newAssistant(t, service.client())
	m.must(0, "backup", "--name", "older")
	service.stop()

	_, stderr := m.must(0, "restore", "newer", "--dry-run")
	contains(t, "the plan", stderr, "warning: ", "newer Chroma")
	_, stderr = m.must(0, "--yes", "restore", "newer")
	contains(t, "restore", stderr, "warning: ", "newer Chroma", "hint: ")
	_, stderr = m.must(0, "--yes", "restore", "older")
	if strings.Contains(stderr, "newer Chroma") {
		t.Errorf("the way back to the older one warns too:\n%s", stderr)
	}
	service.start()
	older.served(t, service.client())
}
