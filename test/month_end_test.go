//go:build linux

package test

import (
	"encoding/json"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// monthTold is everything that whoever is told of alarms should hear in the month: day,
// hour, and how the words begin.
var monthTold = []string{
	`05 10 ALARM: \d+ backups failed in a row: source chromadb`,
	`05 10 ALARM: the source chromadb is gone`,
	`05 21 OVER: \d+ backups failed in a row: source chromadb`,
	`05 21 OVER: the source chromadb is gone`,
	`08 11 ALARM: nothing is known of the replica far`,
	`08 17 OVER: nothing is known of the replica far`,
	`09 08 ALARM: the repository has 0 B left`,
	`09 10 ALARM: \d+ backups failed in a row: space`,
	`09 15 OVER: \d+ backups failed in a row: space`,
	`09 15 OVER: the repository has 0 B left`,
	`10 10 ALARM: \d+ backups failed in a row: source bot`,
	`10 10 ALARM: the source bot is gone`,
	`10 13 OVER: \d+ backups failed in a row: source bot`,
	`10 13 OVER: the source bot is gone`,
	`19 10 ALARM: a backup is suspiciously small.*120 records.* to 12 in `,
	`20 10 OVER: a backup is suspiciously small`,
	`24 \d\d ALARM: the backup keepsake is damaged`,
	`25 \d\d STILL: the backup keepsake is damaged`,
	`26 09 OVER: the backup keepsake is damaged`,
	`27 1[01] ALARM: the backup planted is damaged: .*collection turning`,
	`27 1[234] OVER: the backup planted is damaged`,
}

// checkTold checks that each receiver heard all of it, and nothing else. Mail was down on
// the tenth: it came later.
func (m *month) checkTold() {
	m.t.Helper()
	late := slices.Clone(monthTold)
	for i, line := range late {
		if strings.HasPrefix(line, "10 ") {
			late[i] = "10 15" + line[len("10 10"):]
		}
	}
	slices.Sort(late)
	for who, heard := range map[string]struct{ got, want []string }{"mail": {m.mailed, late}, "the webhook": {m.hooked, monthTold}} {
		var got []string
		for _, line := range heard.got {
			when, words, _ := strings.Cut(line, ":") // the hour
			_, words, _ = strings.Cut(words, " ")    // its minutes
			got = append(got, when+" "+words)
		}
		number := regexp.MustCompile(`^(\d\d \d\d \w+: )\d+ `)
		slices.SortStableFunc(got, func(a, b string) int {
			return strings.Compare(number.ReplaceAllString(a, "${1}\\"), number.ReplaceAllString(b, "${1}\\"))
		})
		if len(got) != len(heard.want) {
			m.t.Errorf("%s heard %d lines, want %d", who, len(got), len(heard.want))
		}
		for i := range min(len(got), len(heard.want)) {
			if !regexp.MustCompile("^" + heard.want[i]).MatchString(got[i]) {
				m.t.Errorf("%s heard %q, want %q", who, got[i], heard.want[i])
			}
		}
	}
}

// ended gives what webhooks were told of backups.
func (m *month) ended() (made []string, failed, began int) {
	m.t.Helper()
	for _, r := range m.ears.Requests() {
		if r.Path != "/hook" {
			continue
		}
		var told struct{ Event, Op, Backup, Result string }
		if err := json.Unmarshal(r.Body, &told); err != nil {
			m.t.Fatal(err)
		}
		switch {
		case told.Op != "backup":
		case told.Event == "before_backup":
			began++
		case told.Event == "failure":
			failed++
		case told.Event == "after_backup" && told.Result != "unchanged":
			made = append(made, told.Backup)
		}
	}
	return made, failed, began
}

// made counts the backups that were made.
func (m *month) made() int {
	made, _, _ := m.ended()
	return len(made)
}

// checkPings checks that the dead man's switch heard of each backup.
func (m *month) checkPings() {
	m.t.Helper()
	_, failed, began := m.ended()
	heard := m.pings()
	if heard["/ping/start"] != began || heard["/ping/fail"] != failed || heard["/ping"] != began-failed {
		m.t.Errorf("the dead man's switch heard %v of %d backups, %d of which failed", heard, began, failed)
	}
}

// checkBackups checks that what should be kept is there, here and in the replica, and
// nothing else, and how it was proven.
func (m *month) checkBackups() {
	m.t.Helper()
	kept := m.backups()
	newest := kept[0].CreatedAt.Time
	there := map[string]bool{}
	for _, b := range kept {
		there[string(b.Name)] = true
		// A pause counts as half of the limit at most, which keeps what is older.
		if age := newest.Sub(b.CreatedAt.Time); age > 10*24*time.Hour || b.Pinned {
			m.t.Errorf("%s is kept, %s older than the newest", b.Name, age)
		}
		if b.Proven != nil && m.clock.Now().Sub(b.Proven.At.Time) > monthVerify {
			m.t.Errorf("%s was last proven at %s", b.Name, b.Proven.At)
		}
	}
	made, _, _ := m.ended()
	for _, name := range made {
		stamp, found := strings.CutPrefix(name, "scheduled_backup_")
		if !found {
			continue
		}
		at, err := time.Parse("20060102_150405", stamp)
		m.ok(err)
		if newest.Sub(at) < 7*24*time.Hour && !there[name] {
			m.t.Errorf("%s is gone", name)
		}
	}
	var plan report.Prune
	m.ask(200, "GET", "/api/v1/prune-plan", nil, &plan)
	var status report.Status
	m.ask(200, "GET", "/api/v1/status", nil, &status)
	if status.Verdict != report.Safe || len(status.Replicas) != 1 || len(status.Replicas[0].Behind) != 0 || status.Replicas[0].Error != "" {
		m.t.Errorf("status: %+v", status)
	}
	if drills := strings.Count(m.log.String(), "kind=drill by=schedule"); drills < 4 {
		m.t.Errorf("%d drills were held", drills)
	}
}

// checkRestores restores from the repository, and from the replica alone, and compares
// with what is there.
func (m *month) checkRestores() {
	m.t.Helper()
	const tally = "select count(*), sum(length(text)), max(id) from notes"
	want, records := m.sqlite(monthDatabase, tally), m.records(m.chroma)
	away := m.with(s3test.Environment()...)
	for to, repository := range map[string]string{"from here": m.path(monthRepository), "from far": m.copies} {
		away.must(0, "--repo", repository, "restore", "latest", "--to", to)
		if got := m.sqlite(to+"/bot/bot.db", tally); got != want {
			m.t.Errorf("%s: %s, want %s", to, got, want)
		}
		copied := chromatest.Start(m.t, chromatest.New, m.path(to, "chromadb"))
		got := m.records(copied)
		m.ok(copied.Stop())
		if len(got) != len(records) {
			m.t.Errorf("%s: %d records, want %d", to, len(got), len(records))
		}
		for id, r := range records {
			if err := chromatest.Same(got[id], r); err != nil {
				m.t.Errorf("%s: %s: %v", to, id, err)
			}
		}
	}
}

// records gives everything that a server has.
func (m *month) records(s *chromatest.Server) map[string]chromatest.Record {
	m.t.Helper()
	client := s.Client()
	defer client.Close()
	all := map[string]chromatest.Record{}
	for _, name := range []string{documents, "turning"} {
		found, err := client.Get(m.t.Context(), id(m.t, client, name), nil)
		m.ok(err)
		for _, r := range found {
			all[name+"/"+r.ID] = r
		}
	}
	return all
}

// checkNothingRuns checks that no goroutine of a daemon is left.
func (m *month) checkNothingRuns() {
	m.t.Helper()
	var left []string
	for deadline := time.Now().Add(monthPatience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		left = nil
		stacks := make([]byte, 8<<20)
		for _, stack := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			for _, part := range []string{"daemon", "keeper", "schedule", "job", "alarm", "around", "operation"} {
				if strings.Contains(stack, "holdfast/internal/"+part+".") {
					left = append(left, stack)
					break
				}
			}
		}
		if len(left) == 0 {
			return
		}
	}
	m.t.Errorf("left behind by the daemon:\n%s", strings.Join(left, "\n\n"))
}
