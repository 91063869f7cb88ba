package daemon

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/alarm"
)

// An alarm says which repository it is about, and holds no secret of the configuration,
// whatever the text of a failure quotes.
func TestAlarms_NameTheRepositoryAndNoSecret(t *testing.T) {
	const secret = "canary4711canary"
	w := newWorld(t, map[string]string{"ping.url": "https://ping.example/" + secret, "webhooks.urls": "https://hooks.example/" + secret + "x"})
	c, err := w.load()
	if err != nil {
		t.Fatal(err)
	}
	h := &heard{}
	d := &daemon{o: Options{Sender: h, Now: time.Now}, state: t.TempDir()}
	board, err := d.newBoard(&core{d: d, config: c})
	if err != nil {
		t.Fatal(err)
	}
	board.Update(t.Context(), []alarm.Condition{{
		Kind: alarm.KindFailure, Severity: holdfast.Incomplete, Message: "the command said: curl " + secret + " or " + secret + "x failed",
	}})
	if told := h.all(); !strings.Contains(told, w.path("repository")) || !strings.Contains(told, "failed") || strings.Contains(told, "canary4711") {
		t.Errorf("told is %q", told)
	}
}
