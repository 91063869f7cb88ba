package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
)

// patience is how long something may take on a slow machine.
const patience = 60 * time.Second

// quiet keeps a daemon from doing what nobody asked it for.
const quiet = "schedule: {every: off, on_change: off}\nverify: {every: off}\ndrill: {every: off}\n"

// built is the program under test, built once for all tests that want it.
var built = sync.OnceValues(func() (string, error) {
	program := filepath.Join(scratch, "holdfast")
	build := exec.Command("go", "build", "-o", program, "../../cmd/holdfast")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ../../cmd/holdfast: %w\n%s", err, out)
	}
	return program, nil
})

// A world is a machine with data, on which holdfast is installed.
type world struct {
	t      *testing.T
	dir    string
	binary string
	Env    []string
}

// newWorld is a machine with an SQLite database of three guests and a configuration, to
// which more is added.
func newWorld(t *testing.T, config string) *world {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: t.TempDir(), binary: program}
	w.configure(config)
	w.sqlite("PRAGMA journal_mode=wal; CREATE TABLE guests(name TEXT); INSERT INTO guests VALUES ('สมชาย'),('مریم'),('Ada');")
	return w
}

// configure writes the configuration.
func (w *world) configure(config string) {
	w.t.Helper()
	if err := os.WriteFile(w.path("holdfast.yaml"), []byte("repository: backups\n"+quiet+config), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// sources are those of a bot whose assistant has no memory.
const sources = "sources: {bot: {type: sqlite, path: bot.db}}\n"

func (w *world) path(elem ...string) string {
	return filepath.Join(append([]string{w.dir}, elem...)...)
}

// exists tells whether there is such a file.
func (w *world) exists(name string) bool {
	_, err := os.Stat(w.path(name))
	return err == nil
}

// sqlite runs statements on the bot's database in a C sqlite3 process.
func (w *world) sqlite(statements string) string {
	w.t.Helper()
	out, err := exec.Command("sqlite3", w.path("bot.db"), statements).CombinedOutput()
	if err != nil {
		w.t.Fatalf("sqlite3: %v\n%s(./test.sh installs sqlite3)", err, out)
	}
	return string(bytes.TrimSpace(out))
}

// guests counts them.
func (w *world) guests() string {
	w.t.Helper()
	return w.sqlite("SELECT count(*) FROM guests")
}

// chroma starts a real server on the directory chroma, with a collection of documents
// and, if asked for, one of memories.
func (w *world) chroma(memory bool) *chromatest.Server {
	w.t.Helper()
	s := chromatest.Start(w.t, chromatest.New, w.path("chroma"))
	names := []string{"documents"}
	if memory {
		names = append(names, "conversation_memory")
	}
	for _, name := range names {
		c, err := s.Client().Create(w.t.Context(), chromatest.CollectionSpec{Name: name})
		if err != nil {
			w.t.Fatal(err)
		}
		if err := s.Client().Add(w.t.Context(), c.ID, records(0, 12)); err != nil {
			w.t.Fatal(err)
		}
	}
	return s
}

// records are made up.
func records(from, to int) []chromatest.Record {
	var out []chromatest.Record
	for i := from; i < to; i++ {
		text := "document " + strconv.Itoa(i)
		out = append(out, chromatest.Record{ID: strconv.Itoa(i), Document: &text, Metadata: map[string]any{"page": i}, Embedding: []float32{float32(i), 1, 2, 3}})
	}
	return out
}

// run runs holdfast to its end, and wants it to succeed.
func (w *world) run(args ...string) string {
	w.t.Helper()
	c := w.command(args...)
	out, err := c.CombinedOutput()
	if err != nil {
		w.t.Fatalf("holdfast %q: %v\n%s", args, err, out)
	}
	return string(out)
}

func (w *world) command(args ...string) *exec.Cmd {
	c := exec.Command(w.binary, args...)
	c.Dir = w.dir
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "TMPDIR=" + os.TempDir(), "TZ=UTC"}, w.Env...)
	return c
}

// A daemon is one life of `holdfast serve`.
type daemon struct {
	w     *world
	cmd   *exec.Cmd
	url   string
	said  *journal
	ended chan struct{}
}

// A journal keeps what a process says while it is read.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// serve starts a daemon at an address, "" for any, and returns when it serves. It is
// killed with the test, unless it has ended before.
func (w *world) serve(address string) *daemon {
	w.t.Helper()
	if address == "" {
		address = "127.0.0.1:0"
	}
	d := &daemon{w: w, cmd: w.command("--json", "serve", "--listen", address), said: &journal{}, ended: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = d.said, d.said
	if err := d.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		d.cmd.Wait()
		close(d.ended)
	}()
	w.t.Cleanup(func() {
		d.kill()
		if w.t.Failed() {
			w.t.Logf("the daemon said:\n%s", d.said)
		}
	})
	eventually(w.t, "the daemon serves", func() bool {
		for line := range strings.Lines(d.said.String()) {
			var told struct{ Type, URL string }
			if json.Unmarshal([]byte(line), &told) == nil && told.Type == "serve" {
				d.url = told.URL
				return true
			}
		}
		select {
		case <-d.ended:
			w.t.Fatalf("the daemon has ended:\n%s", d.said)
		default:
		}
		return false
	})
	return d
}

// host is where it listens.
func (d *daemon) host() string { return strings.TrimPrefix(d.url, "http://") }

// kill ends it as a crash does.
func (d *daemon) kill() {
	d.cmd.Process.Kill()
	<-d.ended
}

// stop ends it in order.
func (d *daemon) stop() {
	d.w.t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		d.w.t.Fatal(err)
	}
	select {
	case <-d.ended:
	case <-time.After(patience):
		d.w.t.Fatalf("the daemon does not end\n%s", d.said)
	}
	if code := d.cmd.ProcessState.ExitCode(); code != 0 {
		d.w.t.Errorf("the daemon ends with %d\n%s", code, d.said)
	}
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come to be that %s", what)
		}
	}
}
