package cli

import (
	"io"
	"strings"
	"testing"

	"github.com/rivo/uniseg"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
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

func TestMiddle_KeepsBothEndsWithinTheWidth(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"notes", "notes"},
		{"0123456789", "0123456789"},
		{"0123456789a", "01234…789a"},
		{"a\x1b[2Jb" + strings.Repeat("x", 20) + "end", "a\ufffd[2J…xend"},
		{"日本語日本語日本語", "日本…本語"}, // two columns each
		{"สำรองข้อมูลสำคัญมาก", "สำรอง…ญมาก"},
		{strings.Repeat("é", 300), "ééééé…éééé"},
		{"x", "x"},
	} {
		got := middle(c.text, 10)
		if got != c.want {
			t.Errorf("%q becomes %q, want %q", c.text, got, c.want)
		}
		if width := uniseg.StringWidth(got); width > 10 {
			t.Errorf("%q is %d wide", got, width)
		}
	}
}

// A collection may be called by 512 letters, and a record by any number.
func TestBrowse_FitsATerminal(t *testing.T) {
	long := strings.Repeat("long-", 102) + "e1"
	var out strings.Builder
	u := &ui{out: &sticky{w: &out}, err: io.Discard, narrow: true}
	u.print("%s", u.tables([]holdfast.Table{{Name: "t/d/" + long, Title: long, Kind: holdfast.KindCollection}}).render(false))
	rows, _ := grid([]holdfast.Row{{Key: long, Fields: []holdfast.Field{{Name: "metadata." + long, Value: long}}}, {Key: long[1:]}})
	u.print("%s", rows.render(false))
	newHits(u, nil).show(engine.SourceHit{Source: "chromadb", Hit: holdfast.Hit{Table: long, Key: long, Field: "metadata." + long}})
	d := &differences{ui: u, ticker: newTicker(u)}
	d.showTable(engine.DiffTable{Source: "chromadb", Table: "t/d/" + long, Title: long, Change: engine.ChangeSame})
	d.showRow(engine.DiffRow{Source: "chromadb", Table: long, Key: long, Change: engine.ChangeAdded, Fields: []engine.DiffField{{Name: long, After: &holdfast.Field{Value: long}}}})
	for line := range strings.Lines(out.String()) {
		if width := uniseg.StringWidth(strings.TrimSuffix(line, "\n")); width > gridWidth {
			t.Errorf("a line is %d wide: %.60s…", width, line)
		}
	}
	if n := strings.Count(out.String(), "e1"); n < 8 {
		t.Errorf("%d names show how they end:\n%s", n, out.String())
	}
	u.narrow = false
	if got := u.name(long); got != long {
		t.Errorf("a pipe gets %q", got)
	}
}

// A plan says whether a backup is restored or a directory imported.
func TestPrintPlan_RestoreOrImport(t *testing.T) {
	for want, plan := range map[string]*engine.RestorePlan{
		"Restoring monday would change:\n": {Backup: repo.Info{Name: "monday"}},
		"Importing ./copy would change:\n": {Import: "./copy"},
	} {
		var out strings.Builder
		printPlan(newUI(System{Stdout: &out, Stderr: io.Discard}, &globals{}), plan)
		if !strings.HasPrefix(out.String(), want) {
			t.Errorf("got %q, want %q first", out.String(), want)
		}
	}
}
