package operation

import (
	"cmp"
	"context"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// BackupRequest asks for a backup; the zero value is a manual one with an automatic
// name.
type BackupRequest struct {
	Name    string           `json:"name,omitempty" maxLength:"180" doc:"Name of the backup: letters and digits of any script and . _ - (default: what it is and when)." example:"before-upload"`
	Trigger holdfast.Trigger `json:"trigger,omitempty" enum:"manual,quick,auto,scheduled,guard" default:"manual" doc:"What it is made for. auto is the call before an upload: it may be answered with a backup that is there, and does nothing while auto_backup (AUTO_BACKUP_ENABLED) or the switch of Auto Backup is off."`
	Type    holdfast.Type    `json:"type,omitempty" enum:"enhanced,standard" doc:"enhanced includes the memory of the assistant, standard does not."`
	Memory  *bool            `json:"memory,omitempty" doc:"Whether the memory is included, if type does not say."`
	Full    bool             `json:"full,omitempty" doc:"Store everything, not only what changed."`
	Note    string           `json:"note,omitempty" maxLength:"2000" doc:"A text that is kept with the backup."`
	Pin     bool             `json:"pin,omitempty" doc:"Keep it from being pruned."`
	Reuse   string           `json:"reuse,omitempty" maxLength:"20" example:"60s" doc:"How old a backup may be that is told instead of making one, if nothing was written since for certain: a duration up to 10m, 0s for never. Without it 60s for auto, and never for others. What asks for a name, a pin or a full backup is always made."`
	// Always is set by those of the daemon who were configured to make backups: one with the
	// trigger auto is made although the calls of assistants are switched off.
	Always bool `json:"-"`
}

// Bounds of BackupRequest.Reuse.
const (
	autoReuse = time.Minute
	mostReuse = 10 * time.Minute
)

// triggers are those that a client may name; the others are the daemon's own.
var triggers = map[holdfast.Trigger]bool{
	holdfast.TriggerManual: true, holdfast.TriggerQuick: true, holdfast.TriggerAuto: true,
	holdfast.TriggerScheduled: true, holdfast.TriggerGuard: true,
}

// check gives the request as the engine takes it, and how old a backup may be that
// stands for it.
func (q BackupRequest) check() (engine.BackupRequest, time.Duration, error) {
	none := engine.BackupRequest{}
	trigger := cmp.Or(q.Trigger, holdfast.TriggerManual)
	if !triggers[trigger] {
		return none, 0, wrong("backup", "one of manual, quick, auto, scheduled, guard", "the trigger cannot be %q", clipped(string(trigger)))
	}
	switch q.Type {
	case "", holdfast.Enhanced, holdfast.Standard:
	default:
		return none, 0, wrong("backup", "enhanced or standard", "the type cannot be %q", clipped(string(q.Type)))
	}
	if q.Name != "" {
		if _, err := holdfast.ParseBackupName(q.Name); err != nil {
			return none, 0, err
		}
	}
	if err := checkNote(q.Note); err != nil {
		return none, 0, err
	}
	reuse, err := q.reuse(trigger)
	return engine.BackupRequest{Name: q.Name, Trigger: trigger, Type: q.Type, Memory: q.Memory, Full: q.Full, Note: q.Note, Pin: q.Pin}, reuse, err
}

// reuse is how old a backup may be that stands for the request; zero: none may.
func (q BackupRequest) reuse(trigger holdfast.Trigger) (time.Duration, error) {
	var reuse time.Duration
	switch {
	case q.Reuse != "":
		d, err := time.ParseDuration(q.Reuse)
		if err != nil || d < 0 || d > mostReuse {
			return 0, wrong("backup", "60s, say, or 0s for never", "reuse must be a duration up to %s, not %q", mostReuse, clipped(q.Reuse))
		}
		reuse = d
	case trigger == holdfast.TriggerAuto:
		reuse = autoReuse
	}
	if q.Name != "" || q.Pin || q.Full {
		return 0, nil
	}
	return reuse, nil
}

// Backup begins to make a backup. Its job has a result as soon as the backup is
// committed (job.Runner.WaitResult), and ends when what follows it is done.
func (o *Operations) Backup(_ context.Context, by, key string, q BackupRequest) (job.Job, error) {
	request, reuse, err := q.check()
	if err != nil {
		return job.Job{}, err
	}
	return o.start(KindBackup, by, key, q, func(ctx context.Context, h *job.Handle) (any, error) {
		out := report.NewBackupResult(o.place())
		if !q.Always && out.SkipSwitched(o.config, request.Trigger) {
			h.SetOutcome("no backup was made: " + out.Skipped)
			return out, nil
		}
		if reuse == 0 {
			return o.backUp(ctx, h, request, out, func() {})
		}
		// Of many that ask at once one makes a backup, and the others find it.
		select {
		case o.asking <- struct{}{}:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		pass := passOnce(o.asking)
		defer pass()
		if recent, ok := o.keeper.Recent(reuse); ok && stands(recent, q) && o.exists(ctx, recent.Backup.Name) {
			return o.reused(h, recent, out), nil
		}
		return o.backUp(ctx, h, request, out, pass)
	})
}

// passOnce gives a turn to whoever waits for it, once.
func passOnce(turn chan struct{}) func() {
	passed := false
	return func() {
		if !passed {
			passed = true
			<-turn
		}
	}
}

// stands tells whether a backup is of the kind that was asked for.
func stands(recent *engine.BackupResult, q BackupRequest) bool {
	m := recent.Backup.Metadata
	return m != nil && !recent.Incomplete() && (q.Type == "" || m.Type == q.Type) && (q.Memory == nil || m.IncludesMemory == *q.Memory)
}

// existsWithin is how long the repository may take to tell that a backup is there.
const existsWithin = 5 * time.Second

// exists tells whether a backup is there for certain: somebody else may have deleted it,
// or taken the repository away, since it was made.
func (o *Operations) exists(ctx context.Context, name holdfast.BackupName) bool {
	ctx, cancel := context.WithTimeout(ctx, existsWithin)
	defer cancel()
	r, err := o.keeper.Repository(ctx)
	if err != nil {
		return false
	}
	info, err := r.Stat(ctx, string(name))
	return err == nil && info.Metadata != nil && !info.Disproven()
}

// reused tells of a backup that holds everything already.
func (o *Operations) reused(h *job.Handle, recent *engine.BackupResult, out report.BackupResult) report.BackupResult {
	out.Made(recent)
	out.Reused = true
	h.SetOutcome("nothing was written since " + string(recent.Backup.Name) + " was made, which stands for it")
	h.SetBackup(recent.Backup.Name)
	o.log.Info("a recent backup stands for the one that was asked for", keyOperation, h.ID(), keyBackup, recent.Backup.Name, keyAge, o.now().Sub(recent.Backup.Metadata.CreatedAt.Time))
	return out
}

// backUp makes a backup and what follows it.
func (o *Operations) backUp(ctx context.Context, h *job.Handle, request engine.BackupRequest, out report.BackupResult, committed func()) (any, error) {
	_, followed, err := o.keeper.BackupInParts(naming(ctx, h, KindBackup), request, func(result *engine.BackupResult) {
		committed()
		out.Made(result)
		h.SetBackup(result.Backup.Name)
		h.SetResult(out)
		o.book.Changed()
	})
	if err != nil {
		return nil, err
	}
	out.Followed(followed.Replicas, followed.Pruned, followed.Problems)
	if out.Incomplete || followed.Lacking {
		h.SetIncomplete()
	}
	return out, nil
}
