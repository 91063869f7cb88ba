package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/holdfast-backup/holdfast/internal/locale"
)

// The keys that people use.
const (
	tabKey   = "\t"
	enterKey = "\r"
	spaceKey = " "
)

// A stop is where the focus is.
type stop struct {
	What    string
	Outline bool // it can be seen that it is there
}

// stopped tells where the focus is.
func (p *person) stopped() stop {
	p.t.Helper()
	at, err := evaluate[stop](p.tab, `(() => {
		const e = document.activeElement, s = getComputedStyle(e);
		const name = (e.labels?.[0]?.textContent ?? e.getAttribute("aria-label") ?? e.textContent).trim().replace(/\s+/g, " ");
		return {What: e.tagName.toLowerCase() + " " + name, Outline: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 1 || s.boxShadow !== "none"};
	})()`)
	if err != nil {
		p.t.Fatal(err)
	}
	return at
}

// keys presses a key where the focus is.
func (p *person) keys(key string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, chromedp.KeyEvent(key, chromedp.KeyModifiers(modifiers...))); err != nil {
		p.t.Fatal(err)
	}
}

// tabs goes from stop to stop until one is reached; each can be seen.
func (p *person) tabs(to string) {
	p.t.Helper()
	var way []string
	for range 80 {
		p.keys(tabKey)
		at := p.stopped()
		if strings.HasPrefix(at.What, "body ") {
			continue // between the end of the page and its beginning
		}
		if !at.Outline {
			p.t.Errorf("%s: the focus on %q cannot be seen", p.at(), at.What)
		}
		if at.What == to {
			return
		}
		way = append(way, at.What)
	}
	p.t.Fatalf("%s: the keys do not lead to %q, but to %q", p.at(), to, way)
}

// A backup, its restore and the rollback, with nothing but a keyboard.
func TestKeyboard_BackupRestoreRollback(t *testing.T) {
	w := newWorld(t, sources)
	d := w.serve("")
	p := newPerson(t, d.url, locale.English)
	p.keys(tabKey)
	if at := p.stopped(); at.What != "a "+p.says("frame.skip") || !at.Outline {
		t.Errorf("the first stop is %+v", at)
	}
	p.keys(enterKey)
	p.tells(t, "the link skips to the content", `document.activeElement.id === "main"`)
	p.tabs("button " + p.says("overview.do.backup"))
	p.leaves("the button", func() { p.keys(enterKey) })
	p.find(link, p.says("jobs.next_restore"))
	w.sqlite("DELETE FROM guests")
	p.tabs("a " + p.says("jobs.next_restore"))
	p.leaves("the link", func() { p.keys(enterKey) })
	p.reads(p.l.N("restore.change.more", 3))
	name := p.confirmed()
	p.tabs("input bot")
	p.keys(spaceKey)
	p.reads(p.says("restore.unchosen"))
	if at := p.stopped(); at.What != "input bot" {
		t.Errorf("after the plan was shown anew the focus is on %q", at.What)
	}
	p.keys(spaceKey)
	p.reads(p.l.N("restore.change.more", 3))
	p.tabs("input " + plain(p.says("frame.confirm", "name", name)))
	p.keys(name)
	p.tabs("button " + p.says("restore.begin"))
	p.leaves("the button", func() { p.keys(enterKey) })
	p.reads(p.says("jobs.restore_good", "name", name))
	p.tabs("a " + p.says("jobs.next_rollback"))
	p.leaves("the link", func() { p.keys(enterKey) })
	p.tabs("input " + plain(p.says("frame.confirm", "name", name)))
	p.keys(name)
	p.keys(enterKey) // what is dangerous is asked for by Enter in the field, too
	p.reads(p.says("jobs.rollback_good"))
	if n := w.guests(); n != "0" {
		t.Errorf("%s guests after the rollback", n)
	}
	p.content()
	d.stop()
}

// No page keeps the focus: the keys lead through all of it and back to its beginning.
func TestKeyboard_NothingHoldsTheFocus(t *testing.T) {
	w := newWorld(t, sources)
	w.run("backup", "--name", "friday")
	d := w.serve("")
	p := newPerson(t, d.url, locale.Persian)
	for _, path := range []string{"/backups", "/backups/friday", "/new", "/settings"} {
		p.goes(path)
		p.tabs("a " + p.says("frame.skip"))
		p.tabs("a " + p.says("frame.api"))
		p.keys(tabKey, chromedp.ModifierShift)
		if at := p.stopped(); at.What == "a "+p.says("frame.api") {
			t.Errorf("%s: Shift+Tab stays on %q", path, at.What)
		}
	}
	p.goes("/backups")
	p.tabs("a " + p.says("frame.skip"))
	p.keys("?")
	p.tells(t, "the help is open", `document.getElementById("help").open`)
	p.keys("\x1b")
	if at := p.stopped(); at.What != "a "+p.says("frame.skip") {
		t.Errorf("the help leaves the focus on %q", at.What)
	}
	p.keys("/")
	p.keys("nothing like it")
	p.leaves("the search", func() { p.keys(enterKey) })
	p.reads(p.says("backups.none"))
	p.tells(t, "the search keeps what was typed", `document.getElementById("q").value.endsWith("nothing like it")`)
	p.content()
	d.stop()
}
