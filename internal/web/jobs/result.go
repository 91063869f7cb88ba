package jobs

import (
	"encoding/json"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// A Result is what an ended job left: one of the objects that the command line prints,
// as its kind has it. All of them are nil while there is none.
type Result struct {
	Backup    *report.BackupResult
	Verify    *report.Verify
	Drill     *report.Drill
	Restore   *report.Restore // of a rollback, too
	Recover   *report.Recover
	Prune     *report.Prune // of a confirmation, too
	Replicate *report.Replicate
	Compact   *report.Compact
	Delete    *report.Delete
}

// resultOf reads the result of a job. One that cannot be read is none: the state, the
// error and the outcome of the job still tell how it ended.
func resultOf(j job.Job) (r Result) {
	if len(j.Result) == 0 {
		return r
	}
	switch j.Kind {
	case operation.KindBackup:
		r.Backup = read[report.BackupResult](j.Result)
	case operation.KindVerify:
		r.Verify = read[report.Verify](j.Result)
	case operation.KindDrill:
		r.Drill = read[report.Drill](j.Result)
	case operation.KindRestore, operation.KindRollback:
		r.Restore = read[report.Restore](j.Result)
	case operation.KindRecover:
		r.Recover = read[report.Recover](j.Result)
	case operation.KindPrune, operation.KindConfirm:
		r.Prune = read[report.Prune](j.Result)
	case operation.KindReplicate:
		r.Replicate = read[report.Replicate](j.Result)
	case operation.KindCompact:
		r.Compact = read[report.Compact](j.Result)
	case operation.KindDelete:
		r.Delete = read[report.Delete](j.Result)
	}
	return r
}

func read[T any](text json.RawMessage) *T {
	out := new(T)
	if json.Unmarshal(text, out) != nil {
		return nil
	}
	return out
}

// Problems are what is worth knowing beside a success, and what went wrong.
func (r Result) Problems() []holdfast.Problem {
	switch {
	case r.Backup != nil:
		list := r.Backup.Problems
		for _, copied := range r.Backup.Replicas {
			list = append(list[:len(list):len(list)], copied.Problems()...)
		}
		return list
	case r.Restore != nil:
		return r.Restore.Problems
	case r.Recover != nil:
		return r.Recover.Problems
	case r.Drill != nil:
		list := r.Drill.Problems
		if r.Drill.Proof != nil {
			list = append(list[:len(list):len(list)], r.Drill.Proof.Problems...)
		}
		return list
	case r.Verify != nil:
		var list []holdfast.Problem
		for _, item := range r.Verify.Results {
			list = append(append(list, item.Damage...), item.SourceProblems...)
		}
		return list
	case r.Replicate != nil:
		var list []holdfast.Problem
		for _, copied := range r.Replicate.Replicas {
			list = append(list, copied.Problems()...)
		}
		return list
	}
	return nil
}

// mostNames is how many tables a result names.
const mostNames = 20
