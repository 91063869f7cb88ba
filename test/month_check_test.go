//go:build linux

package test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast/internal/report"
)

// listen notes what the receivers of alarms were told since it last listened: one line
// for each thing told, with the simulated time.
func (m *month) listen() {
	m.t.Helper()
	now := m.clock.Now().Format("02 15:04 ")
	note := func(to *[]string, text string) {
		for line := range strings.Lines(text) {
			word, _, found := strings.Cut(line, ": ")
			if found && (word == "ALARM" || word == "STILL" || word == "OVER" || word == "OVER ALREADY") {
				*to = append(*to, now+strings.TrimSpace(line))
			}
		}
	}
	emails := m.mail.Emails()
	for _, e := range emails[m.emails:] {
		note(&m.mailed, e.Body)
	}
	m.emails = len(emails)
	requests := m.hook.Requests()
	for _, r := range requests[m.hooks:] {
		var body struct{ Message string }
		if err := json.Unmarshal(r.Body, &body); err != nil {
			m.t.Fatalf("%v: %s", err, r.Body)
		}
		note(&m.hooked, body.Message)
	}
	m.hooks = len(requests)
}

// pings counts what the dead man's switch has heard.
func (m *month) pings() map[string]int {
	n := map[string]int{}
	for _, r := range m.ears.Requests() {
		if strings.HasPrefix(r.Path, "/ping") {
			n[r.Path]++
		}
	}
	return n
}

// alarms tells which alarms stand, as kind and object.
func (m *month) alarms() string {
	m.t.Helper()
	var out struct {
		Alarms []struct{ Kind, Object string }
	}
	m.ask(200, "GET", "/api/v1/alarms", nil, &out)
	var all []string
	for _, a := range out.Alarms {
		all = append(all, strings.TrimSpace(a.Kind+" "+a.Object))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// stands checks which alarms stand, in the API and in the metrics, and that the daemon is
// ready whatever is wrong.
func (m *month) stands(want ...string) {
	m.t.Helper()
	if got := m.alarms(); got != strings.Join(want, ", ") {
		m.t.Errorf("%s: these alarms stand: %q, want %q", m.clock.Now(), got, want)
	}
	metrics := m.ask(200, "GET", "/metrics", nil, nil)
	for line := range strings.Lines(metrics) {
		rest, found := strings.CutPrefix(line, `holdfast_alarm{kind="`)
		if !found {
			continue
		}
		kind, value, _ := strings.Cut(strings.TrimSpace(rest), `"} `)
		n := 0
		for _, w := range want {
			if first, _, _ := strings.Cut(w, " "); first == kind {
				n++
			}
		}
		if value != strconv.Itoa(n) {
			m.t.Errorf("%s: the metrics tell of %s alarms of the kind %s, want %d", m.clock.Now(), value, kind, n)
		}
	}
	m.ask(200, "GET", "/readyz", nil, nil)
}

// backups lists what is in the repository, the newest first.
func (m *month) backups() []report.Backup {
	m.t.Helper()
	var out struct{ Backups []report.Backup }
	m.ask(200, "GET", "/api/v1/backups?limit=100", nil, &out)
	return out.Backups
}

// flip changes a bit in the middle of the largest file of a backup.
func (m *month) flip(name string) {
	m.t.Helper()
	var largest string
	var size int64
	m.ok(filepath.WalkDir(m.path(monthRepository, name), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > size {
			largest, size = path, info.Size()
		}
		return err
	}))
	data, err := os.ReadFile(largest)
	m.ok(err)
	data[len(data)/2] ^= 1
	m.ok(os.WriteFile(largest, data, 0o600))
}

// lastRead is when a backup was last proven.
func (m *month) lastRead(name string) time.Time {
	m.t.Helper()
	for _, b := range m.backups() {
		if string(b.Name) == name && b.Proven != nil {
			return b.Proven.At.Time
		}
	}
	m.t.Fatalf("%s was never proven", name)
	return time.Time{}
}
