package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	verb  = regexp.MustCompile(`%[ds]`)
	usage = regexp.MustCompile("\"((?:nav|mode|restore|ask|documents|upload|pdf|chroma|backup|memory|data|clear|tone)\\.(?:[a-z_]+)|title|skip|notices|language|footer)\"")
)

// Every sentence is there in both languages, with the same blanks, and is used.
func TestWords_AreComplete(t *testing.T) {
	var code strings.Builder
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, "page.html") {
		if path == "words.go" || strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(text)
	}
	used := map[string]bool{}
	for _, m := range usage.FindAllStringSubmatch(code.String(), -1) {
		used[m[1]] = true
	}
	for _, family := range []string{"nav.", "mode.", "tone."} { // put together in the template
		for id := range words {
			used[id] = used[id] || strings.HasPrefix(id, family)
		}
	}
	for id := range used {
		if _, known := words[id]; !known {
			t.Errorf("nobody has written %s", id)
		}
	}
	for id, w := range words {
		if !used[id] {
			t.Errorf("nobody uses %s", id)
		}
		if w[english] == "" || w[thai] == "" || !slices.Equal(verb.FindAllString(w[english], -1), verb.FindAllString(w[thai], -1)) {
			t.Errorf("%s: %q", id, w)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, tt := range []struct {
		chosen, accepted string
		want             language
	}{
		{"th", "en", thai}, {"", "th-TH,th;q=0.9,en;q=0.8", thai}, {"", "fa, EN-us", english}, {"", "", english}, {"xx", " ,th", thai},
	} {
		if got := choose(tt.chosen, tt.accepted); got != tt.want {
			t.Errorf("%+v: %s", tt, got.Code())
		}
	}
}

func TestWhen_InTheCalendarOfTheReader(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 30, 0, 0, time.Local)
	if got := thai.When(at); got != "22/11/2569 09:30 น." {
		t.Error(got)
	}
	if got := english.When(at); got != "22 Nov 2026, 09:30" {
		t.Error(got)
	}
}
