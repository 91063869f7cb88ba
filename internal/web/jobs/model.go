package jobs

import (
	"context"
	"encoding/json"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/api"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
)

// A Model is what the page shows of one job.
type Model struct {
	ID, Kind  string
	State     job.State
	Backup    holdfast.BackupName // that it makes or works on, once that is known
	Names     []string            // the backups that it deletes
	By        string
	CreatedAt time.Time
	StartedAt time.Time // zero: it has not begun
	EndedAt   time.Time // zero: it has not ended
	Took      time.Duration

	Steps []Step
	Log   []Line
	Cut   int   // lines that are older than the first of the log
	Seq   int64 // of the last event that is told here

	// MayCancel tells that the reader may end it; Phase, what that means now.
	MayCancel bool
	Phase     Phase
	Result    Result
	Error     *Failure
	Outcome   string // English
	// Trouble is what is wrong with the record of the job, not with its work.
	Trouble []holdfast.Problem
}

// A Phase tells what it means to cancel a job now.
type Phase string

// The phases.
const (
	PhaseWaiting   Phase = "waiting"   // it has not begun
	PhaseHarmless  Phase = "harmless"  // nothing live is touched, and what is half done is cleared away
	PhaseCommitted Phase = "committed" // the backup is made; only what follows would be left out
	PhaseDeleting  Phase = "deleting"  // what is deleted stays deleted
	PhaseBefore    Phase = "before"    // a restore that has not replaced anything yet
	PhaseSwapping  Phase = "swapping"  // a restore that is replacing: the previous state is put back
	PhaseUndoing   Phase = "undoing"   // a restore that is putting the previous state back
	PhaseGrace     Phase = "grace"     // a deletion that waits
)

// Build makes the model of a job and of what has been heard of it.
func Build(j job.Job, t *Track, now time.Time) Model {
	m := Model{
		ID: j.ID, Kind: j.Kind, State: j.State, Backup: j.Backup, By: j.By, CreatedAt: j.CreatedAt.Time, Took: j.Duration(now),
		Steps: t.Steps, Log: t.Log, Cut: t.Cut, Seq: t.Seq,
		Result: resultOf(j), Error: failureOf(j), Outcome: j.Outcome, Trouble: j.Problems,
	}
	if j.StartedAt != nil {
		m.StartedAt = j.StartedAt.Time
	}
	if j.EndedAt != nil {
		m.EndedAt = j.EndedAt.Time
	}
	m.about(j)
	m.Phase = m.phase(t)
	return m
}

// about reads from the request what the job is about, where nothing else tells.
func (m *Model) about(j job.Job) {
	var q struct {
		Name  string   `json:"name"`
		Names []string `json:"names"`
	}
	if len(j.Request) == 0 || json.Unmarshal(j.Request, &q) != nil {
		return
	}
	m.Names = q.Names
	if m.Backup == "" && q.Name != "" && q.Name != "latest" {
		m.Backup = holdfast.BackupName(q.Name)
	}
	if m.Backup == "" && len(q.Names) == 1 {
		m.Backup = holdfast.BackupName(q.Names[0])
	}
}

// phase tells what it would mean to cancel the job now.
func (m *Model) phase(t *Track) Phase {
	switch {
	case m.State == job.Queued:
		return PhaseWaiting
	case waits(t):
		return PhaseGrace
	case replaces(m.Kind):
		return restorePhase(t)
	case m.Kind == operation.KindRecover:
		return PhaseUndoing
	case m.Kind == operation.KindBackup && m.Result.Backup != nil && m.Result.Backup.Backup != nil:
		return PhaseCommitted
	case m.Kind == operation.KindDelete, m.Kind == operation.KindPrune:
		return PhaseDeleting
	}
	return PhaseHarmless
}

// waits tells whether a deletion waits for somebody to take it back.
func waits(t *Track) bool {
	s, ok := t.Current()
	return ok && s.Name == holdfast.StepWait
}

// restorePhase tells how far a restore is from the point of no return.
func restorePhase(t *Track) Phase {
	begun := func(step holdfast.Step) bool {
		i := t.find(t.Kind, step)
		return i >= 0 && t.Steps[i].State != Waiting && t.Steps[i].State != Unreached
	}
	switch {
	case begun(holdfast.StepRollback):
		return PhaseUndoing
	case begun(holdfast.StepSwap):
		return PhaseSwapping
	}
	return PhaseBefore
}

// Ended tells whether the job has come to its end.
func (m Model) Ended() bool { return m.State.Ended() }

// Replaced tells of a restore that failed whether it had begun to replace anything.
func (m Model) Replaced() bool {
	for _, s := range m.Steps {
		if s.Name == holdfast.StepSwap && s.State != Unreached && s.State != Waiting {
			return true
		}
	}
	return false
}

// heard folds what has been told of a job by now.
func heard(ctx context.Context, core api.Core, j job.Job) (*Track, error) {
	t := NewTrack(j.Kind)
	for e, err := range core.Jobs.Past(ctx, j.ID, 0) {
		if err != nil {
			return nil, err
		}
		t.Apply(e)
	}
	return t, nil
}
