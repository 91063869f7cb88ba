package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLoad_Server(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("tokens", "# of the cluster\nX-Tenant: a\n\nAuthorization: Bearer from-file\n")
	write(FileName, `sources:
  own:
    type: chroma
    url: https://user:geheim@chroma.example:8000/prefix/
    tenant: [acme, beta]
    databases: main
    headers: {X-Chroma-Token: "${TOKEN}-1"}
    headers_file: tokens
    rate: 12.5
    patience: 5m
    memory: {collection: notes}
  plain: {type: chroma, url: "http://localhost:8000"}
`)
	c, err := Load(Flags{}, []string{"TOKEN=verborgen", "HOLDFAST_CHROMA_HEADERS=X-Chroma-Token: everywhere"})
	if err != nil {
		t.Fatal(err)
	}
	own, plain := c.Sources[0], c.Sources[1]
	if own.RAGMode != RAGEnhanced || own.Location() != "https://chroma.example:8000/prefix" || own.Server.Rate != 12.5 || own.Server.Patience != 5*time.Minute {
		t.Errorf("got %+v at %s with rate %v and patience %v", own, own.Location(), own.Server.Rate, own.Server.Patience)
	}
	if got := strings.Join(own.Server.Tenants, " ") + " " + strings.Join(own.Server.Databases, " "); got != "acme beta main" {
		t.Errorf("tenants and databases: %s", got)
	}
	for name, want := range map[string]string{"X-Chroma-Token": "verborgen-1", "X-Tenant": "a", "Authorization": "Bearer from-file"} {
		if got := own.Server.Headers.Get(name); got != want {
			t.Errorf("header %s: got %q, want %q", name, got, want)
		}
	}
	if got := plain.Server.Headers.Get("X-Chroma-Token"); got != "everywhere" {
		t.Errorf("the header of the environment: got %q", got)
	}
	for _, v := range c.Values {
		for _, secret := range []string{"geheim", "verborgen", "from-file", "everywhere"} {
			if strings.Contains(v.Shown(), secret) {
				t.Errorf("%s shows a secret: %s", v.Key, v.Shown())
			}
		}
	}
	text, err := Template(c, FileName)
	if err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "again.yaml")
	write(again, string(text))
	if strings.Contains(string(text), "geheim") || strings.Contains(string(text), "verborgen") {
		t.Errorf("the template holds a secret:\n%s", text)
	}
	if _, err := Load(Flags{File: again}, nil); err == nil {
		t.Fatal("the headers file is meant from the file's folder, where there is none")
	}
	write(filepath.Join(filepath.Dir(again), "tokens"), "A: b\n")
	d, err := Load(Flags{File: again}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d.Sources[0].Location() != own.Location() || len(d.Sources[0].Server.Tenants) != 2 {
		t.Errorf("the template says %+v", d.Sources[0].Server)
	}
}

func TestAdHocServer(t *testing.T) {
	for value, want := range map[string]string{
		"http://127.0.0.1:8000":     "chromadb http://127.0.0.1:8000",
		"docs=https://h/chroma":     "docs https://h/chroma",
		"http://u:p=q@h:1":          "chromadb http://h:1",
		"docs=http://u:p@h:1/":      "docs http://h:1",
		"/srv/chroma":               "",
		"docs=":                     "",
		"http://h:1?token=x":        "",
		"do cs=http://127.0.0.1:80": "",
	} {
		s, err := AdHocServer("chroma-url", value)
		if (err != nil) != (want == "") {
			t.Errorf("%s: %v", value, err)
		}
		if err == nil && s.Name+" "+s.Location() != want {
			t.Errorf("%s: got %s %s, want %s", value, s.Name, s.Location(), want)
		}
		if err != nil && strings.Contains(err.Error(), "token=x") {
			t.Errorf("the error quotes what may be a secret: %v", err)
		}
	}
}
