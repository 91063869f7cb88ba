//go:build linux

package test

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// onlineKills is for a longer run: go test ./test -run ChromaHTTP_Killed -online-kills 200.
var onlineKills = flag.Int("online-kills", 8, "restores into a running Chroma server that are killed")

// A restore into a running server is cut by a SIGKILL of holdfast or of the server, at any
// moment. After recover, the server is what it was or what the backup is, and
// nothing of the restore is left in it.
func TestChromaHTTP_KilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := chromatest.Start(t, chromatest.New, dir)
	// A server that comes back has another port; its clients do not see that.
	var upstream atomic.Pointer[url.URL]
	points := func() {
		at, err := url.Parse(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		upstream.Store(at)
	}
	points()
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(upstream.Load()) },
		ErrorLog: log.New(io.Discard, "", 0), // that a server is dead is what this is about
	})
	t.Cleanup(front.Close)
	r := newRemote(t, front.URL)
	for name, n := range map[string]int{"replaced": 150, "small": 3} {
		r.fill(api.DefaultTenant, name, notes(n)...)
	}
	m := newMachine(t).asks(r.url, api.DefaultTenant)
	m.must(0, "backup", "--name", "monday")
	wanted := r.state(api.DefaultTenant)
	stays := r.fill(api.DefaultTenant, "stays", notes(5)...)
	wanted["default_tenant/default_database/stays"] = shelf{stays, r.records(stays)}

	restore := []string{"--yes", "restore", "monday"}
	random := seeded(t)
	var limit time.Duration
	cut, old, restored := 0, 0, 0
	for i := range *onlineKills + 1 {
		for _, name := range []string{"replaced", "small"} {
			c, err := r.Collection(t.Context(), api.DefaultTenant, api.DefaultDatabase, name)
			r.must(err)
			r.must(r.Upsert(t.Context(), c, []disk.Record{
				{ID: "note-1", Document: new("changed"), Embedding: []float32{float32(i), 1, 1}}, {ID: "later", Embedding: []float32{9, 9, 9}},
			}))
		}
		before := r.state(api.DefaultTenant)
		switch {
		case i == 0: // the first one is left alone, and tells how long it takes
			limit = m.measured(restore...)
		case i%2 == 1:
			if m.cutShort(random, limit, restore...) {
				cut++
			}
		default:
			c := m.command(restore...)
			r.must(c.Start())
			time.Sleep(time.Duration(random.Int64N(int64(limit))))
			r.must(server.Kill())
			// It would wait for the server to come back for minutes.
			r.must(c.Process.Kill())
			if c.Wait() != nil {
				cut++
			}
			server = chromatest.Start(t, chromatest.New, dir)
			points()
		}
		m.must(0, "recover")
		state := r.state(api.DefaultTenant)
		errOld, errNew := equalStates(state, before), equalStates(state, wanted)
		switch {
		case errOld == nil:
			old++
		case errNew == nil:
			restored++
		default:
			t.Fatalf("kill %d: neither old (%v) nor new (%v)", i, errOld, errNew)
		}
	}
	if cut == 0 {
		t.Error("no restore was cut: the kill came too late every time")
	}
	if restored == 0 {
		t.Error("the restore that nobody killed restored nothing")
	}
	m.must(0, "verify", "monday")
	t.Logf("%d of %d restores were cut: %d times the old state, %d times the new", cut, *onlineKills, old, restored)
}

// A running server dies by SIGKILL at a random moment of a restore that lives on. Where it
// comes back, on the same port and data, the restore ends by itself and says truly how;
// where it does not, the restore gives up with one error and its journal, and recover
// settles it as soon as the server is there. Either way the server holds exactly what it held
// or exactly what was to be.
func TestChromaHTTP_ServerKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	for _, v := range chromatest.Versions() {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			newMortal(t, v).dies()
		})
	}
}

// A mortal is a server of its own, and a machine with a backup of it.
type mortal struct {
	*remote
	server *chromatest.Server
	m      *machine
	// backup is what is restored, whole or by single records.
	backup map[string]shelf
}

// mortalRecords are restored one by one: some that are there, and one that is not.
var mortalRecords = []string{"note-1", "note-2", "note-149"}

func newMortal(t *testing.T, v chromatest.Version) *mortal {
	t.Helper()
	server := chromatest.Start(t, v, t.TempDir())
	d := &mortal{remote: newRemote(t, server.URL()), server: server, m: newMachine(t)}
	d.fill(api.DefaultTenant, "replaced", notes(150)...)
	d.fill(api.DefaultTenant, "small", notes(3)...)
	d.patience("2m")
	d.m.must(0, "backup", "--name", "monday")
	d.backup = d.state(api.DefaultTenant)
	return d
}

// patience says how long holdfast waits for the server.
func (d *mortal) patience(long string) {
	d.m.file("holdfast.yaml", fmt.Sprintf("repository: backups\nsources:\n  chromadb: {type: chroma, url: %q, rate: 100000, patience: %s}\n", d.url, long))
}

// change makes the server another than the backup, and another than before.
func (d *mortal) change(n int) {
	d.t.Helper()
	for _, name := range []string{"replaced", "small"} {
		c, err := d.Collection(d.t.Context(), api.DefaultTenant, api.DefaultDatabase, name)
		d.must(err)
		d.must(d.Delete(d.t.Context(), c, []string{"note-149"}))
		d.must(d.Upsert(d.t.Context(), c, []disk.Record{
			{ID: "note-1", Document: new("changed"), Embedding: []float32{float32(n), 1, 1}}, {ID: "later", Embedding: []float32{9, 9, float32(n)}},
		}))
	}
}

// merged is a state into which records of the backup were restored.
func (d *mortal) merged(state map[string]shelf) map[string]shelf {
	const at = "default_tenant/default_database/replaced"
	want := maps.Clone(state)
	s := want[at]
	s.records = slices.Clone(s.records)
	for _, r := range d.backup[at].records {
		i := slices.IndexFunc(s.records, func(x disk.Record) bool { return x.ID == r.ID })
		switch {
		case !slices.Contains(mortalRecords, r.ID):
		case i < 0:
			s.records = append(s.records, r)
		default:
			s.records[i] = r
		}
	}
	want[at] = s
	return want
}

// dies kills the server in one restore after the other.
func (d *mortal) dies() {
	t, random := d.t, seeded(d.t)
	whole := []string{"--yes", "restore", "monday"}
	single := append(slices.Clone(whole), "--collection", "replaced")
	for _, id := range mortalRecords {
		single = append(single, "--id", id)
	}
	limits := map[bool]time.Duration{}
	met := 0
	for i, run := range []struct {
		single bool
		kill   string // where empty it lives on, and tells how long it takes
	}{{false, ""}, {true, ""}, {false, "returns"}, {true, "returns"}, {false, "stays away"}, {true, "stays away"}} {
		d.change(i)
		before, wanted, args := d.state(api.DefaultTenant), d.backup, whole
		if run.single {
			wanted, args = d.merged(before), single
		}
		d.patience(map[bool]string{true: "300ms", false: "2m"}[run.kill == "stays away"])
		r := d.begin(args...)
		r.until("emergency backup")
		began := time.Now()
		after := limits[run.single]
		if run.kill != "" {
			after = time.Duration(random.Int64N(int64(after)))
			time.Sleep(after)
			if r.lives() {
				met++
			}
			d.must(d.server.Kill())
		}
		if run.kill == "returns" {
			d.server.StartAgain(t)
		}
		code, stderr := r.wait()
		if run.kill == "" {
			limits[run.single] = time.Since(began)
		}
		what := fmt.Sprintf("restore %d, %s after %v of %v: exit %d\n%s", i, run.kill, after, limits[run.single], code, stderr)
		journal := d.m.path("backups", ".holdfast", "parts-journal.json")
		if run.kill == "stays away" {
			d.server.StartAgain(t)
			if _, err := os.Stat(journal); err == nil && (code == 0 || !strings.Contains(stderr, "holdfast recover")) {
				t.Errorf("%sthere is a journal", what)
			}
			d.m.must(0, "recover")
		}
		if _, err := os.Stat(journal); err == nil {
			t.Errorf("%sa journal is left", what)
		}
		state := d.state(api.DefaultTenant)
		errOld, errNew := equalStates(state, before), equalStates(d.but(state, stderr), wanted)
		switch code {
		case 0, holdfast.ExitIncomplete:
			if errNew != nil || code != 0 && run.kill != "stays away" {
				t.Fatalf("%snot as it was to be: %v", what, errNew)
			}
		default:
			refusal(t, stderr, d.url)
			if errOld != nil && errNew != nil || run.kill != "stays away" {
				t.Fatalf("%sneither old (%v) nor new (%v)", what, errOld, errNew)
			}
		}
		t.Logf("%sold: %v, new: %v", what, errOld == nil, errNew == nil)
	}
	if met == 0 {
		t.Error("every restore was over when the server died")
	}
}

// but leaves out of a state what a restore told to have kept, which the server did not
// live to remove, and removes it.
func (d *mortal) but(state map[string]shelf, told string) map[string]shelf {
	d.t.Helper()
	rest := maps.Clone(state)
	for name, s := range state {
		if strings.Contains(name, "-old-") && strings.Contains(told, name) {
			d.must(d.Drop(d.t.Context(), s.Collection))
			delete(rest, name)
		}
	}
	return rest
}

// A begun is a restore under way.
type begun struct {
	t     *testing.T
	c     *exec.Cmd
	lines *bufio.Scanner
	told  strings.Builder
}

func (d *mortal) begin(args ...string) *begun {
	d.t.Helper()
	b := &begun{t: d.t, c: d.m.command(args...)}
	stderr, err := b.c.StderrPipe()
	d.must(err)
	d.must(b.c.Start())
	b.lines = bufio.NewScanner(stderr)
	return b
}

// until reads what is told, up to a step that has ended.
func (b *begun) until(step string) {
	b.t.Helper()
	for b.lines.Scan() {
		fmt.Fprintln(&b.told, b.lines.Text())
		if strings.Contains(b.lines.Text(), "✓ "+step) {
			return
		}
	}
	b.t.Fatalf("there was no %s:\n%s", step, &b.told)
}

// lives tells whether the restore is still at work.
func (b *begun) lives() bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.c.Process.Pid))
	return err == nil && !bytes.Contains(text, []byte(") Z "))
}

// wait reads the rest.
func (b *begun) wait() (code int, stderr string) {
	b.t.Helper()
	for b.lines.Scan() {
		fmt.Fprintln(&b.told, b.lines.Text())
	}
	err := b.c.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), b.told.String()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return 0, b.told.String()
}

// equalStates compares all that two states of one server hold.
func equalStates(got, want map[string]shelf) error {
	for name := range got {
		if _, ok := want[name]; !ok {
			return fmt.Errorf("%s is too much", name)
		}
	}
	for name, w := range want {
		if err := equalRecords(got[name].records, w.records, w.Space, nil); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
