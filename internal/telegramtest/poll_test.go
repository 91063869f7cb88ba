package telegramtest_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

// updates reads updates and gives the texts of their messages and the last id.
func updates(t *testing.T, s *telegramtest.Server, body string) (texts []string, last int64) {
	t.Helper()
	r := call(t, s, "getUpdates", body)
	if !r.OK {
		t.Fatal(r.Description)
	}
	var list []struct {
		ID      int64                 `json:"update_id"`
		Message *telegramtest.Message `json:"message"`
		Edited  *telegramtest.Message `json:"edited_message"`
	}
	if err := json.Unmarshal(r.Result, &list); err != nil {
		t.Fatal(err)
	}
	for _, u := range list {
		last = u.ID
		switch {
		case u.Message != nil:
			texts = append(texts, u.Message.Text)
		case u.Edited != nil:
			texts = append(texts, "edited: "+u.Edited.Text)
		default:
			texts = append(texts, "?")
		}
	}
	return texts, last
}

// Updates stay until they are confirmed by an offset.
func TestOffset(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	ada := s.User(7, "Ada", "en")
	for i := range 4 {
		ada.Says(0, fmt.Sprint(i))
	}
	expect := func(body string, want ...string) int64 {
		t.Helper()
		got, last := updates(t, s, body)
		if !slices.Equal(got, want) {
			t.Errorf("getUpdates %s: %q, want %q", body, got, want)
		}
		return last
	}
	first := expect(`{"limit":1}`, "0")
	expect(`{}`, "0", "1", "2", "3")
	expect(fmt.Sprintf(`{"offset":%d,"limit":2}`, first+1), "1", "2")
	expect(`{"offset":-1}`, "3")
	last := expect(`{}`, "3") // those before were forgotten
	expect(fmt.Sprintf(`{"offset":%d}`, last+1))
}

// A bot hears the kinds of updates that it asked for, from then on.
func TestAllowedUpdates(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	ada := s.User(7, "Ada", "en")
	updates(t, s, `{"allowed_updates":["message"]}`)
	m := ada.Says(0, "one")
	ada.Edits(m, "two")
	if got, _ := updates(t, s, `{}`); !slices.Equal(got, []string{"one"}) {
		t.Errorf("with messages only: %q", got)
	}
	updates(t, s, `{"allowed_updates":[]}`)
	ada.Edits(m, "three")
	if got, _ := updates(t, s, `{}`); !slices.Equal(got, []string{"one", "edited: three"}) {
		t.Errorf("with the usual kinds: %q", got)
	}
}

// Updates that nobody reads are forgotten after a day.
func TestUpdatesExpire(t *testing.T) {
	c := newClock()
	s := telegramtest.Start(t, telegramtest.Options{Now: c.now})
	ada := s.User(7, "Ada", "en")
	ada.Says(0, "old")
	c.pass(23 * time.Hour)
	ada.Says(0, "new")
	if got, _ := updates(t, s, `{}`); !slices.Equal(got, []string{"old", "new"}) {
		t.Errorf("after 23 hours: %q", got)
	}
	c.pass(2 * time.Hour)
	if got, _ := updates(t, s, `{}`); !slices.Equal(got, []string{"new"}) {
		t.Errorf("after 25 hours: %q", got)
	}
}

// A request that waits is answered by what happens; a second reader ends the
// first, and so does a webhook.
func TestOneReader(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	ada := s.User(7, "Ada", "en")
	wait := func() chan reply {
		done := make(chan reply, 1)
		polls := s.Polls()
		go func() { done <- call(t, s, "getUpdates", `{"timeout":30}`) }()
		s.Until("the request to wait", func() bool { return s.Polls() > polls })
		return done
	}
	first := wait()
	second := wait()
	if got, want := (<-first).Description, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"; got != want {
		t.Errorf("the first reader: %q, want %q", got, want)
	}
	ada.Says(0, "hello")
	if r := <-second; !r.OK || string(r.Result) == "[]" {
		t.Errorf("the second reader: %+v", r)
	}
	updates(t, s, `{"offset":-1}`)
	_, last := updates(t, s, `{}`)
	updates(t, s, fmt.Sprintf(`{"offset":%d}`, last+1))

	third := wait()
	if r := call(t, s, "setWebhook", `{"url":"http://127.0.0.1:9/hook"}`); !r.OK {
		t.Fatal(r.Description)
	}
	if got, want := (<-third).Description, "Conflict: terminated by setWebhook request"; got != want {
		t.Errorf("with a webhook: %q, want %q", got, want)
	}
	refused(t, s, "getUpdates", `{}`, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first")
	if r := call(t, s, "deleteWebhook", `{}`); !r.OK {
		t.Fatal(r.Description)
	}
	updates(t, s, `{}`)
}
