//go:build linux

package test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// A repository in object storage, from the first backup to the last compaction,
// while sqlite3 keeps writing.
func TestS3_AWholeLife(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m := newUser(t, s.at("backups"))
	m.grow("bot.db", 3000)
	w := m.newWriter("bot.db")
	w.await(50)

	full := m.backup("--name", "monday")
	if full.Form != "full" {
		t.Errorf("the first backup is a %s", full.Form)
	}
	caught := ledger{}
	for range 3 {
		w.await(30)
		delta := m.backup("--trigger", "scheduled")
		if delta.Form != "delta" || delta.Stored*8 > full.Stored {
			t.Errorf("%s is a %s of %d bytes, the full has %d", delta.Name, delta.Form, delta.Stored, full.Stored)
		}
	}
	w.stop() // on a slow machine it would write more meanwhile than a delta is for
	for _, name := range m.list().names() {
		m.must(0, "restore", name, "--to", "copy")
		m.sound("copy/bot/bot.db")
		caught[name] = m.sum("copy/bot/bot.db")
		if err := os.RemoveAll(m.path("copy")); err != nil {
			t.Fatal(err)
		}
	}

	// The writer rests: now the very file is known.
	last := m.backup("--trigger", "scheduled")
	caught.note(m)
	before := s.objects("backups/")
	again := m.backup("--trigger", "scheduled")
	caught.note(m)
	if again.Form != "delta" || again.Stored != 0 {
		t.Errorf("nothing has changed, and %s is a %s of %d bytes", again.Name, again.Form, again.Stored)
	}
	var grown int64
	for key, size := range s.objects("backups/") {
		grown += size - before[key]
	}
	if grown > 16<<10 {
		t.Errorf("a backup in which nothing changed costs %d bytes in the bucket", grown)
	}
	stdout, _ := m.must(0, "verify", "--all")
	if n := strings.Count(stdout, "proven "); n != 6 {
		t.Errorf("%d backups are proven, want 6:\n%s", n, stdout)
	}
	caught.check(m)

	// In place, and back.
	now := m.sum("bot.db")
	m.must(0, "--yes", "restore", "monday")
	if m.sum("bot.db") != caught["monday"] {
		t.Error("restore brought another database than was backed up")
	}
	m.sound("bot.db")
	m.must(0, "--yes", "rollback")
	if m.sum("bot.db") != now {
		t.Error("rollback did not bring back what was there before")
	}
	for name := range caught {
		if name != "monday" && name != last.Name && name != again.Name {
			m.must(0, "--yes", "delete", name)
		}
	}

	// The full goes, but not what others need of it.
	m.must(0, "--yes", "delete", "monday")
	if l := m.list(); slices.Contains(l.names(), "monday") || !slices.ContainsFunc(l.Hidden, func(h struct{ Name string }) bool { return h.Name == "monday" }) {
		t.Errorf("monday was deleted: %+v", l)
	}
	caught.restores(m, again.Name)
	m.must(0, "compact")
	if l := m.list(); len(l.Hidden) != 0 {
		t.Errorf("compact left %+v", l.Hidden)
	}
	if left := s.objects("backups/monday/"); len(left) != 0 {
		t.Errorf("compact left %v", left)
	}
	caught.restores(m, again.Name)
	caught.restores(m, last.Name)

	// One rule keeps one; what is kept stays whole.
	m.with("HOLDFAST_RETENTION_DAYS=0", "HOLDFAST_RETENTION_KEEP_LAST=1", "HOLDFAST_RETENTION_EMERGENCY_DAYS=0")
	m.must(0, "verify", "latest")
	stdout, _ = m.must(0, "prune")
	contains(t, "prune", stdout, "remove")
	if got := m.list().names(); !slices.Contains(got, again.Name) || slices.Contains(got, last.Name) {
		t.Errorf("after prune there are %q", got)
	}
	caught.restores(m, again.Name)
	m.must(0, "verify", "--all")
}

// What is restored is read by ranges; the rest of the backup stays where it is,
// and so does the rest of a payload.
func TestS3_RestoreReadsOnlyWhatItNeeds(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m := newMachine(t)
	m.with(s3test.Environment()...)
	m.grow("bot.db", 500)
	m.grow("other.db", 9000)
	global := []string{"--repo", s.at("backups"), "--sqlite", "bot.db", "--sqlite", "other.db"}
	m.must(0, append(global, "backup", "--name", "monday")...)
	whole := s.objects("backups/monday/")

	s.proxy.Forget()
	m.must(0, append(global, "restore", "monday", "--only", "bot", "--to", "copy")...)
	if m.sum("copy/bot/bot.db") != m.sum("bot.db") {
		t.Error("another database came back")
	}
	var got int64
	for _, r := range s.proxy.Seen() {
		if r.Method == "GET" {
			got += r.Bytes
		}
		if strings.Contains(r.Path, "other.db") {
			t.Errorf("%s %s was asked for, and nobody wanted it", r.Method, r.Path)
		}
	}
	if want := whole["backups/monday/bot/bot.db.zst"]; want == 0 || got > want+64<<10 {
		t.Errorf("%d bytes came for a payload of %d; there are %v", got, want, whole)
	}

	s.proxy.Forget()
	m.must(0, append(global, "restore", "monday", "--only", "other", "--to", "copy2")...)
	if m.sum("copy2/other/other.db") != m.sum("other.db") {
		t.Error("another database came back")
	}
	for _, r := range s.proxy.Seen() {
		if r.Method == "GET" && strings.HasSuffix(r.Path, ".zst") && r.Range == "" {
			t.Errorf("%s was read whole, in one request", r.Path)
		}
	}
}

// An assistant whose Chroma server goes on serving is backed up to object
// storage, grows, and both states come back as they were.
func TestS3_AServedChroma(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m := newMachine(t)
	m.with(s3test.Environment()...)
	m.configure("enhanced", hooks)
	m.with("HOLDFAST_REPOSITORY=" + s.at("assistant"))
	service := m.newService(chromatest.New, "data/chromadb")
	client := service.client()
	monday := newAssistant(t, client)
	m.backup("--name", "monday")
	tuesday := monday.clone()
	tuesday.add(t, client, documents, 100, 25)
	tuesday.remove(t, client, memory, 10)
	delta := m.backup("--trigger", "scheduled")
	if delta.Form != "delta" || delta.Parent != "monday" {
		t.Errorf("%+v", delta)
	}
	m.must(0, "verify", "--all")

	m.must(0, "--yes", "restore", "monday")
	monday.served(t, service.client())
	m.must(0, "--yes", "restore", delta.Name)
	tuesday.served(t, service.client())
	m.must(0, "restore", delta.Name, "--to", "copy")
	memories, err := readMemories(m.path("copy"))
	if err == nil {
		err = sameRecords(memories, tuesday[memory])
	}
	if err != nil {
		t.Error(err)
	}
}
