//go:build linux

package test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/testserver"
)

// A guarded server is a Chroma server with a daemon in front of it.
type guarded struct {
	t       *testing.T
	m       *machine
	version chromatest.Version
	server  *chromatest.Server
	direct  *chromatest.Client // around the proxy
	daemon  *program
	port    string
}

// The hook that runs before each backup, and waits as long as the file hold is there.
const (
	holdHook = "hooks: {before_backup: bash hold.sh}\n"
	hold     = "hold"
)

// guard starts a server and `holdfast serve` with the proxy in front of it, whose
// configuration has more, and waits for the first backup, which is made at the start.
func (m *machine) guard(v chromatest.Version, more ...string) *guarded {
	t := m.t
	t.Helper()
	m.configure("standard", append(more, holdHook)...)
	m.script("hold.sh", `
[ "$HOLDFAST_TRIGGER" != auto ] || echo "$HOLDFAST_OP" >>begun
while [ -e hold ]; do sleep 0.02; done
`)
	t.Cleanup(func() { _ = os.Remove(m.path(hold)) }) // whatever the test left
	if err := os.MkdirAll(m.path("data/chromadb"), 0o755); err != nil {
		t.Fatal(err)
	}
	g := &guarded{t: t, m: m, version: v, server: chromatest.Start(t, v, m.path("data/chromadb"))}
	g.direct = g.server.Client()
	t.Cleanup(g.direct.Close)
	g.serve()
	g.logs(`"msg":"backup made"`)
	return g
}

// serve starts the daemon.
func (g *guarded) serve() {
	g.t.Helper()
	g.daemon = g.m.launch("--json", "serve", "--listen", "off", "--every", "24h", "--on-change", "off", "--chroma-proxy", "127.0.0.1:0="+g.server.URL())
	var serving struct{ Proxies []struct{ Listen string } }
	g.daemon.until("an object that tells the ports", func() bool {
		g.daemon.mu.Lock()
		defer g.daemon.mu.Unlock()
		return len(g.daemon.lines) > 0 && json.Unmarshal([]byte(g.daemon.lines[0].text), &serving) == nil && len(serving.Proxies) == 1
	})
	_, g.port, _ = strings.Cut(serving.Proxies[0].Listen, ":")
}

// logs waits until the log says something.
func (g *guarded) logs(text string) {
	g.t.Helper()
	g.daemon.until("the log says "+text, func() bool { return strings.Contains(g.daemon.stderr.String(), text) })
}

// through gives a client that goes through the proxy.
func (g *guarded) through() *chromatest.Client {
	c := chromatest.NewClient("http://127.0.0.1:" + g.port)
	g.t.Cleanup(c.Close)
	return c
}

// An answer is how an application ended.
type answer struct {
	words string // on standard error
	err   error
}

// begin lets an application with Chroma's own client do something through the proxy.
func (g *guarded) begin(verb string) <-chan answer {
	g.t.Helper()
	servers, err := testserver.Dir()
	if err != nil {
		g.t.Fatal(err)
	}
	file, err := filepath.Abs(filepath.Join("testdata", "proxy", "application.mjs"))
	if err != nil {
		g.t.Fatal(err)
	}
	client := filepath.Join(servers, string(g.version), "node_modules", "chromadb", "dist", "chromadb.mjs")
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	ended := make(chan answer, 1)
	go func() {
		defer cancel()
		out, err := exec.CommandContext(ctx, "node", file, client, "127.0.0.1", g.port, verb).CombinedOutput()
		ended <- answer{string(out), err}
	}()
	return ended
}

// does wants an application to succeed.
func (g *guarded) does(verb string) {
	g.t.Helper()
	if o := <-g.begin(verb); o.err != nil {
		g.t.Fatalf("the application's %s: %v: %s\n%s", verb, o.err, o.words, g.daemon)
	}
}

// refused wants an application to fail, and to be told why.
func (g *guarded) refused(ended <-chan answer, why ...string) {
	g.t.Helper()
	o := <-ended
	if o.err == nil {
		g.t.Fatalf("the application was not refused\n%s", g.daemon)
	}
	contains(g.t, "what the application is told", o.words, why...)
}

// held is what the server holds.
func (g *guarded) held() []chromatest.Record {
	g.t.Helper()
	return g.papers(g.direct)
}

// papers are the records of the application's collection in the order of their ids; nil if
// there is none.
func (g *guarded) papers(c *chromatest.Client) []chromatest.Record {
	g.t.Helper()
	all, err := c.Collections(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(c chromatest.Collection) bool { return c.Name == "papers" })
	if i < 0 {
		return nil
	}
	records, err := c.Get(g.t.Context(), all[i].ID, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	if n, err := c.Count(g.t.Context(), all[i].ID); err != nil || n != len(records) {
		g.t.Errorf("%d records are counted and %d given: %v", n, len(records), err)
	}
	slices.SortFunc(records, func(a, b chromatest.Record) int { return strings.Compare(a.ID, b.ID) })
	return records
}

// same wants these records to be those.
func (g *guarded) same(what string, got, want []chromatest.Record) {
	g.t.Helper()
	if err := sameRecords(got, want); err != nil {
		g.t.Errorf("%s: %v", what, err)
	}
}

// aside changes something around the proxy, so that no earlier backup holds everything.
func (g *guarded) aside(name string) {
	g.t.Helper()
	if _, err := g.direct.Create(g.t.Context(), chromatest.CollectionSpec{Name: name}); err != nil {
		g.t.Fatal(err)
	}
}

// automatic are the backups that the proxy had made, the oldest first.
func (g *guarded) automatic() []report.Backup {
	g.t.Helper()
	stdout, _ := g.m.must(0, "--json", "list")
	var all report.List
	if err := json.Unmarshal([]byte(stdout), &all); err != nil {
		g.t.Fatalf("%v: %s", err, stdout)
	}
	slices.Reverse(all.Backups)
	return slices.DeleteFunc(all.Backups, func(b report.Backup) bool { return b.Trigger != holdfast.TriggerAuto })
}

// made wants the proxy to have had these backups made, and gives the last one.
func (g *guarded) made(notes ...string) holdfast.BackupName {
	g.t.Helper()
	all := g.automatic()
	var got []string
	for _, b := range all {
		got = append(got, b.Note)
	}
	if !slices.Equal(got, notes) {
		g.t.Fatalf("the backups are %q, want %q\n%s", got, notes, g.daemon)
	}
	return all[len(all)-1].Name
}

const (
	beforeWrites   = "before writes through the Chroma proxy"
	beforeDeletion = "before a deletion through the Chroma proxy"
)

// holds wants a backup, restored elsewhere and served by a server of its own, to hold
// exactly these records.
func (g *guarded) holds(name holdfast.BackupName, want []chromatest.Record) {
	g.t.Helper()
	to := "restored-" + string(name)
	g.m.must(0, "restore", string(name), "--to", to)
	copied := chromatest.Start(g.t, g.version, g.m.path(to, "chromadb"))
	c := copied.Client()
	defer c.Close()
	g.same(string(name), g.papers(c), want)
	if len(want) == 0 {
		return
	}
	found, err := c.Query(g.t.Context(), id(g.t, c, "papers"), want[0].Embedding, len(want)+1)
	if err != nil || len(found) != len(want) {
		g.t.Errorf("a search in %s finds %d of %d: %v", name, len(found), len(want), err)
	}
}

// holdOn lets the next backup begin, and wait.
func (g *guarded) holdOn() {
	g.t.Helper()
	g.m.file(hold, "")
	if err := os.RemoveAll(g.m.path("begun")); err != nil {
		g.t.Fatal(err)
	}
}

// waits waits until a backup waits.
func (g *guarded) waits() {
	g.t.Helper()
	g.daemon.until("a backup begins", func() bool { _, err := os.Stat(g.m.path("begun")); return err == nil })
}

// letGo lets backups go on.
func (g *guarded) letGo() {
	g.t.Helper()
	if err := os.Remove(g.m.path(hold)); err != nil {
		g.t.Fatal(err)
	}
}

// cram takes all the room that is left where a file lies.
func (m *machine) cram(name string) {
	m.t.Helper()
	f, err := os.Create(m.path(name))
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	for part := make([]byte, 4<<10); ; {
		if _, err := f.Write(part); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			m.t.Fatal(err)
		}
	}
}

// Chroma's own client uploads and deletes through the proxy as it would without: what it
// deleted is in a backup.
func TestProxy_BackupsHoldWhatWasDeleted(t *testing.T) {
	eachServer(t, func(t *testing.T, v chromatest.Version) {
		g := newMachine(t).guard(v)
		g.aside("around")
		g.does("upload")
		g.holds(g.made(beforeWrites), nil)
		before := g.held()
		if len(before) != 299 {
			t.Fatalf("the application uploaded %d records", len(before))
		}
		g.does("clear")
		if g.held() != nil {
			t.Error("the application deleted a collection, and it is there")
		}
		g.holds(g.made(beforeWrites, beforeDeletion), before)
		g.aside("again")
		g.does("drop")
		g.made(beforeWrites, beforeDeletion, beforeDeletion)
		g.daemon.ends(0)
		g.m.must(0, "verify", "--all")
	})
}

// Writers that begin together wait for one backup, of what was before all of them; readers
// do not wait.
func TestProxy_WritersShareABackup(t *testing.T) {
	eachServer(t, func(t *testing.T, v chromatest.Version) {
		g := newMachine(t).guard(v, "serve: {proxy_burst: 1s}")
		g.does("upload")
		before := g.held()
		time.Sleep(1100 * time.Millisecond) // the burst is over
		made := len(g.automatic())
		g.holdOn()
		ended := g.begin("burst")
		g.waits()
		through := g.through()
		g.same("a read while a backup is made", g.papers(through), before)
		g.letGo()
		if o := <-ended; o.err != nil {
			t.Fatalf("%v: %s", o.err, o.words)
		}
		all := g.automatic()
		if len(all) != made+1 {
			t.Fatalf("%d backups for one burst", len(all)-made)
		}
		g.holds(all[made].Name, before)
	})
}

// What was acknowledged before a deletion is in the backup before it, however many write.
func TestProxy_ADeletionAmongWriters(t *testing.T) {
	t.Parallel()
	g := newMachine(t).guard(chromatest.New)
	g.does("upload")
	through := g.through()
	papers := id(t, through, "papers")
	want := g.held()
	var mu sync.Mutex
	var writers sync.WaitGroup
	begun := make(chan struct{}, 1000)
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ; i++ {
				r := []chromatest.Record{{ID: fmt.Sprintf("w%d-%d", w, i), Document: new("ข้อความ"), Embedding: []float32{float32(w), float32(i % 13), 2}}}
				if through.Add(t.Context(), papers, r) != nil {
					return // it is deleted
				}
				mu.Lock()
				want = append(want, r...)
				mu.Unlock()
				select {
				case begun <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 40 {
		<-begun
	}
	if err := through.Drop(t.Context(), "papers"); err != nil {
		t.Fatal(err)
	}
	writers.Wait()
	all := g.automatic()
	last := all[len(all)-1]
	if last.Note != beforeDeletion {
		t.Fatalf("the last backup is made %q", last.Note)
	}
	slices.SortFunc(want, func(a, b chromatest.Record) int { return strings.Compare(a.ID, b.ID) })
	g.holds(last.Name, want)
}

// Without a place for backups writes are refused and nothing is changed, until there is room
// again; readers are not touched.
func TestProxy_RefusesWithoutABackup(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.smallDisk("data/chromadb_backup", "2m")
	g := m.guard(chromatest.New)
	g.does("upload")
	before := g.held()
	m.cram("data/chromadb_backup/ballast")
	g.refused(g.begin("clear"), "nothing was changed", "the backup before it failed")
	g.same("after a refused deletion", g.held(), before)
	through := g.through()
	g.same("a read", g.papers(through), before)
	err := through.Drop(t.Context(), "papers")
	if status, ok := errors.AsType[*chromatest.StatusError](err); !ok || status.Status != http.StatusServiceUnavailable {
		t.Errorf("a deletion without a backup: %v", err)
	} else {
		contains(t, "the refusal", status.Body, "nothing was changed", "the backup before it failed")
		if strings.Contains(status.Body, m.dir) {
			t.Errorf("the refusal tells where things lie: %s", status.Body)
		}
	}
	g.logs(`a deletion was refused: there is no backup of what was before it`)
	if err := os.Remove(m.path("data/chromadb_backup/ballast")); err != nil {
		t.Fatal(err)
	}
	g.does("clear")
	all := g.automatic()
	g.holds(all[len(all)-1].Name, before)
}

// Where that was decided, writes pass without a backup, and it is said.
func TestProxy_PassesWithoutABackup(t *testing.T) {
	t.Parallel()
	g := newMachine(t).guard(chromatest.New, "serve: {proxy_on_failure: pass}")
	g.does("upload")
	if err := os.Rename(g.m.path("data/chromadb_backup"), g.m.path("moved")); err != nil {
		t.Fatal(err)
	}
	g.m.file("data/chromadb_backup", "no repository")
	g.does("clear")
	if g.held() != nil {
		t.Error("the collection is still there")
	}
	g.logs(`a deletion passes without a backup of what was before it`)
}

// A daemon that is killed while a write waits has changed nothing, and the next one goes on.
func TestProxy_KilledWhileAWriteWaits(t *testing.T) {
	eachServer(t, func(t *testing.T, v chromatest.Version) {
		g := newMachine(t).guard(v)
		g.does("upload")
		before := g.held()
		g.holdOn()
		ended := g.begin("clear")
		g.waits()
		g.daemon.crash()
		g.refused(ended)
		g.same("after the daemon was killed", g.held(), before)
		g.letGo()
		g.serve()
		g.does("clear")
		all := g.automatic()
		g.holds(all[len(all)-1].Name, before)
		g.m.must(0, "verify", "--all")
	})
}

// Told to stop, a daemon refuses the writes that wait, and leaves.
func TestProxy_StoppedWhileAWriteWaits(t *testing.T) {
	t.Parallel()
	g := newMachine(t).guard(chromatest.New)
	g.does("upload")
	before := g.held()
	g.holdOn()
	ended := g.begin("clear")
	g.waits()
	g.daemon.ends(0)
	g.refused(ended, "nothing was changed", "being shut down")
	g.same("after the daemon was stopped", g.held(), before)
	for _, b := range g.automatic() {
		if b.Note == beforeDeletion {
			t.Errorf("%s was made before a deletion that was refused", b.Name)
		}
	}
}
