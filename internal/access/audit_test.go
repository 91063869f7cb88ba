package access

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

func TestAudit_EveryChangeAndEveryRefusalHasALine(t *testing.T) {
	w := newWorld(t)
	token := w.token("assistant", ScopeBackup)
	w.ask(ScopeBackup, request("GET", "/things/a", bearer(token)))
	w.ask(ScopeBackup, request("POST", "/things/secret-path?x=1", bearer(token)))
	w.ask(ScopeAdmin, request("DELETE", "/things/a", bearer(token)))
	w.ask(ScopeAdmin, request("GET", "/things/a", bearer(token)))
	w.ask(ScopeAdmin, request("GET", "/things/a", host("attacker.example")))
	want := []string{
		"  GET  refused 403",
		"assistant GET /things/{name} refused 403",
		"assistant DELETE /things/{name} refused 403",
		"assistant POST /things/{name} done 200 monday op-1",
		"command line  token create done 0",
	}
	var got []string
	for _, e := range w.entries() {
		if e.ID == "" || e.Time.IsZero() || e.Remote == "" && e.Caller != CommandLine {
			t.Errorf("entry %+v", e)
		}
		got = append(got, strings.TrimRight(fmt.Sprintf("%s %s %s %s %d %s %s", e.Caller, e.Method, e.Route, e.Outcome, e.Status, e.Backup, e.Operation), " "))
	}
	for i := range want {
		if i >= len(got) || strings.TrimSpace(got[i]) != strings.TrimSpace(want[i]) {
			t.Fatalf("audit:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	w.mustNotHold("secret-path")
}

func TestAudit_ALineCannotBeForged(t *testing.T) {
	w := newWorld(t)
	forged := "x\",\"outcome\":\"done\"}\n{\"id\":\"1\",\"route\":\"forged\",\"outcome\":\"done\"}\n\u2028\x1b[2J\xff"
	w.access.Audit().Record(Entry{Route: "/things/{name}", Object: forged, Why: strings.Repeat("ก", 1000), Outcome: Refused})
	all := w.entries()
	if len(all) != 1 || !strings.HasPrefix(all[0].Object, "x\",\"outcome\"") || len(all[0].Why) > fieldLimit+len("…") {
		t.Fatalf("audit %+v", all)
	}
	data, err := os.ReadFile(filepath.Join(w.dir, auditFile))
	if err != nil || strings.Count(string(data), "\n") != 1 || strings.Contains(string(data), "\x1b") {
		t.Errorf("file %q, %v", data, err)
	}
}

func TestAudit_RefusalsAreBoundedAndTheRestIsCounted(t *testing.T) {
	w := newWorld(t)
	for range 50 {
		w.ask(ScopeAdmin, request("GET", "/things/a", host("attacker.example")))
	}
	if n := len(w.entries()); n != refusalsPerClient {
		t.Fatalf("%d lines of one client", n)
	}
	for i := range 500 {
		w.ask(ScopeAdmin, request("GET", "/things/a", host("attacker.example"), from(fmt.Sprintf("[2001:db8:0:%x::1]:1", i))))
	}
	if n := len(w.entries()); n > refusalsOfAll {
		t.Fatalf("%d lines of all", n)
	}
	w.pass(time.Minute)
	w.ask(ScopeAdmin, request("GET", "/things/a", host("attacker.example")))
	all := w.entries()
	got := len(all)
	for _, e := range all {
		got += int(e.Omitted)
	}
	if got != 551 {
		t.Errorf("%d refusals are accounted for, want 551", got)
	}
}

func TestAudit_FilesAreRotatedAndReadInPages(t *testing.T) {
	w := newWorld(t)
	u := w.access.Audit()
	u.size = 4 << 10
	const lines = 200
	for i := range lines {
		w.pass(time.Second)
		u.Record(Entry{Route: "r", Object: fmt.Sprint(i), Outcome: Done})
	}
	files, err := filepath.Glob(u.file + ".?")
	if err != nil || len(files) != auditKept {
		t.Fatalf("%v, %v", files, err)
	}
	next, want := "", lines-1
	for {
		page, after, err := u.Read(Page{Limit: 7, Before: next})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			if e.Object != fmt.Sprint(want) {
				t.Fatalf("entry %s, want %d", e.Object, want)
			}
			want--
		}
		// What comes meanwhile does not move the pages.
		u.Record(Entry{Route: "r", Object: "later", Outcome: Done})
		if next = after; next == "" {
			break
		}
	}
	if kept := lines - 1 - want; kept < 60 {
		t.Errorf("only %d entries are kept", kept)
	}
	if _, _, err := u.Read(Page{Before: "gone"}); !errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("an entry that is gone: %v", err)
	}
}

func TestAudit_ATornLineHarmsNoOther(t *testing.T) {
	w := newWorld(t)
	u := w.access.Audit()
	u.Record(Entry{Route: "one", Outcome: Done})
	f, err := os.OpenFile(u.file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"id":"torn`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	u.Record(Entry{Route: "two", Outcome: Done})
	if all := w.entries(); len(all) != 2 || all[0].Route != "two" || all[1].Route != "one" {
		t.Fatalf("audit %+v", all)
	}
}

func TestAudit_LongFilesAreReadBackwardsLineByLine(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	var b strings.Builder
	for i := range 9000 { // lines across several chunks, of all lengths
		fmt.Fprintf(&b, "%d%s\n", i, strings.Repeat("x", i%97))
	}
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	more, err := readBackwards(name, func(line []byte) bool {
		if string(line) != want[len(want)-1] {
			t.Fatalf("line %q, want %q", line, want[len(want)-1])
		}
		want = want[:len(want)-1]
		return true
	})
	if err != nil || !more || len(want) != 0 {
		t.Fatalf("%v, %v, %d lines are missing", more, err, len(want))
	}
}

func TestAudit_SeveralProcessesWriteWholeLines(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	for range 4 {
		u := w.open().Audit()
		u.size = 8 << 10
		wg.Go(func() {
			for range 20 {
				u.Record(Entry{Route: "r", Outcome: Done})
			}
		})
	}
	wg.Wait()
	if n := len(w.entries()); n != 80 {
		t.Errorf("%d entries, want 80", n)
	}
}

func TestAudit_WhatCannotBeWrittenIsLogged(t *testing.T) {
	w := newWorld(t)
	if err := os.MkdirAll(filepath.Join(w.dir, auditFile), 0o700); err != nil {
		t.Fatal(err)
	}
	w.ask(ScopeAdmin, request("POST", "/things/a"))
	if !strings.Contains(w.log.String(), "the audit could not be written") {
		t.Errorf("log: %s", w.log)
	}
}

func TestAudit_SecretsInTextsOfOthersAreHidden(t *testing.T) {
	w := newWorld(t)
	w.access.Audit().Record(Entry{
		Route: "r", Outcome: Failed, Object: form("0011223344556677", strings.Repeat("s", 52)),
		Why: "Post \"https://me:hunter2@example.org/hook?token=hunter3\": Bearer hunter4567 was refused",
	})
	for _, secret := range []string{"hunter", "ssss"} {
		w.mustNotHold(secret)
	}
	if e := w.entries(); len(e) != 1 || !strings.Contains(e[0].Why, "example.org") {
		t.Errorf("audit %+v", e)
	}
}
