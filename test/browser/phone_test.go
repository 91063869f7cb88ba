package browser

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/holdfast-backup/holdfast/internal/locale"
)

// On a phone a restore is done to its end with fingers, and nothing is wider than the
// screen on the way.
func TestPhone_Restores(t *testing.T) {
	w := newWorld(t, sources)
	w.run("backup", "--name", "friday")
	w.sqlite("DELETE FROM guests")
	d := w.serve("")
	for _, lang := range []locale.Lang{locale.Thai, locale.Persian} {
		t.Run(string(lang), func(t *testing.T) {
			p := newPerson(t, d.url, lang)
			if err := chromedp.Do(p.ctx, chromedp.EmulateViewport(narrow, slight, chromedp.EmulatePortrait, chromedp.EmulateMobile, chromedp.EmulateTouch)); err != nil {
				t.Fatal(err)
			}
			p.touch = true
			fits := func() {
				t.Helper()
				beyond, err := evaluate[[]string](p.tab, tooWide)
				if err != nil {
					t.Fatal(err)
				}
				for _, what := range beyond {
					t.Errorf("%s: %s", p.at(), what)
				}
			}
			fits()
			p.follow(link, p.says("frame.backups"))
			p.tells(t, "each backup is a card", `getComputedStyle(document.querySelector("main tbody tr")).display !== "table-row"`)
			fits()
			p.follow(link, "friday")
			fits()
			p.follow(link, p.says("details.restore"))
			p.find(button, p.says("restore.show"))
			p.find(checkbox, "bot")
			p.confirms("friday")
			fits()
			p.follow(button, p.says("restore.begin"))
			p.reads(p.says("jobs.restore_good", "name", "friday"))
			fits()
			if n := w.guests(); n != "3" {
				t.Errorf("%s guests", n)
			}
			p.content()
		})
	}
	d.stop()
}
