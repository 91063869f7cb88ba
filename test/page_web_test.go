//go:build linux

package test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const webPage = "../docs/web.md"

// looks asks for a page by a name, as a browser that knows nobody's cookies.
func looks(t *testing.T, base, host string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// command is the one command of a section that begins with these words.
func (p *page) command(section, words string) string {
	p.t.Helper()
	for command := range strings.Lines(p.section(section)) {
		if strings.HasPrefix(command, words) {
			return strings.TrimSpace(command)
		}
	}
	p.t.Fatalf("section %q has no command %q", section, words)
	return ""
}

// The commands of the page do what it says, with a reverse proxy in front as it is told
// there.
func TestPageWeb_CommandsAreTyped(t *testing.T) {
	t.Parallel()
	p := openPage(t, webPage)
	settings := p.fenced("yaml")
	if len(settings) != 1 {
		t.Fatalf("the page has %d configurations", len(settings))
	}
	if got := p.command("Open it", "holdfast serve"); got != "holdfast serve" {
		t.Errorf("the pages are opened by %q", got)
	}
	d := p.open(settings[0], "backup made", "pages for a browser")
	here := "http://127.0.0.1:" + d.port
	if status, text := looks(t, here, ""); status != http.StatusOK || !strings.Contains(text, "<h1") {
		t.Errorf("the first page: %d\n%s", status, text)
	}
	contains(t, "the settings", d.types(p.command("Settings", "holdfast config")), "serve.hosts", "backup.example.org")
	if code, _, stderr := d.m.run(strings.Fields(strings.TrimPrefix(p.command("Roll back", "holdfast rollback"), "holdfast "))...); code != 10 {
		t.Errorf("a rollback of nothing: exit %d\n%s", code, stderr)
	}

	upstream, err := url.Parse(here)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(upstream)
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}})
	defer front.Close()
	if status, _ := looks(t, front.URL, "elsewhere.example.org"); status != http.StatusMisdirectedRequest && status != http.StatusForbidden {
		t.Errorf("another name is answered with %d", status)
	}

	command := p.command("Open it", "holdfast password")
	d.types("printf 'four plain words here\\n' | " + command)
	if status, text := looks(t, front.URL, "backup.example.org"); status != http.StatusOK || !strings.Contains(text, `type="password"`) {
		t.Errorf("through the proxy: %d\n%s", status, text)
	}
	contains(t, "the token", d.types(p.command("Who may come in", "holdfast token")), "hf_")
	if status, text := looks(t, here, ""); status != http.StatusOK || !strings.Contains(text, `type="password"`) {
		t.Errorf("with a password the first page is %d\n%s", status, text)
	}

	other := newMachine(t)
	other.sqlite("bot.db", "create table notes(x)")
	elsewhere := strings.ReplaceAll(p.command("Behind a reverse proxy", "holdfast serve"), ":8484", ":0")
	code, _, stderr := other.run(append(strings.Fields(elsewhere)[1:], "--sqlite", "bot.db", "--repo", "backups")...)
	if code != 13 {
		t.Errorf("beyond loopback without a password: exit %d\n%s", code, stderr)
	}
}

// The page has the sections that its table of contents names, and the texts of the
// buttons that it speaks of are those of the pages.
func TestPageWeb_SpeaksOfWhatIsThere(t *testing.T) {
	t.Parallel()
	text := readText(t, webPage)
	var sections, contents []string
	for _, m := range regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch(text, -1) {
		sections = append(sections, m[1])
	}
	for _, m := range regexp.MustCompile(`\[([^\]]+)\]\(#[a-z-]+\)`).FindAllStringSubmatch(text, -1) {
		contents = append(contents, m[1])
	}
	if !slices.Equal(sections, contents) {
		t.Errorf("the sections are %q, the contents %q", sections, contents)
	}
	files, err := filepath.Glob("../internal/locale/messages/*.en.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v: no messages", err)
	}
	var messages bytes.Buffer
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		messages.Write(content)
	}
	for _, m := range regexp.MustCompile(`\*\*([^*]+)\*\*`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(messages.String(), m[1]) {
			t.Errorf("no page says %q", m[1])
		}
	}
}
