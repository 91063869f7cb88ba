//go:build linux

package test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/job"
)

// A daemonRun is one life of `holdfast serve`, and a client of its API.
type daemonRun struct {
	*program
	m     *machine
	url   string
	token string
	http  *http.Client
}

// quiet keeps a daemon from doing anything that nobody asked it for.
const quiet = "schedule: {every: off, on_change: off}\nverify: {every: off}\ndrill: {every: off}\n"

// serveAPI starts a daemon, and returns when it serves.
func (m *machine) serveAPI(args ...string) *daemonRun {
	m.t.Helper()
	d := m.beginAPI(args...)
	d.until("it serves", d.serves)
	return d
}

// beginAPI starts a daemon without waiting for it.
func (m *machine) beginAPI(args ...string) *daemonRun {
	m.t.Helper()
	args = append([]string{"--json", "serve", "--listen", "127.0.0.1:0"}, args...)
	return &daemonRun{program: m.launch(args...), m: m, http: &http.Client{Transport: &http.Transport{}}}
}

// until waits for something, asking no more often than a client may.
func (d *daemonRun) until(what string, is func() bool) {
	d.t.Helper()
	first := true
	d.program.until(what, func() bool {
		if !first {
			time.Sleep(60 * time.Millisecond)
		}
		first = false
		return is()
	})
}

// serves tells whether it has told its address, and learns it.
func (d *daemonRun) serves() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.lines {
		var told struct{ Type, URL string }
		if json.Unmarshal([]byte(l.text), &told) == nil && told.Type == "serve" {
			d.url = told.URL
			return true
		}
	}
	return false
}

// kill ends it as a crash does.
func (d *daemonRun) kill() {
	d.t.Helper()
	d.signal(syscall.SIGKILL)
	d.exit()
	d.http.CloseIdleConnections()
}

// request makes a request of the API.
func (d *daemonRun) request(ctx context.Context, method, path, body string, headers ...string) *http.Request {
	d.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, d.url+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if d.token != "" {
		req.Header.Set("Authorization", "Bearer "+d.token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

// try asks for something, and gives status and body.
func (d *daemonRun) try(method, path, body string, headers ...string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	resp, err := d.http.Do(d.request(ctx, method, path, body, headers...))
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// ask wants one of these answers.
func (d *daemonRun) ask(want []int, method, path, body string, headers ...string) (code int, answer []byte) {
	d.t.Helper()
	code, answer, err := d.try(method, path, body, headers...)
	if err != nil {
		d.t.Fatalf("%s %s: %v\n%s", method, path, err, d)
	}
	for _, w := range want {
		if code == w {
			return code, answer
		}
	}
	d.t.Fatalf("%s %s: %d, want %d\n%s\n%s", method, path, code, want, answer, d)
	return 0, nil
}

// get reads an object.
func (d *daemonRun) get(path string, into any) {
	d.t.Helper()
	_, answer := d.ask([]int{http.StatusOK}, http.MethodGet, path, "")
	if err := json.Unmarshal(answer, into); err != nil {
		d.t.Fatalf("%s: %v\n%s", path, err, answer)
	}
}

// post starts a job, and gives it.
func (d *daemonRun) post(path, body string, headers ...string) job.Job {
	d.t.Helper()
	_, answer := d.ask([]int{http.StatusOK, http.StatusAccepted}, http.MethodPost, path, body, headers...)
	return decoded[job.Job](d.t, answer)
}

func decoded[T any](t *testing.T, text []byte) (out T) {
	t.Helper()
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

func (d *daemonRun) job(id string) (j job.Job) {
	d.t.Helper()
	d.get("/jobs/"+id, &j)
	return j
}

// jobs counts the jobs of a kind.
func (d *daemonRun) jobs(kind string) int {
	d.t.Helper()
	var page struct{ Total int }
	d.get("/jobs?kind="+kind, &page)
	return page.Total
}

// names lists the backups, the newest first.
func (d *daemonRun) names() (names []string) {
	d.t.Helper()
	var page struct{ Backups []struct{ Name string } }
	d.get("/backups?limit=200", &page)
	for _, b := range page.Backups {
		names = append(names, b.Name)
	}
	return names
}

// makes makes a backup and waits for it.
func (d *daemonRun) makes(body string) string {
	d.t.Helper()
	_, answer := d.ask([]int{http.StatusCreated}, http.MethodPost, "/backups", body)
	return decoded[struct{ Backup struct{ Name string } }](d.t, answer).Backup.Name
}

// A news is a stream of the events of a job, as they come.
type news struct {
	d    *daemonRun
	body io.Closer
	in   *bufio.Scanner
	last int64
}

// follow opens the stream of a job's events after one of them. It is nil if there are none.
func (d *daemonRun) follow(id string, after int64) *news {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	d.t.Cleanup(cancel)
	var headers []string
	if after > 0 {
		headers = []string{"Last-Event-ID", strconv.FormatInt(after, 10)}
	}
	resp, err := d.http.Do(d.request(ctx, http.MethodGet, "/jobs/"+id+"/events", "", headers...))
	if err != nil {
		d.t.Fatal(err)
	}
	switch resp.StatusCode {
	case http.StatusNoContent:
		resp.Body.Close()
		return nil
	case http.StatusOK:
	default:
		d.t.Fatalf("the events of %s: %s", id, resp.Status)
	}
	return &news{d: d, body: resp.Body, in: bufio.NewScanner(resp.Body), last: after}
}

// next gives the next event; false at the end of the stream.
func (n *news) next() (e job.Event, ok bool) {
	n.d.t.Helper()
	for n.in.Scan() {
		data, found := bytes.CutPrefix(n.in.Bytes(), []byte("data: "))
		if !found {
			continue
		}
		e = decoded[job.Event](n.d.t, data)
		if e.Seq <= n.last {
			n.d.t.Errorf("event %d comes after %d", e.Seq, n.last)
		}
		n.last = e.Seq
		return e, true
	}
	return e, false
}

// until reads on to an event.
func (n *news) until(what string, is func(job.Event) bool) {
	n.d.t.Helper()
	for {
		e, ok := n.next()
		if !ok {
			n.d.t.Fatalf("the stream ends before: %s\n%s", what, n.d)
		}
		if is(e) {
			return
		}
	}
}

// ends reads the stream to its end, and gives the state that it told last.
func (n *news) ends() (state job.State) {
	n.d.t.Helper()
	for {
		e, ok := n.next()
		if !ok {
			break
		}
		if e.State != "" {
			state = e.State
		}
	}
	if err := n.in.Err(); err != nil {
		n.d.t.Errorf("the stream of events: %v", err)
	}
	n.close()
	return state
}

func (n *news) close() { _ = n.body.Close() }

// ended waits for the end of a job.
func (d *daemonRun) ended(id string) job.Job {
	d.t.Helper()
	if n := d.follow(id, 0); n != nil {
		n.ends()
	}
	j := d.job(id)
	if !j.State.Ended() {
		d.t.Fatalf("the events have ended, and the job has not: %+v", j)
	}
	return j
}

// nothingUnfinished wants no stage, no scratch copy and no half written file on the machine.
// What several programs write in .holdfast is left there for an hour, as one of them might
// be at it.
func (m *machine) nothingUnfinished() {
	m.t.Helper()
	for _, pattern := range []string{".holdfast-stage*", "*.before-*/.tmp-*", "backups/.tmp-*", "backups/[^.]*/.tmp-*", "backups/.holdfast/.tmp-tasks.json-*", "backups/.holdfast/.tmp-alarms.json-*"} {
		eventually(m.t, "nothing is left behind as "+pattern, func() bool { // a daemon that runs writes, too
			left, err := filepath.Glob(m.path(pattern))
			return err == nil && len(left) == 0
		})
	}
	if left := m.shell(`find . -name 'holdfast-drill-*' -o -name '.holdfast-stage*'`); strings.TrimSpace(left) != "" {
		m.t.Errorf("left behind: %q", left)
	}
}

// logged waits for words in the log.
func (d *daemonRun) logged(words string) {
	d.t.Helper()
	d.until(fmt.Sprintf("a line of the log with %q", words), func() bool { return strings.Contains(d.stderr.String(), words) })
}

// eventually waits for something that need not have to do with whether it runs.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
