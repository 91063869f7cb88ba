//go:build linux

package test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// newServer is a machine with a database, and a configuration to which more is added.
func newServer(t *testing.T, more string) *machine {
	t.Helper()
	m := newMachine(t)
	m.serverConfig(more)
	m.grow("bot.db", 40)
	return m
}

func (m *machine) serverConfig(more string) {
	m.t.Helper()
	m.file("holdfast.yaml", "repository: backups\nsources: {bot: {type: sqlite, path: bot.db}}\nverify: {every: off}\ndrill: {every: off}\n"+more)
}

const idle = "schedule: {every: off, on_change: off}\n"

// readiness is the status of a probe.
func (d *daemonRun) readiness(probe string) int {
	d.t.Helper()
	resp, err := d.http.Get(d.url + probe)
	if err != nil {
		d.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// A second daemon is refused and names the first; after a crash the next one serves at once.
func TestServe_OneOnAMachine(t *testing.T) {
	t.Parallel()
	m := newServer(t, idle)
	d := m.serveAPI()
	_, stderr := m.must(holdfast.ExitLocked, "serve", "--listen", "127.0.0.1:0")
	refusal(t, stderr, fmt.Sprintf("process %d", d.cmd.Process.Pid), "one daemon serves a repository")
	d.makes("")
	d.kill()
	d = m.serveAPI()
	d.makes("")
	d.ends(0)
}

// On object storage a daemon of another machine is refused, until the record of one that was
// killed has run out; one that ends in order lets the next begin at once.
func TestServe_OneInABucket(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	newHost := func(source string) *machine {
		m := newUser(t, s.at("backups"))
		m.file("holdfast.yaml", fmt.Sprintf("repository: %q\nsources: {%s: {type: sqlite, path: bot.db}}\n%s", s.at("backups"), source, quiet))
		m.grow("bot.db", 40)
		return m
	}
	one, other := newHost("bot"), newHost("bot")
	d := one.serveAPI()
	d.makes("") // now there is a repository
	d.ends(0)
	d = one.serveAPI()
	refused := func() {
		t.Helper()
		_, stderr := other.must(holdfast.ExitLocked, "serve", "--listen", "127.0.0.1:0")
		refusal(t, stderr, "serves it", "two minutes")
	}
	refused()
	d.kill()
	refused()
	records := 0
	for key := range s.objects("backups/.holdfast/instances/") {
		if path.Ext(key) == ".json" {
			s.server.Age(t, s.bucket, key, 2*time.Minute)
			records++
		}
	}
	if records != 1 {
		t.Errorf("%d records of daemons", records)
	}
	d = other.serveAPI()
	d.makes("")
	_, stderr := one.must(holdfast.ExitLocked, "serve", "--listen", "127.0.0.1:0")
	refusal(t, stderr, "serves it")
	d.ends(0)
	d = one.serveAPI()
	d.makes("")
	d.ends(0)
}

// SIGHUP takes a good configuration and leaves everything as it was for a bad one, which costs
// one line.
func TestServe_Reloads(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	first, second := "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t)
	listen := func(at string) string { return "serve: {listen: " + at + "}\n" }
	m := newServer(t, idle+listen(first))
	d := &daemonRun{program: m.launch("--json", "serve"), m: m, http: &http.Client{}}
	d.until("it serves", d.serves)

	reloaded := 0
	reload := func(config, says string) {
		t.Helper()
		m.serverConfig(config)
		before := strings.Count(d.stderr.String(), says)
		lines := strings.Count(d.stderr.String(), `"level":"ERROR"`)
		d.signal(syscall.SIGHUP)
		d.until(says, func() bool { return strings.Count(d.stderr.String(), says) > before })
		reloaded++
		if told := strings.Count(d.stderr.String(), `"level":"ERROR"`) - lines; strings.Contains(says, "not changed") && told != 1 {
			t.Errorf("a configuration that cannot be used costs %d lines:\n%s", told, d)
		}
		if d.readiness("/healthz") != http.StatusOK {
			t.Error("it does not answer")
		}
	}
	const bad = "the configuration was not changed"
	reload(idle+listen(first)+"sched: {every: 1h}\n", bad)
	reload(idle+listen(first)+"hooks: {before_backup: [\n", bad)
	reload(idle+listen(taken.Addr().String()), bad)
	reload(idle+listen("0.0.0.0:0"), bad) // beyond loopback without a token
	reload(idle+listen(first)+"state: elsewhere\n", bad)
	d.makes(`{"name":"unhooked"}`)
	if m.exists("hooked") || m.exists("elsewhere") {
		t.Error("a configuration that was refused has had an effect")
	}

	const good = "the configuration was changed"
	reload(idle+listen(first)+"hooks: {before_backup: touch hooked}\n", good)
	d.makes(`{"name":"hooked"}`)
	if !m.exists("hooked") {
		t.Error("the hook of the new configuration does not run")
	}
	m.serverConfig(idle + listen(second))
	d.signal(syscall.SIGHUP)
	d.url = "http://" + second
	d.until("it answers at the new address", func() bool {
		code, _, err := d.try(http.MethodGet, "/status", "")
		return err == nil && code == http.StatusOK
	})
	eventually(t, "nobody answers at the old address", func() bool {
		c, err := net.DialTimeout("tcp", first, time.Second)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	m.touch("bot.db")
	reload("schedule: {every: 1s, on_change: off}\n"+listen(second), good)
	d.until("a backup by the new schedule", func() bool { return len(d.names()) > 2 })
	// A token that is made beside the daemon closes the door without a reload.
	m.must(0, "token", "create", "someone", "--scope", "read")
	d.until("the door closes", func() bool {
		code, _, err := d.try(http.MethodGet, "/backups", "")
		return err == nil && code == http.StatusUnauthorized
	})
	d.ends(0)
}

// The first SIGTERM lets a backup, or a restore, come to its end, whoever else is connected; what
// they wait for is answered, streams end.
func TestServe_SIGTERMFinishesWhatIsAtWork(t *testing.T) {
	t.Parallel()
	for name, restore := range map[string]bool{"a backup": false, "a restore": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newServer(t, idle+gatedHooks)
			m.script("gate.sh", strings.Replace(gates, "exec sleep 600", "until [ -e go ]; do sleep 0.05; done", 1))
			m.grow("bot.db", 6000)
			d := m.serveAPI()
			d.makes(`{"name":"monday"}`)
			m.touch("bot.db")
			slow, err := d.http.Do(d.request(t.Context(), "GET", "/backups/monday/download", "")) // nobody reads it
			if err != nil {
				t.Fatal(err)
			}
			defer slow.Body.Close()
			half, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer half.Close()
			fmt.Fprintf(half, "POST /api/v1/backups HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", strings.TrimPrefix(d.url, "http://"))

			kind, gate, path, body, want := "backup", "before_backup", "/backups", `{"name":"last"}`, http.StatusCreated
			if restore {
				kind, gate, path, body, want = "restore", "stop", "/backups/monday/restore", `{"wait":true}`, http.StatusOK
			}
			m.gate(gate)
			type answer struct {
				code int
				body []byte
				err  error
			}
			answered := make(chan answer, 1)
			go func() {
				code, body, err := d.try(http.MethodPost, path, body)
				answered <- answer{code, body, err}
			}()
			d.standsAt()
			var page struct{ Jobs []job.Job }
			d.get("/jobs?state=running&kind="+kind, &page)
			if len(page.Jobs) != 1 {
				t.Fatalf("at work are %+v", page.Jobs)
			}
			n := d.follow(page.Jobs[0].ID, 0)
			d.signal(syscall.SIGTERM)
			d.logged("stopping")
			n.ends()
			if _, err := net.DialTimeout("tcp", strings.TrimPrefix(d.url, "http://"), time.Second); err == nil {
				eventually(t, "new clients are refused", func() bool {
					c, err := net.DialTimeout("tcp", strings.TrimPrefix(d.url, "http://"), time.Second)
					if err == nil {
						c.Close()
					}
					return err != nil
				})
			}
			m.file("go", "")
			if a := <-answered; a.code != want || a.err != nil {
				t.Errorf("whoever waited was told %d %s, %v; want %d", a.code, a.body, a.err, want)
			}
			if code := d.exit(); code != 0 {
				t.Errorf("exit %d\n%s", code, d)
			}
			d = m.serveAPI()
			if j := d.job(page.Jobs[0].ID); j.State != job.Succeeded {
				t.Errorf("the job: %s %q", j.State, j.Outcome)
			}
			m.must(0, "verify", "--all")
			d.ends(0)
		})
	}
}

// A second SIGTERM does not wait for anything; the next start settles it.
func TestServe_TheSecondSIGTERMLeaves(t *testing.T) {
	t.Parallel()
	m := newServer(t, idle+gatedHooks)
	m.script("gate.sh", gates)
	m.sqlite("bot.db", "create table s(x); insert into s values ('monday');")
	d := m.serveAPI()
	d.makes(`{"name":"monday"}`)
	m.sqlite("bot.db", "update s set x='present';")
	m.gate("stop")
	id := d.post("/backups/monday/restore", "").ID
	d.standsAt()
	d.signal(syscall.SIGTERM)
	d.logged("stopping")
	d.signal(syscall.SIGTERM)
	if code := d.exit(); code != holdfast.ExitInterrupted {
		t.Errorf("exit %d, want %d\n%s", code, holdfast.ExitInterrupted, d)
	}
	m.freed()
	d = m.serveAPI()
	if j := d.job(id); !j.State.Ended() || j.State == job.Succeeded {
		t.Errorf("the job: %s %q", j.State, j.Outcome)
	}
	if got := m.sqlite("bot.db", "select x from s;"); got != "present" {
		t.Errorf("the database holds %q", got)
	}
	d.goesOn()
}

// What was missed while it did not run is made up for at once, and nothing else is made.
func TestServe_MissedRuns(t *testing.T) {
	t.Parallel()
	m := newServer(t, "schedule: {every: 6h, on_change: off}\n")
	d := m.serveAPI()
	d.until("the first backup", func() bool { return len(d.names()) == 1 })
	d.ends(0)
	m.touch("bot.db")
	d = m.serveAPI()
	var page struct {
		Tasks []holdfast.TaskStanding
	}
	d.until("the next backup has a time", func() bool {
		page.Tasks = nil
		d.get("/tasks", &page)
		return len(page.Tasks) > 0 && page.Tasks[0].NextAt != nil
	})
	if n := len(d.names()); n != 1 || time.Until(page.Tasks[0].NextAt.Time) < 5*time.Hour {
		t.Errorf("%d backups, and the next is due %+v", n, page.Tasks)
	}
	d.ends(0)
	m.serverConfig("schedule: {every: 1s, on_change: off}\n") // the time passed while it did not run
	d = m.serveAPI()
	d.until("what was missed is made", func() bool { return len(d.names()) == 2 })
	if stdout, _ := m.must(0, "--json", "list"); !strings.Contains(stdout, `"trigger":"scheduled"`) && !strings.Contains(stdout, `"trigger": "scheduled"`) {
		t.Errorf("no scheduled backup: %s", stdout)
	}
	d.ends(0)
}

// A repository that cannot be reached at the start keeps nobody from asking how it stands; when
// it is back, backups are made by themselves.
func TestServe_ARepositoryThatComesLater(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m := newUser(t, s.at("backups"))
	m.grow("bot.db", 40)
	m.must(0, "backup", "--name", "monday")
	m.touch("bot.db")
	m.file("holdfast.yaml", fmt.Sprintf("repository: %q\nsources: {bot: {type: sqlite, path: bot.db}}\nschedule: {every: 1s, on_change: off}\n", s.at("backups")))
	s.proxy.Inject(s3test.Rule{When: func(*http.Request) bool { return true }, Fault: s3test.Refuse(http.StatusForbidden)})
	d := m.serveAPI()
	if live, ready := d.readiness("/healthz"), d.readiness("/readyz"); live != http.StatusOK || ready != http.StatusServiceUnavailable {
		t.Errorf("without its repository: %d, %d", live, ready)
	}
	if code, answer, err := d.try(http.MethodPost, "/backups", ""); err != nil || code/100 != 5 {
		t.Errorf("a backup without a repository: %d %s %v", code, answer, err)
	}
	d.ask([]int{http.StatusOK}, http.MethodGet, "/status", "")
	s.proxy.Heal()
	d.until("it is ready", func() bool { return d.readiness("/readyz") == http.StatusOK })
	d.until("backups are made", func() bool { return len(d.names()) > 1 })
	d.ends(0)
}

// A repository, and then a state directory, that take no more: every answer says so, nothing that
// is there is harmed, and all is well again when there is room.
func TestServe_DisksThatTakeNothing(t *testing.T) {
	t.Parallel()
	m := newServer(t, idle+"state: state\n")
	m.smallDisk("backups", "8m")
	m.smallDisk("state", "1m")
	d := m.serveAPI()
	d.makes(`{"name":"monday"}`)
	m.touch("bot.db")

	m.remount("backups", "ro")
	code, answer, err := d.try(http.MethodPost, "/backups", `{"name":"tuesday"}`)
	if err != nil || code/100 == 2 || !strings.Contains(string(answer), "read-only") {
		t.Errorf("a backup into what cannot be written: %d %s %v", code, answer, err)
	}
	if code, answer, _ := d.try(http.MethodPost, "/backups/monday/verify", `{"wait":true}`); code/100 != 5 || !strings.Contains(string(answer), "record the proof") {
		t.Errorf("a verification whose proof cannot be kept: %d %s", code, answer)
	}
	d.kill()
	d = m.serveAPI()
	if names := d.names(); !slices.Equal(names, []string{"monday"}) {
		t.Errorf("there are %q", names)
	}
	m.remount("backups", "rw")
	d.makes(`{"name":"tuesday"}`)

	m.shell("dd if=/dev/zero of=state/full bs=4k 2>/dev/null || true")
	m.touch("bot.db")
	d.makes(`{"name":"wednesday"}`) // the data comes first
	if code, answer, _ := d.try(http.MethodDelete, "/backups/monday", ""); code/100 != 5 {
		t.Errorf("a deletion that cannot be recorded: %d %s", code, answer)
	}
	d.kill()
	d = m.serveAPI() // with a full state directory, too
	if names := d.names(); !slices.Equal(names, []string{"wednesday", "tuesday", "monday"}) {
		t.Errorf("there are %q", names)
	}
	if err := os.Remove(m.path("state/full")); err != nil {
		t.Fatal(err)
	}
	d.goesOn()
}

// A daemon without sources, or whose source is not there yet, serves; what appears is backed up.
func TestServe_SourcesThatComeLater(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.file("holdfast.yaml", "repository: backups\n"+idle)
	code, stdout, stderr := m.run("--json", "serve", "--listen", "nonsense")
	if code != holdfast.ExitUsage {
		t.Errorf("an address that is none: %d %s %s", code, stdout, stderr)
	}
	code, _, stderr = m.run("serve", "--listen", "127.0.0.1:0")
	if code != holdfast.ExitUsage {
		t.Errorf("without any source: exit %d", code)
	}
	refusal(t, stderr, "source")

	m.file("holdfast.yaml", "repository: backups\nsources: {bot: {type: sqlite, path: later/bot.db}}\nschedule: {every: 1s, on_change: 1s}\n")
	d := m.serveAPI()
	if code, answer, err := d.try(http.MethodPost, "/backups", ""); err != nil || code/100 == 2 || !strings.Contains(string(answer), "later/bot.db") {
		t.Errorf("a backup of what is not there: %d %s %v", code, answer, err)
	}
	m.shell("mkdir later")
	m.sqlite("later/bot.db", "create table t(x); insert into t values (1);")
	d.until("what appeared is backed up", func() bool { return len(d.names()) > 0 })
	d.ends(0)
}
