//go:build linux

package test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

const apiPage = "../docs/api.md"

// A door is a daemon for whoever types what a page says of its API.
type door struct {
	*served
	page *page
}

// open starts a daemon on a database of its own, and waits until it has said these
// words.
func (p *page) open(settings string, words ...string) *door {
	p.t.Helper()
	m := newMachine(p.t)
	m.file("holdfast.yaml", "repository: ./backups\nsources: {bot: {type: sqlite, path: ./bot.db}}\n"+settings)
	m.sqlite("bot.db", "create table notes(x); insert into notes values ('one'), ('two')")
	d := &door{m.serve(freePort(p.t), binary, "serve", "--listen", "127.0.0.1:0"), p}
	d.says(append(words, "API; Ctrl-C stops")...)
	d.port = regexp.MustCompile(`serving http://127\.0\.0\.1:(\d+)`).FindStringSubmatch(d.printed())[1]
	return d
}

// here puts the address of this daemon in the place of the usual one.
func (d *door) here(text string) string {
	return strings.ReplaceAll(text, "127.0.0.1:8484", "127.0.0.1:"+d.port)
}

// types runs commands of the page, with further variables.
func (d *door) types(commands string, variables ...string) string {
	d.m.t.Helper()
	m := *d.m
	m.env = append(m.env[:len(m.env):len(m.env)], variables...)
	return m.types(d.here(commands))
}

// section gives the commands that stand in console blocks below a heading.
func (p *page) section(title string) string {
	p.t.Helper()
	_, text, found := strings.Cut(p.text, "# "+title+"\n")
	if !found {
		p.t.Fatalf("%s has no section %q", p.paths[0], title)
	}
	text, _, _ = strings.Cut(text, "\n#")
	var out strings.Builder
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(block[2]) {
			if command, is := strings.CutPrefix(line, "$ "); is && block[1] == "console" {
				out.WriteString(command)
			}
		}
	}
	if out.Len() == 0 {
		p.t.Fatalf("section %q has no commands", title)
	}
	return out.String()
}

// answered reads an answer.
func answered[T any](t *testing.T, answer string) (out T) {
	t.Helper()
	if err := json.Unmarshal([]byte(answer), &out); err != nil {
		t.Fatalf("%v:\n%s", err, answer)
	}
	return out
}

// madeBackup is what matters in the answer to the call before an upload.
type madeBackup struct {
	Reused bool
	Job    string
	Backup struct{ Name string }
}

// Every command of the page does what the page says, on a daemon that nobody has
// made a token for.
func TestPageAPI_CommandsAreTyped(t *testing.T) {
	t.Parallel()
	p := openPage(t, apiPage)
	d := p.open("", "backup made")
	d.m.sqlite("bot.db", "insert into notes values ('three')")
	first := d.types(p.section("The call before an upload"))
	var pretty bytes.Buffer
	shown := regexp.MustCompile(`"job":"[^"]*"`).ReplaceAllString(d.m.shown(first), `"job":"20241030T143000123-K7Q2M9XA"`)
	if err := json.Indent(&pretty, []byte(shown), "", "  "); err != nil {
		t.Fatal(err)
	}
	p.showsAs("json", "answer", strings.TrimSpace(pretty.String())+"\n")
	made := answered[madeBackup](t, first)
	stdout, _ := d.m.must(0, "list")
	contains(t, "list", stdout, made.Backup.Name)

	job := answered[struct{ ID, State string }](t, d.types(p.section("Jobs")))
	if job.State != "succeeded" {
		t.Errorf("the verification has %s", job.State)
	}
	contains(t, "the stream of events", d.types(p.section("Events"), "JOB="+job.ID),
		"id: 1\nevent: state\ndata: {\"seq\":1,", "event: progress\n", `"state":"succeeded"`)

	again := p.section("The same request twice")
	one, other := answered[madeBackup](t, d.types(again)), answered[madeBackup](t, d.types(again))
	if one.Job == "" || one.Job != other.Job {
		t.Errorf("one request is the jobs %q and %q", one.Job, other.Job)
	}
	list := answered[struct{ Total *int }](t, d.types(p.section("Lists")))
	if list.Total == nil || *list.Total != 0 { // no name or note has the word
		t.Errorf("the list has %v", list.Total)
	}
	d.types(p.section("Downloads"))
	contains(t, "the archive", d.types("tar -xOf backup.tar bot/bot.db | cmp - bot.db && echo tar is whole\npython3 -m zipfile -t backup.zip"), "tar is whole", "Done testing")
	wantExit(t, d.served, d.end(), 0)
}

// The programs of the page run, without a token and with one that may do nothing
// else, and tell what is wrong.
func TestPageAPI_ProgramsRun(t *testing.T) {
	t.Parallel()
	p := openPage(t, apiPage)
	d := p.open("", "backup made")
	name := regexp.MustCompile(`^(auto|scheduled)_backup_\d{8}_\d{6}(_\d+)?\n$`)
	programs := map[string]string{"python3": p.fenced("python")[0], "node": p.fenced("javascript")[0]}
	runs := func(interpreter, text string) string {
		d.m.file("program", text)
		return d.types(interpreter + " program 2>&1 || true")
	}
	for interpreter, text := range programs {
		if got := runs(interpreter, d.here(text)); !name.MatchString(got) {
			t.Errorf("%s prints %s", interpreter, got)
		}
	}

	create, use, _ := strings.Cut(p.section("Tokens"), "\n")
	token := strings.TrimSpace(d.types(create + " 2>/dev/null"))
	contains(t, "the status", d.types(use, "TOKEN="+token), `"verdict":"safe"`)
	contains(t, "who has no token", d.types(use, "TOKEN="), `"status":401`, `"code":"unauthorized"`)
	for interpreter, text := range programs {
		contains(t, interpreter, runs(interpreter, d.here(text)), "unauthorized: ")
		for _, call := range []string{"before_upload()", "beforeUpload()"} {
			text = strings.ReplaceAll(text, call, strings.TrimSuffix(call, ")")+`"`+token+`")`)
		}
		if got := runs(interpreter, d.here(text)); !name.MatchString(got) {
			t.Errorf("with a token %s prints %s", interpreter, got)
		}
	}
	if strings.Contains(d.printed(), token) {
		t.Error("the log has the token")
	}
	wantExit(t, d.served, d.end(), 0)
}

// A stranger who reads the problem that the page shows finds its fields in a real one.
func TestPageAPI_AProblemLooksLikeTheOneShown(t *testing.T) {
	t.Parallel()
	p := openPage(t, apiPage)
	d := p.open("hooks: {before_backup: 'exit 3'}\n", "exit status 3")
	shown := answered[map[string]any](t, p.fenced("json")[1])
	got := answered[map[string]any](t, d.types(strings.ReplaceAll(p.section("The call before an upload"), " --fail-with-body", "")))
	for field := range shown {
		if _, is := got[field]; !is {
			t.Errorf("a problem has no field %s: %v", field, got)
		}
	}
	contains(t, "the problem", strings.Join([]string{got["code"].(string), got["hint"].(string)}, " "), "refused ")
	wantExit(t, d.served, d.end(), 0)
}
