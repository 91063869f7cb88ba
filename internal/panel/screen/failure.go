package screen

import (
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/redact"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// failure tells why something failed: what kind of failure it is and what to do in the
// reader's words, and what the engine said of it.
func (p *page) failure(r Reader, e *report.Error) {
	if e == nil {
		return
	}
	id := "error." + e.Code
	if e.Cause != "" {
		id = "cause." + string(e.Cause)
	}
	if !r.L.Has(id) {
		id = "error.failed"
	}
	p.put(text(r.L.T(id)).within("b"))
	p.english(redact.Text(e.Message))
	for _, more := range e.Errors[:min(len(e.Errors), mostAlarms)] {
		if more.Message != e.Message {
			p.english(redact.Text(more.Message))
		}
	}
	// The engine's hint is English, and knows more than the kind of failure does.
	if e.Hint != "" && (e.Cause == "" || r.L.Lang() == locale.English) {
		p.english("→ " + redact.Text(e.Hint))
		return
	}
	p.say(id + ".todo")
}

// Failed is the screen of something that could not be shown or begun.
func Failed(r Reader, e report.Error, again Action) Screen {
	p := r.page()
	p.title("⚠️", r.L.T("panel.backup"))
	p.failure(r, &e)
	s := Screen{Text: p.text()}
	s.add(r.button("🔁", "jobs.next_again", again), toOverview(r))
	return s
}

// Busy tells that another restore is at work, and whose it is.
func Busy(r Reader, j job.Job) Screen {
	p := r.page()
	p.title("⏳", r.L.T("restore.busy"))
	if j.By != "" {
		p.put(sentence(r.L, "jobs.asked", "by", Name(j.By), "when", r.ago(j.CreatedAt.Time)))
	}
	p.say("restore.busy.todo")
	s := Screen{Text: p.text()}
	s.add(r.button("⏳", "restore.busy.show", Action{Verb: DoWork, Arg: j.ID}))
	s.add(toOverview(r))
	return s
}

// Missing tells that what a button was about is not there any more.
func Missing(r Reader) Screen {
	p := r.page()
	p.title("🔍", r.L.T("details.missing"))
	p.say("panel.missing")
	s := Screen{Text: p.text()}
	s.add(r.button("📋", "panel.list", Action{Verb: DoList}), toOverview(r))
	return s
}

// toOverview leads to the screen of the backups.
func toOverview(r Reader) Button {
	return r.button("⬅️", "panel.to_backup", Action{Verb: DoOverview})
}
