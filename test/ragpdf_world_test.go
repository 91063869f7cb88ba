//go:build linux

package test

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/test/ragworld"
)

// A rag is examples/ragpdf at work, with the Chroma server that it starts, and
// whoever uses its pages.
type rag struct {
	*served
	t     *testing.T
	world ragworld.World
	url   string
	args  []string
}

// ragHandbook is a PDF with three pages in Thai and English.
const ragHandbook = "../" + ragworld.Handbook

// newRAG makes a machine with the assistant, the configuration that lies beside it,
// and a port for holdfast.
func newRAG(t *testing.T) (r *rag, holdfastPort string) {
	t.Helper()
	m := newMachine(t)
	world := ragworld.Install(t, "..", m.dir)
	_, port, _ := strings.Cut(world.Address, ":")
	_, holdfastPort, _ = strings.Cut(world.Holdfast, ":")
	r = &rag{t: t, world: world, url: "http://" + world.Address, args: world.Command}
	r.served = &served{m: m, port: port}
	return r, holdfastPort
}

// starts starts it, with further variables, and waits until it serves.
func (r *rag) starts(variables ...string) {
	r.t.Helper()
	m := *r.m
	m.env = append(m.env[:len(m.env):len(m.env)], variables...)
	r.served = m.serve(r.port, r.args...)
	r.says("rag_mode ")
	r.until("it answers", func() bool {
		resp, err := http.Get(r.url + "/style.css")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// daemon starts `holdfast serve` at the port that the assistant asks.
func (r *rag) daemon(port string) *daemonRun {
	r.t.Helper()
	d := &daemonRun{program: r.m.launch("--json", "serve", "--listen", "127.0.0.1:"+port), m: r.m, http: &http.Client{Transport: &http.Transport{}}}
	d.until("it serves", d.serves)
	return d
}

// do sends a request and gives its answer.
func (r *rag) do(req *http.Request) (int, string) {
	r.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatalf("%v\n%s", err, r.printed())
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, html.UnescapeString(string(text))
}

func (r *rag) request(method, path string, body io.Reader, headers ...string) *http.Request {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

// get shows a page in Thai.
func (r *rag) get(path string) (int, string) {
	r.t.Helper()
	return r.do(r.request(http.MethodGet, path, http.NoBody, "Accept-Language", "th"))
}

// form sends a form.
func (r *rag) form(path string, fields ...string) (int, string) {
	r.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	return r.do(r.request(http.MethodPost, path, strings.NewReader(values.Encode()), "Accept-Language", "th", "Content-Type", "application/x-www-form-urlencoded"))
}

// upload uploads the handbook under a name.
func (r *rag) upload(name string) (int, string) {
	r.t.Helper()
	content, err := os.ReadFile(ragHandbook)
	if err != nil {
		r.t.Fatal(err)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("pdf", name)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := part.Write(content); err != nil {
		r.t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		r.t.Fatal(err)
	}
	return r.do(r.request(http.MethodPost, "/documents", &body, "Accept-Language", "th", "Content-Type", form.FormDataContentType()))
}

var backupShown = regexp.MustCompile(`data-backup="([^"]+)"`)

// uploads uploads the handbook, and gives the name of the backup that was made
// before.
func (r *rag) uploads(name string) string {
	r.t.Helper()
	status, text := r.upload(name)
	found := backupShown.FindStringSubmatch(text)
	if status != http.StatusOK || found == nil || !strings.Contains(text, `data-file="`+name+`"`) {
		r.t.Fatalf("the upload: %d\n%s\n%s", status, text, r.printed())
	}
	return found[1]
}

// asks wants the answer to a question to come from a page, 0 for none.
func (r *rag) asks(question string, page int) {
	r.t.Helper()
	status, text := r.form("/", "question", question)
	want := `data-page="` + strconv.Itoa(page) + `"`
	if page == 0 {
		want = `id="nothing"`
	}
	if status != http.StatusOK || !strings.Contains(text, want) {
		r.t.Errorf("%s: %d, and not %s\n%s", question, status, want, text)
	}
}

// A ragStatus is what the assistant tells programs of itself.
type ragStatus struct {
	Restoring   bool
	Chroma      string
	Collections map[string]struct {
		ID      string
		Records int
	}
}

func (s ragStatus) documents() (id string, records int) {
	c := s.Collections["pdf_documents"]
	return c.ID, c.Records
}

func (s ragStatus) memory() (id string, records int) {
	c := s.Collections["enhanced_rag_memory"]
	return c.ID, c.Records
}

func (r *rag) status() (s ragStatus) {
	r.t.Helper()
	_, text := r.get("/status")
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		r.t.Fatalf("%v: %s", err, text)
	}
	return s
}

// hook calls a hook as holdfast.yaml does.
func (r *rag) hook(name string) (int, string) {
	r.t.Helper()
	header, value, _ := strings.Cut(strings.TrimSpace(readText(r.t, r.m.path("data", "hooks.header"))), ": ")
	return r.do(r.request(http.MethodPost, "/hooks/"+name, http.NoBody, header, value))
}

// chromaProcess is the Chroma server of the machine, or 0.
func (r *rag) chromaProcess() int { return r.world.Chroma(r.t) }

// killChroma kills the Chroma server that the assistant has started.
func (r *rag) killChroma() {
	r.t.Helper()
	pid := r.chromaProcess()
	if pid == 0 {
		r.t.Fatal("no Chroma server runs")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		r.t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); r.chromaProcess() == pid; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatal("the server outlives its end")
		}
	}
}
