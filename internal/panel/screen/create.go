package screen

import (
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/locale"
)

// Create asks which backup is to be made.
func Create(r Reader) Screen {
	p := r.page()
	p.title("➕", r.L.T("panel.create"))
	p.put(text("⚡ ").and(text(r.L.T("backups.quick")).within("b")))
	p.say("panel.create.quick")
	p.gap()
	p.put(text("📦 ").and(text(r.L.T("backups.new")).within("b")))
	p.say("panel.create.enhanced")
	s := Screen{Text: p.text()}
	s.add(r.button("⚡", "backups.quick", Action{Verb: DoQuick, At: r.draw()}))
	s.add(r.button("✏️", "panel.create.named", Action{Verb: DoName}))
	s.add(r.button("📦", "panel.create.unnamed", Action{Verb: DoEnhanced, At: r.draw()}))
	s.add(toOverview(r))
	return s
}

// AskName asks for the name of a backup, as an answer to this very message; fault says
// what was wrong with the last one, taken that there is a backup of it.
func AskName(r Reader, fault *holdfast.NameError, taken bool) Screen {
	p := r.page()
	switch {
	case fault != nil && (fault.Fault == holdfast.NameBegins || fault.Fault == holdfast.NameEnds || fault.Fault == holdfast.NameTaken || fault.Fault == holdfast.NameLetter):
		p.icon("⚠️", "backups.fault_"+string(fault.Fault), "what", Name(fault.Object))
		p.gap()
	case fault != nil:
		p.icon("⚠️", "backups.fault_"+string(fault.Fault))
		p.gap()
	case taken:
		p.icon("⚠️", "backups.exists")
		p.gap()
	}
	p.icon("✏️", "panel.name")
	return Screen{Text: p.text()}
}

// AsksName tells whether a text is that of [AskName], in whatever language: its last line
// asks for the name.
func AsksName(shown string) bool {
	last := shown[strings.LastIndexByte(shown, '\n')+1:]
	for _, lang := range locale.Languages() {
		if strings.Trim(last, rightToLeft+" ") == "✏️ "+locale.Of(lang).T("panel.name") {
			return true
		}
	}
	return false
}
