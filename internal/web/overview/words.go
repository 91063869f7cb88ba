package overview

import (
	"net/url"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// sentence is the verdict in the reader's language.
func sentence(p ui.Page, m Model) string {
	v, l := m.Verdict, p.L
	at, source := locale.Said(ui.Relative(p, v.At)), v.Source
	switch {
	case m.Loading:
		return l.T("overview.loading")
	case m.Failure != nil:
		return l.T("overview.unknown")
	case v.Attention > 0 && !v.At.IsZero():
		return l.N("overview.attention", int64(v.Attention), "at", at)
	case v.Code == report.Safe && !v.At.IsZero() && !v.Proven.IsZero():
		return l.T("overview.safe", "at", at, "proven", locale.Said(ui.Relative(p, v.Proven)))
	case v.Code == report.Unproven && !v.At.IsZero():
		return l.T("overview.backed_up_unproven", "at", at)
	case v.Code == report.Stale && source != "":
		return l.T("overview.stale", "source", source, "at", at)
	case v.Code == report.Never && v.Nothing:
		return l.T("overview.nothing")
	case v.Code == report.Never && v.Unreadable:
		return l.T("overview.never_there", "source", source)
	case v.Code == report.Never && source != "":
		return l.T("overview.never", "source", source)
	case v.Code == report.Missing && v.Unreadable:
		return l.T("overview.unreadable", "source", source)
	case v.Code == report.Missing && source != "" && !v.At.IsZero():
		return l.T("overview.missing", "source", source, "at", at)
	case v.Code == report.Damaged && v.Backup != "":
		return l.T("overview.damaged", "name", v.Backup.String())
	case v.Code == report.Cut && !v.At.IsZero():
		return l.T("overview.cut", "at", at)
	case v.Code == report.Held && !v.At.IsZero():
		return l.T("overview.held", "at", at)
	case v.Code == report.Lost && !v.At.IsZero():
		return l.T("overview.lost", "at", at)
	case v.Code == report.Degraded && source != "":
		return l.T("overview.degraded", "source", source)
	}
	return l.T("verdict." + v.Code + ".sentence")
}

// todo is what to do about it, in the reader's language; empty where there is nothing.
func todo(p ui.Page, m Model) string {
	switch {
	case m.Loading:
		return p.L.T("overview.loading.todo")
	case m.Failure != nil:
		return p.L.T("overview.unknown.todo")
	case m.Verdict.Attention > 0:
		return p.L.T("overview.attention.todo")
	case m.Verdict.Code == report.Safe:
		return ""
	case m.Verdict.Nothing:
		return p.L.T("overview.nothing.todo")
	case m.Verdict.Code == report.Never && m.Verdict.Unreadable:
		return p.L.T("overview.never_there.todo")
	}
	return p.L.T("verdict." + m.Verdict.Code + ".todo")
}

// dayWords tell what happened on a day.
func dayWords(p ui.Page, c Cell) string {
	l := p.L
	var parts []string
	for _, one := range []struct {
		id string
		n  int64
	}{
		{"overview.day.made", c.Made},
		{"overview.day.unchanged", c.Unchanged},
		{"overview.day.failed", c.Failed},
		{"overview.day.missed", c.Missed},
		{"overview.day.proven", c.Proven + c.Drilled},
		{"overview.day.disproven", c.Disproven},
		{"overview.day.restored", c.Restored},
	} {
		if one.n > 0 {
			parts = append(parts, l.N(one.id, one.n))
		}
	}
	if len(parts) == 0 || c.Kind == DayOverdue {
		parts = append(parts, l.T("overview.day."+string(c.Kind)))
	}
	return strings.Join(parts, " · ")
}

// dayTitle is a day with what happened, as one line.
func dayTitle(p ui.Page, c Cell) string {
	return p.L.Day(c.Start, p.Zone) + ": " + dayWords(p, c)
}

// stripLine says in one sentence how many of the days went well.
func stripLine(p ui.Page, cells []Cell) string {
	var known, well int64
	begun := false
	for _, c := range cells {
		switch c.Kind {
		case DayBefore:
			continue
		case DayMade, DayChecked, DayQuiet, DayDue:
			well++
		}
		known++
		begun = begun || c.Kind != DayQuiet && c.Kind != DayDue
	}
	if !begun {
		return p.L.T("overview.strip.first")
	}
	return p.L.N("overview.strip.well", known, "well", locale.Said(p.L.Number(well)))
}

// trendLine says in one sentence how the sizes changed.
func trendLine(p ui.Page, t Trend) string {
	l := p.L
	switch len(t.Points) {
	case 0:
		return l.T("overview.trend.none")
	case 1:
		return l.T("overview.trend.one", "stored", l.Bytes(t.Points[0].Stored))
	}
	first, last := t.Points[0], t.Points[len(t.Points)-1]
	return l.T("overview.trend.line", "from", l.Bytes(first.Stored), "to", l.Bytes(last.Stored), "since", locale.Said(l.ShortDate(first.At, p.Zone)))
}

// taskName is a task in the reader's words.
func taskName(p ui.Page, name string) string { return p.L.Word("overview.task", name) }

// nextLine says when the next backup comes by itself.
func nextLine(p ui.Page, m Model) string {
	switch {
	case m.Next == nil:
		return p.L.T("overview.next.none")
	case m.Next.Before(p.Now):
		return p.L.T("overview.next.due")
	}
	return p.L.T("overview.next.at", "at", locale.Said(p.L.Until(*m.Next, p.Now)))
}

// kindIcon is a picture of a kind of source.
func kindIcon(k holdfast.Kind) string {
	switch k {
	case holdfast.KindChroma:
		return "layers"
	case holdfast.KindFiles:
		return "folder"
	}
	return "database"
}

// recordsLine counts what a source holds, by the name of what it is.
func recordsLine(p ui.Page, k holdfast.Kind, n int64) string {
	switch k {
	case holdfast.KindFiles:
		return p.L.N("overview.files", n)
	case holdfast.KindSQLite:
		return p.L.N("overview.rows", n)
	}
	return p.L.N("overview.records", n)
}

// partsLine counts what a source is made of: collections, tables; empty where that is not
// known.
func partsLine(p ui.Page, s report.SourceStatus) string {
	switch {
	case s.Collections > 0:
		return p.L.N("overview.collections", int64(s.Collections))
	case s.Tables > 0:
		return p.L.N("overview.tables", int64(s.Tables))
	}
	return ""
}

// programTone is how a program stands.
func programTone(s holdfast.Standing) ui.Tone {
	switch {
	case s.State == holdfast.StandingDegraded, s.Backups.Error != "" && s.Backups.Standby == "":
		return ui.Bad
	case s.Survival != nil && s.Survival.State != holdfast.SurvivalKept && s.Survival.State != holdfast.SurvivalFirst:
		return ui.Warn
	case s.State != holdfast.StandingReady:
		return ui.Calm
	}
	return ui.Good
}

// survivalLine says how the storage of a program outlived its starts.
func survivalLine(p ui.Page, s *holdfast.Survival) string {
	line := p.L.Word("survival", string(s.State))
	if s.Kept > 0 {
		line = p.L.N("overview.kept", s.Kept)
	}
	if s.Wiped > 0 {
		line += " · " + p.L.N("overview.wiped", s.Wiped)
	}
	return line
}

// severityTone is how bad an alarm is.
func severityTone(s holdfast.Severity) ui.Tone {
	if s == holdfast.Warning {
		return ui.Warn
	}
	return ui.Bad
}

func pathEscape(name string) string { return url.PathEscape(name) }
