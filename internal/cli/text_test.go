package cli

import (
	"strings"
	"testing"

	"github.com/rivo/uniseg"
)

func TestTable_AlignsWhatPeopleSee(t *testing.T) {
	tab := table{head: []string{"NAME", "N", "END"}, right: map[int]bool{1: true}}
	tab.add("weekend", "1", "a")
	tab.add("สำรองข้อมูล", "22", "b")   // Thai: vowels above and below take no room
	tab.add("پشتیبان‌گیری", "333", "c") // Persian with a zero-width non-joiner
	tab.add("e\u0301t\u00e9", "4444", "d")
	lines := strings.Split(strings.TrimSuffix(tab.render(false), "\n"), "\n")
	want := 0
	for i, line := range lines {
		end := strings.LastIndex(line, " ")
		width := uniseg.StringWidth(line[:end])
		if i == 0 {
			want = width
		}
		if width != want {
			t.Errorf("the last column begins at %d, want %d: %q", width, want, line)
		}
	}
}

func TestClean_NoControlReachesTheTerminal(t *testing.T) {
	for _, s := range []string{"a\x1b[2Jb", "a\u202eb", "a\rb", "a\u2066b", "a\u009bb"} {
		if got := clean(s); strings.ContainsAny(got, "\x1b\r\u202e\u2066\u009b") {
			t.Errorf("clean(%q) = %q", s, got)
		}
	}
	if got := clean("ข้อมูล داده‌ها a\nb"); got != "ข้อมูล داده‌ها a b" {
		t.Errorf("clean changed a plain text to %q", got)
	}
}

func TestPainter(t *testing.T) {
	if got := painter(false).red("x"); got != "x" {
		t.Errorf("no colour gives %q", got)
	}
	if got := painter(true).red("x"); !strings.HasPrefix(got, "\x1b[31m") {
		t.Errorf("colour gives %q", got)
	}
}
