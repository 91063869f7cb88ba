//go:build linux

package test

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
)

// A chromaRun is a Chroma server under `holdfast run`.
type chromaRun struct {
	*program
	url string
}

// serveChroma runs a Chroma server on data/chromadb under holdfast.
func (m *machine) serveChroma(v chromatest.Version, flags ...string) *chromaRun {
	m.t.Helper()
	port, err := chromatest.FreePort()
	if err != nil {
		m.t.Fatal(err)
	}
	command, err := chromatest.CommandLine(v, "data/chromadb", port)
	if err != nil {
		m.t.Fatal(err)
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	// The shell tells its id, which becomes the server's.
	signal := map[chromatest.Version]string{chromatest.Old: "TERM", chromatest.New: "INT"}[v]
	args := append(chromaGlobals[:len(chromaGlobals):len(chromaGlobals)], "run", "--stop-signal", signal, "--ready", url+"/api/v2/heartbeat")
	args = append(append(args, flags...), "--", "/bin/sh", programFile(m.t, "server.sh"))
	s := &chromaRun{m.launch(append(args, command...)...), url}
	s.ready(m)
	return s
}

// chromaGlobals name the source and the repository.
var chromaGlobals = []string{"--chroma", "data/chromadb", "--repo", "backups", "--yes"}

// chroma runs a command on the directory in another shell.
func (m *machine) chroma(want int, args ...string) (stdout, stderr string) {
	m.t.Helper()
	return m.patiently(want, append(chromaGlobals[:len(chromaGlobals):len(chromaGlobals)], args...)...)
}

// ready waits until the server serves.
func (s *chromaRun) ready(m *machine) {
	m.t.Helper()
	client := chromatest.NewClient(s.url)
	defer client.Close()
	s.until("the server answers", func() bool { return client.Heartbeat(m.t.Context()) == nil })
}

// client gives a client of the server.
func (s *chromaRun) client() *chromatest.Client {
	c := chromatest.NewClient(s.url)
	s.t.Cleanup(c.Close)
	return c
}

// stop ends the server and holdfast; how it takes that is its own affair.
func (s *chromaRun) stop() {
	s.t.Helper()
	s.signal(syscall.SIGINT)
	s.exit()
}

// halfDelete is the script that deletes half of the documents and fails.
func halfDelete(t *testing.T, url, collection string) []string {
	t.Helper()
	return []string{python, programFile(t, "half_delete.py"), url, collection}
}

// A script deletes half of a collection of a server that runs under holdfast, and
// fails: the server is stopped, the directory rolled back, and the server serves
// everything again. The script's code is passed on.
func TestGuard_AHalfDeletedCollection(t *testing.T) {
	eachServer(t, func(t *testing.T, v chromatest.Version) {
		m := newMachine(t)
		s := m.serveChroma(v)
		defer s.stop()
		monday := newAssistant(t, s.client())
		script := halfDelete(t, s.url, documents)
		half := monday.clone()
		half[documents] = half[documents][(len(half[documents])+1)/2:]

		// Kept, and brought back by the line that guard prints.
		stdout, stderr := m.chroma(7, append([]string{"--json", "guard", "--on-failure=keep", "--"}, script...)...)
		told := outcome(t, stdout)
		if told.Action != "kept" || told.Exit != 7 || told.Undo == "" || !strings.Contains(stdout, "half of") || !strings.Contains(stderr, told.Undo) {
			t.Errorf("guard tells %+v\n%s", told, stderr)
		}
		half.served(t, s.client())
		if n := len(s.printed("pid")); n != 1 {
			t.Errorf("nothing was to be rolled back, and the server was started %d times", n)
		}
		m.line(told.Undo)
		monday.served(t, s.client())

		// Rolled back at once.
		stdout, stderr = m.chroma(7, append([]string{"--json", "guard", "--on-failure=rollback", "--"}, script...)...)
		if told := outcome(t, stdout); told.Action != "rolled_back" || told.Exit != 7 || told.Emergency == "" {
			t.Errorf("guard tells %+v\n%s", told, stderr)
		}
		monday.served(t, s.client())
		monday.add(t, s.client(), documents, 300, 9)
		monday.served(t, s.client())

		// And success is kept.
		stdout, _ = m.chroma(0, append(append([]string{"--json", "guard", "--on-failure=rollback", "--"}, script...), "well")...)
		if told := outcome(t, stdout); told.Action != "kept" || told.Exit != 0 || told.Undo != "" {
			t.Errorf("guard tells %+v", told)
		}
		starts := len(s.printed("pid"))
		monday[documents] = monday[documents][(len(monday[documents])+1)/2:]
		monday.served(t, s.client())
		if starts != 3 {
			t.Errorf("the server was started %d times, want 3", starts)
		}
	})
}

// line runs a command line that holdfast printed, as a person pastes it into a
// shell.
func (m *machine) line(text string) {
	m.t.Helper()
	rest, ok := strings.CutPrefix(text, "holdfast ")
	if !ok {
		m.t.Fatalf("%q is no command line of holdfast", text)
	}
	m.shell("'" + binary + "' --yes " + rest) // a person is asked
}

// guardTold is what guard --json prints last.
type guardTold struct {
	Backup    struct{ Name holdfast.BackupName }
	Exit      int    `json:"command_exit"`
	Signal    string `json:"command_signal"`
	Action    string
	Undo      string
	Emergency string `json:"emergency_backup"`
}

// outcome reads the last line of guard --json; what the command printed comes
// before.
func outcome(t *testing.T, stdout string) (told guardTold) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &told); err != nil || told.Backup.Name == "" {
		t.Fatalf("guard prints %q: %v", stdout, err)
	}
	return told
}

// An ingestion into a SQLite database fails halfway: the bot that runs on it under
// holdfast is stopped, and finds what it had before.
func TestGuard_AnIngestionThatFails(t *testing.T) {
	bothModes(t, func(t *testing.T, mode string) {
		m := newHost(t, "backups").with(usualDelay, "BOT_PAUSE=0.05")
		p := m.launch(append([]string{"run", "--"}, botCommand(t, mode)...)...)
		p.await(5)
		ingest := []string{python, programFile(t, "ingest.py"), "data/bot.db"}
		stdout, stderr := m.besides(9, append([]string{"--json", "guard", "--on-failure=rollback", "--"}, ingest...)...)
		if told := outcome(t, stdout); told.Action != "rolled_back" || told.Exit != 9 {
			t.Errorf("guard tells %+v\n%s", told, stderr)
		}
		p.found(2, mode)
		p.await(5)
		p.ends(0)
		if got := m.sqlite("data/bot.db", "SELECT count(*) FROM sqlite_master WHERE name='ingested';"); got != "0" {
			t.Errorf("the ingestion's table is still there")
		}

		// Without anybody on the database, and with success.
		stdout, _ = m.besides(9, append([]string{"--json", "guard", "--on-failure=rollback", "--"}, ingest...)...)
		if told := outcome(t, stdout); told.Action != "rolled_back" {
			t.Errorf("guard tells %+v", told)
		}
		if got, want := m.rowsIn("data/bot.db"), p.acked(time.Now()); got != want {
			t.Errorf("%d rows, want %d", got, want)
		}
		stdout, _ = m.besides(0, append(append([]string{"--json", "guard", "--on-failure=rollback", "--"}, ingest...), "well")...)
		if told := outcome(t, stdout); told.Action != "kept" {
			t.Errorf("guard tells %+v", told)
		}
		if got := m.sqlite("data/bot.db", "SELECT count(*) FROM ingested;"); got != "500" {
			t.Errorf("%s rows were ingested, want 500", got)
		}
	})
}
