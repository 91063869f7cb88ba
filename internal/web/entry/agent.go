package entry

import (
	"strings"

	"github.com/holdfast-backup/holdfast/internal/locale"
)

// browsers and systems, in the order in which they are looked for: many call themselves
// by the names of others, too.
var (
	browsers = [][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser", "Samsung Internet"}, {"Firefox", "Firefox"}, {"FxiOS", "Firefox"}, {"CriOS", "Chrome"}, {"Chromium", "Chromium"}, {"Chrome", "Chrome"}, {"Safari", "Safari"}, {"curl", "curl"}, {"Python", "Python"}, {"python", "Python"}, {"Go-http", "Go"}}
	systems  = [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"}, {"FreeBSD", "FreeBSD"}}
)

// agentWords says what a browser called itself: Firefox on Linux.
func agentWords(l *locale.Locale, agent string) string {
	browser, system := firstOf(browsers, agent), firstOf(systems, agent)
	switch {
	case browser != "" && system != "":
		return l.T("entry.agent", "browser", browser, "system", system)
	case browser != "":
		return browser
	case system != "":
		return l.T("entry.agent_on", "system", system)
	}
	return l.T("entry.agent_unknown")
}

func firstOf(known [][2]string, agent string) string {
	for _, one := range known {
		if strings.Contains(agent, one[0]) {
			return one[1]
		}
	}
	return ""
}
