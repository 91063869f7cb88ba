//go:build linux

package test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// hostile is what a stranger writes wherever he can write something.
const hostile = `"'></textarea></title><script>alert(1)</script><img src=x onerror=alert(1)><a href=javascript:alert(1)>` + "\u202e\u2069"

// Whatever somebody could write into a note, a name of a table, an address or a cookie is
// text on every page.
func TestSecurity_WhatStrangersWriteIsText(t *testing.T) {
	t.Parallel()
	g := attacked(t, "HOLDFAST_HOOKS_AFTER_BACKUP=exit 3 # "+strings.ReplaceAll(hostile, "'", ""), "HOLDFAST_NOTIFY_URLS=generic://user:hunter2-secret@127.0.0.1:1/?x=y")
	g.m.sqlite("bot.db", `CREATE TABLE "`+strings.ReplaceAll(hostile, `"`, `""`)+`"(a);`)
	g.serve()
	status, _, _ := g.browse("POST", "/backups", url.Values{"name": {"monday"}, "note": {hostile}, "key": {"k1"}})
	if status != http.StatusSeeOther {
		t.Fatalf("a backup with a note: status %d", status)
	}
	g.daemon.until("the backup is made", func() bool {
		status, _, _ := g.browse("GET", "/backups/monday", nil)
		return status == http.StatusOK
	})
	if status, _, _ = g.browse("POST", "/backups", url.Values{"name": {hostile}, "note": {hostile}}); status != http.StatusUnprocessableEntity {
		t.Errorf("a name that is none: status %d", status)
	}
	asked := url.QueryEscape(hostile)
	noted := false
	for _, path := range []string{
		"/", "/backups", "/backups/monday", "/backups/monday/files?source=" + asked + "&after=" + asked, "/backups/monday/restore?show&chosen&part=" + asked,
		"/backups?q=" + asked + "&after=" + asked + "&sort=" + asked, "/backups/" + url.PathEscape(hostile[:30]), "/new", "/new/command?name=" + asked + "&note=" + asked,
		"/activity?q=" + asked + "&by=" + asked + "&after=" + asked, "/activity?tab=audit&before=" + asked, "/activity?tab=tasks", "/activity?log=" + asked,
		"/settings?q=" + asked, "/settings", "/rollback", "/recover", "/sessions", "/tokens", "/password", "/strip", "/login?next=" + asked,
		"/jobs/" + asked, "/tokens/" + asked + "/revoke", "/nothing?" + asked,
	} {
		status, header, body := g.browse("GET", path, nil)
		if status >= http.StatusInternalServerError {
			t.Errorf("%s: status %d", path, status)
		}
		if to := header.Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")) {
			t.Errorf("%s leads to %q", path, to)
		}
		if !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, header)
		}
		if strings.Contains(body, "hunter2-secret") {
			t.Errorf("%s tells a secret", path)
		}
		noted = noted || strings.Contains(body, "alert(1)")
		if strings.Contains(body, `class="notices"`) {
			t.Errorf("%s says what a stranger has written", path)
		}
		for _, fault := range active(body) {
			t.Errorf("%s: %s", path, fault)
		}
	}
	if !noted {
		t.Error("nothing of it was shown anywhere")
	}
}

// browse asks as a browser whose cookies somebody else has written.
func (g *target) browse(method, path string, form url.Values) (int, http.Header, string) {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), method, "http://"+g.addr+path, strings.NewReader(form.Encode()))
	if err != nil {
		g.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	notice := `[{"t":"good","i":"frame.caller","a":[{"k":"name","v":"<script>alert(1)</script>","s":true}],"u":"/auto"}]`
	r.Header.Set("Cookie", `hf_lang="><script>; hf_theme="><script>; hf_zone=../../etc/passwd; hf_notice=`+base64.RawURLEncoding.EncodeToString([]byte(notice)))
	r.Header.Set("Accept-Language", "<script>, en;q=9")
	r.Header.Set("User-Agent", "<script>alert(1)</script>")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(body)
}

// manuals are where the foot of the pages leads.
var manuals = []string{
	"https://github.com/holdfast-backup/holdfast/blob/main/docs/web.md",
	"https://github.com/holdfast-backup/holdfast/blob/main/docs/web.th.md",
	"https://github.com/holdfast-backup/holdfast/blob/main/docs/web.fa.md",
}

// active finds what a browser would run or load that is not ours.
func active(page string) (found []string) {
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return found
		case html.StartTagToken, html.SelfClosingTagToken:
			tag := z.Token()
			attr := func(name string) string {
				i := slices.IndexFunc(tag.Attr, func(a html.Attribute) bool { return a.Key == name })
				if i < 0 {
					return ""
				}
				return tag.Attr[i].Val
			}
			if tag.Data == "script" && !strings.HasPrefix(attr("src"), "/assets/") || slices.Contains([]string{"img", "iframe", "object", "embed", "base", "style"}, tag.Data) {
				found = append(found, tag.String())
			}
			for _, a := range tag.Attr {
				address := slices.Contains([]string{"href", "src", "action", "formaction"}, a.Key)
				ours := strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "//") || strings.HasPrefix(a.Val, "#") || strings.HasPrefix(a.Val, "?") ||
					tag.Data == "a" && slices.Contains(manuals, a.Val) && attr("rel") == "noreferrer"
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc" || strings.HasPrefix(a.Key, "hx-on") || address && !ours && a.Val != "" {
					found = append(found, tag.String())
				}
			}
		}
	}
}
