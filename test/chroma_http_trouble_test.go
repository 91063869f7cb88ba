//go:build linux

package test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
)

// What goes wrong in passing is waited out, in both directions; what stays wrong is one
// line with a hint, tells no secret, and leaves neither a backup nor
// anything in the server.
func trouble(t *testing.T, f fleet) {
	from, into := f[chromatest.Old].of(t), f[chromatest.New].of(t)
	tenant := from.newTenant()
	from.fill(tenant, "notes", notes(300)...)
	from.fill(tenant, "awkward", awkwardly()...)
	want := from.state(tenant)

	proxy, beyond := chromatest.NewFaultProxy(t, from.url), chromatest.NewFaultProxy(t, into.url)
	for _, p := range []*chromatest.FaultProxy{proxy, beyond} {
		p.Require("X-Chroma-Token", chromaToken)
	}
	m := newMachine(t).with("CHROMA_TOKEN="+chromaToken, "HOLDFAST_CHROMA_HEADERS=X-Chroma-Token: "+chromaToken)
	configure := func(url, tenant, more, token string) {
		m.file("holdfast.yaml", fmt.Sprintf("repository: backups\nsources:\n  chromadb: {type: chroma, url: %q, tenant: %s%s, rate: 100000, headers: {X-Chroma-Token: %q}}\n", url, tenant, more, token))
	}
	configure(proxy.URL(), tenant, "", "${CHROMA_TOKEN}")
	pause := http.Header{"Retry-After": {"1"}}
	passing := map[string]chromatest.Fault{
		"slow":          {Delay: 15 * time.Millisecond},
		"cut":           {Method: http.MethodPost, Path: "/get", Skip: 1, Times: 1, CutAfter: 100},
		"answer lost":   {Path: "/get", Times: 1, Lose: true},
		"many requests": {Skip: 3, Times: 1, Status: http.StatusTooManyRequests, Header: pause},
		"not now":       {Skip: 2, Times: 1, Status: http.StatusServiceUnavailable, Header: pause},
		"too large":     {Method: http.MethodPost, MaxBody: 6000},
		"adds are lost": {Path: "/add", Times: 1, Lose: true},
	}
	hello, err := into.Hello(t.Context())
	into.must(err)
	for what, fault := range passing {
		name := "passing_" + strings.ReplaceAll(what, " ", "_")
		proxy.Set(fault)
		m.must(0, "backup", "--name", name)
		beyond.Set(fault)
		m.must(0, "--yes", "restore", name, "--into", beyond.URL())
		same(t, what, into.state(tenant), want, hello.Kept)
		noTraces(t, into, tenant)
	}
	proxy.Set()

	// What stays wrong with the target: it is what it was.
	c, err := into.Collection(t.Context(), tenant, api.DefaultDatabase, "notes")
	into.must(err)
	into.must(into.Delete(t.Context(), c, []string{"note-7"}))
	before := into.state(tenant)
	for what, fault := range map[string]chromatest.Fault{
		"adds fail":     {Path: "/add", Status: http.StatusInternalServerError, Body: `{"error":"InternalError","message":"disk full"}`},
		"all too large": {Path: "/add", Status: http.StatusRequestEntityTooLarge},
	} {
		beyond.Set(fault)
		code, _, stderr := m.run("--yes", "restore", "passing_slow", "--into", beyond.URL())
		if code == 0 || code == holdfast.ExitIncomplete {
			t.Errorf("%s: exit %d", what, code)
		}
		refusal(t, stderr, "acme-", "the previous state is back in place")
		beyond.Set()
		m.must(0, "recover", "--into", beyond.URL())
		same(t, what, into.state(tenant), before, nil)
		noTraces(t, into, tenant)
	}

	// What stays wrong with the source: no backup.
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>Welcome</title>")) // the client may have gone
	}))
	defer page.Close()
	port, err := chromatest.FreePort()
	into.must(err)
	left := entries(t, m.path("backups"))
	for _, x := range []struct {
		what, url, tenant, more, token string
		fault                          chromatest.Fault
		code                           int
		words                          []string
	}{
		{what: "a wrong token", token: wrongSecret, code: holdfast.ExitRefused, words: []string{"X-Chroma-Token", "401"}},
		{what: "a wrong tenant", tenant: "nobody", code: holdfast.ExitNotFound, words: []string{"nobody"}},
		{what: "a wrong database", more: ", databases: [nowhere]", code: holdfast.ExitNotFound, words: []string{"nowhere"}},
		{what: "a wrong path", url: proxy.URL() + "/elsewhere", code: holdfast.ExitUsage, words: []string{"does not answer as a Chroma server"}},
		{what: "a web page", url: page.URL, code: holdfast.ExitUsage, words: []string{"does not answer as a Chroma server"}},
		{what: "a dead server", url: fmt.Sprintf("http://127.0.0.1:%d", port), code: holdfast.ExitFailed, words: []string{"connection refused"}},
		{what: "a password in the URL", url: fmt.Sprintf("http://bot:%s@127.0.0.1:%d", chromaToken, port), code: holdfast.ExitFailed, words: []string{"connection refused"}},
		{what: "no list", fault: chromatest.Fault{Path: "/collections", Status: http.StatusInternalServerError, Body: "boom"}, code: holdfast.ExitFailed, words: []string{"boom"}},
	} {
		proxy.Set(x.fault)
		if x.fault.Status == 0 {
			proxy.Set()
		}
		configure(or(x.url, proxy.URL()), or(x.tenant, tenant), x.more, or(x.token, "${CHROMA_TOKEN}"))
		for _, args := range [][]string{{"backup"}, {"--json", "backup"}, {"--verbose", "backup"}} {
			code, stdout, stderr := m.run(args...)
			if code != x.code {
				t.Errorf("%s, %v: exit %d, want %d\n%s%s", x.what, args, code, x.code, stdout, stderr)
			}
			if args[0] == "backup" {
				refusal(t, stderr, x.words...)
			}
		}
		if now := entries(t, m.path("backups")); now != left {
			t.Errorf("%s: the repository has %s, and had %s", x.what, now, left)
		}
	}
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// entries are the names in a directory, without what no backup is.
func entries(t *testing.T, dir string) string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return strings.Join(names, " ")
}
