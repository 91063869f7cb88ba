package screen

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/operation"
)

// sentence tells in one sentence how a job ended.
func (res result) sentence(r Reader, j job.Job) marked {
	l := r.L
	switch j.State {
	case job.Cancelled:
		return sentence(l, "jobs.end_cancelled")
	case job.Interrupted:
		return sentence(l, "jobs.end_interrupted")
	}
	switch j.Kind {
	case operation.KindBackup:
		return res.ofBackup(r, j)
	case operation.KindVerify:
		return res.ofVerify(r, j)
	case operation.KindRestore, operation.KindRollback:
		return res.ofRestore(r, j)
	}
	return ofKind(l, j)
}

// ofKind is the sentence of work of which there is no more to say than how it ended.
func ofKind(l *locale.Locale, j job.Job) marked {
	switch j.State {
	case job.Succeeded:
		return text(l.Word("job", j.Kind+".done"))
	case job.Incomplete:
		return sentence(l, "jobs.end_incomplete", "kind", locale.Said(l.Word("job", j.Kind)))
	}
	return sentence(l, "jobs.end_failed", "kind", locale.Said(l.Word("job", j.Kind)))
}

func (res result) ofBackup(r Reader, j job.Job) marked {
	b := res.backup
	switch {
	case b == nil || j.State == job.Failed && b.Backup == nil:
		return sentence(r.L, "jobs.backup_failed")
	case b.Skipped != "":
		return sentence(r.L, "jobs.backup_off")
	case b.Backup == nil:
		return ofKind(r.L, j)
	case b.Reused:
		return sentence(r.L, "jobs.backup_reused", "name", Name(b.Backup.Name))
	case b.Incomplete:
		return sentence(r.L, "jobs.backup_incomplete", "name", Name(b.Backup.Name))
	case j.State != job.Succeeded:
		return sentence(r.L, "jobs.backup_follow", "name", Name(b.Backup.Name))
	}
	return sentence(r.L, "jobs.backup_made", "name", Name(b.Backup.Name))
}

func (res result) ofVerify(r Reader, j job.Job) marked {
	v := res.verify
	if v == nil || len(v.Results) == 0 {
		return ofKind(r.L, j)
	}
	item := v.Results[0]
	switch {
	case !item.OK:
		return sentence(r.L, "jobs.verify_bad", "name", Name(item.Backup))
	case item.StoredOnly:
		return sentence(r.L, "jobs.verify_stored")
	}
	return sentence(r.L, "jobs.verify_good", "name", Name(item.Backup))
}

func (res result) ofRestore(r Reader, j job.Job) marked {
	b := res.restore
	switch {
	case j.State == job.Failed && b != nil && b.RolledBack:
		return sentence(r.L, "jobs.restore_rolled_back")
	case j.State == job.Failed && b == nil:
		return sentence(r.L, "jobs.restore_untouched")
	case j.State == job.Failed || b == nil:
		return ofKind(r.L, j)
	case j.Kind == operation.KindRollback:
		return sentence(r.L, "jobs.rollback_good")
	case j.State == job.Incomplete:
		return sentence(r.L, "jobs.restore_incomplete", "name", Name(b.Backup))
	}
	return sentence(r.L, "jobs.restore_good", "name", Name(b.Backup))
}

// facts tell what came of it; what became of the memory only where there is one.
func (res result) facts(p *page, r Reader, hasMemory bool) {
	if b := res.backup; b != nil && b.Backup != nil {
		size := row(r.bytes(b.Backup.LogicalBytes), text(r.L.T("panel.stored", "size", r.size(b.Backup.StoredBytes))))
		for _, s := range b.Backup.Sources {
			parts := []marked{code(s.Name)}
			if s.Records != nil {
				parts = append(parts, r.records(s.Kind, *s.Records))
			}
			p.put(row(parts...))
		}
		p.fact(r.L.T("jobs.fact_size"), size)
		switch {
		case b.Backup.IncludesMemory:
			p.fact(r.L.T("jobs.fact_memory"), text(r.L.T("jobs.memory_in")))
		case hasMemory:
			p.fact(r.L.T("jobs.fact_memory"), text(r.L.T("jobs.memory_out")))
		}
		for _, c := range b.Replicas {
			state := "jobs.copied"
			if !c.OK {
				state = "jobs.not_copied"
			}
			p.fact(r.L.T("jobs.fact_copies"), row(code(c.Name), text(r.L.T(state))))
		}
		if n := int64(len(b.Pruned)); n > 0 {
			p.fact(r.L.T("jobs.fact_pruned"), text(r.L.N("jobs.backups", n)))
		}
	}
	if b := res.restore; b != nil {
		names := make([]marked, 0, len(b.Restored))
		for _, name := range b.Restored {
			names = append(names, code(name))
		}
		if len(names) > 0 {
			p.fact(r.L.T("jobs.fact_restored"), row(names...))
		}
		switch {
		case b.MemoryIsBack():
			p.fact(r.L.T("jobs.fact_memory"), text(r.L.T("jobs.memory_restored")))
		case hasMemory && b.Memory != "":
			p.fact(r.L.T("jobs.fact_memory"), text(r.L.T("jobs.memory_skipped")))
			p.english(b.Memory)
		}
		if b.Emergency != "" {
			p.fact(r.L.T("jobs.fact_emergency"), code(string(b.Emergency)))
		}
		partFacts(p, r, *b)
	}
	if rec := res.recovery; rec != nil {
		p.english(rec.Detail)
	}
}

// problems are what is worth knowing beside it.
func (res result) problems() []holdfast.Problem {
	switch {
	case res.backup != nil:
		list := res.backup.Problems
		for _, copied := range res.backup.Replicas {
			list = append(list[:len(list):len(list)], copied.Problems()...)
		}
		return list
	case res.restore != nil:
		return res.restore.Problems
	case res.recovery != nil:
		return res.recovery.Problems
	case res.verify != nil:
		var list []holdfast.Problem
		for _, item := range res.verify.Results {
			list = append(append(list, item.Damage...), item.SourceProblems...)
		}
		return list
	}
	return nil
}
