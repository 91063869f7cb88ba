package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/sinktest"
)

func TestNotifyTest_TellsARealMailServerAndAWebhook(t *testing.T) {
	w := newWorld(t)
	mail, hook := sinktest.NewSMTP(t, "", ""), sinktest.NewHTTP(t)
	text := "repository: backups\nnotify:\n  urls:\n    - smtp://" + mail.Addr + "/?from=holdfast@example.org&to=me@example.org\n    - generic+" + hook.URL + "/alarm?template=json\n"
	if err := os.WriteFile("holdfast.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := w.run("notify", "test")
	if want := "ok    notify.urls[0] (smtp): told\nok    notify.urls[1] (generic): told\n"; code != 0 || stdout != want {
		t.Errorf("ended with %d: %s%s", code, stdout, stderr)
	}
	stdout, _, _ = w.run("--json", "notify", "test")
	if want := `{"type":"notify_test","ok":true,"services":[{"service":"notify.urls[0] (smtp)","ok":true},{"service":"notify.urls[1] (generic)","ok":true}]}` + "\n"; stdout != want {
		t.Errorf("got %s", stdout)
	}
	if got := mail.Emails(); len(got) != 2 || !strings.HasSuffix(got[0].Subject, ": a test") || !strings.Contains(got[0].Body, "Nothing is wrong") {
		t.Errorf("the mail server got %+v", got)
	}
	if got := hook.Requests(); len(got) != 2 || got[0].Path != "/alarm" {
		t.Errorf("the webhook got %+v", got)
	}
}
