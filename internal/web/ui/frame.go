package ui

import (
	"strconv"

	"github.com/holdfast-backup/holdfast/internal/locale"
)

// manual is where the pages are explained in the reader's language.
func manual(lang locale.Lang) string {
	page := "web.md"
	if lang != locale.English {
		page = "web." + string(lang) + ".md"
	}
	return "https://github.com/holdfast-backup/holdfast/blob/main/docs/" + page
}

// htmxConfig keeps htmx from what the policy of the pages forbids, leaves open what the
// reader has unfolded when a page is renewed, and makes streams come back soon.
const htmxConfig = `{"includeIndicatorCSS":false,"history":false,"mode":"same-origin","morphIgnore":["data-htmx-powered","open"],"sse":{"reconnectDelay":500,"reconnectMaxDelay":3000}}`

// An entry of the menu.
type entry struct{ section, href, icon, words string }

var entries = []entry{
	{"overview", "/", "house", "frame.overview"},
	{"backups", "/backups", "archive", "frame.backups"},
	{"activity", "/activity", "activity", "frame.activity"},
	{"settings", "/settings", "settings", "frame.settings"},
}

// A theme that can be chosen. A form sends no empty value, so that of the system
// has a name there.
type theme struct{ name, value, words string }

var themes = []theme{
	{"", "system", "frame.theme_system"},
	{"light", "light", "frame.theme_light"},
	{"dark", "dark", "frame.theme_dark"},
}

// scheme tells the browser which colours its own parts should have.
func scheme(theme string) string {
	if theme == "" {
		return "light dark"
	}
	return theme
}

func pressed(yes bool) string { return strconv.FormatBool(yes) }

func text(n int64) string { return strconv.FormatInt(n, 10) }

// stripTrigger asks often while something is at work.
func stripTrigger(running []Running) string {
	if len(running) > 0 {
		return "every 2s, focus from:window"
	}
	return "every 10s, focus from:window"
}

// runningText is a running job in words.
func runningText(p Page, r Running) string {
	doing := p.L.Word("job", r.Kind+".doing")
	if r.Backup == "" {
		return doing
	}
	return p.L.T("frame.running", "doing", locale.Said(doing), "name", r.Backup)
}
