package around

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/sinktest"
)

// tried tries one thing and gives what became of it.
func tried(t *testing.T, c *config.Config, name string) Trial {
	t.Helper()
	out, err := Try(t.Context(), c, name, "op-1", Options{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestHooks_ListsWhatIsConfiguredInItsOrder(t *testing.T) {
	c := &config.Config{
		Hooks:    config.Hooks{OnFailure: "alert token=" + canary, BeforeBackup: "true", Start: "systemctl start bot", Stop: "systemctl stop bot"},
		Webhooks: config.Webhooks{URLs: []string{"https://a.example/" + canary, "https://b.example/x?key=" + canary}},
		Ping:     config.Ping{URL: "https://hc.example/" + canary},
	}
	var got []string
	for _, h := range Hooks(c) {
		got = append(got, h.Hook+" "+h.Kind+" "+strings.Join(h.Target, "; "))
	}
	want := []string{
		"before_backup command true", "on_failure command alert token=[hidden]",
		"stop_start owner systemctl stop bot; systemctl start bot",
		"webhooks.urls[0] webhook https://a.example/…", "webhooks.urls[1] webhook https://b.example/…", "ping ping https://hc.example/…",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := Hooks(&config.Config{Ping: config.Ping{Fail: "https://hc.example/down"}}); got == nil || len(got) != 0 {
		t.Errorf("what can only shout is not tried, and an empty list is one: %v", got)
	}
}

func TestTry_ACommandTellsHowItEndedAndWhatItSaid(t *testing.T) {
	for name, c := range map[string]struct {
		hook, line  string
		ok          bool
		code        int // -1: it came to no end
		output, err string
	}{
		"works":         {"before_backup", `echo "$HOLDFAST_OP $HOLDFAST_TRIGGER [$HOLDFAST_RESULT]"`, true, 0, "test manual []", ""},
		"after":         {"after_restore", `echo "$HOLDFAST_OP $HOLDFAST_RESULT"`, true, 0, "test ok", ""},
		"on failure":    {"on_failure", `echo "$HOLDFAST_RESULT: $HOLDFAST_ERROR"`, true, 0, "failed: this is a test: nothing has failed", ""},
		"fails":         {"after_backup", "echo why >&2; exit 7", false, 7, "why", "exit status 7"},
		"is not there":  {"before_restore", "no-such-command-here", false, 127, "not found", "exit status 127"},
		"takes long":    {"before_backup", "echo begun; sleep 60", false, -1, "begun", "not done after"},
		"tells secrets": {"before_backup", "echo hook-" + canary + "; exit 1", false, 1, "hook-[hidden]", "exit status 1"},
	} {
		t.Run(name, func(t *testing.T) {
			hooks := config.Hooks{Timeout: 10 * time.Second}
			if c.code < 0 {
				hooks.Timeout = 300 * time.Millisecond
			}
			*map[string]*string{
				"before_backup": &hooks.BeforeBackup, "after_backup": &hooks.AfterBackup, "before_restore": &hooks.BeforeRestore,
				"after_restore": &hooks.AfterRestore, "on_failure": &hooks.OnFailure,
			}[c.hook] = c.line
			got := tried(t, &config.Config{Hooks: hooks, Webhooks: config.Webhooks{Secret: canary}}, c.hook)
			if got.OK != c.ok || got.Kind != HookCommand || len(got.Runs) != 1 {
				t.Fatalf("%+v", got)
			}
			r := got.Runs[0]
			if r.Name != "hooks."+c.hook || r.OK != c.ok || !strings.Contains(r.Output, c.output) || !strings.Contains(r.Error, c.err) || (c.err == "") != (r.Error == "") {
				t.Errorf("%+v", r)
			}
			if c.code < 0 != (r.ExitCode == nil) || r.ExitCode != nil && *r.ExitCode != c.code {
				t.Errorf("exit code %v, want %d", r.ExitCode, c.code)
			}
		})
	}
}

func TestTry_StartsWhatItStoppedWhateverBecameOfStopping(t *testing.T) {
	for name, stop := range map[string]string{"stops": "echo stopped", "does not stop": "exit 1"} {
		got := tried(t, &config.Config{Hooks: config.Hooks{Stop: stop, Start: "echo started", Timeout: 10 * time.Second}}, hookOwner)
		if len(got.Runs) != 2 || got.Runs[0].Name != "hooks.stop" || got.Runs[1].Name != "hooks.start" || got.Runs[1].Output != "started" || got.OK != (name == "stops") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestTry_AWebhookGetsASignedTestWhateverItAskedFor(t *testing.T) {
	first, second := sinktest.NewHTTP(t), sinktest.NewHTTP(t)
	second.Answer(func(int, sinktest.Request) sinktest.Reply { return sinktest.Reply{Status: 404} })
	c := &config.Config{
		Sources:  []config.Source{{Name: "bot", Kind: holdfast.KindSQLite}},
		Webhooks: config.Webhooks{URLs: []string{first.URL, second.URL + "/" + canary}, On: []string{"failure"}, Secret: "s3cret", Timeout: 5 * time.Second},
	}
	if got := tried(t, c, "webhooks.urls[0]"); !got.OK || len(got.Runs) != 1 || got.Runs[0].ExitCode != nil {
		t.Errorf("%+v", got)
	}
	r := first.Requests()[0]
	var m message
	if err := json.Unmarshal(r.Body, &m); err != nil {
		t.Fatal(err)
	}
	if m.Event != "test" || m.Op != "test" || m.Operation != "op-1" || !slices.Equal(m.Sources, []string{"bot"}) || r.Header.Get(headerEvent) != "test" {
		t.Errorf("%+v", m)
	}
	if got := r.Header.Get(headerSignature); got != "sha256="+sign("s3cret", r.Body) {
		t.Errorf("signed %q", got)
	}
	if len(second.Requests()) != 0 {
		t.Error("the other one was told as well")
	}
	got := tried(t, c, "webhooks.urls[1]")
	if got.OK || !strings.Contains(got.Runs[0].Error, "404") || strings.Contains(got.Runs[0].Error+got.Runs[0].Name, canary) {
		t.Errorf("%+v", got)
	}
}

func TestTry_TheSwitchIsToldThatItIsATest(t *testing.T) {
	sink := sinktest.NewHTTP(t)
	got := tried(t, &config.Config{Ping: config.Ping{URL: sink.URL + "/p", Timeout: 5 * time.Second}}, hookPing)
	if r := sink.Requests(); !got.OK || len(r) != 1 || r[0].Path != "/p" || !strings.Contains(string(r[0].Body), "no backup was made") {
		t.Errorf("%+v, heard %+v", got, r)
	}
}

func TestTry_WhatIsNotConfiguredIsNotFound(t *testing.T) {
	for _, name := range []string{"", "before_backup", "webhooks.urls[0]", "ping", "rm -rf /"} {
		if _, err := Try(t.Context(), &config.Config{}, name, "op", Options{}); holdfast.ExitCode(err) != holdfast.ExitNotFound || holdfast.HintOf(err) == "" {
			t.Errorf("%q: %v", name, err)
		}
	}
}
