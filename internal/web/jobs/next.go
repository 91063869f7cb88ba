package jobs

import (
	"cmp"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// A next is something to do after the job; the first of them is what most people want.
type next struct {
	label, href string
	kind        ui.Kind
}

// nexts are what to do after the job.
func nexts(l *locale.Locale, m Model) []next {
	list := next{l.T("jobs.next_list"), "/backups", ui.Plain}
	again, hasAgain := retry(l, m)
	name := made(m)
	details := next{l.T("jobs.next_details"), pathOf(name), ui.Plain}
	if bad(m.State) && hasAgain {
		again.kind = ui.Primary
		out := []next{again}
		if name != "" && again.href != details.href {
			out = append(out, details)
		}
		return append(out, list)
	}
	switch {
	case m.Kind == operation.KindRestore && m.Result.Restore != nil && !bad(m.State):
		return []next{{l.T("jobs.next_overview"), "/", ui.Primary}, {l.T("jobs.next_rollback"), "/rollback", ui.Plain}, details}
	case m.Kind == operation.KindRollback && !bad(m.State), name == "", m.Kind == operation.KindDelete:
		return []next{{list.label, list.href, ui.Primary}, {l.T("jobs.next_overview"), "/", ui.Plain}}
	}
	details.kind = ui.Primary
	out := []next{details}
	if m.Kind == operation.KindBackup || m.Kind == operation.KindDrill {
		out = append(out, next{l.T("jobs.next_restore"), pathOf(name) + "/restore", ui.Plain})
	}
	return append(out, list)
}

// retry is the page from which the same can be tried again.
func retry(l *locale.Locale, m Model) (next, bool) {
	again := next{label: l.T("jobs.next_again"), kind: ui.Plain}
	switch m.Kind {
	case operation.KindBackup:
		again.href = "/new"
	case operation.KindRestore:
		if m.Backup == "" {
			return again, false
		}
		again.href = pathOf(m.Backup) + "/restore"
	case operation.KindRollback:
		again.href = "/rollback"
	case operation.KindVerify, operation.KindDrill:
		if m.Backup == "" {
			return again, false
		}
		again = next{l.T("jobs.next_details"), pathOf(m.Backup), ui.Plain}
	default:
		return again, false
	}
	return again, true
}

// made is the backup that the result is about.
func made(m Model) holdfast.BackupName {
	if r := m.Result.Backup; r != nil && r.Backup != nil {
		return r.Backup.Name
	}
	if m.Kind == operation.KindBackup && bad(m.State) {
		return "" // none was made
	}
	return m.Backup
}

// bad tells whether the work was not done.
func bad(s job.State) bool {
	return s == job.Failed || s == job.Cancelled || s == job.Interrupted
}

// tookID is the sentence about the time that the job took, or has taken.
func tookID(m Model) string {
	if m.Ended() {
		return "jobs.took"
	}
	return "jobs.taking"
}

// shown is how long the job took, as exact as it is worth: what goes on is told in
// whole seconds.
func shown(m Model) time.Duration {
	if m.Ended() {
		return m.Took
	}
	return max(time.Second, m.Took.Truncate(time.Second))
}

// cancelKind is how much the button of the cancellation asks for.
func cancelKind(m Model) ui.Kind {
	if m.Phase == PhaseSwapping || m.Phase == PhaseUndoing || m.Phase == PhaseDeleting {
		return ui.Danger
	}
	return ui.Plain
}

// progressName names the bar of a step for whoever does not see that it is below its name.
func progressName(p ui.Page, s Step) string {
	return cmp.Or(detail(p, s), p.L.Word("step", string(s.Name)))
}
