//go:build linux

package test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
)

// A service is a Chroma server that belongs to the machine, not to the test: two
// scripts start and stop it, as an operator's would, and holdfast's hooks call
// them.
type service struct {
	m   *machine
	url string
}

// The scripts, in the directory where holdfast runs. A shell reads them: another
// test may start a process while they are written, and what is open for writing
// cannot be executed.
const (
	startScript, startHook = "start.sh", "bash start.sh"
	stopScript, stopHook   = "stop.sh", "bash stop.sh"
)

// newService writes the scripts for a server on dir, which is relative to the
// machine, and starts it.
func (m *machine) newService(v chromatest.Version, dir string) *service {
	m.t.Helper()
	port, err := chromatest.FreePort()
	if err != nil {
		m.t.Fatal(err)
	}
	command, err := chromatest.CommandLine(v, dir, port)
	if err != nil {
		m.t.Fatal(err)
	}
	signal := map[chromatest.Version]string{chromatest.Old: "TERM", chromatest.New: "INT"}[v]
	// A process that has ended but was not waited for has no command line.
	m.script(stopScript, fmt.Sprintf(`
pid=$(cat chroma.pid)
kill -%s "$pid"
for i in $(seq 300); do
	[ -n "$(tr -d '\0' <"/proc/$pid/cmdline" 2>/dev/null || true)" ] || exit 0
	sleep 0.05
done
echo "chroma, process $pid, does not end" >&2
exit 1
`, signal))
	m.script(startScript, fmt.Sprintf(`
setsid '%s' >chroma.log 2>&1 </dev/null &
echo $! >chroma.pid
for i in $(seq 600); do
	! (exec 3<>/dev/tcp/127.0.0.1/%d) 2>/dev/null || exit 0
	sleep 0.05
done
tail -n 5 chroma.log >&2
exit 1
`, strings.Join(command, "' '"), port))
	s := &service{m, fmt.Sprintf("http://127.0.0.1:%d", port)}
	m.t.Cleanup(s.kill)
	s.start()
	return s
}

// script writes a bash script.
func (m *machine) script(name, body string) {
	m.t.Helper()
	if err := os.WriteFile(m.path(name), []byte("set -euo pipefail"+body), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (s *service) start() { s.m.shell(startHook) }
func (s *service) stop()  { s.m.shell(stopHook) }

// pid is the process that was started last; 0 if none is known.
func (s *service) pid() int {
	text, err := os.ReadFile(s.m.path("chroma.pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		s.m.t.Errorf("chroma.pid: %v", err)
	}
	return pid
}

// kill ends the server at the end of the test, so that the machine's directory
// can be removed.
func (s *service) kill() {
	pid := s.pid()
	if pid == 0 {
		return
	}
	_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || len(command) == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.m.t.Errorf("the server, process %d, does not end", pid)
			return
		}
	}
}

// client gives a client of the running server.
func (s *service) client() *chromatest.Client {
	c := chromatest.NewClient(s.url)
	s.m.t.Cleanup(c.Close)
	for deadline := time.Now().Add(time.Minute); c.Heartbeat(s.m.t.Context()) != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.m.t.Fatal("the server does not answer")
		}
	}
	return c
}

// An assistant is what a client keeps in the server: documents and memory.
type assistant map[string][]chromatest.Record

const (
	documents   = "documents"
	memory      = "enhanced_rag_memory" // the manual's name
	persistence = 20                    // log records between two persists
)

// newAssistant makes both collections and fills them, partly persisted and
// partly only in the server's log.
func newAssistant(t *testing.T, c *chromatest.Client) assistant {
	t.Helper()
	a := assistant{}
	for name, space := range map[string]string{documents: "l2", memory: "cosine"} {
		col, err := c.Create(t.Context(), chromatest.CollectionSpec{Name: name, Space: space, SyncThreshold: persistence})
		if err != nil {
			t.Fatal(err)
		}
		for first := 0; first < 45; first += 9 {
			if err := c.Add(t.Context(), col.ID, thai(name, first, 9)); err != nil {
				t.Fatal(err)
			}
		}
		a[name] = thai(name, 0, 45)
	}
	return a
}

// thai makes records as a Thai assistant has them.
func thai(collection string, first, n int) []chromatest.Record {
	var out []chromatest.Record
	for i := first; i < first+n; i++ {
		text := fmt.Sprintf("ความจำที่ %d ของผู้ช่วย", i)
		out = append(out, chromatest.Record{
			ID: fmt.Sprintf("%s-%03d", collection, i), Document: &text,
			Metadata:  map[string]any{"ผู้ใช้": "สมชาย", "ลำดับ": i, "สำคัญ": i%2 == 0, "คะแนน": float64(i) + 0.5},
			Embedding: []float32{float32(i%7) + 0.25, float32(i%11) - 3.5, float32(i), 1},
		})
	}
	return out
}

// add adds records to a collection.
func (a assistant) add(t *testing.T, c *chromatest.Client, collection string, first, n int) {
	t.Helper()
	more := thai(collection, first, n)
	if err := c.Add(t.Context(), id(t, c, collection), more); err != nil {
		t.Fatal(err)
	}
	a[collection] = append(a[collection][:len(a[collection]):len(a[collection])], more...)
}

// remove deletes the first n records of a collection.
func (a assistant) remove(t *testing.T, c *chromatest.Client, collection string, n int) {
	t.Helper()
	var ids []string
	for _, r := range a[collection][:n] {
		ids = append(ids, r.ID)
	}
	if err := c.Delete(t.Context(), id(t, c, collection), ids); err != nil {
		t.Fatal(err)
	}
	a[collection] = a[collection][n:]
}

func id(t *testing.T, c *chromatest.Client, collection string) string {
	t.Helper()
	col, err := c.Collection(t.Context(), collection)
	if err != nil {
		t.Fatal(err)
	}
	return col.ID
}

// clone is a copy that further changes leave alone.
func (a assistant) clone() assistant {
	out := assistant{}
	for name, records := range a {
		out[name] = append([]chromatest.Record(nil), records...)
	}
	return out
}

// served asks a server for everything: each collection must be counted, read
// and searched as if nothing had ever happened to it.
func (a assistant) served(t *testing.T, c *chromatest.Client) {
	t.Helper()
	for name, want := range a {
		col := id(t, c, name)
		got, err := c.Get(t.Context(), col, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := sameRecords(got, want); err != nil {
			t.Errorf("collection %s: %v", name, err)
			continue
		}
		if n, err := c.Count(t.Context(), col); err != nil || n != len(want) {
			t.Errorf("collection %s: count %d, %v; want %d", name, n, err, len(want))
		}
		last := want[len(want)-1]
		found, err := c.Query(t.Context(), col, last.Embedding, len(want)+5)
		if err != nil || len(found) != len(want) || found[0] != last.ID {
			t.Errorf("collection %s: a search for %s finds %q, %v", name, last.ID, found, err)
		}
	}
}
