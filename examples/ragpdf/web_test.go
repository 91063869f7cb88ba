package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
)

// A page of the assistant, in the browser of a test.
type browser struct {
	t      *testing.T
	a      *assistant
	server *httptest.Server
	header string // of the hooks
}

// open gives an assistant on a Chroma at an address, and a holdfast that answers as
// it is told.
func open(t *testing.T, chromaAt string, daemon *holdfast) *browser {
	t.Helper()
	o := options{data: t.TempDir(), address: chromaAt, tenant: "default_tenant", database: "default_database", pdf: "pdftotext", without: withoutNothing, uploadMB: 1}
	a, header, err := newAssistant(o, modeEnhanced)
	if err != nil {
		t.Fatal(err)
	}
	a.holdfast = daemon
	b := &browser{t, a, httptest.NewServer(a.handler(header)), header}
	t.Cleanup(b.server.Close)
	return b
}

// send sends a request, with headers in pairs.
func (b *browser) send(method, path, kind, body string, headers ...string) (int, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.server.Client().Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (b *browser) get(path string) (int, string) { return b.send(http.MethodGet, path, "", "") }

func (b *browser) form(path string, fields ...string) (int, string) {
	b.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	return b.send(http.MethodPost, path, "application/x-www-form-urlencoded", values.Encode())
}

func (b *browser) upload(name string, content []byte) (int, string) {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("pdf", name)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := part.Write(content); err != nil {
		b.t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		b.t.Fatal(err)
	}
	return b.send(http.MethodPost, "/documents", form.FormDataContentType(), body.String())
}

// ids are those of the collections, and how many records are in them.
func (b *browser) collections() map[string]string {
	b.t.Helper()
	_, text := b.get("/status")
	var told struct {
		Chroma      string
		Collections map[string]struct {
			ID      string
			Records int
		}
	}
	if err := json.Unmarshal([]byte(text), &told); err != nil || told.Chroma != "ok" {
		b.t.Fatalf("%v: %s", err, text)
	}
	out := map[string]string{}
	for name, c := range told.Collections {
		out[name] = c.ID
		out[name+" records"] = fmt.Sprint(c.Records)
	}
	return out
}

func contains(t *testing.T, what, text string, wants ...string) {
	t.Helper()
	for _, w := range wants {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not say %q:\n%s", what, w, text)
		}
	}
}

// Everything that a reader does, with a real Chroma server of either version.
func TestAssistant_WithARealServer(t *testing.T) {
	whole, err := os.ReadFile(handbook)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range chromatest.Versions() {
		t.Run(string(version), func(t *testing.T) {
			t.Parallel()
			daemon, _ := aHoldfast(t, 201, `{"backup":{"name":"auto_backup_1"}}`)
			b := open(t, chromatest.Start(t, version, t.TempDir()).URL(), daemon)
			_, text := b.get("/documents?lang=th")
			contains(t, "the first page", text, `lang="th"`, "ยังไม่มีเอกสาร")

			status, text := b.upload("คู่มือพนักงาน.pdf", whole)
			contains(t, "the upload", text, "auto_backup_1", `data-file="คู่มือพนักงาน.pdf"`, "/backups/auto_backup_1/restore")
			if status != http.StatusOK {
				t.Errorf("status %d", status)
			}
			before := b.collections()
			if _, _ = b.upload("คู่มือพนักงาน.pdf", whole); b.collections()[documentCollection+" records"] != before[documentCollection+" records"] {
				t.Errorf("the same file again is not the same: %v, before %v", b.collections(), before)
			}
			for question, want := range map[string]string{
				"วันลาพักร้อนปีละกี่วัน": `data-page="1"`,
				"May I work from home?": `data-page="2"`,
				"ค่าที่พักเบิกได้คืนละเท่าไหร่": `data-page="3"`,
			} {
				_, text := b.form("/", "question", question)
				contains(t, question, text, want, `data-file="คู่มือพนักงาน.pdf"`)
			}
			_, text = b.form("/", "question", "Who is the president of France?")
			contains(t, "what it does not know", text, `id="nothing"`)
			_, text = b.form("/", "question", "work from home")
			contains(t, "an earlier conversation", text, `id="related"`, "May I work from home?")
			_, text = b.get("/conversations")
			contains(t, "the memory", text, `data-count="5"`)

			// Somebody replaces the collections, as a restore does: they are looked up again.
			client := chromatest.NewClient(b.a.chroma.root[:len(b.a.chroma.root)-len("/api/v2")])
			defer client.Close()
			if err := client.Drop(t.Context(), documentCollection); err != nil {
				t.Fatal(err)
			}
			if now := b.collections(); now[documentCollection] == before[documentCollection] || now[documentCollection+" records"] != "0" {
				t.Errorf("a stale id: %v", now)
			}
			b.upload("a.pdf", whole)
			status, text = b.form("/documents/delete", "file", "a.pdf")
			if status != http.StatusOK || strings.Contains(text, `data-file="a.pdf"`) {
				t.Errorf("%d: it is not deleted: %s", status, text)
			}
			b.upload("b.pdf", whole)
			if status, _ = b.form("/data/clear", "memory", "yes"); status != http.StatusUnprocessableEntity {
				t.Errorf("clearing without a yes: %d", status)
			}
			b.form("/data/clear", "memory", "yes", "sure", "yes")
			if now := b.collections(); now[documentCollection+" records"] != "0" || now[memoryCollection+" records"] != "0" {
				t.Errorf("after clearing: %v", now)
			}
			if left, err := os.ReadDir(b.a.pdfs); err != nil || len(left) != 0 {
				t.Errorf("after clearing: %v, %v", left, err)
			}
		})
	}
}

// Of a passage the sentence is shown that answers, and what follows it.
func TestExtract_ShowsTheSentence(t *testing.T) {
	const page = "The core hours are 10:00 to 15:00. Every team meets on Wednesday. Lost equipment must be reported within 24 hours. Call the help desk."
	if got := extract("When must lost equipment be reported?", page); got != "… Lost equipment must be reported within 24 hours. Call the help desk." {
		t.Error(got)
	}
	const thai = "ลาป่วยได้ไม่เกิน 30 วันต่อปี"
	if got := extract("ลาป่วยได้กี่วัน", thai); got != thai {
		t.Error(got)
	}
}

// An upload of a name that is there takes the former document away: that is no upload
// which only adds.
func TestUpload_ReplacingIsDeleting(t *testing.T) {
	whole, err := os.ReadFile(handbook)
	if err != nil {
		t.Fatal(err)
	}
	there := `[]`
	var writes []string
	chroma := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch verb := filepath.Base(r.URL.Path); verb {
		case "collections":
			_, _ = w.Write([]byte(`{"id":"C"}`))
		case "get":
			_, _ = w.Write([]byte(`{"ids":` + there + `}`))
		default:
			writes = append(writes, verb)
			_, _ = w.Write([]byte(`{}`))
		}
	}))
	t.Cleanup(chroma.Close)
	b := open(t, chroma.URL, &holdfast{address: "http://127.0.0.1:1", http: http.DefaultClient})
	b.a.without = withoutUploads
	there = `["a-chunk"]`
	if status, text := b.upload("a.pdf", whole); status != http.StatusServiceUnavailable || len(writes) != 0 {
		t.Errorf("a document is replaced without a backup: %d, %v\n%s", status, writes, text)
	}
	there = `[]`
	if status, text := b.upload("a.pdf", whole); status != http.StatusOK || len(writes) == 0 {
		t.Errorf("an upload that only adds: %d, %v\n%s", status, writes, text)
	}
}

// What is cut off half-way is no document, and leaves nothing.
func TestAdd_CutHalfWay(t *testing.T) {
	daemon, _ := aHoldfast(t, 201, `{"backup":{"name":"auto_backup_1"}}`)
	b := open(t, chromatest.Start(t, chromatest.New, t.TempDir()).URL(), daemon)
	text := io.MultiReader(strings.NewReader(strings.Repeat("One sentence of many. ", 5000)), &broken{})
	if _, err := b.a.add(t.Context(), "a.pdf", filepath.Join(b.a.incoming, "a"), 1, text); err == nil {
		t.Fatal("it is taken")
	}
	if now := b.collections(); now[documentCollection+" records"] != "0" {
		t.Errorf("it leaves %v", now)
	}
}

type broken struct{}

func (*broken) Read([]byte) (int, error) { return 0, context.DeadlineExceeded }

// What does not come from the reader of these pages is refused.
func TestHandler_Refuses(t *testing.T) {
	daemon, requests := aHoldfast(t, 201, `{"backup":{"name":"auto_backup_1"}}`)
	b := open(t, "http://127.0.0.1:1", daemon) // nobody there
	for _, tt := range []struct {
		name   string
		want   int
		method string
		path   string
		body   string
		header []string
	}{
		{"a page of another site", 403, "POST", "/data/clear", "sure=yes", []string{"Sec-Fetch-Site", "cross-site"}},
		{"a foreign origin", 403, "POST", "/documents/delete", "file=a.pdf", []string{"Origin", "https://example.org"}},
		{"a name of another site", 403, "GET", "/documents", "", []string{"Host", "example.org:8600"}},
		{"a hook without the secret", 401, "POST", "/hooks/stop", "", nil},
		{"a hook with another one", 401, "POST", "/hooks/start", "", []string{"Authorization", "Bearer guess"}},
		{"a question that is too long", 413, "POST", "/", "question=" + strings.Repeat("x", longestQuestion+1), nil},
		{"no file", 422, "POST", "/documents", "", nil},
		{"a way out of the folder", 404, "GET", "/documents/..%2Fhooks.header", "", nil},
		{"a file that is not there", 404, "GET", "/documents/a.pdf", "", nil},
		{"a Chroma that is silent", 503, "GET", "/documents", "", nil},
		{"a hook for somebody else's Chroma", 409, "POST", "/hooks/stop", "", []string{"Authorization", strings.TrimPrefix(b.header, "Authorization: ")}},
	} {
		kind := ""
		if tt.body != "" {
			kind = "application/x-www-form-urlencoded"
		}
		if status, text := b.send(tt.method, tt.path, kind, tt.body, tt.header...); status != tt.want {
			t.Errorf("%s: %d, want %d: %s", tt.name, status, tt.want, text)
		}
	}
	for name, content := range map[string]string{"no PDF": "hello", "too large": "%PDF-1.4 " + strings.Repeat("x", 2<<20), "broken": "%PDF-1.4 "} {
		if status, text := b.upload("a.pdf", []byte(content)); status != 422 && status != 413 || !strings.Contains(text, `class="notice bad"`) {
			t.Errorf("%s: %d: %s", name, status, text)
		}
	}
	if len(*requests) != 0 {
		t.Errorf("a backup is asked for what is refused: %v", *requests)
	}
	if left, err := os.ReadDir(b.a.incoming); err != nil || len(left) != 0 {
		t.Errorf("uploads that were refused leave %v (%v)", left, err)
	}
}

// The secret is made once, and only its owner can read it.
func TestHookHeader_IsMadeOnce(t *testing.T) {
	folder := t.TempDir()
	one, err := hookHeader(folder)
	if err != nil {
		t.Fatal(err)
	}
	two, err := hookHeader(folder)
	info, statErr := os.Stat(filepath.Join(folder, "hooks.header"))
	if err != nil || statErr != nil || one != two || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%q, %q, %v, %v", one, two, err, info)
	}
	if err := os.WriteFile(filepath.Join(folder, "hooks.header"), []byte("Authorization: Bearer \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := hookHeader(folder); err == nil {
		t.Error("an empty secret is taken")
	}
}

func TestOptions_Check(t *testing.T) {
	for listen, want := range map[string]bool{"127.0.0.1:8600": true, "localhost:0": true, "[::1]:1": true, "0.0.0.0:8600": false, ":8600": false, "8600": false} {
		err := options{listen: listen, without: withoutNothing, command: "chroma"}.check(modeStandard)
		if (err == nil) != want {
			t.Errorf("--listen %s: %v", listen, err)
		}
	}
	for _, o := range []options{{listen: "localhost:0", without: "all", command: "x"}, {listen: "localhost:0", without: withoutNothing}} {
		if o.check(modeEnhanced) == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	if (options{listen: "localhost:0", without: withoutNothing, command: "x"}).check("both") == nil {
		t.Error("RAG_MODE=both is taken")
	}
}
