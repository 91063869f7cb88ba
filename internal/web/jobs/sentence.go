package jobs

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// sentence tells in one sentence how a job ended.
func sentence(l *locale.Locale, m Model) string {
	switch m.State {
	case job.Cancelled:
		if m.Kind == operation.KindDelete && m.Result.Delete == nil {
			return l.T("jobs.delete_undone")
		}
		return l.T("jobs.end_cancelled")
	case job.Interrupted:
		return l.T("jobs.end_interrupted")
	}
	switch m.Kind {
	case operation.KindBackup:
		return backupSentence(l, m)
	case operation.KindVerify:
		return verifySentence(l, m)
	case operation.KindDrill:
		return drillSentence(l, m)
	case operation.KindRestore, operation.KindRollback:
		return restoreSentence(l, m)
	case operation.KindDelete:
		return deleteSentence(l, m)
	case operation.KindPrune:
		return pruneSentence(l, m)
	}
	return plainSentence(l, m)
}

// plainSentence is that of work of which there is no more to say than how it ended.
func plainSentence(l *locale.Locale, m Model) string {
	switch m.State {
	case job.Succeeded:
		return l.Word("job", m.Kind+".done")
	case job.Incomplete:
		return l.T("jobs.end_incomplete", "kind", locale.Said(l.Word("job", m.Kind)))
	}
	return l.T("jobs.end_failed", "kind", locale.Said(l.Word("job", m.Kind)))
}

func backupSentence(l *locale.Locale, m Model) string {
	r := m.Result.Backup
	switch {
	case r == nil || m.State == job.Failed && r.Backup == nil:
		return l.T("jobs.backup_failed")
	case r.Skipped != "":
		return l.T("jobs.backup_off")
	case r.Backup == nil:
		return plainSentence(l, m)
	case r.Reused || unchanged(m):
		return l.T("jobs.backup_reused", "name", string(r.Backup.Name))
	case r.Incomplete:
		return l.T("jobs.backup_incomplete", "name", string(r.Backup.Name))
	case m.State != job.Succeeded:
		return l.T("jobs.backup_follow", "name", string(r.Backup.Name))
	}
	return l.T("jobs.backup_made", "name", string(r.Backup.Name))
}

// unchanged tells of a backup that was not made since nothing had changed: its last step
// was skipped.
func unchanged(m Model) bool {
	for _, s := range m.Steps {
		if s.Name == holdfast.StepCommit {
			return s.State == Skipped
		}
	}
	return false
}

func verifySentence(l *locale.Locale, m Model) string {
	r := m.Result.Verify
	if r == nil || len(r.Results) == 0 {
		return plainSentence(l, m)
	}
	n := int64(len(r.Results))
	bad, stored := int64(0), false
	for _, item := range r.Results {
		if !item.OK {
			bad++
		}
		stored = stored || item.StoredOnly
	}
	switch {
	case bad > 0 && n == 1:
		return l.T("jobs.verify_bad", "name", string(r.Results[0].Backup))
	case bad > 0:
		return l.N("jobs.verify_bad_many", bad, "of", n)
	case stored:
		return l.T("jobs.verify_stored")
	case n == 1:
		return l.T("jobs.verify_good", "name", string(r.Results[0].Backup))
	}
	return l.N("jobs.verify_good_many", n)
}

func drillSentence(l *locale.Locale, m Model) string {
	r := m.Result.Drill
	switch {
	case r == nil:
		return plainSentence(l, m)
	case r.OK:
		return l.T("jobs.drill_good", "name", string(r.Backup))
	}
	return l.T("jobs.drill_bad", "name", string(r.Backup))
}

func restoreSentence(l *locale.Locale, m Model) string {
	r := m.Result.Restore
	rollback := m.Kind == operation.KindRollback
	switch {
	case m.State == job.Failed && r != nil && r.RolledBack:
		return l.T("jobs.restore_rolled_back")
	case m.State == job.Failed && !m.Replaced():
		return l.T("jobs.restore_untouched")
	case m.State == job.Failed || r == nil:
		return plainSentence(l, m)
	case rollback:
		return l.T("jobs.rollback_good")
	case m.State == job.Incomplete:
		return l.T("jobs.restore_incomplete", "name", string(r.Backup))
	case len(r.Parts) > 0: // which may be single tables or rows
		return l.T("jobs.restore_part", "name", string(r.Backup))
	}
	return l.T("jobs.restore_good", "name", string(r.Backup))
}

func deleteSentence(l *locale.Locale, m Model) string {
	r := m.Result.Delete
	if r == nil {
		return plainSentence(l, m)
	}
	if len(r.Deleted) == 1 {
		return l.T("jobs.deleted_one", "name", string(r.Deleted[0]))
	}
	return l.N("jobs.deleted", int64(len(r.Deleted)))
}

func pruneSentence(l *locale.Locale, m Model) string {
	r := m.Result.Prune
	switch {
	case r == nil || m.State == job.Failed:
		return plainSentence(l, m)
	case r.DryRun:
		return l.N("jobs.prune_planned", int64(r.Removed))
	case r.Removed == 0:
		return l.T("jobs.prune_none")
	}
	return l.N("jobs.pruned", int64(r.Removed))
}

// cancelWords tells what it means to cancel now.
func cancelWords(l *locale.Locale, m Model) string { return l.T("jobs.cancel_" + string(m.Phase)) }

// resultTone is the colour of how a job ended.
func resultTone(m Model) ui.Tone {
	if r := m.Result.Backup; r != nil && r.Skipped != "" {
		return ui.Calm
	}
	if m.State == job.Failed && replaces(m.Kind) && m.Result.Restore != nil && m.Result.Restore.RolledBack {
		return ui.Warn
	}
	return stateTone(m.State)
}
