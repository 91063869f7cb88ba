//go:build linux

package test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/internal/s3test"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// An encrypted backup in a bucket is looked into, searched and compared, and a record that
// was found goes back into the server, alone.
func insideOfABucket(t *testing.T, f fleet) {
	s := newStore(t)
	server := f[chromatest.New].of(t)
	tenant := server.newTenant()
	all := notes(400)
	all[123].Document = new("the blue whale ปลาวาฬ sings")
	c := server.fill(tenant, "notes", all...)
	server.fill(tenant, "awkward", awkwardly()...)
	m := newMachine(t).with(s3test.Environment()...)
	m.file("passphrase", passphrase+"\n")
	m.with("HOLDFAST_PASSPHRASE_FILE=passphrase")
	m.asks(server.url, tenant).with("HOLDFAST_REPOSITORY=" + s.at("sealed"))
	m.must(0, "backup", "--name", "monday")
	want := server.state(tenant)

	stdout, _ := m.must(0, "browse", "monday")
	contains(t, "browse", stdout, "notes", "400", "awkward")
	stdout, _ = m.must(0, "browse", "monday", "chromadb/notes", "--limit", "3")
	contains(t, "browse", stdout, "note-0", "note-2")
	if strings.Contains(stdout, "note-3") {
		t.Errorf("a page of three rows:\n%s", stdout)
	}
	stdout, _ = m.must(0, "browse", "monday", "chromadb/notes", "--key", "note-123", "--vectors")
	contains(t, "browse", stdout, "ปลาวาฬ", "123.1")
	_, stderr := m.must(holdfast.ExitNotFound, "browse", "monday", "chromadb/note")
	refusal(t, stderr, `notes`)
	_, stderr = m.must(holdfast.ExitNotFound, "restore", "monday", "--collection", "ntoes")
	refusal(t, stderr, `notes`)

	// The record is lost, and another one changes.
	server.must(server.Delete(t.Context(), c, []string{"note-123"}))
	server.must(server.Upsert(t.Context(), c, []disk.Record{{ID: "note-5", Metadata: holdfast.Values{"two": int64(2)}, Embedding: all[5].Embedding}}))
	m.backup("--trigger", "scheduled", "--name", "tuesday")
	for _, other := range []string{"live", "tuesday"} {
		stdout, _ = m.must(0, "--json", "diff", "monday", other, "--details")
		var differs []string
		for line := range strings.Lines(stdout) {
			var row struct {
				Type, Table, Key, Change string
			}
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			if row.Key != "" {
				differs = append(differs, row.Key+" "+row.Change)
			}
		}
		if got := fmt.Sprint(differs); got != "[note-123 removed note-5 changed]" {
			t.Errorf("diff monday %s tells %s\n%s", other, got, stdout)
		}
	}
	m.must(1, "diff", "monday", "live", "--exit-code")
	stdout, _ = m.must(0, "--json", "search", "monday", "BLUE WHALE")
	var hit struct {
		Source, Table, Key string
		Row                struct{ Key string }
	}
	first, _, _ := strings.Cut(stdout, "\n")
	if err := json.Unmarshal([]byte(first), &hit); err != nil {
		t.Fatalf("%v: %s", err, first)
	}
	key := or(hit.Key, hit.Row.Key)
	if key != "note-123" {
		t.Fatalf("the search found %s", stdout)
	}
	stdout, stderr = m.must(0, "search", "monday", "blue whale")
	contains(t, "search", stdout+stderr, "--id note-123")
	stdout, _ = m.must(0, "search", "tuesday", "blue whale")
	if strings.Contains(stdout, "note-123") {
		t.Errorf("a record that is gone was found:\n%s", stdout)
	}
	m.must(0, "--yes", "restore", "monday", "--collection", hit.Table, "--id", key)
	records := server.records(c)
	if n := len(records); n != 400 {
		t.Fatalf("%d records after one was brought back", n)
	}
	back, _, err := server.Get(t.Context(), c, []string{"note-123"}, disk.Everything)
	server.must(err)
	if err := equalRecords(back, want[tenant+"/"+api.DefaultDatabase+"/notes"].records[123:124], c.Space, nil); err != nil {
		t.Error(err)
	}
	changed, _, err := server.Get(t.Context(), c, []string{"note-5"}, disk.Everything)
	server.must(err)
	if changed[0].Metadata["two"] != int64(2) {
		t.Errorf("a record that nobody asked for came back, too: %v", changed[0].Metadata)
	}
	m.must(0, "--yes", "restore", "monday")
	m.must(0, "diff", "monday", "live", "--exit-code")
}
