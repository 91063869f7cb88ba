package api

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// A bot in another language passes its updates on: those of the panel are taken, whatever
// else they hold, and the others are its own.
func TestTelegram_UpdatesArePassedOn(t *testing.T) {
	w := newWorld(t, nil)
	const press = `{"update_id":7,"callback_query":{"id":"1","from":{"id":1001,"is_bot":false,"first_name":"Ann"},"data":"hf:bak","new_in_this_year":{"x":[1]}}}`
	w.ask("POST", "telegram/updates", press).problem(http.StatusConflict, "refused")

	var taken []string
	w.core.Telegram = func(_ context.Context, update []byte) bool {
		taken = append(taken, string(update))
		return strings.Contains(string(update), "hf:")
	}
	for _, c := range []struct {
		update string
		want   bool
	}{
		{press, true},
		{`{"update_id":8,"message":{"text":"hello"}}`, false},
		{`{"update_id":9,"message":{"text":"` + strings.Repeat("x", maxUpdate-100) + `"}}`, false},
	} {
		var got handled
		w.ask("POST", "telegram/updates", c.update).want(http.StatusOK, &got)
		if got.Handled != c.want {
			t.Errorf("%.80s: handled %v", c.update, got.Handled)
		}
		if last := taken[len(taken)-1]; last != c.update {
			t.Errorf("the panel is given %.80s, and not what was sent", last)
		}
	}

	before := len(taken)
	p := w.ask("POST", "telegram/updates", `{"update_id":1,"x":"`+strings.Repeat("x", maxUpdate)+`"}`).problem(http.StatusRequestEntityTooLarge, "too_large")
	if !strings.Contains(p.Detail, "1048576") {
		t.Errorf("the limit is not told: %s", p.Detail)
	}
	w.ask("POST", "telegram/updates", `[]`).problem(http.StatusUnprocessableEntity, "usage")
	w.ask("POST", "telegram/updates", `{"message":{}}`).problem(http.StatusUnprocessableEntity, "usage")
	w.ask("POST", "telegram/updates", `{"update_id":1`).problem(http.StatusBadRequest, "usage")
	w.ask("POST", "telegram/updates", nil).problem(http.StatusBadRequest, "usage")
	if len(taken) != before {
		t.Errorf("the panel was given nonsense: %q", taken[before:])
	}
}
