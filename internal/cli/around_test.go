package cli

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/sinktest"
)

func TestBackup_TellsWebhooksAndADeadMansSwitch(t *testing.T) {
	w := newWorld(t)
	sink := sinktest.NewHTTP(t)
	text, err := os.ReadFile("holdfast.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, "webhooks:\n  urls:\n    - "+sink.URL+"/hook/canary42\nping:\n  url: "+sink.URL+"/ping\n"...)
	if err := os.WriteFile("holdfast.yaml", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, code := w.run("backup", "--name", "monday"); code != 0 {
		t.Fatalf("ended with %d: %s%s", code, stdout, stderr)
	}
	heard := map[string]sinktest.Request{}
	for _, r := range sink.Requests() {
		heard[r.Path+r.Header.Get("X-Holdfast-Event")] = r
	}
	for _, want := range []string{"/hook/canary42before_backup", "/hook/canary42after_backup", "/ping/start", "/ping"} {
		if _, ok := heard[want]; !ok {
			t.Errorf("%s was not told", want)
		}
	}
	var m struct{ Backup, Result, Trigger string }
	if err := json.Unmarshal(heard["/hook/canary42after_backup"].Body, &m); err != nil || m.Backup != "monday" || m.Result != "ok" || m.Trigger != "manual" {
		t.Errorf("the webhook got %+v, %v", m, err)
	}
	if log := string(heard["/ping"].Body); !strings.Contains(log, "made monday") {
		t.Errorf("the switch got %s", log)
	}

	// A switch and a webhook that fail are warnings, and no text holds their secrets.
	sink.Answer(func(int, sinktest.Request) sinktest.Reply { return sinktest.Reply{Status: 403, Body: "canary42"} })
	stdout, stderr, code := w.run("--json", "backup", "--name", "tuesday")
	if code != 0 || strings.Count(stdout, `"severity":"warning"`) != 4 || strings.Contains(stdout+stderr, "canary") {
		t.Errorf("ended with %d: %s%s", code, stdout, stderr)
	}

	// A backup that fails is told, too.
	if err := os.Remove("bot.db"); err != nil {
		t.Fatal(err)
	}
	before := len(sink.Requests())
	if _, _, code := w.run("backup", "--name", "wednesday"); code == 0 {
		t.Fatal("a backup without its source was made")
	}
	var told []string
	for _, r := range sink.Requests()[before:] {
		told = append(told, r.Path+r.Header.Get("X-Holdfast-Event"))
	}
	slices.Sort(told)
	if want := []string{"/hook/canary42before_backup", "/hook/canary42failure", "/ping/fail", "/ping/start"}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}
