//go:build linux

package test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/daemon"
	"github.com/holdfast-backup/holdfast/internal/s3test"
	"github.com/holdfast-backup/holdfast/internal/schedule/scheduletest"
	"github.com/holdfast-backup/holdfast/internal/sinktest"
)

// A month is a machine on which a daemon lives through simulated time: a Chroma server
// and a database that another process writes, a repository on a small disk with a copy
// in object storage behind a proxy, and everybody who is told of what happens.
type month struct {
	*machine
	clock *scheduletest.Clock

	chroma *chromatest.Server
	writes int // into each source
	far    *s3test.Proxy
	copies string // where the replica is
	mail   *sinktest.SMTP
	hook   *sinktest.HTTP // gets the alarms
	ears   *sinktest.HTTP // gets pings and webhooks

	daemon         *daemonLife
	log            *monthLog // of all lives
	serving        daemon.Serving
	emails, hooks  int      // of which was listened to
	mailed, hooked []string // what the receivers of alarms were told, with when
	mu             sync.Mutex
	settings       map[string]string
	busy           func() bool
}

// A daemonLife is one daemon from its start to its end.
type daemonLife struct {
	stop, reload chan struct{}
	serving      chan daemon.Serving
	ended        chan error
}

const (
	monthRepository = "disk/backups"
	monthChroma     = "data/chromadb"
	monthDatabase   = "data/bot.db"
	monthDisk       = "96m"
)

// monthVerify is within which time every backup is read again.
const monthVerify = 10 * 24 * time.Hour

// monthBegins is a Thursday.
var monthBegins = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// newMonth prepares everything but the daemon.
func newMonth(t *testing.T) *month {
	m := &month{machine: newMachine(t), busy: func() bool { return false }}
	m.clock = scheduletest.New(monthBegins, scheduletest.Options{Busy: m.isBusy, ComeBack: 200 * time.Millisecond})
	m.log = &monthLog{now: m.clock.Now}
	m.smallDisk("disk", monthDisk)
	server := s3test.Serve(t)
	m.far = s3test.NewProxy(t, server)
	m.copies = s3test.URL(m.far.Addr(), server.NewBucket(t), "copies")
	m.mail, m.hook, m.ears = sinktest.NewSMTP(t, "", ""), sinktest.NewHTTP(t), sinktest.NewHTTP(t)
	if err := os.MkdirAll(m.path(monthChroma), 0o755); err != nil {
		t.Fatal(err)
	}
	m.chroma = chromatest.Start(t, chromatest.New, m.path(monthChroma))
	m.sqlite(monthDatabase, "pragma journal_mode=wal; create table notes(id integer primary key, text text)")
	client := m.chroma.Client()
	defer client.Close()
	if _, err := client.Create(t.Context(), chromatest.CollectionSpec{Name: documents, Space: "l2", SyncThreshold: 20}); err != nil {
		t.Fatal(err)
	}
	m.settings = map[string]string{
		"serve.listen": "127.0.0.1:0", "include_memory": "false",
		"schedule.every": "6h", "schedule.cron": "0 3 * * *", "schedule.on_change": "off",
		"retention.days": "7", "verify.every": monthVerify.String(),
		"drill.every": "7d", "drill.chroma_command": chromatest.ShellCommand(t, chromatest.New), "drill.dir": m.path("scratch"),
		"notify.urls":         "smtp://" + m.mail.Addr + "/?from=holdfast@example.org&to=admin@example.org&auth=None&usestarttls=No generic+" + m.hook.URL + "/alarm?template=json",
		"notify.low_space_mb": "4",
		"ping.url":            m.ears.URL + "/ping", "webhooks.urls": m.ears.URL + "/hook",
	}
	return m
}

func (m *month) isBusy() bool {
	m.mu.Lock()
	busy := m.busy
	m.mu.Unlock()
	return busy()
}

// set changes a setting of the file that the daemon reads at its next start or reload.
func (m *month) set(key, value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settings[key] = value
}

// load is how the daemon reads its configuration.
func (m *month) load() (*config.Config, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	flags := config.Flags{
		NoFile: true, Repository: m.path(monthRepository), Settings: map[string]config.FlagValue{},
		Sources: []config.Source{
			{Name: "chromadb", Kind: holdfast.KindChroma, Path: m.path(monthChroma)},
			{Name: "bot", Kind: holdfast.KindSQLite, Path: m.path(monthDatabase)},
		},
	}
	for key, value := range maps.All(m.settings) {
		flags.Settings[key] = config.FlagValue{Flag: "--" + key, Value: value}
	}
	c, err := config.Load(flags, nil)
	if err != nil {
		return nil, err
	}
	return c, c.SetReplicas([]config.Replica{config.AdHocReplica("far=" + m.copies)})
}

// begin starts the daemon, and waits until it serves and what it began with is done.
func (m *month) begin() {
	m.t.Helper()
	life := &daemonLife{stop: make(chan struct{}), reload: make(chan struct{}), serving: make(chan daemon.Serving, 8), ended: make(chan error, 1)}
	go func() {
		life.ended <- daemon.Run(context.WithoutCancel(m.t.Context()), daemon.Options{
			Load: m.load, Reload: life.reload, Stop: life.stop, ToolVersion: "test", Now: m.clock.Now, Timer: m.clock.Timer,
			Logger:    slog.New(slog.NewTextHandler(m.log, nil)),
			Listening: func(s daemon.Serving) { life.serving <- s },
			Inspect: func(busy func() bool) {
				m.mu.Lock()
				m.busy = busy
				m.mu.Unlock()
			},
		})
	}()
	m.daemon = life
	m.t.Cleanup(func() {
		if m.daemon == life {
			m.end()
		}
	})
	m.await()
	m.rest()
}

// await waits until the daemon serves, or serves again.
func (m *month) await() {
	m.t.Helper()
	select {
	case m.serving = <-m.daemon.serving:
	case err := <-m.daemon.ended:
		m.daemon = nil
		m.t.Fatalf("the daemon ended: %v", err)
	case <-time.After(monthPatience):
		m.t.Fatal("the daemon does not serve")
	}
}

// monthPatience is how long real work may take.
const monthPatience = time.Minute

// end asks the daemon to stop, and waits for that.
func (m *month) end() {
	m.t.Helper()
	life := m.daemon
	m.daemon = nil
	close(life.stop)
	select {
	case err := <-life.ended:
		if err != nil {
			m.t.Errorf("the daemon ended: %v", err)
		}
	case <-time.After(monthPatience):
		m.t.Error("the daemon does not end")
	}
	m.mu.Lock()
	m.busy = func() bool { return false }
	m.mu.Unlock()
}

// rest waits until nothing is at work, and nothing waits for its turn: a few seconds pass.
func (m *month) rest() {
	for range 5 {
		m.leap(time.Second)
	}
}

// leap lets time pass, waits until everything is at rest again and listens to what was
// told meanwhile.
func (m *month) leap(by time.Duration) {
	m.clock.Leap(by)
	m.listen()
}

// until lets time pass until a minute after an hour of the month, by the hour: after each
// there is a minute for the look at what the hour brought.
func (m *month) until(day, hour int) {
	m.t.Helper()
	to := time.Date(2026, 1, day, hour, 1, 0, 0, time.UTC)
	if to.Before(m.clock.Now()) {
		m.t.Fatalf("it is %s already", m.clock.Now())
	}
	for m.clock.Now().Before(to) {
		now := m.clock.Now()
		m.leap(now.Truncate(time.Hour).Add(time.Hour).Sub(now))
		m.leap(time.Minute)
	}
}

// ask asks the API, and decodes its answer into out if there is one.
func (m *month) ask(want int, method, path string, body, out any) string {
	m.t.Helper()
	var in io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			m.t.Fatal(err)
		}
		in = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(m.t.Context(), method, m.serving.URL+path, in)
	if err != nil {
		m.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	var resp *http.Response
	asked := make(chan error, 1)
	go func() {
		var err error
		resp, err = http.DefaultClient.Do(req)
		asked <- err
	}()
	if err := m.meanwhile(asked); err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	if resp.StatusCode != want {
		m.t.Errorf("%s %s: %d, want %d: %s", method, path, resp.StatusCode, want, answer)
	} else if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			m.t.Fatalf("%s %s: %v: %s", method, path, err, answer)
		}
	}
	return string(answer)
}

// meanwhile waits for an answer. What has to wait for its turn does so by the clock, which
// goes on a little for it.
func (m *month) meanwhile(asked <-chan error) error {
	for {
		select {
		case err := <-asked:
			return err
		case <-time.After(200 * time.Millisecond):
			m.leap(50 * time.Millisecond)
		}
	}
}

// A monthLog is a log whose lines tell the simulated time.
type monthLog struct {
	now func() time.Time

	mu    sync.Mutex
	lines strings.Builder
}

// Write implements io.Writer.
func (l *monthLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, rest, _ := strings.Cut(string(p), " ") // the time of package log
	l.lines.WriteString(l.now().Format("Jan 02 15:04:05 ") + rest)
	return len(p), nil
}

func (l *monthLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

// logged waits until the daemon has said something.
func (m *month) logged(text string) {
	m.t.Helper()
	for deadline := time.Now().Add(monthPatience); !strings.Contains(m.log.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("the daemon never says %q", text)
		}
	}
}

// write adds to both sources, from other processes. A Chroma server that is down
// gets nothing.
func (m *month) write() {
	m.t.Helper()
	m.sqlite(monthDatabase, "insert into notes(text) select 'a note of '||datetime() from (values(1),(2),(3))")
	if m.chroma.Running() {
		client := m.chroma.Client()
		defer client.Close()
		if err := client.Add(m.t.Context(), id(m.t, client, documents), thai(documents, m.writes*perWrite, perWrite)); err != nil {
			m.t.Fatal(err)
		}
		m.writes++
	}
}

// perWrite is how many records each write adds.
const perWrite = 12
