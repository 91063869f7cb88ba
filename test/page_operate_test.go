//go:build linux

package test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/demo/fixture"
	"github.com/holdfast-backup/holdfast/internal/sinktest"
)

const operatePage = "../docs/operate.md"

// stageName is the name of a staged copy, with what is another in each run.
var stageName = regexp.MustCompile(`(holdfast-stage)-\w+-\d`)

// Whoever has lost data types the commands of the first section in their order, and
// is shown what it shows.
func TestPageOperate_BringingDataBack(t *testing.T) {
	t.Parallel()
	p := openPage(t, operatePage)
	m := &machine{t: t, dir: sameLength(t, "/srv/assistant")}
	if err := fixture.Unpack(m.path("data", "chromadb")); err != nil {
		t.Fatal(err)
	}
	m.file("holdfast.yaml", `repository: ./backups
sources:
  chromadb: {type: chroma, path: ./data/chromadb, memory: {collection: enhanced_rag_memory}, rag_mode: enhanced}
  bot:      {type: sqlite, path: ./bot.db}
`)
	m.sqlite("bot.db", `create table messages(id integer primary key, text);
		with recursive n(i) as (select 1 union all select i + 1 from n where i < 500) insert into messages select i, 'message ' || i from n;`)
	m.must(0, "backup", "--name", "before_upload", "--note", "before the annual reports")
	m.must(0, "verify")
	m.sqlite("bot.db", "delete from messages where id > 100")

	typed := func(name, command string) {
		t.Helper()
		printed := stageName.ReplaceAllString(m.types(command), "$1")
		p.shows(name, "$ "+command+"\n"+strings.ReplaceAll(printed, m.dir, "/srv/assistant"))
	}
	rows := func(want string) {
		t.Helper()
		if got := m.sqlite("bot.db", "select count(*) from messages"); got != want {
			t.Errorf("there are %s messages, want %s", got, want)
		}
	}
	typed("status", "holdfast status")
	typed("list", "holdfast list")
	typed("plan", "holdfast restore before_upload --dry-run")
	typed("restore", "holdfast restore before_upload --yes")
	rows("500")
	typed("rollback", "holdfast rollback --yes --quiet")
	rows("100")

	m.types(strings.ReplaceAll(p.indented("A part, or another place"), " --only", " --yes --only"))
	rows("500")
	for _, name := range []string{"look/bot/bot.db", "look/chromadb/chroma.sqlite3", "before_upload.tar"} {
		if info, err := os.Stat(m.path(name)); err != nil || info.Size() == 0 {
			t.Errorf("%s is not there, or empty (%v)", name, err)
		}
	}
}

// What crontab holds runs as cron runs it, and is silent while all is well.
func TestPageOperate_CronIsSilentWhileAllIsWell(t *testing.T) {
	t.Parallel()
	p := openPage(t, operatePage)
	m := newMachine(t)
	m.file("holdfast.yaml", "repository: ./backups\nsources: {bot: {type: sqlite, path: ./bot.db}}\n")
	m.sqlite("bot.db", "create table t(x); insert into t values (1)")
	lines := 0
	for line := range strings.Lines(p.indented("cron or a timer")) {
		fields := strings.Fields(line)
		if fields[0] == "#" {
			continue
		}
		lines++
		command := strings.ReplaceAll(strings.Join(fields[5:], " "), "/srv/assistant", m.dir)
		if out := m.types(command); out != "" {
			t.Errorf("cron would mail of %s:\n%s", command, out)
		}
	}
	if lines < 4 {
		t.Errorf("%s has %d lines for cron", operatePage, lines)
	}
	stdout, _ := m.must(0, "list")
	contains(t, "list", stdout, "scheduled_backup_", "by drill")
}

// The message that tries an alarm arrives.
func TestPageOperate_ATestOfTheAlarmsArrives(t *testing.T) {
	t.Parallel()
	sink := sinktest.NewHTTP(t)
	m := newMachine(t)
	m.file("holdfast.yaml", "sources: {bot: {type: sqlite, path: ./bot.db}}\n")
	command := strings.ReplaceAll(openPage(t, operatePage).indented("Alarms and pings"), "ntfy://ntfy.sh/a-topic-nobody-guesses", "generic+"+sink.URL+"/?disabletls=yes")
	m.types(command)
	if got := sink.Requests(); len(got) != 1 {
		t.Errorf("%d messages arrived: %+v", len(got), got)
	}
}

// indented gives the commands that stand indented below a heading, of whatever level.
func (p *page) indented(title string) string {
	p.t.Helper()
	_, section, found := strings.Cut(p.text, "# "+title+"\n")
	if !found {
		p.t.Fatalf("%s has no section %q", p.paths[0], title)
	}
	section, _, _ = strings.Cut(fence.ReplaceAllString(section, ""), "\n#")
	var out strings.Builder
	for line := range strings.Lines(section) {
		if command, is := strings.CutPrefix(line, "    "); is {
			out.WriteString(command)
		}
	}
	if out.Len() == 0 {
		p.t.Fatalf("section %q has no commands", title)
	}
	return out.String()
}
