//go:build linux

package test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

const (
	botsPage  = "../docs/bots.md"
	botsPageF = "../docs/bots.fa.md"
)

// trimmed gives the lines of code without their indentation.
func trimmed(code string) string {
	var out strings.Builder
	for line := range strings.Lines(code) {
		out.WriteString(strings.TrimSpace(line) + "\n")
	}
	return out.String()
}

// Every snippet stands in a program that is compiled, and run by a test.
func TestPageBots_SnippetsAreCompiled(t *testing.T) {
	t.Parallel()
	p := openPage(t, botsPage)
	files, err := filepath.Glob("../examples/bot/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var compiled strings.Builder
	for _, file := range append(files, "../boot/example_test.go", "../examples/bot/migrations/00001_users.sql") {
		compiled.WriteString(trimmed(readText(t, file)))
	}
	snippets := append(p.fenced("go"), p.fenced("sql")...)
	if len(snippets) < 8 {
		t.Fatalf("%s has only %d snippets", botsPage, len(snippets))
	}
	for _, snippet := range snippets {
		if !strings.Contains(compiled.String(), "\n"+trimmed(snippet)) && !strings.HasPrefix(compiled.String(), trimmed(snippet)) {
			t.Errorf("this stands neither in examples/bot nor among the examples of boot:\n%s", snippet)
		}
	}
}

// buildBot builds examples/bot, with further migrations if there are any.
func (m *machine) buildBot(name string, migrations map[string]string) {
	m.t.Helper()
	folder, err := filepath.Abs("../examples/bot")
	if err != nil {
		m.t.Fatal(err)
	}
	overlay := map[string]map[string]string{"Replace": {}}
	for file, text := range migrations {
		m.file(file, text)
		overlay["Replace"][filepath.Join(folder, "migrations", file)] = m.path(file)
	}
	data, err := json.Marshal(overlay)
	if err != nil {
		m.t.Fatal(err)
	}
	m.file("overlay.json", string(data))
	build := exec.CommandContext(m.t.Context(), "go", "build", "-overlay", m.path("overlay.json"), "-o", m.path(name), folder)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		m.t.Fatalf("go build ./examples/bot: %v\n%s", err, out)
	}
}

// The logs of the page are what the example prints: a first start, a disk that is
// gone, a migration that fails, a storage that comes back.
func TestPageBots_LogsAreReal(t *testing.T) {
	t.Parallel()
	p := openPage(t, botsPage, botsPageF)
	m := newMachine(t)
	m.buildBot("bot", nil)
	m.buildBot("bot-with-a-mistake", map[string]string{
		"00003_language.sql": "-- +goose Up\nALTER TABLE users ADD COLUMN language TEXT;\nUPDATE users SET lang = 'en';\n",
	})
	tg := telegramtest.Start(t, telegramtest.Options{})
	tg.User(4711, "Parisa", "en")
	places := func(database string) string {
		m.env = []string{"TELEGRAM_TOKEN=" + tg.Token, "HOLDFAST_TELEGRAM_API=" + tg.URL, "BOT_ADMINS=4711", "HOLDFAST_REPLICAS=[]", "DATABASE_PATH=" + m.path(database), "HOLDFAST_REPOSITORY=" + m.path("backups")}
		return "$ DATABASE_PATH=/srv/bot/" + database + " HOLDFAST_REPOSITORY=/srv/bot/backups "
	}
	hello := func(id int64, name, want string) {
		t.Helper()
		tg.User(id, name, "en").Says(0, "hello")
		tg.AwaitText(id, want)
	}

	command := places("data/bot_database.db")
	bot := m.serve(freePort(t), m.path("bot"))
	bot.says("backup made", "storage over restarts", "reading updates")
	hello(4711, "Parisa", "Hello Parisa! I keep order in groups: add me to one as an admin. I know 1 of you.")
	wantExit(t, bot, bot.end(), 0)
	p.shows("first", command+"./bot\n"+bot.printed())

	if err := os.RemoveAll(m.path("data")); err != nil {
		t.Fatal(err)
	}
	bot = m.serve(freePort(t), m.path("bot"))
	bot.says("storage over restarts", "reading updates")
	hello(2, "Nok", "I know 2 of you.")
	wantExit(t, bot, bot.end(), 0)
	p.shows("lost", "$ rm -r /srv/bot/data\n"+command+"./bot\n"+bot.printed())

	bot = m.serve(freePort(t), m.path("bot-with-a-mistake"))
	wantExit(t, bot, bot.wait(), 1)
	p.shows("migration", command+"./bot\n"+bot.printed())
	if got := m.sqlite("data/bot_database.db", "SELECT count(*), (SELECT max(version_id) FROM goose_db_version) FROM users"); got != "2|2" {
		t.Errorf("after a migration that failed: %s", got)
	}

	m.file("volume", "not a directory")
	command = places("volume/bot_database.db")
	m.with("HOLDFAST_SCHEDULE_ON_CHANGE=2s") // there is one that the mirror misses
	bot = m.serve(freePort(t), m.path("bot"))
	bot.says("DEGRADED", "storage over restarts", "reading updates")
	hello(3, "Somchai", "I know 3 of you.")
	bot.says("the mirror was not brought up", "backup made")
	if err := os.Remove(m.path("volume")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(m.path("volume"), 0o755); err != nil {
		t.Fatal(err)
	}
	bot.says("the database is back on disk")
	hello(4, "Robin", "I know 4 of you.")
	wantExit(t, bot, bot.end(), 0)
	p.shows("degraded", command+"./bot\n"+bot.printed())
	if got := m.sqlite("volume/bot_database.db", "SELECT group_concat(name) FROM users"); got != "Nok,Somchai,Robin,Parisa" {
		t.Errorf("on the disk that came back: %s", got)
	}
}

func wantExit(t *testing.T, s *served, got, want int) {
	t.Helper()
	if got != want {
		t.Fatalf("it ended with %d, want %d:\n%s", got, want, s.printed())
	}
}

// What the page types in a shell works beside the running bot.
func TestPageBots_ShellBesideTheBot(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.buildBot("bot", nil)
	tg := telegramtest.Start(t, telegramtest.Options{})
	m.env = []string{"TELEGRAM_TOKEN=" + tg.Token, "HOLDFAST_TELEGRAM_API=" + tg.URL, "DATABASE_PATH=" + m.path("bot_database.db"), "HOLDFAST_REPOSITORY=" + m.path("backups")}
	bot := m.serve(freePort(t), m.path("bot"))
	bot.says("backup made")
	tg.User(1, "Parisa", "en").Says(0, "hello")
	tg.AwaitText(1, "I know 1 of you.")
	commands := strings.ReplaceAll(blockOf(t, botsPage, "Backups and restores"), "/tmp/", m.dir+"/")
	commands = strings.ReplaceAll(commands, "holdfast restore", "sqlite3 bot_database.db \"INSERT INTO users(id, name) VALUES(9, 'Nobody')\"\nholdfast --yes restore")
	commands = strings.ReplaceAll(commands, "holdfast rollback", "sqlite3 bot_database.db \"SELECT 'after the restore', group_concat(name) FROM users\"\nholdfast --yes rollback")
	out := m.types(commands + "sqlite3 bot_database.db \"SELECT 'after the rollback', group_concat(name) FROM users\"\n")
	contains(t, "the commands", out, "after the restore|Parisa\n", "after the rollback|Parisa,Nobody\n", "Your data is safe", "program")
	tg.User(2, "Nok", "en").Says(0, "hello")
	tg.AwaitText(2, "I know 3 of you.")
	wantExit(t, bot, bot.end(), 0)
}

// The table of the words about the storage has the words that are used.
func TestPageBots_WordsOfSurvival(t *testing.T) {
	t.Parallel()
	source, shown := readText(t, "../internal/survival/history.go"), readText(t, botsPage)
	for _, words := range []string{
		"a first start: nothing is known of an earlier one", "kept over %d restarts", "this start found the storage wiped", "wiped ", "twice",
		"two instances are running on this storage, the other is ", "two instances are running, each with data of its own; the other is ",
		"unclear: ", " still runs, or ended without a word", "unknown: ",
	} {
		if !strings.Contains(source, words) {
			t.Errorf("package survival no longer says %q", words)
		}
		if !strings.Contains(shown, strings.ReplaceAll(words, "%d", "12")) {
			t.Errorf("%s does not explain %q", botsPage, words)
		}
	}
}
