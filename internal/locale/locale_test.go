package locale

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestMatch_ChoosesWhatTheReaderReads(t *testing.T) {
	for _, c := range []struct {
		chosen, accept string
		want           Lang
	}{
		{"", "", English},
		{"fa", "th", Persian},
		{"de", "th;q=0.8, en;q=0.5", Thai},
		{"", "fa-IR,fa;q=0.9,en;q=0.8", Persian},
		{"", "th-TH", Thai},
		{"", "de-DE,de;q=0.9", English},
		{"", "de, th;q=0.7", Thai},
		{"", "\x00;;q=nonsense", English},
		{"", strings.Repeat("x-", 5000), English},
	} {
		if got := Match(c.chosen, c.accept); got != c.want {
			t.Errorf("chosen %q, browser %.20q: got %s, want %s", c.chosen, c.accept, got, c.want)
		}
	}
}

func TestOf_SpeaksEnglishWhereNobodySpeaksIt(t *testing.T) {
	if Of("xx").Lang() != English || Of(Thai).Lang() != Thai || Of(Persian).Dir() != "rtl" || Of(Thai).Dir() != "ltr" {
		t.Error("wrong language or direction")
	}
	for lang, want := range map[Lang]string{English: "English", Thai: "ไทย", Persian: "فارسی"} {
		if lang.Name() != want {
			t.Errorf("%s calls itself %s", lang, lang.Name())
		}
	}
}

// Names and paths of the other direction keep to themselves, and every isolate that is
// opened is closed.
func TestT_IsolatesNamesInASentence(t *testing.T) {
	for _, lang := range Languages() {
		l := Of(lang)
		name, path := "enhanced_backup_1", "./data/chromadb (old)/"
		text := l.T("list.two", "a", name, "b", path)
		for _, part := range []string{name, path} {
			if !strings.Contains(text, firstStrong+part+popIsolate) {
				t.Errorf("%s: %q is not isolated in %q", lang, part, text)
			}
		}
		for _, whole := range []string{text, l.List([]string{name, path, "نسخه", "ชุด"}), l.T("list.two", "a", text, "b", Said("x")), l.Word("trigger", "nightly")} {
			if open, closed := strings.Count(whole, firstStrong), strings.Count(whole, popIsolate); open != closed || open == 0 {
				t.Errorf("%s: %d isolates opened, %d closed in %q", lang, open, closed, whole)
			}
		}
	}
	if got := Of(Persian).T("list.two", "a", Said("x"), "b", 1234); got != "x و ۱٬۲۳۴" {
		t.Errorf("what a locale said, and numbers, need no isolates: %q", got)
	}
}

func TestN_TakesTheFormOfTheNumber(t *testing.T) {
	for n, want := range map[int64][3]string{1: {"1 day", "1 วัน", "۱ روز"}, 2: {"2 days", "2 วัน", "۲ روز"}, 1000: {"1,000 days", "1,000 วัน", "۱٬۰۰۰ روز"}} {
		for i, lang := range Languages() {
			if got := Of(lang).N("span.days", n); got != want[i] {
				t.Errorf("%d in %s: got %s, want %s", n, lang, got, want[i])
			}
		}
	}
}

func TestT_AnIDThatNobodyWroteIsShownAsItIs(t *testing.T) {
	if l := Of(Thai); l.T("no.such.id") != "no.such.id" || l.Has("no.such.id") || !l.Has("date") {
		t.Errorf("%q", l.T("no.such.id"))
	}
}

func TestWord_OfAnEnumeration(t *testing.T) {
	if got := Of(Thai).Word("trigger", "emergency"); got != "ฉุกเฉิน" {
		t.Error(got)
	}
	if got := Of(Thai).Word("trigger", "nightly"); got != isolate("nightly") {
		t.Error(got)
	}
}

func TestSplit_LeavesPlacesForMarkup(t *testing.T) {
	for lang, want := range map[Lang][]Piece{
		English: {{Slot: "date"}, {Text: ", 16:30"}},
		Thai:    {{Slot: "date"}, {Text: " เวลา 16:30"}},
		Persian: {{Slot: "date"}, {Text: "، ساعت 16:30"}},
	} {
		if got := Of(lang).Split("date.time", "time", Said("16:30")); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v", lang, got)
		}
	}
	if got := Of(English).SplitN("span.days", 2); !reflect.DeepEqual(got, []Piece{{Text: "2 days"}}) {
		t.Errorf("%+v", got)
	}
	if got := Of(English).Split("no.such.id"); !reflect.DeepEqual(got, []Piece{{Text: "no.such.id"}}) {
		t.Errorf("%+v", got)
	}
}

// Pieces put together are the sentence, whatever stands in its places.
func TestSplit_IsTheSentence(t *testing.T) {
	for _, lang := range Languages() {
		l := Of(lang)
		for id := range words.texts[lang] {
			var b strings.Builder
			args := []any{}
			for _, p := range l.Split(id) {
				if b.WriteString(p.Text); p.Slot != "" {
					fmt.Fprintf(&b, "<%s>", p.Slot)
					args = append(args, p.Slot, Said("<"+p.Slot+">"))
				}
			}
			if want := l.T(id, args...); b.String() != want {
				t.Errorf("%s %s: %q, want %q", lang, id, b.String(), want)
			}
		}
	}
}

// Who names a collection or a file must not be able to turn round what is said of it.
func TestT_NoTextLeavesItsIsolate(t *testing.T) {
	for value, want := range map[string]string{
		"a\u2069b":             "ab",
		"a\u202eb\u202cc":      "abc",
		"\u2067a":              "\u2067a" + popIsolate,
		"\u2069\u2066a\u2069b": "\u2066a\u2069b",
	} {
		if got := Of(Persian).T("list.two", "a", value, "b", "x"); !strings.HasPrefix(got, firstStrong+want+popIsolate+" و") {
			t.Errorf("%q is said as %q", value, got)
		}
	}
}

func TestList_JoinsAsTheLanguageDoes(t *testing.T) {
	plain := strings.NewReplacer(firstStrong, "", popIsolate, "")
	for lang, want := range map[Lang][4]string{
		English: {"", "a", "a and b", "a, b, c and d"},
		Thai:    {"", "a", "a และ b", "a, b, c และ d"},
		Persian: {"", "a", "a و b", "a، b، c و d"},
	} {
		for i, names := range [][]string{nil, {"a"}, {"a", "b"}, {"a", "b", "c", "d"}} {
			if got := plain.Replace(Of(lang).List(names)); got != want[i] {
				t.Errorf("%s: got %q, want %q", lang, got, want[i])
			}
		}
	}
}
