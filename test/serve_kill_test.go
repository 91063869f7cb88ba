//go:build linux

package test

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// A cutJob is a job whose daemon is killed at a request to object storage.
type cutJob struct {
	kind, method, path, body string
	prepare                  func(m *machine) // makes what the job works on, beside the backup monday
	config                   string
	at                       func(*http.Request) bool // the request at which it is killed
	arrives                  bool                     // the request, after the end of the daemon
	state                    job.State                // what becomes of the job
	outcome                  string
	check                    func(d *daemonRun, j job.Job)
}

// below tells whether a request is of a method, for an object whose path has these words.
func below(method string, words ...string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == method && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(r.URL.Path, w) })
	}
}

// hold keeps the first request that matches until the function is called. It arrives then, or
// never.
func (s *store) hold(when func(*http.Request) bool, arrives bool) (held <-chan struct{}, release func()) {
	reached, until, arrived := make(chan struct{}, 1), make(chan struct{}), make(chan int, 1)
	s.proxy.Inject(s3test.Rule{When: when, Times: 1, Fault: func(x *s3test.Exchange) {
		if arrives {
			s3test.Hold(reached, until, arrived)(x)
			return
		}
		_, _ = io.Copy(io.Discard, x.Request.Body)
		reached <- struct{}{}
		<-until
		x.Cut()
	}})
	release = sync.OnceFunc(func() {
		close(until)
		if arrives {
			select {
			case <-arrived:
			case <-time.After(patience):
				s.t.Error("the request that was held never arrived")
			}
		}
	})
	return reached, release
}

// The daemon is killed in the middle of every kind of job, while a request to object storage is
// under way. The next start tells what became of it, does nothing twice, and goes on.
func TestServe_KilledAtARequestOfAJob(t *testing.T) {
	t.Parallel()
	server := newStore(t)
	has := func(d *daemonRun, name string, want bool) {
		d.t.Helper()
		if names := d.names(); slices.Contains(names, name) != want {
			d.t.Errorf("there are %q; %s should be there: %v", names, name, want)
		}
	}
	more := func(m *machine) {
		for _, name := range []string{"tuesday", "wednesday"} {
			m.touch("bot.db")
			m.must(0, "backup", "--name", name, "--trigger", "scheduled")
		}
	}
	tests := map[string]cutJob{
		"a backup, at its payload": {
			kind: "backup", path: "/backups", body: `{"name":"friday","wait":false}`, at: below("PUT", "friday/bot/bot.db"),
			state: job.Interrupted, outcome: "nothing was committed",
			check: func(d *daemonRun, _ job.Job) { has(d, "friday", false) },
		},
		"a backup whose client waits, before its commit": {
			kind: "backup", path: "/backups", body: `{"name":"friday"}`, at: isCommitOf("friday"),
			state: job.Interrupted, outcome: "nothing was committed",
			check: func(d *daemonRun, _ job.Job) { has(d, "friday", false) },
		},
		"a backup whose client waits, at its commit": {
			kind: "backup", path: "/backups", body: `{"name":"friday"}`, at: isCommitOf("friday"), arrives: true,
			state: job.Succeeded, outcome: "friday was committed before the daemon ended",
			check: func(d *daemonRun, j job.Job) {
				has(d, "friday", true)
				if got := decoded[struct{ Backup struct{ Name string } }](d.t, j.Result); got.Backup.Name != "friday" {
					d.t.Errorf("the result is %s", j.Result)
				}
			},
		},
		"a verification": {
			kind: "verify", path: "/backups/monday/verify", at: below("GET", "monday/bot/bot.db"),
			state: job.Interrupted, outcome: "nothing was proven",
		},
		"a verification of all": {
			kind: "verify", path: "/verify", at: below("GET", "monday/bot/bot.db"), prepare: more,
			state: job.Interrupted, outcome: "of 3 backups had been verified",
		},
		"a deletion, before it": {
			kind: "delete", method: "DELETE", path: "/backups/monday", prepare: more, at: below("PUT", "deleted"),
			state: job.Interrupted, outcome: "nothing was deleted", check: func(d *daemonRun, _ job.Job) { has(d, "monday", true) },
		},
		"a deletion, after it": {
			kind: "delete", method: "DELETE", path: "/backups/wednesday", prepare: more,
			at: func(r *http.Request) bool {
				return isRemoval(r) && strings.Contains(r.URL.Path, "wednesday/") && !strings.HasSuffix(r.URL.Path, "backup_metadata.json")
			},
			state: job.Succeeded, outcome: "gone when the daemon ended", check: func(d *daemonRun, _ job.Job) { has(d, "wednesday", false) },
		},
		"pruning": {
			kind: "prune", path: "/prune", prepare: more, config: "retention: {days: 0, keep_last: 1}\n",
			at:    func(r *http.Request) bool { return isRemoval(r) && strings.Contains(r.URL.Path, "tuesday/") },
			state: job.Interrupted, outcome: "what was done stands",
			check: func(d *daemonRun, _ job.Job) {
				if j := d.ended(d.post("/prune", "").ID); j.State != job.Succeeded {
					d.t.Errorf("the next pruning: %s", j.State)
				}
				has(d, "wednesday", true)
				has(d, "tuesday", false)
			},
		},
		"compaction": {
			kind: "compact", path: "/compact", at: below("PUT", "tuesday", "bot.db"),
			prepare: func(m *machine) { more(m); m.must(0, "--yes", "delete", "monday") },
			state:   job.Interrupted, outcome: "what was done stands",
			check: func(d *daemonRun, _ job.Job) {
				if j := d.ended(d.post("/compact", "").ID); j.State != job.Succeeded {
					d.t.Errorf("the next compaction: %s", j.State)
				}
				if l := d.m.list(); len(l.Hidden) != 0 {
					d.t.Errorf("it leaves %+v", l.Hidden)
				}
			},
		},
		"copying to a replica": {
			kind: "replicate", path: "/replicate", at: below("PUT", "/copies", "monday/bot/bot.db"), config: "replicate_after_backup: false\n",
			state: job.Interrupted, outcome: "the next run goes on",
			check: func(d *daemonRun, _ job.Job) {
				if j := d.ended(d.post("/replicate", "").ID); j.State != job.Succeeded {
					d.t.Errorf("the next run: %s %+v", j.State, j.Error)
				}
				d.m.must(0, "verify", "monday", "--replica", "far")
			},
		},
		"a restore, at its emergency backup": {
			kind: "restore", path: "/backups/monday/restore", at: below("PUT", "emergency_restore_", "bot.db"),
			state: job.Interrupted, outcome: "before anything live was replaced",
		},
		"a restore, while it reads the backup": {
			kind: "restore", path: "/backups/monday/restore", at: below("GET", "monday/bot/bot.db"),
			state: job.Interrupted, outcome: "before anything live was replaced",
		},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &store{t: t, server: server.server, bucket: server.bucket, proxy: s3test.NewProxy(t, server.server)}
			c.cut(t, s, strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), ",", ""))
		})
	}
}

// hasPruned tells whether a daemon here remembers that it has pruned.
func (m *machine) hasPruned() bool {
	found := false
	if err := filepath.WalkDir(m.dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Base(path) == "tasks.json" {
			tasks, err := os.ReadFile(path)
			found = found || err == nil && strings.Contains(string(tasks), `"prune"`)
		}
		return nil
	}); err != nil {
		m.t.Fatal(err)
	}
	return found
}

// cut lets the job begin, kills the daemon, and looks what the next one says.
func (c cutJob) cut(t *testing.T, s *store, prefix string) {
	m := newUser(t, s.at(prefix+"/backups"))
	config := fmt.Sprintf("repository: %q\nsources: {bot: {type: sqlite, path: bot.db}}\n", s.at(prefix+"/backups"))
	if c.kind == "replicate" {
		config += fmt.Sprintf("replicas: [{name: far, url: %q}]\n", s.at(prefix+"/copies"))
	}
	m.file("holdfast.yaml", config+quiet)
	m.grow("bot.db", 300)
	m.must(0, "backup", "--name", "monday", "--no-replicate")
	if c.prepare != nil {
		c.prepare(m)
	}
	m.touch("bot.db")
	before := m.sum("bot.db")
	if c.kind == "prune" { // a daemon's first start prunes by itself, and the job would find nothing to do
		first := m.serveAPI()
		first.until("it has pruned by itself", m.hasPruned)
		first.kill()
	}
	m.file("holdfast.yaml", config+quiet+c.config)

	d := m.serveAPI()
	held, release := s.hold(c.at, c.arrives)
	defer release()
	method, headers := cmp.Or(c.method, http.MethodPost), []string{"Idempotency-Key", "the-key"}
	answered := make(chan int, 1)
	go func() {
		code, _, _ := d.try(method, c.path, c.body, headers...)
		answered <- code
	}()
	select {
	case <-held:
	case <-time.After(patience):
		t.Fatalf("the request never came\n%s", d)
	}
	var page struct{ Jobs []job.Job }
	d.get("/jobs?kind="+c.kind, &page)
	if len(page.Jobs) != 1 || page.Jobs[0].State != job.Running {
		t.Fatalf("the jobs are %+v", page.Jobs)
	}
	id := page.Jobs[0].ID
	n := d.follow(id, 0)
	n.until("it runs", func(e job.Event) bool { return e.State == job.Running })
	last := n.last
	d.kill()
	n.close()
	if code := <-answered; code/100 == 2 && code != http.StatusAccepted {
		t.Errorf("whoever waited was told that it is done: %d", code)
	}
	release()

	d = m.serveAPI()
	j := d.job(id)
	if j.State != c.state || !strings.Contains(j.Outcome, c.outcome) || j.EndedAt == nil || j.Error != nil {
		t.Errorf("after the restart the job is %s: %q (%+v), want %s: %q", j.State, j.Outcome, j.Error, c.state, c.outcome)
	}
	if n := d.follow(id, last); n == nil {
		t.Error("there are no events after the restart")
	} else if state := n.ends(); state != c.state {
		t.Errorf("the events end with %q, want %q", state, c.state)
	}
	if m.sum("bot.db") != before {
		t.Error("the live data changed")
	}
	if c.check != nil {
		c.check(d, j)
	}
	jobs := d.jobs(c.kind)
	code, answer, err := d.try(method, c.path, c.body, headers...)
	if err != nil || !strings.Contains(string(answer), id) {
		t.Errorf("the same request again: %d %s, %v; want the job %s", code, answer, err, id)
	}
	if got := d.jobs(c.kind); got != jobs {
		t.Errorf("the same request again made %d jobs of %d", got, jobs)
	}
	d.goesOn()
}

// goesOn wants the daemon to work as if nothing had ever happened.
func (d *daemonRun) goesOn() {
	d.t.Helper()
	d.m.touch("bot.db")
	d.makes(`{"name":"afterwards"}`)
	sum := d.m.sum("bot.db")
	var status struct {
		Verdict string
		Pending *struct{}
		Sources []struct {
			LastBackup string `json:"last_backup"`
		}
	}
	d.get("/status", &status)
	if (status.Verdict != "safe" && status.Verdict != "unproven") || status.Pending != nil || len(status.Sources) != 1 || status.Sources[0].LastBackup != "afterwards" {
		d.t.Errorf("the status is %+v", status)
	}
	// What follows a backup may still be removing old ones.
	d.until("nothing is at work", func() bool {
		var page struct{ Jobs []job.Job }
		d.get("/jobs?state=running", &page)
		return len(page.Jobs) == 0
	})
	if l := d.m.list(); l.names()[0] != "afterwards" || !slices.Equal(l.names(), d.names()) {
		d.t.Errorf("the command line lists %q, the API %q", l.names(), d.names())
	}
	d.m.must(0, "verify", "--all")
	ledger{"afterwards": sum}.restores(d.m, "afterwards")
	d.m.nothingUnfinished()
	d.ends(0)
}
