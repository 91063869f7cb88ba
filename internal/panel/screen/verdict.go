package screen

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// safety tells in one sentence whether the data is safe, and what to do if it is not.
func (p *page) safety(r Reader, st report.Status, alarms []alarm.Alarm) {
	oldest := oldestOf(st.Sources)
	if st.Verdict == report.Safe && len(alarms) > 0 && oldest != nil {
		p.put(text("🟡 ").and(counted(r.L, "overview.attention", int64(len(alarms)), "at", r.ago(oldest.LastAt.Time))))
		return
	}
	p.put(text(light(st.Verdict) + " ").and(p.judged(r, st, oldest)))
	switch {
	case st.Verdict == report.Safe:
		return
	case len(st.Sources) == 0:
		p.say("overview.nothing.todo")
	default:
		p.say("verdict." + st.Verdict + ".todo")
	}
	if st.Verdict == report.Held && st.Hold != nil {
		p.english(st.Hold.Message)
	}
}

// judged is the verdict with what it is about, as far as that is known.
func (p *page) judged(r Reader, st report.Status, oldest *report.SourceStatus) marked {
	l := r.L
	switch {
	case len(st.Sources) == 0:
		return sentence(l, "overview.nothing")
	case st.Verdict == report.Never:
		if s := first(st.Sources, func(s report.SourceStatus) bool { return s.LastAt == nil }); s != nil {
			return sentence(l, "overview.never", "source", Name(s.Name))
		}
	case st.Verdict == report.Missing:
		if s := first(st.Sources, func(s report.SourceStatus) bool { return !s.Exists || s.Error != "" }); s != nil {
			if s.Error != "" || s.LastAt == nil {
				return sentence(l, "overview.unreadable", "source", Name(s.Name))
			}
			return sentence(l, "overview.missing", "source", Name(s.Name), "at", r.ago(s.LastAt.Time))
		}
	case st.Verdict == report.Cut && st.Pending != nil:
		return sentence(l, "overview.cut", "at", r.ago(st.Pending.Begun.Time))
	case st.Verdict == report.Degraded:
		if name := degraded(st.Programs); name != "" {
			return sentence(l, "overview.degraded", "source", Name(name))
		}
	case oldest == nil:
	case st.Verdict == report.Safe && st.Repository.ProvenAt != nil:
		return sentence(l, "overview.safe", "at", r.ago(oldest.LastAt.Time), "proven", r.ago(st.Repository.ProvenAt.Time))
	case st.Verdict == report.Unproven:
		return sentence(l, "overview.backed_up_unproven", "at", r.ago(oldest.LastAt.Time))
	case st.Verdict == report.Stale:
		return sentence(l, "overview.stale", "source", Name(oldest.Name), "at", r.ago(oldest.LastAt.Time))
	case st.Verdict == report.Held:
		return sentence(l, "overview.held", "at", r.ago(oldest.LastAt.Time))
	case st.Verdict == report.Lost:
		return sentence(l, "overview.lost", "at", r.ago(oldest.LastAt.Time))
	}
	return sentence(l, "verdict."+st.Verdict+".sentence")
}

// oldestOf is the source whose last backup is the oldest; nil if none has one.
func oldestOf(sources []report.SourceStatus) (oldest *report.SourceStatus) {
	for i := range sources {
		if s := &sources[i]; s.LastAt != nil && (oldest == nil || s.LastAt.Before(oldest.LastAt.Time)) {
			oldest = s
		}
	}
	return oldest
}

// first is the first source that is so; nil: none is.
func first(sources []report.SourceStatus, is func(report.SourceStatus) bool) *report.SourceStatus {
	for i := range sources {
		if is(sources[i]) {
			return &sources[i]
		}
	}
	return nil
}

// degraded names the source whose data lies in memory.
func degraded(programs []holdfast.Standing) string {
	for _, p := range programs {
		for _, s := range p.Sources {
			if s.DegradedSince != nil {
				return s.Name
			}
		}
	}
	return ""
}
