package botapi

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

func TestUpdates(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	u := s.User(4711, "Ada", "en")
	c := newWorld(t, Options{API: s.URL, Token: s.Token})
	u.Says(4711, "one")
	u.Says(4711, "two")
	got, err := c.Updates(t.Context(), 0, 0)
	if err != nil || len(got) < 2 {
		t.Fatalf("%d updates, %v", len(got), err)
	}
	last := got[len(got)-1]
	if last.Message == nil || last.Message.Text != "two" {
		t.Errorf("the last is %+v", last)
	}
	if rest, err := c.Updates(t.Context(), last.ID+1, 0); err != nil || len(rest) != 0 {
		t.Errorf("%d updates come again, %v", len(rest), err)
	}
}

func TestUpdates_AreTriedOnceAndSayWhy(t *testing.T) {
	for name, c := range map[string]struct {
		code       int
		said       string
		kind       error
		text, hint string
	}{
		"another reader": {409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running", holdfast.ErrLocked, "another program", "a bot of its own"},
		"webhook":        {409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first", holdfast.ErrLocked, "webhook", "telegram.updates: api"},
		"no token":       {401, "Unauthorized", holdfast.ErrUsage, "the token is not accepted", "HOLDFAST_TELEGRAM_TOKEN"},
		"too many":       {429, "Too Many Requests: retry after 5", holdfast.ErrRefused, "takes nothing more", "try again"},
	} {
		t.Run(name, func(t *testing.T) {
			url, asked := answers(t, refuses(c.code, c.said))
			_, err := newWorld(t, Options{API: url}).Updates(t.Context(), 1, time.Second)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) || !strings.Contains(holdfast.HintOf(err), c.hint) || *asked != 1 {
				t.Errorf("error %v, hint %q, asked %d times", err, holdfast.HintOf(err), *asked)
			}
		})
	}
	url, _ := answers(t, page(502))
	if _, err := newWorld(t, Options{API: url}).Updates(t.Context(), 1, time.Second); holdfast.CauseOf(err) != holdfast.CauseUnreachable {
		t.Errorf("error %v", err)
	}
}

// One update of a form that did not exist when this was built must not keep those behind
// it from being read, for ever.
func TestUpdates_OneThatCannotBeReadIsLeftOut(t *testing.T) {
	url, _ := answers(t, says(200, `{"ok":true,"result":[
		{"update_id":5,"message":{"message_id":1,"date":1,"chat":{"id":5,"type":"private"},"text":"before"}},
		{"update_id":6,"message":{"message_id":"of letters"}},
		{"update_id":7,"message":{"message_id":3,"date":1,"chat":{"id":5,"type":"private"},"text":"behind"}}]}`))
	w := newWorld(t, Options{API: url})
	got, err := w.Updates(t.Context(), 5, time.Second)
	if err != nil || len(got) != 3 {
		t.Fatalf("%d updates, %v", len(got), err)
	}
	if got[0].Message.Text != "before" || got[1].ID != 6 || got[1].Message != nil || got[2].Message.Text != "behind" {
		t.Errorf("updates %+v", got)
	}
	if !strings.Contains(w.log.String(), "update=6") {
		t.Errorf("nobody is told: %s", w.log)
	}
}
