package settings

import (
	"strings"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/around"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// scheduleWords say when backups are made.
func scheduleWords(l *locale.Locale, p Plain) []string {
	var out []string
	if p.Every > 0 {
		out = append(out, l.T("settings.plain.every", "span", locale.Said(l.Duration(p.Every))))
	}
	if len(p.Cron) > 0 {
		out = append(out, l.T("settings.plain.cron", "times", locale.Said(l.List(p.Cron))))
	}
	if p.OnChange > 0 {
		out = append(out, l.T("settings.plain.change", "span", locale.Said(l.Duration(p.OnChange))))
	}
	if len(out) == 0 {
		out = append(out, l.T("settings.plain.nobackup"))
	}
	if !p.AutoBackup {
		out = append(out, l.T("settings.plain.noauto"))
	}
	return out
}

// retentionWords say how long backups are kept.
func retentionWords(l *locale.Locale, r config.Retention) []string {
	var out []string
	for _, rule := range []struct {
		id string
		n  int
	}{
		{"settings.plain.days", r.Days},
		{"settings.plain.last", r.KeepLast},
		{"settings.plain.hourly", r.Hourly},
		{"settings.plain.daily", r.Daily},
		{"settings.plain.weekly", r.Weekly},
		{"settings.plain.monthly", r.Monthly},
		{"settings.plain.yearly", r.Yearly},
	} {
		if rule.n > 0 {
			out = append(out, l.N(rule.id, int64(rule.n)))
		}
	}
	if len(out) == 0 {
		out = append(out, l.T("settings.plain.forever"))
	}
	return out
}

// copyWords say where copies are, and whether they can be read by others.
func copyWords(l *locale.Locale, p Plain) []string {
	out := []string{l.T("settings.plain.nocopies")}
	if len(p.Copies) > 0 {
		out[0] = l.T("settings.plain.copied", "places", locale.Said(l.List(p.Copies)))
	}
	if p.Encrypted {
		return append(out, l.T("settings.plain.encrypted"))
	}
	return append(out, l.T("settings.plain.open"))
}

// proofWords say how often backups are proven.
func proofWords(l *locale.Locale, p Plain) []string {
	out := []string{l.T("settings.plain.nodrill")}
	if p.Drill > 0 {
		out[0] = l.T("settings.plain.drill", "span", locale.Said(l.Duration(p.Drill)))
	}
	if p.Verify > 0 {
		out = append(out, l.T("settings.plain.verify", "span", locale.Said(l.Duration(p.Verify))))
	}
	return out
}

// alarmWords say who is told when something is wrong.
func alarmWords(l *locale.Locale, p Plain) []string {
	if p.Told == 0 {
		return []string{l.T("settings.plain.untold")}
	}
	return []string{l.N("settings.plain.told", int64(p.Told))}
}

// scopeWords name scopes as the reader does, each with its word of the API.
func scopeWords(l *locale.Locale, scopes access.Scopes) locale.Said {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = l.Word("scope", string(s)) + " (" + string(s) + ")"
	}
	return locale.Said(l.List(names))
}

// hookName is what a hook is in the reader's words.
func hookName(l *locale.Locale, h around.Hook) string {
	if h.Kind == around.HookWebhook {
		return l.T("settings.hook.webhook")
	}
	return l.Word("settings.hook", h.Hook)
}

// isCommand tells whether a test runs something here.
func isCommand(h around.Hook) bool { return h.Kind == around.HookCommand || h.Kind == around.HookOwner }

// toneOf is how an outcome looks.
func toneOf(ok bool) ui.Tone {
	if ok {
		return ui.Good
	}
	return ui.Bad
}

// elementID makes an id of HTML of a name.
func elementID(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, name)
}
