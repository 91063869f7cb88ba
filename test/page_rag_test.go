//go:build linux

package test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
)

const (
	ragPage     = "../docs/rag.md"
	ragPageThai = "../docs/rag.th.md"
)

// A ragWorld is the directory of whoever does what the page says, with ports of its
// own.
type ragWorld struct {
	*machine
	page  *page
	ports *strings.Replacer
	api   string // the port of holdfast
}

// newRAGWorld writes the files of the page, and what a machine with Chroma has.
func newRAGWorld(t *testing.T) *ragWorld {
	t.Helper()
	w := &ragWorld{machine: newMachine(t), page: openPage(t, ragPage), api: freePort(t)}
	w.ports = strings.NewReplacer("8000", freePort(t), "8001", freePort(t), "8484", w.api)
	for _, name := range []string{"holdfast.yaml", "chroma.sh", "before.py", "assistant.py", "ingest.py"} {
		w.file(name, w.ports.Replace(w.page.file(name)))
	}
	w.file("holdfast.yaml", strings.Replace(w.read("holdfast.yaml"), "{every: 6h}", "{every: 6h, on_change: off}", 1)) // no backup but those of the page
	w.file("chromadb.py", readText(t, "testdata/rag/chromadb.py"))
	w.file("leave.txt", "วันลาพักร้อนปีละ 12 วัน\nA laptop is replaced every four years.\n")
	command, err := chromatest.CommandLine(chromatest.New, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	command = command[:slices.Index(command, "run")]
	if err := os.Mkdir(w.path("bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.path("bin", "chroma"), []byte("#!/bin/sh\nexec '"+strings.Join(command, "' '")+"' \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.env = []string{"PATH=" + w.path("bin") + ":" + filepath.Dir(binary) + ":" + os.Getenv("PATH")}
	t.Cleanup(func() { // a test that failed leaves it running
		text, err := os.ReadFile(w.path("chroma.pid"))
		pid, notANumber := strconv.Atoi(strings.TrimSpace(string(text)))
		if err == nil && notANumber == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return w
}

// does types commands of the page.
func (w *ragWorld) does(commands string) string {
	w.t.Helper()
	return w.types(w.ports.Replace(commands))
}

// command finds one command of a section by its words.
func (w *ragWorld) command(section string, words ...string) string {
	w.t.Helper()
	for line := range strings.Lines(w.page.section(section)) {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
			return line
		}
	}
	w.t.Fatalf("section %q has no command with %q", section, words)
	return ""
}

// The assistant of the page does what the page says: its auto backups, its memory,
// the restore with its hooks, guard and the proxy, each as it stands there.
func TestPageRAG_TheAssistantIsKept(t *testing.T) {
	t.Parallel()
	w := newRAGWorld(t)
	blocks := w.page.fenced("sh")
	w.does(blocks[1])
	defer w.does("./chroma.sh stop")
	d := w.serve(w.api, binary, "serve", "--listen", "127.0.0.1:"+w.api)
	d.says("backup made")

	const first = "The call before an upload"
	made := regexp.MustCompile(`the state before is (\w+)\n`)
	uploaded := made.FindStringSubmatch(w.does(w.command(first, "upload")))
	if uploaded == nil {
		t.Fatal("the upload names no backup")
	}
	question := w.command(first, "ask")
	const known = "วันลาพักร้อนปีละ 12 วัน (leave.txt, line 1)\n"
	if got := w.does(question); got != known {
		t.Errorf("the answer is %q", got)
	}
	w.does(w.command(first, "holdfast backup"))
	cleared := made.FindStringSubmatch(w.does(w.command(first, "clear")))
	if cleared == nil {
		t.Fatal("clearing names no backup")
	}
	if got := w.does(question); got != "the documents say nothing about this\n" {
		t.Errorf("after clearing the answer is %q", got)
	}
	out := w.does(w.page.section("Restore, and reload the collections"))
	contains(t, "the restore", out, "memory: restored", "emergency_restore_", known, "3 conversations are remembered")

	out = w.does(w.page.section("Guard: an ingestion that may fail"))
	contains(t, "guard", out, "the embedding service does not answer", "rolling back to guard_backup_", "exit status 1", known)
	list, _ := w.must(0, "list")
	contains(t, "the list", list, uploaded[1], cleared[1], "auto_backup_", "ก่อนล้างข้อมูล", "guard_backup_")

	// Before a deletion an incomplete backup is none.
	w.does(`python3 -c "import chromadb; chromadb.HttpClient(host='127.0.0.1', port=8000).delete_collection('enhanced_rag_memory')"`)
	if got := w.does("python3 assistant.py clear 2>&1 || true"); !strings.Contains(got, "nothing was changed: the backup lacks something") || strings.Contains(got, "cleared") {
		t.Errorf("without the memory: %s", got)
	}

	// Without holdfast nothing is changed; nor without a token once there is one.
	wantExit(t, d, d.end(), 0)
	if got := w.does("python3 assistant.py upload leave.txt 2>&1 || true"); !strings.Contains(got, "nothing was changed: holdfast does not answer") {
		t.Errorf("without a daemon: %s", got)
	}
	proxy := strings.Fields(w.ports.Replace(blocks[2]))
	d = w.serve(w.api, append(append([]string{binary}, proxy[1:]...), "--listen", "127.0.0.1:"+w.api)...)
	d.until("it serves", func() bool {
		resp, err := http.Get("http://127.0.0.1:" + w.api + "/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	w.does("python3 assistant.py ask hello") // so that no earlier backup holds everything
	w.does(`python3 -c "import chromadb; chromadb.HttpClient(host='127.0.0.1', port=8001).delete_collection('pdf_documents')"`)
	shown, _ := w.must(0, "--json", "list")
	contains(t, "the list", shown, "before a deletion through the Chroma proxy")
	w.must(0, "token", "create", "assistant", "--scope", "backup")
	if got := w.does("python3 assistant.py clear 2>&1 || true"); !strings.Contains(got, "nothing was changed: ") || strings.Contains(got, "cleared") {
		t.Errorf("without a token: %s", got)
	}
	wantExit(t, d, d.end(), 0)
}

// A program that runs through a restore holds an id that is another one now, and
// looks the collection up again.
func TestPageRAG_CollectionsAreLookedUpAgain(t *testing.T) {
	t.Parallel()
	w := newRAGWorld(t)
	w.does(w.page.fenced("sh")[1])
	defer w.does("./chroma.sh stop")
	w.file("through.py", `import assistant
use = lambda: assistant.collections.use(assistant.MEMORY, lambda c: (c.count(), c.id)[1])
before = use()
assistant.collections.client.delete_collection(assistant.MEMORY)
print("another id" if use() != before else "the same id")
`)
	if got := w.does("python3 through.py"); got != "another id\n" {
		t.Errorf("it prints %q", got)
	}
}

// setting matches a row of the table of settings.
var setting = regexp.MustCompile("(?m)^\\| `([A-Z_]+)=(\\w+)` \\| `([a-z_.]+)` \\|")

// The variables of the manual are those of the configuration.
func TestPageRAG_SettingsAreReal(t *testing.T) {
	t.Parallel()
	rows := setting.FindAllStringSubmatch(readText(t, ragPage), -1)
	if len(rows) != 9 {
		t.Fatalf("the table has %d settings", len(rows))
	}
	for _, row := range rows {
		if row[1] == "RAG_MODE" { // the assistant's own
			continue
		}
		m := newMachine(t).with(row[1] + "=" + row[2])
		stdout, _ := m.must(0, "config", "show")
		line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(row[3]) + `\b.*$`).FindString(stdout)
		contains(t, row[1], line, row[1])
	}
}

// The translation has the sections, the tables and every line of code of the
// original.
func TestPageRAG_ThaiSaysTheSame(t *testing.T) {
	t.Parallel()
	english, thai := readText(t, ragPage), readText(t, ragPageThai)
	if e, th := codeOf(english), codeOf(thai); !slices.Equal(e, th) {
		for i := range max(len(e), len(th)) {
			if i >= len(e) || i >= len(th) || e[i] != th[i] {
				t.Errorf("block %d of code is another one (%d and %d of them)", i, len(e), len(th))
				break
			}
		}
	}
	prose := func(text string) string { return fence.ReplaceAllString(text, "") }
	for what, count := range map[string]func(string) int{
		"headings":       func(text string) int { return len(heading.FindAllString(prose(text), -1)) },
		"rows of tables": func(text string) int { return strings.Count(prose(text), "\n| ") },
		"points":         func(text string) int { return strings.Count(prose(text), "\n- ") },
		"links":          func(text string) int { return len(link.FindAllString(prose(text), -1)) },
	} {
		if e, th := count(english), count(thai); e != th {
			t.Errorf("%d %s, the original has %d", th, what, e)
		}
	}
	inThai := regexp.MustCompile(`\p{Thai}`)
	for paragraph := range strings.SplitSeq(prose(thai), "\n\n") {
		if len(strings.Fields(inline.ReplaceAllString(paragraph, ""))) > 5 && !inThai.MatchString(paragraph) {
			t.Errorf("not translated: %s", paragraph)
		}
	}
	for _, row := range setting.FindAllString(english, -1) {
		contains(t, "the table of settings", thai, row)
	}
}
