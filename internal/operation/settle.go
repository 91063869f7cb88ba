package operation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/repo"
)

// Settle finds out what became of a job that a dead daemon left, by looking at what is
// there. It is a job.Judge.
func (o *Operations) Settle(ctx context.Context, j job.Job) job.Verdict {
	var v job.Verdict
	var err error
	switch j.Kind {
	case KindBackup:
		v, err = o.settleBackup(ctx, j)
	case KindRestore, KindRollback, KindRecover:
		v = o.settleRestore(ctx, j)
	case KindVerify:
		v, err = o.settleVerify(ctx, j)
	case KindDrill:
		v, err = o.settleProof(ctx, j, holdfast.ProofDrill)
	case KindDelete:
		v, err = o.settleDelete(ctx, j)
	default:
		v = job.Verdict{Outcome: "the daemon ended while it ran; what was done stands, and the next run goes on"}
	}
	if err != nil {
		return job.Verdict{Outcome: "the daemon ended while it ran; what became of it is not known, since the repository cannot be asked", Err: err}
	}
	return v
}

// look gives the repository.
func (o *Operations) look(ctx context.Context) (*repo.Repository, error) {
	return o.keeper.Repository(ctx)
}

// stat looks for a backup of the repository; nil if it is not there.
func stat(ctx context.Context, r *repo.Repository, name string) (*repo.Info, error) {
	info, err := r.Stat(ctx, name)
	switch {
	case errors.Is(err, holdfast.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &info, nil
}

const nothingLeft = "nothing was committed before the daemon ended; what was written of it does not count, and the next backup clears it away"

// settleBackup tells whether a backup was committed. Its name is in the record before
// anything of it can be.
func (o *Operations) settleBackup(ctx context.Context, j job.Job) (job.Verdict, error) {
	if len(j.Result) > 0 {
		var told report.BackupResult
		if err := json.Unmarshal(j.Result, &told); err == nil && told.Backup != nil {
			return committed(told), nil
		}
	}
	if j.Backup == "" {
		return job.Verdict{Outcome: "the daemon ended before anything was written; nothing was committed"}, nil
	}
	r, err := o.look(ctx)
	if errors.Is(err, holdfast.ErrNotFound) {
		return job.Verdict{Outcome: nothingLeft}, nil
	}
	if err != nil {
		return job.Verdict{}, err
	}
	info, err := stat(ctx, r, string(j.Backup))
	if err != nil {
		return job.Verdict{}, err
	}
	if info == nil || info.Metadata == nil || info.Metadata.CreatedAt.Before(began(j).Time) {
		return job.Verdict{Outcome: nothingLeft}, nil
	}
	out := report.NewBackupResult(o.place())
	made := engine.BackupResult{Backup: *info, Problems: info.Metadata.Problems}
	out.Made(&made)
	return committed(out), nil
}

// committed tells of a backup that was committed before the daemon ended.
func committed(out report.BackupResult) job.Verdict {
	v := job.Verdict{State: job.Succeeded, Result: out, Outcome: fmt.Sprintf("%s was committed before the daemon ended; what follows a backup is done with the next one", out.Backup.Name)}
	if out.Incomplete {
		v.State = job.Incomplete
	}
	return v
}

// began is when the work of a job began.
func began(j job.Job) holdfast.Time {
	if j.StartedAt != nil {
		return *j.StartedAt
	}
	return j.CreatedAt
}

// settleVerify tells whether the proofs of a verification are there.
func (o *Operations) settleVerify(ctx context.Context, j job.Job) (job.Verdict, error) {
	var q VerifyRequest
	_ = json.Unmarshal(j.Request, &q) // without it only the backup of the job counts
	if q.Replica != "" {
		return job.Verdict{Outcome: "the daemon ended while it ran; the proofs that were recorded in the replica stand"}, nil
	}
	if !q.All {
		return o.settleProof(ctx, j, "")
	}
	r, err := o.look(ctx)
	if err != nil {
		return job.Verdict{}, err
	}
	infos, err := r.List(ctx)
	if err != nil {
		return job.Verdict{}, err
	}
	done := 0
	for _, info := range infos {
		if _, ok := proofOf(info, "", began(j)); ok {
			done++
		}
	}
	return job.Verdict{Outcome: fmt.Sprintf("the daemon ended while it ran; %d of %d backups had been verified, and their proofs stand", done, len(infos))}, nil
}

// proofOf gives the newest proof of a kind, empty for any, since a moment.
func proofOf(info repo.Info, kind holdfast.ProofKind, since holdfast.Time) (holdfast.Proof, bool) {
	for _, p := range slices.Backward(info.Proofs) {
		if (kind == "" || p.Kind == kind) && !p.At.Before(since.Time) {
			return p, true
		}
	}
	return holdfast.Proof{}, false
}

// settleProof tells whether the proof of one backup is there.
func (o *Operations) settleProof(ctx context.Context, j job.Job, kind holdfast.ProofKind) (job.Verdict, error) {
	none := job.Verdict{Outcome: "the daemon ended before it was done; nothing was proven"}
	if j.Backup == "" {
		return none, nil
	}
	r, err := o.look(ctx)
	if err != nil {
		return job.Verdict{}, err
	}
	info, err := stat(ctx, r, string(j.Backup))
	if err != nil || info == nil {
		return none, err
	}
	proof, ok := proofOf(*info, kind, began(j))
	switch {
	case !ok:
		return none, nil
	case !proof.OK:
		return job.Verdict{State: job.Failed, Outcome: fmt.Sprintf("it was done when the daemon ended: %s did not pass", j.Backup)}, nil
	}
	return job.Verdict{State: job.Succeeded, Outcome: fmt.Sprintf("it was done when the daemon ended: %s passed", j.Backup)}, nil
}

// settleDelete tells which backups are gone.
func (o *Operations) settleDelete(ctx context.Context, j job.Job) (job.Verdict, error) {
	var q DeleteRequest
	if err := json.Unmarshal(j.Request, &q); err != nil {
		return job.Verdict{}, err
	}
	r, err := o.look(ctx)
	if err != nil {
		return job.Verdict{}, err
	}
	out := report.NewDelete(o.place(), nil)
	var left []string
	for _, name := range q.Names {
		info, err := stat(ctx, r, name)
		if err != nil {
			return job.Verdict{}, err
		}
		if info == nil {
			out.Deleted = append(out.Deleted, holdfast.BackupName(name))
		} else {
			left = append(left, name)
		}
	}
	switch {
	case len(left) == 0:
		return job.Verdict{State: job.Succeeded, Result: out, Outcome: "all of them were gone when the daemon ended"}, nil
	case len(out.Deleted) == 0 && !graceOver(j, q):
		return job.Verdict{Outcome: neverBegan}, nil
	case len(out.Deleted) == 0:
		return job.Verdict{Outcome: "nothing was deleted before the daemon ended"}, nil
	}
	return job.Verdict{Result: out, Outcome: fmt.Sprintf("%d of %d were gone when the daemon ended; still there: %s", len(out.Deleted), len(q.Names), strings.Join(left, ", "))}, nil
}
