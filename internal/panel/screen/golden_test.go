package screen_test

import (
	"cmp"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/panel/screen"
	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// drawn is a screen as a golden file has it: the text, and the buttons with what they
// call back.
func drawn(s screen.Screen) string {
	var b strings.Builder
	b.WriteString(s.Text + "\n\n")
	for _, row := range s.Rows {
		for i, button := range row {
			if i > 0 {
				b.WriteString("  ")
			}
			b.WriteString("[ " + button.Label + " | " + button.Data + " ]")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Every screen in every state and language is as it was looked at last.
func TestScreens_AreAsTheyWereLookedAt(t *testing.T) {
	names := map[string]bool{}
	for _, st := range states() {
		for _, lang := range locale.Languages() {
			name := st.name + "." + string(lang) + ".txt"
			names[name] = true
			got := drawn(st.draw(reader(lang)))
			file := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s is drawn otherwise:\n%s", name, got)
			}
		}
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !names[filepath.Base(file)] {
			t.Errorf("nothing draws %s", file)
			if *update {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// What no screen may have: the name of a sentence in place of the sentence, or a place
// that was not filled.
var unsaid = regexp.MustCompile(`<no value>|\{\{|\x00|\b(panel|overview|verdict|restore|details|jobs|backups|alarm|error|cause|step|word)\.[a-z_]+`)

func TestScreens_AreWhatTelegramTakes(t *testing.T) {
	for _, st := range states() {
		for _, lang := range locale.Languages() {
			s := st.draw(reader(lang))
			text, _, err := telegramtest.Parse(s.Text)
			if err != nil {
				t.Errorf("%s in %s: %v", st.name, lang, err)
			}
			n := 0
			for _, r := range text {
				n += cmp.Or(map[bool]int{true: 2}[r > 0xffff], 1)
			}
			if n == 0 || n > screen.Most {
				t.Errorf("%s in %s has %d units", st.name, lang, n)
			}
			if bad := unsaid.FindString(s.Text); bad != "" {
				t.Errorf("%s in %s says %q", st.name, lang, bad)
			}
			if open, closed := strings.Count(text, "\u2068"), strings.Count(text, "\u2069"); open != closed {
				t.Errorf("%s in %s opens %d isolates and closes %d", st.name, lang, open, closed)
			}
			for _, row := range s.Rows {
				if len(row) == 0 || len(row) > 8 {
					t.Errorf("%s in %s has a row of %d buttons", st.name, lang, len(row))
				}
				for _, b := range row {
					if b.Label == "" || utf8.RuneCountInString(b.Label) > 40 || unsaid.MatchString(b.Label) {
						t.Errorf("%s in %s: the button %q", st.name, lang, b.Label)
					}
					if len(b.Data) == 0 || len(b.Data) > 64 {
						t.Errorf("%s in %s: %q calls back %d bytes", st.name, lang, b.Label, len(b.Data))
					}
				}
			}
		}
	}
}

// Every button is understood, and every verb has a button.
func TestScreens_ButtonsAreActions(t *testing.T) {
	var seen []screen.Verb
	for _, st := range states() {
		for _, row := range st.draw(reader(locale.English)).Rows {
			for _, b := range row {
				if !strings.HasPrefix(b.Data, screen.Prefix) {
					continue // of the bot's own
				}
				a, ok := screen.ParseAction(b.Data)
				if !ok || a.String() != b.Data {
					t.Errorf("%s: %q is read as %+v", st.name, b.Data, a)
				}
				seen = append(seen, a.Verb)
			}
		}
	}
	for _, verb := range screen.Verbs() {
		if !slices.Contains(seen, verb) {
			t.Errorf("no screen has a button for %s", verb)
		}
	}
}
