package browser

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/web/gallery"
)

// The widths of a desktop and of a small phone.
const (
	wide, high     = 1280, 900
	narrow, slight = 360, 740
)

// only and all are for whoever works on some of the pages, or on all of them.
var (
	only = flag.String("only", "", "look at these states only: a regular expression of names such as overview-safe")
	all  = flag.Bool("all", false, "look at every state, and not only at the main ones")
)

// mains are the states that are looked at, in every language: one of each page and of
// each form. The others are made of the same pieces and differ in what they say;
// package gallery reads all of them, and -all looks at them here, which takes minutes.
var mains = []string{
	"activity-audit", "activity-busy-day", "activity-tasks", "backups-delete-several", "backups-few", "backups-new-errors",
	"compare-long-names", "compare-rows-rows", "contents-row-long-names", "contents-rows-long-names", "contents-long-names",
	"details-damaged", "details-files", "entry-login-wrong", "entry-password-first", "entry-revoke", "entry-sessions-many", "entry-tokens-created",
	"failure-failed", "jobs-backup-incomplete", "jobs-running-backup", "overview-failing", "overview-many", "pieces-all", "recover-pending",
	"restore-enhanced", "rollback-possible", "search-long-names", "settings-warnings",
}

// TestGallery opens states in every language: nothing in them is refused by the policy or
// logged as an error, nothing is asked for elsewhere, nothing is wider than the window of
// a phone, and axe finds no serious violation, in light and in the dark.
//
// HOLDFAST_SCREENSHOTS names a folder that pictures of all of them are written to.
func TestGallery(t *testing.T) {
	server := httptest.NewServer(gallery.Handler())
	defer server.Close()
	chosen, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	in := inspector{t: t, origin: server.URL, axe: readAxe(t), pictures: os.Getenv("HOLDFAST_SCREENSHOTS")}
	states := make(chan gallery.State)
	var looking sync.WaitGroup
	for range runtime.NumCPU() {
		tab := newTab(t)
		looking.Go(func() {
			for s := range states {
				if err := in.inspect(tab, s); err != nil {
					t.Errorf("%s: %v", s, err)
				}
			}
		})
	}
	for _, s := range gallery.States() {
		if chosen.MatchString(s.String()) && (*all || slices.Contains(mains, s.String())) {
			states <- s
		}
	}
	close(states)
	looking.Wait()
}

// TestGallery_MainStates keeps the list of those in step with the pages.
func TestGallery_MainStates(t *testing.T) {
	missing := slices.Clone(mains)
	pages := map[string]bool{}
	for _, s := range gallery.States() {
		main := slices.Contains(mains, s.String())
		pages[s.Page] = pages[s.Page] || main
		if main {
			missing = slices.DeleteFunc(missing, func(name string) bool { return name == s.String() })
		}
	}
	for page, seen := range pages {
		if !seen {
			t.Errorf("axe sees no state of %s in every language", page)
		}
	}
	if len(missing) > 0 {
		t.Errorf("there are no states %v", missing)
	}
}

// An inspector looks at states, in tabs of its own.
type inspector struct {
	t        *testing.T
	origin   string
	axe      string
	pictures string // the folder for pictures, none if empty
}

// inspect looks at a state. A tab goes to it once. Further languages are put into the
// same page, as going there again takes far longer and tells no more.
func (in inspector) inspect(b *tab, s gallery.State) error {
	if err := b.size(wide, high); err != nil {
		return err
	}
	if err := b.open(in.address(s, locale.English)); err != nil {
		return err
	}
	if _, err := evaluate[bool](b, in.axe+"; true"); err != nil {
		return err
	}
	for i, lang := range locale.Languages() {
		if i > 0 {
			if err := b.size(wide, high); err != nil {
				return err
			}
			if err := in.turn(b, s, lang); err != nil {
				return err
			}
		}
		if err := in.ask(b, s, lang, lang == locale.English); err != nil {
			return err
		}
		if err := in.fits(b, s, lang); err != nil {
			return err
		}
	}
	troubles, requests := b.taken()
	for _, what := range troubles {
		in.t.Errorf("%s: %s", s, what)
	}
	for _, url := range requests {
		// The pictures in the browser's own controls are data; the policy keeps pages from that.
		if !strings.HasPrefix(url, in.origin+"/") && !strings.HasPrefix(url, "data:") {
			in.t.Errorf("%s asks for %s", s, url)
		}
	}
	return in.photograph(b, s)
}

func (in inspector) address(s gallery.State, lang locale.Lang) string {
	return fmt.Sprintf("%s/show/%s?lang=%s&theme=light", in.origin, s, lang)
}

// turn shows the state that a tab is at in another language.
func (in inspector) turn(b *tab, s gallery.State, lang locale.Lang) error {
	_, err := evaluate[bool](b, fmt.Sprintf(`(async () => {
		const root = document.documentElement, address = %q;
		window.pages ??= {};
		const page = window.pages[address] ??= new DOMParser().parseFromString(await (await fetch(address)).text(), "text/html");
		for (const name of ["lang", "dir", "data-theme"]) root.setAttribute(name, page.documentElement.getAttribute(name));
		document.title = page.title;
		document.body.replaceWith(document.importNode(page.body, true));
		root.getBoundingClientRect();
		await document.fonts.ready;
		return true;
	})()`, in.address(s, lang)))
	if err != nil {
		return fmt.Errorf("turn to %s: %w", lang, err)
	}
	return nil
}

// fits tells what does not fit into the window of a desktop and of a phone.
func (in inspector) fits(b *tab, s gallery.State, lang locale.Lang) error {
	for _, width := range []int64{wide, narrow} {
		if err := b.size(width, high); err != nil {
			return err
		}
		beyond, err := evaluate[[]string](b, tooWide)
		if err != nil {
			return err
		}
		for _, what := range beyond {
			in.t.Errorf("%s.%s at %d: %s", s, lang, width, what)
		}
	}
	return nil
}

// ask tells what axe finds, and what it finds in the dark: one language shows all colours.
func (in inspector) ask(b *tab, s gallery.State, lang locale.Lang, dark bool) error {
	themes := []string{"light"}
	if dark {
		themes = append(themes, "dark")
	}
	for _, theme := range themes {
		found, err := violations(b, theme)
		if err != nil {
			return err
		}
		for _, v := range found {
			in.t.Errorf("%s.%s %s: %s", s, lang, theme, v)
		}
	}
	return nil
}

// tooWide tells what makes a page wider than its window, and which words are cut off
// where nobody can scroll to them.
const tooWide = `(() => {
	const root = document.documentElement, out = [];
	const name = (e) => e.tagName.toLowerCase() + (e.className.baseVal ?? e.className).replace(/^(?=\S)|\s+/g, ".");
	if (root.scrollWidth > root.clientWidth) {
		for (const e of document.body.querySelectorAll("*")) {
			const r = e.getBoundingClientRect();
			if (r.width > 0 && (r.right > root.clientWidth + 1 || r.left < -1) && !e.closest(".sr, .skip")) out.push("wider than the window: " + name(e) + " in " + name(e.parentElement));
		}
		if (out.length === 0) out.push("the page is wider than the window");
	}
	for (const e of document.querySelectorAll("main .button, main .badge, main dd, main h1, main h2")) {
		if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 && getComputedStyle(e).display !== "inline") out.push("cut off: " + name(e) + " " + e.textContent.trim().slice(0, 40));
	}
	return out.slice(0, 5);
})()`

// violations are what axe finds in a theme; that of the second one differs in
// its colours only.
func violations(b *tab, theme string) ([]string, error) {
	rules := `{type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}`
	if theme == "dark" {
		rules = `{type: "rule", values: ["color-contrast"]}`
	}
	text, err := evaluate[string](b, fmt.Sprintf(`(async () => {
		document.documentElement.dataset.theme = %q;
		const found = await axe.run(document, {resultTypes: ["violations"], preload: false, runOnly: %s});
		return JSON.stringify(found.violations.filter((v) => ["serious", "critical"].includes(v.impact)).flatMap((v) =>
			v.nodes.slice(0, 3).map((n) => v.id + ": " + n.html.slice(0, 160) + " " + (n.any[0]?.message ?? n.failureSummary))));
	})()`, theme, rules))
	if err != nil {
		return nil, err
	}
	var found []string
	return found, json.Unmarshal([]byte(text), &found)
}

// readAxe gives the program that install.sh installed.
func readAxe(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("HOLDFAST_TEST_SERVERS")
	if folder == "" {
		folder = filepath.Join("..", "..", ".cache", "servers")
	}
	text, err := os.ReadFile(filepath.Join(folder, "axe", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("%v; test/browser/install.sh installs axe", err)
	}
	return string(text)
}

// photograph writes pictures of a state: on a desktop, and in the other languages on a
// phone and in the dark.
func (in inspector) photograph(b *tab, s gallery.State) error {
	if in.pictures == "" {
		return nil
	}
	if err := os.MkdirAll(in.pictures, 0o755); err != nil {
		return err
	}
	for _, lang := range locale.Languages() {
		width, theme := int64(wide), "light"
		switch lang {
		case locale.Thai:
			width = narrow
		case locale.Persian:
			theme = "dark"
		}
		if err := b.size(width, high); err != nil {
			return err
		}
		if err := in.turn(b, s, lang); err != nil {
			return err
		}
		if _, err := evaluate[bool](b, fmt.Sprintf(`document.documentElement.dataset.theme = %q; true`, theme)); err != nil {
			return err
		}
		picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(in.pictures, fmt.Sprintf("%s.%s.png", s, lang)), picture, 0o644); err != nil {
			return err
		}
	}
	return nil
}
