package browser

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/holdfast-backup/holdfast/internal/web/gallery"
)

// openPieces opens the page that has every piece.
func openPieces(t *testing.T) *tab {
	t.Helper()
	server := httptest.NewServer(gallery.Handler())
	t.Cleanup(server.Close)
	b := newTab(t)
	if err := b.open(server.URL + "/show/pieces-all?lang=en"); err != nil {
		t.Fatal(err)
	}
	return b
}

// tells evaluates script that must give true.
func (b *tab) tells(t *testing.T, what, script string) {
	t.Helper()
	ok, err := evaluate[bool](b, script)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if !ok {
		t.Errorf("it is not so that %s", what)
	}
}

// press presses keys where the focus is.
func (b *tab) press(t *testing.T, keys string) {
	t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.KeyEvent(keys)); err != nil {
		t.Fatal(err)
	}
}

func TestPolicy_RefusesWhatIsWrittenInPlace(t *testing.T) {
	b := openPieces(t)
	b.taken()
	b.tells(t, "a script in place does not run", `(() => {
		const s = document.createElement("script");
		s.textContent = "window.ran = true";
		document.body.append(s);
		const p = document.createElement("p");
		p.setAttribute("style", "position: fixed");
		document.body.append(p);
		return window.ran === undefined && getComputedStyle(p).position !== "fixed";
	})()`)
	b.tells(t, "nothing is sent elsewhere", `fetch("http://127.0.0.1:9/").then(() => false, () => true)`)
	troubles, _ := b.taken()
	if refused := strings.Join(troubles, "\n"); strings.Count(refused, "Content Security Policy") < 3 {
		t.Errorf("the policy refused %q", refused)
	}
}

func TestScript_ADangerousButtonWaitsForTheName(t *testing.T) {
	b := openPieces(t)
	const button = `document.querySelector("form .button.danger")`
	b.tells(t, "it waits", button+`.disabled`)
	b.tells(t, "it has the focus", `document.getElementById("confirm").focus(), document.activeElement.id === "confirm"`)
	b.press(t, "enhanced_backup_20241030_14300")
	b.tells(t, "it waits for all of the name", button+`.disabled`)
	b.press(t, "0")
	b.tells(t, "it can be pressed", `!`+button+`.disabled`)
	b.press(t, "1")
	b.tells(t, "it waits again", button+`.disabled`)
}

func TestScript_Keys(t *testing.T) {
	b := openPieces(t)
	b.press(t, "?")
	b.tells(t, "the help is open", `document.getElementById("help").open`)
	b.press(t, "\x1b")
	b.tells(t, "the help is closed", `!document.getElementById("help").open`)
	b.press(t, "/")
	b.tells(t, "the search has the focus", `document.activeElement.id === "q"`)
	b.press(t, "a/b?")
	b.tells(t, "what is typed there is text", `document.getElementById("q").value.endsWith("a/b?") && !document.getElementById("help").open`)
	b.tells(t, "a menu opens", `(() => { const m = document.querySelector("details.menu"); m.open = true; m.querySelector("summary").focus(); return m.open; })()`)
	b.press(t, "\x1b")
	b.tells(t, "the menu closes, and the focus stays at its button", `!document.querySelector("details.menu").open && document.activeElement.tagName === "SUMMARY"`)
}

func TestScript_TellsTheZone(t *testing.T) {
	b := openPieces(t)
	b.tells(t, "the cookie names the zone", `document.cookie.includes("hf_zone=" + Intl.DateTimeFormat().resolvedOptions().timeZone)`)
}

func TestScript_TellsThatTheServerIsGone(t *testing.T) {
	server := httptest.NewServer(gallery.Handler())
	b := newTab(t)
	if err := b.open(server.URL + "/show/pieces-all?lang=en"); err != nil {
		t.Fatal(err)
	}
	b.tells(t, "all is well", `document.getElementById("offline").hidden`)
	server.CloseClientConnections()
	server.Close()
	b.tells(t, "the banner is shown", `new Promise((done) => {
		const banner = document.getElementById("offline");
		if (!banner.hidden) return done(true); // the page was the first to notice
		new MutationObserver(() => done(!banner.hidden)).observe(banner, {attributes: true});
		htmx.trigger("#strip", "focus");
		window.dispatchEvent(new Event("focus"));
	})`)
}
