package screen

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/redact"
)

// A NoticeModel is something that has happened, and that people are told by themselves.
type NoticeModel struct {
	News []alarm.News
	// Written is when it was to be told, where that is later than it should have been.
	Written *holdfast.Time
	// Start is a program that has begun, and what its start-up found; nil: none.
	Start *holdfast.Standing
}

// Worth tells whether there is anything to tell.
func (m NoticeModel) Worth() bool {
	return len(m.News) > 0 || m.Start != nil && len(started(*m.Start)) > 0
}

// started are the sources of which the start-up had something to do.
func started(s holdfast.Standing) (out []holdfast.SourceStanding) {
	for _, source := range s.Sources {
		if source.DegradedSince != nil || source.Start != nil && (source.Start.Action == holdfast.StartRestored || source.Start.Action == holdfast.StartFailed) {
			out = append(out, source)
		}
	}
	return out
}

// Notice says what has happened.
func Notice(r Reader, m NoticeModel) Screen {
	p := r.page()
	p.title("🔔", r.L.T("panel.notice"))
	if m.Written != nil {
		p.fact(r.L.T("panel.notice.late"), r.moment(m.Written.Time))
	}
	if m.Start != nil {
		for _, s := range started(*m.Start) {
			p.start(r, s)
		}
	}
	for i, n := range m.News {
		if i == 2*mostAlarms {
			p.put(counted(r.L, "panel.more", int64(len(m.News)-i)))
			break
		}
		p.gap()
		p.news(r, n)
	}
	s := Screen{Text: p.text()}
	s.add(r.button("💾", "panel.to_backup", Action{Verb: DoOverview, Arg: Anew}))
	return s
}

// start tells what the start-up did about the data of a source.
func (p *page) start(r Reader, s holdfast.SourceStanding) {
	p.gap()
	if d := s.Start; d != nil {
		switch d.Action {
		case holdfast.StartRestored:
			p.icon("🟢", "panel.start.restored", "source", Name(s.Name), "name", Name(d.Backup))
			if d.BackupAt != nil {
				p.fact(r.L.T("details.made"), r.moment(d.BackupAt.Time))
			}
			if d.From != "" {
				p.fact(r.L.T("panel.start.from"), code(redact.Text(d.From)))
			}
			p.english(redact.Text(d.Reason))
		case holdfast.StartFailed:
			p.icon("🔴", "panel.start.failed", "source", Name(s.Name))
			p.english(redact.Text(d.Reason))
		}
	}
	if s.DegradedSince != nil {
		p.icon("🔴", "overview.degraded", "source", Name(s.Name))
		p.english(redact.Text(s.Reason))
		p.say("verdict.degraded.todo")
	}
}

// news tells what has happened to one alarm.
func (p *page) news(r Reader, n alarm.News) {
	a := n.Alarm
	head := text(r.L.Word("alarm", a.Kind)).within("b")
	if a.Object != "" {
		head = row(head, code(a.Object))
	}
	switch n.Turn {
	case alarm.Over, alarm.Missed:
		p.put(text("🟢 ").and(sentence(r.L, "panel.over"), text(" "), head))
		if n.EndedAt != nil {
			p.say("panel.over.took", "time", locale.Said(r.L.Duration(n.EndedAt.Sub(a.Since.Time))))
		}
		return
	case alarm.Still:
		p.put(text(severe(a.Severity) + " ").and(head))
		p.say("panel.still", "at", r.ago(a.Since.Time))
	default:
		p.put(text(severe(a.Severity) + " ").and(head))
	}
	if id := "alarm." + a.Kind + ".todo"; r.L.Has(id) {
		p.say(id)
	}
	p.english(redact.Text(a.Message))
}
