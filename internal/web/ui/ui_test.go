package ui

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"github.com/holdfast-backup/holdfast/internal/locale"
)

var now = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)

func drawn(t *testing.T, c templ.Component) string {
	t.Helper()
	var out bytes.Buffer
	if err := c.Render(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTime_HasTheWholeOfItAtHand(t *testing.T) {
	for _, lang := range locale.Languages() {
		p := Page{L: locale.Of(lang), Now: now, Zone: time.UTC}
		for at, way := range map[time.Time]string{now.Add(-12 * time.Minute): "ago", now.Add(3 * time.Hour): "due"} {
			text := drawn(t, Time(p, at))
			for _, want := range []string{`datetime="` + p.L.ISO(at) + `"`, `data-relative="` + way + `"`, p.L.DateTime(at, time.UTC), Relative(p, at)} {
				if !strings.Contains(text, want) {
					t.Errorf("%s does not hold %q", text, want)
				}
			}
		}
	}
}

func TestTimesWords_HaveAPlaceForTheNumber(t *testing.T) {
	for _, lang := range locale.Languages() {
		var words map[string]json.RawMessage
		if err := json.Unmarshal([]byte(timesWords(locale.Of(lang))), &words); err != nil {
			t.Fatal(err)
		}
		for _, way := range []string{"ago", "until"} {
			var forms struct{ Minutes, Hours [2]string }
			if err := json.Unmarshal(words[way], &forms); err != nil {
				t.Fatal(err)
			}
			for _, text := range append(forms.Minutes[:], forms.Hours[:]...) {
				if strings.Count(text, "#") != 1 || strings.ContainsAny(text, "17۱۷") {
					t.Errorf("%s %s: %q", lang, way, text)
				}
			}
		}
	}
}

func TestButton_SubmitsUnlessItIsToldOtherwise(t *testing.T) {
	attrs := templ.Attributes{"name": "a"}
	if text := drawn(t, Button("Go", Plain, attrs)); !strings.Contains(text, `type="submit"`) || !strings.Contains(text, `name="a"`) {
		t.Errorf("%s", text)
	}
	if len(attrs) != 1 {
		t.Errorf("the attributes of the page were changed: %v", attrs)
	}
	if text := drawn(t, Button("Go", Plain, templ.Attributes{"type": "button"})); strings.Count(text, "type=") != 1 || !strings.Contains(text, `type="button"`) {
		t.Errorf("%s", text)
	}
}

func TestField_TiesWhatBelongsTogether(t *testing.T) {
	text := drawn(t, Input("Name", "a hint", "an error", InputModel{ID: "n", Value: `"<`}))
	for _, want := range []string{`<label for="n">`, `id="n"`, `name="n"`, `aria-describedby="n-error n-hint"`, `id="n-hint"`, `id="n-error"`, `aria-invalid="true"`, `value="&#34;&lt;"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s does not hold %s", text, want)
		}
	}
}

func TestStrip_AsksMoreOftenWhileSomethingIsAtWork(t *testing.T) {
	p := Page{L: locale.Of(locale.English), Now: now}
	if text := drawn(t, Strip(p)); !strings.Contains(text, "every 10s") || strings.Contains(text, "<a") {
		t.Errorf("%s", text)
	}
	p.Running = []Running{{ID: "J1", Kind: "backup", Backup: "monday", Done: 120, Total: 100}}
	if text := drawn(t, Strip(p)); !strings.Contains(text, "every 2s") || !strings.Contains(text, `href="/jobs/J1"`) || !strings.Contains(text, `max="100" value="100"`) {
		t.Errorf("%s", text)
	}
}

func TestConfirmed_TakesTheNameAsKeyboardsWriteIt(t *testing.T) {
	for _, same := range [][2]string{
		{"monday", " monday\n"},
		{"caf\u00e9", "cafe\u0301"},
		{"cafe\u0301", "caf\u00e9"},
		{"น\u0e49\u0e38", "น\u0e38\u0e49"}, // a tone mark before the vowel, which looks the same
		{"3", "۳"},
		{"auto_backup_20241030", "auto_backup_۲۰۲۴۱۰۳۰"},
		{"30", "๓๐"},
		{"30", "٣٠"},
		{"پیش\u200cاز", "پیشاز"},
		{"پشتیبان_یک", "پشتيبان_يك"},
		{"monday", "\u2068monday\u2069"},
	} {
		if !Confirmed(same[1], same[0]) {
			t.Errorf("%q is not taken for %q", same[1], same[0])
		}
	}
	for _, other := range [][2]string{{"monday", ""}, {"monday", "Monday"}, {"monday", "monda"}, {"3", "2"}, {"monday", "mon day"}, {"ก", "ข"}} {
		if Confirmed(other[1], other[0]) {
			t.Errorf("%q is taken for %q", other[1], other[0])
		}
	}
}
