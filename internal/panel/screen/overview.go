package screen

import (
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/redact"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// An OverviewModel is what the screen of the backups shows.
type OverviewModel struct {
	// Status is how everything stands; nil: Failure tells why nobody knows.
	Status  *report.Status
	Failure *report.Error
	// Programs are those in holdfast's care, where the status does not tell of them.
	Programs []holdfast.Standing
	Alarms   []alarm.Alarm
	Next     time.Time // of the next backup; zero: none is made by itself
	Work     []job.Job // what is at work or waits, the newest first
	Back     *Button   // to the menu of the bot; nil: to the system
}

// Bounds of what the screen lists.
const (
	mostSources  = 8
	mostAlarms   = 5
	mostWork     = 3
	mostPrograms = 3
	mostFindings = 3
)

// Overview is the screen of the backups: is the data safe, what is protected, and what is
// there to do?
func Overview(r Reader, m OverviewModel) Screen {
	p := r.page()
	p.title("💾", r.L.T("panel.backup"))
	if m.Status == nil {
		p.icon("🔴", "overview.unknown")
		p.failure(r, m.Failure)
	} else {
		p.safety(r, *m.Status, m.Alarms)
		p.work(r, m.Work)
		p.statistics(r, *m.Status)
		p.repository(r, m.Status.Repository, m.Next)
		p.replicas(r, m.Status.Replicas)
		programs := m.Programs
		if len(programs) == 0 {
			programs = m.Status.Programs
		}
		p.programs(r, programs)
	}
	p.alarms(r, m.Alarms)
	p.gap()
	p.put(text(r.L.T("panel.as_of", "time", locale.Said(isolated(r.Now.UTC().Format("15:04:05 UTC"))))).within("i"))
	return Screen{Text: p.text(), Rows: overviewRows(r, m)}
}

// overviewRows are the buttons of the screen.
func overviewRows(r Reader, m OverviewModel) [][]Button {
	s := Screen{}
	if st := m.Status; st != nil {
		if st.Pending != nil {
			s.add(r.button("🩹", "overview.do.recover", Action{Verb: DoRecover}))
		}
		if st.Hold != nil {
			s.add(r.button("✅", "backups.hold_confirm", Action{Verb: DoHold, At: r.draw()}))
		}
		if st.Verdict == report.Missing {
			if name := lastOf(st.Sources); name != "" {
				s.add(r.button("♻️", "overview.do.restore", of(DoRestore, name, 0)))
			}
		}
	}
	if len(m.Work) > 0 {
		s.add(r.button("⏳", "panel.show_work", Action{Verb: DoWork, Arg: m.Work[0].ID}))
	}
	s.add(r.button("➕", "panel.create", Action{Verb: DoCreate}))
	s.add(r.button("📋", "panel.list", Action{Verb: DoList}), r.button("🔄", "panel.refresh", Action{Verb: DoOverview}))
	if st := m.Status; st != nil && st.LastRestore != nil && st.LastRestore.UndoneAt == nil && st.Pending == nil {
		s.add(r.button("↩️", "panel.rollback", Action{Verb: DoRollback}))
	}
	back := r.button("⬅️", "panel.system", Action{Verb: DoSystem})
	if m.Back != nil {
		back = *m.Back
	}
	s.add(r.button("🌐", "panel.language", Action{Verb: DoLanguage}), r.button("❔", "panel.help", Action{Verb: DoHelp}))
	s.add(back)
	return s.Rows
}

// lastOf is the last backup of the source that is gone.
func lastOf(sources []report.SourceStatus) holdfast.BackupName {
	for _, s := range sources {
		if !s.Exists || s.Error != "" {
			return s.LastBackup
		}
	}
	return ""
}

// statistics tells what is protected, and how much of it there is.
func (p *page) statistics(r Reader, st report.Status) {
	p.heading("📊", r.L.T("panel.statistics"))
	if len(st.Sources) == 0 {
		p.say("overview.sources.none")
	}
	for i, s := range st.Sources {
		if i == mostSources {
			p.put(counted(r.L, "panel.more", int64(len(st.Sources)-i)))
			break
		}
		p.source(r, s, st.Repository.Error != "")
	}
}

func (p *page) source(r Reader, s report.SourceStatus, unknown bool) {
	p.put(row(code(s.Name), text(r.L.Word("kind", string(s.Kind)))))
	switch {
	case s.Error != "":
		p.icon("🔴", "overview.source.unreadable")
		p.english(redact.Text(s.Error))
	case !s.Exists:
		p.icon("🔴", "overview.source.gone")
	default:
		parts := []marked{r.bytes(s.Bytes)}
		switch {
		case s.Collections > 0:
			parts = append(parts, text(r.L.N("overview.collections", int64(s.Collections))))
		case s.Tables > 0:
			parts = append(parts, text(r.L.N("overview.tables", int64(s.Tables))))
		}
		if s.Records != nil {
			parts = append(parts, r.records(s.Kind, *s.Records))
		}
		p.put(row(parts...))
	}
	last := text(r.L.T("overview.source.never"))
	switch {
	case s.LastAt != nil:
		last = text(string(r.ago(s.LastAt.Time)))
		if s.Stale {
			last = row(last, text(r.L.T("overview.source.stale")))
		}
	case unknown:
		last = text(r.L.T("overview.source.unknown"))
	}
	p.fact(r.L.T("overview.source.last"), last)
}

// repository tells where the backups lie, and when the next one comes.
func (p *page) repository(r Reader, s report.RepositoryState, next time.Time) {
	p.heading("🗄", r.L.T("overview.storage"))
	switch {
	case s.Error != "":
		p.icon("🔴", "verdict.unreachable")
		p.english(redact.Text(s.Error))
	case s.Exists:
		parts := []marked{counted(r.L, "overview.replica.backups", int64(s.Backups)), r.bytes(s.StoredBytes)}
		if s.Unusable > 0 {
			parts = append(parts, text(r.L.N("overview.storage.unusable", int64(s.Unusable))))
		}
		if s.FreeBytes != nil {
			parts = append(parts, text(r.L.T("panel.free", "size", r.size(*s.FreeBytes))))
		}
		p.put(row(parts...))
	default:
		p.say("backups.empty")
	}
	switch {
	case next.IsZero():
		p.say("overview.next.none")
	case next.Before(r.Now):
		p.say("overview.next.due")
	default:
		p.say("overview.next.at", "at", locale.Said(r.L.Until(next, r.Now)))
	}
}

// replicas tells how the copies elsewhere stand.
func (p *page) replicas(r Reader, replicas []report.Replica) {
	if len(replicas) == 0 {
		return
	}
	p.heading("☁️", r.L.T("overview.replicas"))
	for i, c := range replicas {
		if i == mostSources {
			p.put(counted(r.L, "panel.more", int64(len(replicas)-i)))
			break
		}
		state := text(r.L.T("overview.replica.current"))
		switch {
		case c.Error != "":
			state = text("🔴 " + r.L.T("overview.replica.error"))
		case !c.Exists:
			state = text(r.L.T("overview.replica.empty"))
		case len(c.Behind) > 0:
			state = text("🟡 " + r.L.N("overview.replica.behind", int64(len(c.Behind))))
		}
		p.put(row(code(c.Name), state, counted(r.L, "overview.replica.backups", int64(c.Backups))))
		p.english(redact.Text(c.Error))
	}
}

// programs tell how the storage of those in care outlives restarts, and whether one of
// them runs in memory.
func (p *page) programs(r Reader, programs []holdfast.Standing) {
	if len(programs) == 0 {
		return
	}
	p.heading("💽", r.L.T("panel.storage"))
	for i, s := range programs {
		if i == mostPrograms {
			p.put(counted(r.L, "panel.more", int64(len(programs)-i)))
			break
		}
		p.program(r, s)
	}
}

func (p *page) program(r Reader, s holdfast.Standing) {
	if v := s.Survival; v != nil {
		parts := []marked{text(r.L.Word("survival", string(v.State)))}
		switch {
		case v.Kept > 0 && v.State == holdfast.SurvivalKept:
			parts = []marked{text(r.L.N("overview.kept", v.Kept))}
		case v.Kept > 0:
			parts = append(parts, text(r.L.N("overview.kept", v.Kept)))
		}
		if v.Wiped > 0 {
			parts = append(parts, text(r.L.N("overview.wiped", v.Wiped)))
		}
		if v.LastWiped != nil {
			parts = append(parts, text(r.L.T("panel.wiped_last", "at", r.ago(v.LastWiped.Time))))
		}
		icon := "🟢"
		if v.State != holdfast.SurvivalKept && v.State != holdfast.SurvivalFirst {
			icon = "🟡"
		}
		p.put(text(icon + " ").and(row(parts...)))
	}
	for _, source := range s.Sources {
		if source.Storage != nil && source.Storage.FileSystem != "" {
			p.put(row(code(source.Storage.Dir), code(source.Storage.FileSystem)))
		}
		p.findings(source.Storage)
		if source.DegradedSince == nil {
			continue
		}
		p.icon("🔴", "overview.degraded", "source", Name(source.Name))
		p.fact(r.L.T("panel.since"), r.moment(source.DegradedSince.Time))
		p.english(redact.Text(source.Reason))
	}
	if s.Backups.Error != "" && s.Backups.Standby == "" {
		p.icon("🔴", "alarm.failure")
		p.english(redact.Text(s.Backups.Error))
	}
}

// findings tell what is remarkable about a storage.
func (p *page) findings(s *holdfast.Storage) {
	if s == nil {
		return
	}
	for _, f := range s.Findings[:min(len(s.Findings), mostFindings)] {
		p.put(text(severe(f.Severity)+" ").and(text(firstStrong), text(clip(plain(redact.Text(f.Message)), mostName)).within("i"), text(popIsolate)))
	}
}

// alarms tell what needs attention.
func (p *page) alarms(r Reader, alarms []alarm.Alarm) {
	if len(alarms) == 0 {
		return
	}
	p.heading("🔔", r.L.T("overview.alarms"))
	for i, a := range alarms {
		if i == mostAlarms {
			p.put(counted(r.L, "panel.more", int64(len(alarms)-i)))
			break
		}
		p.alarm(r, a)
	}
}

// alarm tells what is wrong, of what, and since when.
func (p *page) alarm(r Reader, a alarm.Alarm) {
	parts := []marked{text(severe(a.Severity) + " " + r.L.Word("alarm", a.Kind))}
	if a.Object != "" {
		parts = append(parts, code(a.Object))
	}
	parts = append(parts, text(string(r.ago(a.Since.Time))))
	p.put(row(parts...))
}

// severe is the colour of a severity.
func severe(s holdfast.Severity) string {
	if s == holdfast.Warning {
		return "🟡"
	}
	return "🔴"
}

// work tells what is being done now.
func (p *page) work(r Reader, jobs []job.Job) {
	for i, j := range jobs {
		if i == mostWork {
			p.put(counted(r.L, "panel.more", int64(len(jobs)-i)))
			break
		}
		p.put(text("⏳ ").and(row(text(r.L.Word("job", j.Kind+".doing")), text(r.L.Word("state", string(j.State))), by(j))))
	}
}

// by is who asked for a job.
func by(j job.Job) marked {
	if j.By == "" {
		return marked{}
	}
	return code(j.By)
}
