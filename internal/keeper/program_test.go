package keeper

import (
	"bufio"
	"context"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
)

// A program writes to a database in another process, by SQLite's own command line.
type program struct {
	t    *testing.T
	path string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader

	mu    sync.Mutex
	acked []time.Time // when the row of this number was known to be there
}

// startProgram starts a program on a database that it makes.
func startProgram(t *testing.T, path, journal string) *program {
	t.Helper()
	p := &program{t: t, path: path, cmd: exec.Command("sqlite3", "-batch", path)}
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	p.do(".timeout 10000\nPRAGMA journal_mode=" + journal + ";\nCREATE TABLE IF NOT EXISTS notes(id INTEGER PRIMARY KEY, text TEXT);")
	return p
}

// stop ends the program.
func (p *program) stop() {
	if p.in != nil {
		_ = p.in.Close()
		p.in = nil
		if err := p.cmd.Wait(); err != nil {
			p.t.Errorf("sqlite3: %v", err)
		}
	}
}

// kill ends the program without a word.
func (p *program) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	_ = p.in.Close()
	p.in = nil
	_ = p.cmd.Wait() // it was killed
}

// do lets the program do something and waits until it is done.
func (p *program) do(statements string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, statements+"\n.print done\n"); err != nil {
		p.t.Fatal(err)
	}
	for {
		line, err := p.out.ReadString('\n')
		if err != nil {
			p.t.Fatalf("sqlite3 ended: %v", err)
		}
		if strings.TrimSpace(line) == "done" {
			return
		}
	}
}

// write writes a row.
func (p *program) write() {
	p.t.Helper()
	p.do("INSERT INTO notes(text) VALUES(hex(randomblob(500)));")
	p.mu.Lock()
	p.acked = append(p.acked, time.Now())
	p.mu.Unlock()
}

// before counts the rows that were there at a time.
func (p *program) before(at time.Time) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, acked := range p.acked {
		if acked.Before(at) {
			n++
		}
	}
	return n
}

// configured is a configuration of one database in a repository.
func configured(t *testing.T, repository, database string, settings map[string]string) *config.Config {
	t.Helper()
	s, err := config.AdHoc(holdfast.KindSQLite, "sqlite", "bot="+database)
	if err != nil {
		t.Fatal(err)
	}
	flags := config.Flags{NoFile: true, Repository: repository, Sources: []config.Source{s}, Settings: map[string]config.FlagValue{}}
	for name, value := range settings {
		flags.Settings[name] = config.FlagValue{Flag: name, Value: value}
	}
	c, err := config.Load(flags, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newKeeper(t *testing.T, c *config.Config) *Keeper {
	t.Helper()
	k, err := New(Options{Config: c})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// keep runs a keeper until stop.
func keep(t *testing.T, k *Keeper) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// rowsIn counts the rows in the newest backup.
func rowsIn(t *testing.T, k *Keeper) int {
	t.Helper()
	e, err := k.Engine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "out")
	if _, err := e.Restore(t.Context(), engine.RestoreRequest{Name: "latest", To: to}); err != nil {
		t.Fatal(err)
	}
	return rows(t, filepath.Join(to, "bot", "bot.db"))
}

func rows(t *testing.T, database string) int {
	t.Helper()
	out, err := exec.Command("sqlite3", database, "SELECT count(*) FROM notes").CombinedOutput()
	if err != nil {
		t.Fatalf("sqlite3: %v: %s", err, out)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// count gives how many backups there are.
func count(t *testing.T, k *Keeper) int {
	t.Helper()
	r, err := k.Repository(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// eventually waits for something that must come.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came: %s", what)
		}
	}
}

// silence is the address of a service that takes connections and never answers.
func silence(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var held []net.Conn
	var taking sync.WaitGroup
	taking.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			held = append(held, c)
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		taking.Wait()
		for _, c := range held {
			_ = c.Close()
		}
	})
	return l.Addr().String()
}
