package screen

import (
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// A Menu is what the first screens know.
type Menu struct {
	// Verdict is that of the status; empty: nobody knows now.
	Verdict string
	// Back leads to where the panel was opened from; nil: it is opened by itself.
	Back *Button
	// Version is that of the program; empty: it is not told.
	Version string
}

// Admin is the first screen.
func Admin(r Reader, m Menu) Screen {
	p := r.page()
	p.title("🛠", r.L.T("panel.admin"))
	p.verdict(m.Verdict)
	s := Screen{Text: p.text()}
	s.add(r.button("⚙️", "panel.system", Action{Verb: DoSystem}))
	s.add(r.button("🌐", "panel.language", Action{Verb: DoLanguage}), r.button("❔", "panel.help", Action{Verb: DoHelp}))
	return s
}

// System is the screen below it.
func System(r Reader, m Menu) Screen {
	p := r.page()
	p.title("⚙️", r.L.T("panel.system"))
	p.verdict(m.Verdict)
	if m.Version != "" {
		p.put(text("holdfast ").and(code(m.Version)))
	}
	s := Screen{Text: p.text()}
	s.add(r.button("💾", "panel.backup", Action{Verb: DoOverview}))
	s.add(r.button("🌐", "panel.language", Action{Verb: DoLanguage}), r.button("❔", "panel.help", Action{Verb: DoHelp}))
	s.add(r.button("⬅️", "panel.admin", Action{Verb: DoAdmin}))
	return s
}

// verdict tells how safe the data is.
func (p *page) verdict(code string) {
	if code == "" {
		p.icon("⚪", "overview.unknown")
		return
	}
	p.icon(light(code), "verdict."+code+".sentence")
}

// light is the colour of a verdict, which its sentence says, too.
func light(verdict string) string {
	switch verdict {
	case report.Safe:
		return "🟢"
	case report.Unproven, report.Held, report.Stale, report.Divided, report.Cut:
		return "🟡"
	}
	return "🔴"
}

// Languages asks in which language the panel is to speak.
func Languages(r Reader) Screen {
	p := r.page()
	p.title("🌐", r.L.T("panel.language"))
	p.say("panel.language.lead")
	s := Screen{Text: p.text()}
	for _, lang := range locale.Languages() {
		label := lang.Name()
		if lang == r.L.Lang() {
			label = "✓ " + label
		}
		s.add(Button{Label: label, Data: Action{Verb: DoLanguage, Arg: string(lang)}.String()})
	}
	s.add(r.button("⬅️", "panel.to_backup", Action{Verb: DoOverview}))
	return s
}

// Help says in a few lines what the panel is for.
func Help(r Reader) Screen {
	p := r.page()
	p.title("❔", r.L.T("panel.help"))
	for _, id := range []string{"panel.help.statistics", "panel.help.create", "panel.help.restore", "panel.help.send", "panel.help.alerts"} {
		p.put(text("• ").and(sentence(r.L, id)))
	}
	p.gap()
	p.put(sentence(r.L, "panel.help.more", "command", Name("holdfast status")))
	s := Screen{Text: p.text()}
	s.add(r.button("⬅️", "panel.to_backup", Action{Verb: DoOverview}))
	return s
}
