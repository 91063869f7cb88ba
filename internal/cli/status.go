package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
)

type statusCmd struct {
	MaxAge time.Duration `default:"36h" value:"DURATION" help:"How old the newest backup of a source may be (default 36h: a daily backup that is half a day late)."`
	replicaFlags
}

func (statusCmd) about() about {
	return about{
		text: `Answers one question first: is the data safe? It looks at every configured
source, when it was last backed up, whether its backups are proven, and whether
a restore was cut. It tells how far each replica is behind, and how the programs
stand that run in holdfast's care. Exit status 3 means that something needs
attention: no backup, a stale one, damage, a source or the repository that is
gone, a restore to recover, a backup so small that pruning is on hold, a program
whose data lies in memory or whose backups fail.`,
		examples: []example{
			{"holdfast status", "is my data safe?"},
			{"holdfast status --max-age 7h || notify-send 'backup is late'", "for a monitor; with --json for a program"},
		},
		exits: []int{holdfast.ExitIncomplete},
	}
}

// The verdicts of status.
const (
	verdictSafe     = "safe"
	verdictUnproven = "unproven" // backed up in time, but never verified
	verdictNever    = "never"
	verdictStale    = "stale"
	verdictDamaged  = "damaged"
	verdictMissing  = "missing"  // the live data is gone or cannot be read
	verdictPending  = "pending"  // a restore was cut
	verdictHeld     = "held"     // a backup was suspiciously small
	verdictLost     = "lost"     // the repository is gone; only replicas have backups
	verdictDegraded = "degraded" // a program runs whose storage cannot hold its data
	verdictFailing  = "failing"  // a program runs whose backups fail
)

// statusObject is the outcome of status.
type statusObject struct {
	Type       string          `json:"type"` // status
	Verdict    string          `json:"verdict"`
	Message    string          `json:"message"`
	Hint       string          `json:"hint,omitempty"`
	Sources    []sourceStatus  `json:"sources"`
	Repository repositoryState `json:"repository"`
	Replicas   []replicaItem   `json:"replicas,omitempty"`
	Pending    *pendingItem    `json:"pending,omitempty"`
	Hold       *holdItem       `json:"hold,omitempty"`
	// Programs are those that run in holdfast's care.
	Programs []holdfast.Standing `json:"programs,omitempty"`
}

// sourceStatus is one configured source.
type sourceStatus struct {
	Name       string              `json:"name"`
	Kind       holdfast.Kind       `json:"kind"`
	Path       string              `json:"path"`
	Exists     bool                `json:"exists"`
	Bytes      int64               `json:"bytes"`
	Records    *int64              `json:"records,omitempty"`
	LastBackup holdfast.BackupName `json:"last_backup,omitempty"`
	LastAt     *holdfast.Time      `json:"last_at,omitempty"`
	AgeSeconds int64               `json:"age_seconds,omitempty"`
	Error      string              `json:"error,omitempty"`
}

// repositoryState is the repository as a whole.
type repositoryState struct {
	Location     string              `json:"location"`
	Exists       bool                `json:"exists"`
	Backups      int                 `json:"backups"`
	Unusable     int                 `json:"unusable"`
	LogicalBytes int64               `json:"logical_bytes"`
	StoredBytes  int64               `json:"stored_bytes"`
	HeldBytes    int64               `json:"held_bytes,omitempty"`
	FreeBytes    *int64              `json:"free_bytes,omitempty"`
	LastProven   holdfast.BackupName `json:"last_proven,omitempty"`
	ProvenAt     *holdfast.Time      `json:"proven_at,omitempty"`
}

// pendingItem is a restore that was cut.
type pendingItem struct {
	Op     string              `json:"op"`
	Backup holdfast.BackupName `json:"backup,omitempty"`
	Begun  holdfast.Time       `json:"begun"`
}

// Run looks at everything and judges.
func (c *statusCmd) Run(ctx context.Context, a *app) error {
	if err := c.use(a); err != nil {
		return err
	}
	cfg, err := a.sources()
	if err != nil {
		return err
	}
	out := statusObject{Type: "status", Sources: []sourceStatus{}, Repository: repositoryState{Location: cfg.Repository}}
	r, err := a.repository(ctx)
	var infos []repo.Info
	switch {
	case errors.Is(err, holdfast.ErrNotFound):
	case err != nil:
		return err
	default:
		if infos, err = r.List(ctx); err != nil {
			return err
		}
		out.Repository = newRepositoryState(ctx, r, infos)
		if out.Hold, err = holdOn(ctx, r); err != nil {
			return err
		}
		hidden, err := hiddenItems(ctx, r)
		if err != nil {
			return err
		}
		out.Repository.HeldBytes = hiddenBytes(hidden)
	}
	e, err := a.engine(r, nil)
	if err != nil {
		return err
	}
	if len(cfg.Replicas) > 0 {
		states := e.Survey(ctx, infos)
		out.Replicas = newReplicaItems(states, a.sys.Now())
		if !out.Repository.Exists {
			infos = leftIn(states)
		}
	}
	pending, err := e.Pending()
	if err != nil {
		return err
	}
	if pending != nil {
		out.Pending = &pendingItem{Op: pending.Op, Backup: pending.Backup, Begun: pending.Begun}
	}
	if out.Programs, err = a.programs(ctx, cfg); err != nil {
		return err
	}
	wanted := slices.DeleteFunc(slices.Clone(infos), ofReplacedState)
	if err := c.inspect(ctx, cfg, wanted, a.sys.Now(), &out); err != nil {
		return err
	}
	c.judge(&out, wanted, a.sys.Now())
	a.ui.tell(out, func() { c.print(a.ui, out) })
	if out.Verdict != verdictSafe && out.Verdict != verdictUnproven {
		return &ending{holdfast.ExitIncomplete}
	}
	return nil
}

// inspect glances at each source and finds its newest backup.
func (c *statusCmd) inspect(ctx context.Context, cfg *config.Config, infos []repo.Info, now time.Time, out *statusObject) error {
	sources, err := wire.Sources(cfg)
	if err != nil {
		return err
	}
	for _, s := range sources {
		item := sourceStatus{Name: s.Name(), Kind: s.Kind(), Path: s.Target().Path}
		seen, err := s.Inspect(ctx, holdfast.InspectOptions{Counts: true})
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			item.Error = err.Error()
		default:
			item.Exists, item.Bytes = seen.Exists, seen.Bytes
			if n, ok := seen.Facts.Records(); ok && seen.Exists {
				item.Records = &n
			}
		}
		if last, ok := newestOf(infos, s.Name()); ok {
			at := last.Metadata.CreatedAt
			item.LastBackup, item.LastAt = last.Name, &at
			item.AgeSeconds = max(0, int64(now.Sub(at.Time)/time.Second))
		}
		out.Sources = append(out.Sources, item)
	}
	return nil
}

// leftIn gives the backups that are in any replica, newest first.
func leftIn(states []engine.ReplicaState) []repo.Info {
	var left []repo.Info
	for _, s := range states {
		left = append(left, slices.DeleteFunc(slices.Clone(s.Backups), func(i repo.Info) bool { return i.Metadata == nil })...)
	}
	slices.SortStableFunc(left, func(a, b repo.Info) int { return b.Metadata.CreatedAt.Compare(a.Metadata.CreatedAt.Time) })
	return left
}

// ofReplacedState tells that a backup holds what a restore replaced: it says
// nothing of how well the present data is kept.
func ofReplacedState(i repo.Info) bool {
	return i.Metadata != nil && i.Metadata.Trigger == holdfast.TriggerEmergency
}

// newestOf finds the newest usable backup that holds a source.
func newestOf(infos []repo.Info, source string) (repo.Info, bool) {
	for _, i := range infos {
		if i.Err != nil || i.Metadata == nil {
			continue
		}
		for _, s := range i.Metadata.Sources {
			if s.Name == source {
				return i, true
			}
		}
	}
	return repo.Info{}, false
}

func newRepositoryState(ctx context.Context, r *repo.Repository, infos []repo.Info) repositoryState {
	s := repositoryState{Location: r.Location(), Exists: true, Backups: len(infos)}
	if free, known, err := r.Free(ctx); err == nil && known {
		s.FreeBytes = &free
	}
	for _, i := range infos {
		if i.Err != nil || i.Metadata == nil {
			s.Unusable++
			continue
		}
		s.LogicalBytes += i.Metadata.LogicalBytes
		s.StoredBytes += i.Metadata.StoredBytes
		if p, ok := i.Proven(); ok && !ofReplacedState(i) && (s.ProvenAt == nil || p.At.After(s.ProvenAt.Time)) {
			at := p.At
			s.LastProven, s.ProvenAt = i.Name, &at
		}
	}
	return s
}

// judge finds the one sentence: the worst that is true.
func (c *statusCmd) judge(out *statusObject, infos []repo.Info, now time.Time) {
	set := func(verdict, hint, format string, args ...any) {
		out.Verdict, out.Hint, out.Message = verdict, hint, fmt.Sprintf(format, args...)
	}
	if out.Pending != nil {
		set(verdictPending, "`holdfast recover` finishes or undoes it", "A %s that began %s was cut.", out.Pending.Op, ago(out.Pending.Begun.Time, now))
		return
	}
	if p, s, found := out.degraded(); found {
		// Before what the files tell: the data is elsewhere.
		set(verdictDegraded, "make "+filepath.Dir(s.Path)+" usable; the data then returns by itself", "Look at it: the storage of %s cannot hold it, so it lies in the memory of this machine (process %d): %s.", s.Name, p.PID, s.Reason)
		return
	}
	var oldest *sourceStatus
	for i := range out.Sources {
		s := &out.Sources[i]
		switch {
		case s.LastAt != nil && s.Error == "" && !s.Exists:
			set(verdictMissing, "`holdfast restore "+s.LastBackup.String()+"` brings it back", "%s is gone; its newest backup was made %s.", s.Name, ago(s.LastAt.Time, now))
			return
		case s.Error != "":
			set(verdictMissing, "`holdfast doctor` tells more", "%s cannot be read: %s.", s.Name, s.Error)
			return
		case s.LastAt == nil && !s.Exists:
			set(verdictNever, "correct its path, or start the program that makes it", "Your data is not safe: %s does not exist, and was never backed up.", s.Name)
			return
		case s.LastAt == nil:
			set(verdictNever, "`holdfast backup` makes the first backup", "Your data is not safe: %s was never backed up.", s.Name)
			return
		case oldest == nil || s.AgeSeconds > oldest.AgeSeconds:
			oldest = s
		}
	}
	if bad, why := damagedNewest(infos, out.Sources); bad != "" {
		set(verdictDamaged, "`holdfast show "+bad+"` tells more; `holdfast verify --all` finds the good ones", "Your data may not be safe: the newest backup, %s, %s.", bad, why)
		return
	}
	age := time.Duration(oldest.AgeSeconds) * time.Second
	failing, fails := out.failing()
	switch {
	case fails:
		set(verdictFailing, hintOfFailing(failing), "Your data may not be safe: the backups of process %d fail: %s.", failing.PID, failing.Backups.Error)
	case !out.Repository.Exists:
		set(verdictLost, "`holdfast restore` takes backups from there; `holdfast backup` makes the repository again", "The repository is gone; only replicas have backups, the newest of %s made %s.", oldest.Name, ago(oldest.LastAt.Time, now))
	case age > c.MaxAge:
		set(verdictStale, "`holdfast backup` makes a new one", "Your data is not safe: %s was last backed up %s.", oldest.Name, ago(oldest.LastAt.Time, now))
	case out.Hold != nil:
		set(verdictHeld, hintHold, "Your data is backed up (%s), but look at it: pruning is on hold: %s.", ago(oldest.LastAt.Time, now), out.Hold.Message)
	case out.Repository.ProvenAt == nil:
		set(verdictUnproven, "`holdfast verify` proves it", "Your data is backed up (%s), but no backup has been proven yet.", ago(oldest.LastAt.Time, now))
	default:
		set(verdictSafe, "", "Your data is safe: backed up %s, and a backup was proven %s.", ago(oldest.LastAt.Time, now), ago(out.Repository.ProvenAt.Time, now))
	}
}

// damagedNewest tells whether the newest backup of a source is of no use.
func damagedNewest(infos []repo.Info, sources []sourceStatus) (name, why string) {
	if len(infos) > 0 && infos[0].Err != nil {
		return infos[0].Name.String(), "cannot be used"
	}
	for _, s := range sources {
		i, _ := newestOf(infos, s.Name)
		switch {
		case i.Metadata.SourceDamaged():
			return i.Name.String(), "holds data that was already damaged"
		case i.Disproven():
			return i.Name.String(), "failed its last verification"
		}
	}
	return "", ""
}
