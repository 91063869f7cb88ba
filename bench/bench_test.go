//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		args string
		want string // of the error, empty if there is none
	}{
		{"", ""},
		{"-run full,increment -size 64MiB -n 1", ""},
		{"-data bot -tools restic,simple", ""},
		{"-run everything", "is none of"},
		{"-size 12", "is no size"},
		{"-size 0MiB", "is no size"},
		{"-n 0", "goes from 1"},
		{"-write -run full", "do not replace"},
		{"-write -run starts,full", "do not replace"},
		{"-write -run starts", ""},
		{"full", "is no flag"},
	} {
		_, err := parseOptions(strings.Fields(c.args))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q: %v", c.args, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q: error %v, want one with %q", c.args, err, c.want)
		}
	}
}

func TestOptions_ToolsAlwaysIncludeHoldfast(t *testing.T) {
	o, err := parseOptions([]string{"-tools", restic})
	if err != nil {
		t.Fatal(err)
	}
	if !o.tools.has(ours) || !o.tools.has(restic) || o.tools.has(borg) {
		t.Errorf("tools are %v", o.tools.names)
	}
}

// readings of one run each.
func took(wall time.Duration, bytes int64) []reading {
	return []reading{{wall: wall, output: bytes, memory: 50 << 20}}
}

func TestVerdicts_CompareWithTheBestConsistentPeer(t *testing.T) {
	c := &course{
		subject: subject{key: "database", title: "data"},
		tools: []tool{
			{key: ours, label: "holdfast", consistent: true},
			{key: restic, label: "restic", consistent: true},
			{key: borg, label: "borg", consistent: true},
			{key: "torn", label: "torn"},
			{key: "replica", label: "replica", consistent: true, follows: true},
		},
		rounds: map[step]map[string][]reading{increment: {
			ours: took(time.Second, 20), restic: took(5*time.Second, 400), borg: took(20*time.Second, 100),
			"torn": took(time.Millisecond, 1), "replica": took(time.Millisecond, 1),
		}},
	}
	got := map[string]verdict{}
	for _, v := range c.verdicts() {
		got[v.what] = v
	}
	bytes, elapsed := got["data: backup after the change, bytes"], got["data: backup after the change, time"]
	if bytes.beside != "borg" || bytes.reached != 0.2 || bytes.ok() {
		t.Errorf("bytes: %+v, want a missed 0.2 beside borg", bytes)
	}
	if elapsed.beside != "restic" || elapsed.reached != 0.2 || elapsed.ok() {
		t.Errorf("time: %+v, want a missed 0.2 beside restic", elapsed)
	}
	if memory := got["data: resident memory, most of all steps"]; memory.reached != 0.5 || !memory.ok() {
		t.Errorf("memory: %+v, want a reached 0.5", memory)
	}
	if len(got) != 3 {
		t.Errorf("%d verdicts, want 3: steps that were not measured have none", len(got))
	}
}

func TestMiddle(t *testing.T) {
	for want, values := range map[int64][]int64{3: {9, 3, 1}, 4: {7, 1, 5, 3}, 8: {8}} {
		if got := middle(values); got != want {
			t.Errorf("middle of %v is %d, want %d", values, got, want)
		}
	}
}

func TestChanges_CountsChangedAndNewPages(t *testing.T) {
	dir, notes := t.TempDir(), filepath.Join(t.TempDir(), "marks")
	file := filepath.Join(dir, "file")
	data := make([]byte, 10*pageSize)
	write := func() {
		t.Helper()
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if err := writeMarks(dir, notes); err != nil {
		t.Fatal(err)
	}
	data[3*pageSize+17] = 1
	data = append(data, 1, 2, 3)
	write()
	got, err := readChanges(dir, notes)
	if err != nil {
		t.Fatal(err)
	}
	if got.Pages != 2 || got.Bytes != pageSize+3 || got.Packed == 0 || got.Packed > pageSize {
		t.Errorf("changes are %+v, want two pages, one of three bytes", got)
	}
}

func TestBetween_ReplacesOnlyItsPart(t *testing.T) {
	tables, tablesEnd := partMarks(partTables)
	starts, startsEnd := partMarks(partStarts)
	for part, old := range map[string]string{partTables: "old tables", partStarts: "old starts"} {
		doc := "before\n" + tables + "old tables\n" + tablesEnd + "amid\n" + starts + "old starts\n" + startsEnd + "after\n"
		got, err := between([]byte(doc), part, "new\n")
		if want := strings.Replace(doc, old, "new", 1); err != nil || string(got) != want {
			t.Errorf("got %q and %v, want %q", got, err, want)
		}
	}
	if _, err := between([]byte("no marks"), partStarts, "new\n"); err == nil {
		t.Error("a document without marks is taken")
	}
}

func TestStartTable_ComparesWithTheLastProgram(t *testing.T) {
	took := func(ms ...int) (ls []launch) {
		for _, n := range ms {
			ls = append(ls, launch{ready: time.Duration(n) * time.Millisecond, end: time.Millisecond, memory: 20 << 20})
		}
		return ls
	}
	text := startTable([]lineup{{"data", []entry{
		{program{label: "ours", serves: true}, took(31, 25, 40)},
		{program{label: "absent"}, nil},
		{program{label: "theirs"}, took(11, 10, 12)},
	}}}, "foot\n")
	for _, row := range []string{
		"| data | ours | 25.0 | 31.0 | **20.0** | 0.0 | 20 | 1.0 |\n",
		"|  | absent | not installed here",
		"|  | theirs | 10.0 | 11.0 |  | 0.0 | 20 |  |\n",
		"\nfoot\n",
	} {
		if !strings.Contains(text, row) {
			t.Errorf("the table lacks %q:\n%s", row, text)
		}
	}
}

func TestContests_EveryScriptNamesWhatExists(t *testing.T) {
	o, err := parseOptions(nil)
	if err != nil {
		t.Fatal(err)
	}
	all := subjects(o)
	for _, c := range contests(all) {
		if c.ours.script == "" || c.name == "" {
			t.Errorf("%+v is empty", c)
		}
	}
	for _, s := range all {
		for _, tool := range tools(s) {
			if tool.backup == "" || tool.restore == "" || tool.syncs == "" {
				t.Errorf("%s: %s lacks a script", s.title, tool.label)
			}
		}
	}
}
