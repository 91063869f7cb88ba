//go:build linux

package test

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// The name of a file as somebody in Bangkok would give it.
const ragFile = "คู่มือพนักงาน ปี ๒๕๖๙.pdf"

// The walk of the manual: an upload has its auto backup, a question its answer, the
// memory grows; what was cleared comes back by a restore that stops and starts
// Chroma, with the memory, and the assistant looks its collections up again.
func TestRAGPDF_UploadAskClearRestore(t *testing.T) {
	t.Parallel()
	r, port := newRAG(t)
	r.starts()
	d := r.daemon(port)

	auto := r.uploads(ragFile)
	_, shown := d.ask([]int{http.StatusOK}, http.MethodGet, "/backups/"+auto, "")
	contains(t, "the backup", string(shown), `"trigger":"auto"`, `"note":"before the upload of `+ragFile+`"`)
	if !strings.HasPrefix(auto, "auto_backup_") || !slices.Contains(d.names(), auto) {
		t.Errorf("the backup before the upload is %s of %q", auto, d.names())
	}
	r.asks("วันลาพักร้อนปีละกี่วัน", 1)
	r.asks("May I work from home?", 2)
	r.asks("ค่าที่พักเบิกได้คืนละเท่าไหร่", 3)
	r.asks("Who is the president of France?", 0)
	before := r.status()
	documents, chunks := before.documents()
	memory, remembered := before.memory()
	if chunks == 0 || remembered != 4 {
		t.Errorf("before the backup: %+v", before)
	}

	named := d.makes(`{"name":"สำรองก่อนล้างข้อมูล","type":"enhanced"}`)
	status, text := r.form("/data/clear", "memory", "yes", "sure", "yes")
	if status != http.StatusOK || backupShown.FindStringSubmatch(text) == nil {
		t.Fatalf("clearing: %d\n%s", status, text)
	}
	r.asks("วันลาพักร้อนปีละกี่วัน", 0)
	cleared := r.status()
	if id, n := cleared.documents(); id == documents || n != 0 {
		t.Errorf("after clearing: %+v", cleared)
	}

	done := d.post("/backups/"+named+"/restore", `{"wait":true}`)
	if done.State != "succeeded" {
		t.Fatalf("the restore: %+v\n%s\n%s", done, d, r.printed())
	}
	if !slices.ContainsFunc(d.names(), func(name string) bool { return strings.HasPrefix(name, "emergency_restore_") }) {
		t.Errorf("there is no emergency backup among %q", d.names())
	}
	after := r.status()
	if id, n := after.documents(); id != documents || n != chunks {
		t.Errorf("after the restore: %+v, before: %+v", after, before)
	}
	if id, n := after.memory(); id != memory || n != remembered {
		t.Errorf("the memory after the restore: %+v, before: %+v", after, before)
	}
	r.asks("วันลาพักร้อนปีละกี่วัน", 1)
	_, text = r.get("/conversations")
	contains(t, "the memory", text, "May I work from home?", "Employees may work from home")
	_, text = r.get("/documents")
	contains(t, "the documents", text, `data-file="`+ragFile+`"`)
	if _, err := os.Stat(r.m.path("data", "pdf", ragFile)); err != nil {
		t.Error(err)
	}
	if strings.Contains(r.printed(), "started again") {
		t.Errorf("a Chroma that was stopped for a restore is no Chroma that has ended:\n%s", r.printed())
	}

	// What is lost is only what came later: an upload goes on.
	r.uploads("second.pdf")
	wantExit(t, r.served, r.end(), 0)
	if pid := r.chromaProcess(); pid != 0 {
		t.Errorf("the assistant has ended, and its Chroma, process %d, has not", pid)
	}
}

// Without holdfast, or with a token that it does not take, nothing is changed, and
// one sentence says what to do; with the right one all goes on.
func TestRAGPDF_WithoutABackupNothingChanges(t *testing.T) {
	t.Parallel()
	r, port := newRAG(t)
	r.starts()
	refused := func(what, want string) {
		t.Helper()
		before := r.status()
		for path, send := range map[string]func() (int, string){
			"/documents":  func() (int, string) { return r.upload(ragFile) },
			"/data/clear": func() (int, string) { return r.form("/data/clear", "sure", "yes") },
		} {
			if status, text := send(); status != http.StatusServiceUnavailable || !strings.Contains(text, want) || !strings.Contains(text, "ยังไม่มีอะไรเปลี่ยนแปลง") {
				t.Errorf("%s, %s: %d\n%s", what, path, status, text)
			}
		}
		if _, was := before.documents(); true {
			if _, is := r.status().documents(); is != was {
				t.Errorf("%s: %d records, before %d", what, is, was)
			}
		}
	}
	refused("nobody there", "holdfast serve")
	d := r.daemon(port)
	r.uploads(ragFile)
	token, _ := r.m.must(0, "token", "create", "assistant", "--scope", "backup")
	refused("no token", "--holdfast-token-file")
	r.m.file("token", "hf_wrong")
	r.args = append(r.args, "--holdfast-token-file", r.m.path("token"))
	wantExit(t, r.served, r.end(), 0)
	r.starts()
	refused("a wrong token", "--holdfast-token-file")
	r.m.file("token", token)
	r.uploads(ragFile)
	_, text := r.get("/data")
	contains(t, "what holdfast says", text, `id="verdict"`, "Your data is")
	d.signal(syscall.SIGTERM)
	d.exit()
	refused("it has ended", "holdfast serve")

	// Whoever wants uploads all the same says so, and is told of each.
	r.args = append(r.args, "--without-backup", "uploads")
	wantExit(t, r.served, r.end(), 0)
	r.starts()
	status, text := r.upload("another.pdf")
	if status != http.StatusOK {
		t.Errorf("an upload without a backup: %d", status)
	}
	contains(t, "what it says", text, `class="notice warn"`, "--without-backup", `data-file="another.pdf"`)
	if status, _ := r.form("/data/clear", "sure", "yes"); status != http.StatusServiceUnavailable {
		t.Errorf("clearing without a backup: %d", status)
	}
	wantExit(t, r.served, r.end(), 0)
	if strings.Contains(r.printed(), strings.TrimSpace(token)) {
		t.Error("the log has the token")
	}
}

// A Chroma that dies is started again; one that was stopped for a restore stays so
// until the hook, whatever becomes of the assistant; and none outlives it.
func TestRAGPDF_ChromaStopsAndStarts(t *testing.T) {
	t.Parallel()
	r, port := newRAG(t)
	r.starts("RAG_MODE=standard")
	r.daemon(port)
	r.uploads(ragFile)

	r.killChroma()
	if status, text := r.form("/", "question", "work from home"); status != http.StatusServiceUnavailable || !strings.Contains(text, "Chroma ไม่ตอบสนอง") {
		t.Errorf("without Chroma: %d\n%s", status, text)
	}
	if status, text := r.upload("another.pdf"); status != http.StatusOK && (status != http.StatusServiceUnavailable || !strings.Contains(text, "Chroma ไม่ตอบสนอง")) {
		t.Errorf("an upload without Chroma: %d\n%s", status, text)
	}
	r.until("Chroma is back", func() bool { return r.status().Chroma == "ok" })
	r.asks("work from home", 2)

	// Standard: nothing is remembered.
	if _, n := r.status().memory(); n != 0 {
		t.Errorf("the mode standard remembers %d conversations", n)
	}
	_, text := r.get("/conversations")
	contains(t, "the page of the memory", text, `id="memory-off"`)

	if status, text := r.hook("stop"); status != http.StatusOK || r.chromaProcess() != 0 {
		t.Fatalf("stop: %d %s", status, text)
	}
	if status, text := r.upload("another.pdf"); status != http.StatusServiceUnavailable || !strings.Contains(text, "กำลังกู้คืนข้อมูล") {
		t.Errorf("an upload during a restore: %d\n%s", status, text)
	}
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	r.wait()
	r.starts()
	if s := r.status(); !s.Restoring || r.chromaProcess() != 0 {
		t.Errorf("started during a restore: %+v", s)
	}
	if status, text := r.hook("start"); status != http.StatusOK {
		t.Fatalf("start: %d %s", status, text)
	}
	r.asks("work from home", 2)

	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	r.wait()
	r.until("Chroma ends with the assistant", func() bool { return r.chromaProcess() == 0 })
}
