//go:build linux

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
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
		{"-write -run api,ui,proxy -last 1s -clients 2 -backups 3 -requests 4", ""},
		{"-write -run api,limits", "do not replace"},
		{"-write -run looks -size 64MiB", ""},
		{"-run api -clients 0", "more than nothing"},
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

func TestDistribution_ReadsWhatADaemonShows(t *testing.T) {
	read := func(one, five, more, sum int) (d distribution) {
		for _, line := range []string{
			"# HELP " + requestTimes + " How long.",
			fmt.Sprintf(`%s_bucket{method="get",le="0.001"} %d`, requestTimes, one),
			fmt.Sprintf(`%s_bucket{method="get",le="0.005"} %d`, requestTimes, five),
			fmt.Sprintf(`%s_bucket{method="get",le="+Inf"} %d`, requestTimes, more),
			fmt.Sprintf(`%s_sum{method="get"} %d`, requestTimes, sum),
			fmt.Sprintf(`%s_count{method="get"} %d`, requestTimes, more),
			requestTimes + `_count{method="post"} 77`,
			"holdfast_backups 5",
		} {
			d.read(line)
		}
		return d
	}
	d := read(10, 108, 111, 12).since(read(10, 10, 11, 2))
	if d.count != 100 || d.mean() != 100*time.Millisecond {
		t.Errorf("%+v", d)
	}
	for share, want := range map[float64]string{0.98: "5.0", 0.99: "more"} {
		if got := d.bound(share); got != want {
			t.Errorf("%v of all are within %s, want %s", share, got, want)
		}
	}
	if (distribution{}).mean() != 0 || (distribution{}).bound(1) != "more" {
		t.Error("nothing was measured, and is told")
	}
}

func TestCrowd_CountsWhatIsAnswered(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	took, err := crowd(t.Context(), server.Client(), server.URL, 3, time.Millisecond, 300*time.Millisecond)
	if err != nil || len(took) == 0 || !slices.IsSorted(took) {
		t.Errorf("%d answers, %v", len(took), err)
	}
	if _, err := crowd(t.Context(), server.Client(), server.URL+"/nothing", 3, time.Millisecond, 300*time.Millisecond); err == nil {
		t.Error("an answer that says no counts")
	}
}

func TestProxyTable_TellsWhatEachWayAdds(t *testing.T) {
	ms := func(n int) []time.Duration { return []time.Duration{time.Duration(n) * time.Millisecond} }
	ways := []way{{wayDirect, "a"}, {wayHoldfast, "b"}, {wayNginx, ""}}
	text := proxyTable([]crossing{
		{"all", ways, [][]time.Duration{ms(1), ms(3), ms(5)}},
		{"two", ways, [][]time.Duration{ms(1), ms(3), nil}},
	}, "foot\n")
	for _, row := range []string{
		"| all | directly | 1.000 | 1.000 | | | |\n",
		"|  | holdfast serve --chroma-proxy | 3.000 | 3.000 | **2.000** | 2.000 | **0.5** |\n",
		"|  | holdfast serve --chroma-proxy | 3.000 | 3.000 | **2.000** | 2.000 |  |\n",
		"|  | nginx | not installed here",
		"\nfoot\n",
	} {
		if !strings.Contains(text, row) {
			t.Errorf("the table lacks %q:\n%s", row, text)
		}
	}
}

// The backups that the daemon serves are what it shows, and the page of one of them exists.
func TestMakeBackups(t *testing.T) {
	dir := t.TempDir()
	if err := makeBackups(t.Context(), dir, 3); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{firstBackup, "backup-0002"} {
		if _, err := os.Stat(filepath.Join(dir, "repository", name, "backup_metadata.json")); err != nil {
			t.Error(err)
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

func TestLookTable_ComparesWithThePeer(t *testing.T) {
	took := func(wall time.Duration, t traffic) []sight {
		return []sight{{reading{wall: wall, first: wall / 2, memory: 20 << 20}, t}}
	}
	var text strings.Builder
	lookTable(&text, view{title: "data"}, []*lookout{{place: place{name: "a bucket", peer: "theirs"}, seen: []*seen{
		{glance: glance{what: "a page"}, ours: took(time.Second, traffic{7, 10 << 20})},
		{glance: glance{what: "a text", streams: true}, ours: took(time.Second, traffic{}), peer: took(4*time.Second, traffic{})},
	}}})
	for _, row := range []string{
		"| a bucket | a page | holdfast |  | 1.00 |  | 20.0 | 7 | 10.0 |  |\n",
		"|  | a text | holdfast | 0.500 | 1.00 |  | 20.0 |  |  | **0.25** |\n",
		"|  |  | theirs |  | 4.00 |  | 20.0 |  |  |  |\n",
	} {
		if !strings.Contains(text.String(), row) {
			t.Errorf("the table lacks %q:\n%s", row, &text)
		}
	}
}

// What is looked for is there, once and often.
func TestSpecial(t *testing.T) {
	rare, frequent := 0, 0
	for i := range int64(1000) {
		body := special("text", i, 1000)
		rare += strings.Count(body, rareText)
		frequent += strings.Count(body, frequentText)
	}
	if rare != 1 || frequent != 1000/invoiceEvery {
		t.Errorf("%d times %s, %d times %s", rare, rareText, frequent, frequentText)
	}
}

// A counter passes on what it counts, and names a repository below a bucket.
func TestCounter(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) }))
	defer server.Close()
	handler, err := counting(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	before := httptest.NewServer(handler)
	defer before.Close()
	c := &counted{counter: &served{url: before.URL}, url: "s3://b/bot?endpoint=" + before.URL}
	for range 3 {
		if _, err := fetch(t.Context(), http.DefaultClient, before.URL+"/object"); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.told(t.Context(), 0)
	if host := strings.TrimPrefix(before.URL, "http://"); err != nil || got != (traffic{3, int64(3 * len(host))}) {
		t.Errorf("%+v, %v", got, err)
	}
	if want := "s3://b/bot/x?endpoint=" + before.URL; c.below("x") != want {
		t.Errorf("%s, want %s", c.below("x"), want)
	}
}

// The server that holds nothing answers as a real one does.
func TestRecordServer(t *testing.T) {
	s := &recordServer{records: 2500, dimension: 3, collections: 120}
	server := httptest.NewServer(s.handler())
	defer server.Close()
	c, err := api.New(api.Options{URL: server.URL, Rate: 1e5})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var all []api.Collection
	for one, err := range c.Collections(t.Context(), api.DefaultTenant, api.DefaultDatabase) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if len(all) != 120 || all[7].Name != "collection-00007" {
		t.Fatalf("%d collections", len(all))
	}
	var ids []string
	for id, err := range c.IDs(t.Context(), all[0]) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	read := func() []disk.Record {
		found, bad, err := c.Get(t.Context(), all[0], ids[499:502], disk.Everything)
		if err != nil || len(bad) > 0 || len(found) != 3 {
			t.Fatal(found, bad, err)
		}
		return found
	}
	before := read()
	s.round.Add(1)
	after := read()
	if len(ids) != 2500 || len(before[0].Embedding) != 3 || *before[0].Document != *after[0].Document || *before[1].Document == *after[1].Document {
		t.Errorf("%d ids, %+v, then %+v", len(ids), before, after)
	}
}
