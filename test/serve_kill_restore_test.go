//go:build linux

package test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/internal/job"
)

// gates are hooks of which the one that the file gate names stands still.
const gates = `
echo "$1" >>hooks.log
[ "$(cat gate 2>/dev/null || true)" = "$1" ] || exit 0
rm gate
echo $$ >held.tmp
mv held.tmp held
exec sleep 600
`

// gate makes a hook stand still the next time that it runs.
func (m *machine) gate(hook string) {
	m.t.Helper()
	m.wipe("held")
	m.file("gate", hook)
}

// standsAt waits for that hook.
func (d *daemonRun) standsAt() {
	d.t.Helper()
	d.until("a hook stands still", func() bool { return d.m.exists("held") })
}

// freed ends the hook that stands still, which nobody waits for any more.
func (m *machine) freed() {
	m.t.Helper()
	text, err := os.ReadFile(m.path("held"))
	if err != nil {
		m.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		m.t.Fatal(err)
	}
	killProcess(m.t, pid, m.dir)
}

// killedThere waits for the hook, kills the daemon there, and starts the next one.
func (d *daemonRun) killedThere() *daemonRun {
	d.t.Helper()
	d.standsAt()
	d.kill()
	d.m.freed()
	return d.m.serveAPI()
}

const gatedHooks = "hooks: {before_backup: bash gate.sh before_backup, before_restore: bash gate.sh before_restore, stop: bash gate.sh stop, start: bash gate.sh start, after_restore: bash gate.sh after_restore}\n"

// A restore, and the way back, are killed at each hook: before anything, with the stage ready,
// with the new state in place, and after it was confirmed. The job tells the same as the data.
func TestServe_KilledInARestore(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		hook     string
		rollback bool
		state    job.State
		outcome  string
	}{
		"before it":                         {hook: "before_restore", state: job.Interrupted, outcome: "before anything live was replaced"},
		"at the stop hook":                  {hook: "stop", state: job.Interrupted},
		"at the start hook":                 {hook: "start", state: job.Succeeded},
		"after it was confirmed":            {hook: "after_restore", state: job.Succeeded, outcome: "new state"},
		"a rollback before it":              {hook: "before_restore", rollback: true, state: job.Interrupted, outcome: "before anything live was replaced"},
		"a rollback at the stop hook":       {hook: "stop", rollback: true, state: job.Interrupted},
		"a rollback at the start hook":      {hook: "start", rollback: true, state: job.Succeeded},
		"a rollback after it was confirmed": {hook: "after_restore", rollback: true, state: job.Succeeded},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.script("gate.sh", gates)
			m.file("holdfast.yaml", "repository: backups\nsources: {bot: {type: sqlite, path: bot.db}}\n"+quiet+gatedHooks)
			m.sqlite("bot.db", "create table t(x); insert into t values ('monday');")
			m.must(0, "backup", "--name", "monday")
			m.sqlite("bot.db", "update t set x='present';")
			path, kind, old, restored := "/backups/monday/restore", "restore", "present", "monday"
			d := m.serveAPI()
			if test.rollback {
				d.post(path, `{"wait":true}`)
				path, kind, old, restored = "/rollback", "rollback", "monday", "present"
			}
			m.gate(test.hook)
			id := d.post(path, "", "Idempotency-Key", "once").ID
			n := d.follow(id, 0)
			n.until("it runs", func(e job.Event) bool { return e.State == job.Running })
			d = d.killedThere()

			j := d.job(id)
			want := old
			if j.State == job.Succeeded {
				want = restored
			}
			if got := m.sqlite("bot.db", "pragma integrity_check; select x from t;"); j.State != test.state || !strings.Contains(j.Outcome, test.outcome) || j.Outcome == "" || got != "ok\n"+want {
				t.Errorf("the job is %s (%q), want %s (%q); the database holds %q\n%s", j.State, j.Outcome, test.state, test.outcome, got, d)
			}
			if again := d.follow(id, n.last); again == nil || again.ends() != j.State {
				t.Error("the events do not go on to the end")
			}
			n.close()
			if again := d.post(path, "", "Idempotency-Key", "once"); again.ID != id || d.jobs(kind) != 1 {
				t.Errorf("the same request again gives job %s of %d", again.ID, d.jobs(kind))
			}
			if got := m.sqlite("bot.db", "select x from t;"); got != want {
				t.Errorf("the same request again: the database holds %q", got)
			}
			// The owner of the data runs: whoever stopped it has started it.
			if calls := strings.Fields(m.read("hooks.log")); test.hook != "before_restore" {
				last := ""
				for _, call := range calls {
					if call == "stop" || call == "start" {
						last = call
					}
				}
				if last != "start" {
					t.Errorf("the owner was stopped and not started: %q", calls)
				}
			}
			m.sqlite("bot.db", "create table n(id integer primary key, x blob); insert into n values (1, 'x');")
			m.sqlite("bot.db", "alter table t add column id; update t set id=2;")
			d.goesOn()
		})
	}
}

// The same with a Chroma server that the hooks stop and start: it serves what the job says.
func TestServe_KilledWhileAChromaServerIsRestored(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.script("gate.sh", gates)
	stop, start := "bash stop.sh && bash gate.sh stop", "bash gate.sh start && bash start.sh"
	m.file("holdfast.yaml", fmt.Sprintf("repository: backups\nsources: {chromadb: {type: chroma, path: data/chromadb, memory: {collection: %s}}}\n%shooks: {stop: %q, start: %q}\n", memory, quiet, stop, start))
	s := m.newService(chromatest.New, "data/chromadb")
	a := newAssistant(t, s.client())
	d := m.serveAPI()
	d.makes(`{"name":"monday"}`)
	monday := a.clone()
	a.remove(t, s.client(), documents, 9)
	a.add(t, s.client(), memory, 100, 7)

	m.gate("stop")
	id := d.post("/backups/monday/restore", "").ID
	d = d.killedThere()
	if j := d.job(id); j.State != job.Interrupted {
		t.Errorf("at the stop hook: %s %q", j.State, j.Outcome)
	}
	a.served(t, s.client())

	m.gate("start")
	id = d.post("/backups/monday/restore", "").ID
	d = d.killedThere()
	if j := d.job(id); j.State != job.Succeeded {
		t.Errorf("at the start hook: %s %q", j.State, j.Outcome)
	}
	monday.served(t, s.client())

	d.post("/rollback", `{"wait":true}`)
	a.served(t, s.client())
	d.makes("")
	d.ends(0)
}

// The server that a drill has started does not outlive the daemon, even behind a script, and
// its copy does not outlive the next start.
func TestServe_KilledInADrill(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	port, err := chromatest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	// It listens elsewhere than it was told to, so that the drill waits for it.
	m.script("server.sh", fmt.Sprintf("\nCHROMA_PORT=%d\n(%s) &\nwait\n", port, chromatest.ShellCommand(t, chromatest.New)))
	config := "repository: backups\nsources: {chromadb: {type: chroma, path: data/chromadb}}\n" + strings.Replace(quiet, "drill: {every: off}", "drill: {every: off, chroma_command: %q}", 1)
	m.file("holdfast.yaml", fmt.Sprintf(config, "bash "+m.path("server.sh")))
	s := m.newService(chromatest.New, "data/chromadb")
	newAssistant(t, s.client())
	d := m.serveAPI()
	d.makes(`{"name":"monday"}`)

	id := d.post("/backups/monday/drill", "", "Idempotency-Key", "once").ID
	client := chromatest.NewClient(fmt.Sprintf("http://127.0.0.1:%d", port))
	t.Cleanup(client.Close)
	d.until("the drill's server answers", func() bool { return client.Heartbeat(t.Context()) == nil })
	if left := m.shell("find . -name 'holdfast-drill-*'"); left == "" {
		t.Error("there is no scratch copy: this is no test")
	}
	d.kill()
	eventually(t, "the drill's server ends with the daemon", func() bool { return client.Heartbeat(t.Context()) != nil })
	m.file("holdfast.yaml", fmt.Sprintf(config, chromatest.ShellCommand(t, chromatest.New)))
	d = m.serveAPI()
	m.nothingUnfinished()
	if j := d.job(id); j.State != job.Interrupted || !strings.Contains(j.Outcome, "nothing was proven") {
		t.Errorf("the drill: %s %q", j.State, j.Outcome)
	}
	if again := d.post("/backups/monday/drill", "", "Idempotency-Key", "once"); again.ID != id {
		t.Error("the same request again makes another job")
	}
	if j := d.ended(d.post("/backups/monday/drill", "").ID); j.State != job.Succeeded {
		t.Errorf("the next drill: %s %+v %s", j.State, j.Error, j.Result)
	}
	m.nothingUnfinished()
	d.ends(0)
}

// Whoever downloads from a daemon that is killed sees that it is not everything.
func TestServe_KilledInADownload(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.file("holdfast.yaml", "repository: backups\nsources: {bot: {type: sqlite, path: bot.db}}\n"+quiet)
	m.grow("bot.db", 30000)
	m.must(0, "backup", "--name", "monday")
	d := m.serveAPI()
	for _, format := range []string{"tar", "zip"} {
		resp, err := d.http.Do(d.request(t.Context(), "GET", "/backups/monday/download?format="+format, ""))
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(err, resp.Status)
		}
		buf := make([]byte, 1<<10)
		if _, err := resp.Body.Read(buf); err != nil {
			t.Fatal(err)
		}
		d.kill()
		for begun := time.Now(); err == nil && time.Since(begun) < patience; {
			_, err = resp.Body.Read(buf)
		}
		if err == nil || err.Error() == "EOF" {
			t.Errorf("%s: the download ends with %v", format, err)
		}
		resp.Body.Close()
		d = m.serveAPI()
	}
	m.nothingUnfinished()
	d.goesOn()
}
