package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dustin/go-humanize"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// ReplicateRequest chooses what is copied, and where to.
type ReplicateRequest struct {
	// To names replicas, by name or place; none is all.
	To []string
	// Names are backups; none is all but emergency backups, which are local
	// and go soon.
	Names []string
}

// ReplicateResult tells what became of each replica.
type ReplicateResult struct {
	Replicas []ReplicaResult
}

// ReplicaResult tells what was done with one replica.
type ReplicaResult struct {
	Name, Location string
	Copied         []CopiedBackup
	Present        int          // backups that were there already
	Left           []LeftBackup // backups that were not copied, and why
	Pruned         []retention.Decision
	// Notes are what changed for the replica and its owner should know.
	Notes []holdfast.Problem
	// Errs are what failed, each about one backup or the replica itself.
	Errs []error
}

// CopiedBackup is one backup that was copied.
type CopiedBackup struct {
	Backup repo.Info
	Bytes  int64
	// Reused are the bytes that an earlier attempt had stored already.
	Reused int64
	// Hidden tells that it is there only because others need it.
	Hidden bool
}

// LeftBackup is a backup that is not wanted in a replica.
type LeftBackup struct {
	Backup holdfast.BackupName
	Reason string
}

// err is the outcome as an error.
func (r *ReplicateResult) err() error {
	var errs []error
	for _, replica := range r.Replicas {
		for _, err := range replica.Errs {
			errs = append(errs, &holdfast.Error{Op: "replicate to", Object: replica.Name, Err: err})
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return &replicateError{errors.Join(errs...)}
}

// A replicateError tells that copies are missing. Whatever kept them from being
// made, it is only that: the result has each reason as an error.
type replicateError struct{ all error }

func (e *replicateError) Error() string { return e.all.Error() }

func (e *replicateError) Is(target error) bool { return target == holdfast.ErrIncomplete }

// Replicate copies committed backups into replicas, each after those that it
// needs, and applies the retention of each replica. A replica or a backup that
// fails does not keep the others from being copied; the error then matches
// ErrIncomplete and names each. An interrupted copy goes on the next time.
func (e *Engine) Replicate(ctx context.Context, req ReplicateRequest) (*ReplicateResult, error) {
	r := e.start(ctx, "replicate")
	source, err := e.repository()
	if err != nil {
		return nil, err
	}
	replicas, err := e.chosenReplicas(req.To)
	if err != nil {
		return nil, err
	}
	infos, err := source.List(ctx)
	if err != nil {
		return nil, err
	}
	wanted, err := wantedCopies(infos, req.Names)
	if err != nil {
		return nil, err
	}
	result := &ReplicateResult{}
	for _, replica := range replicas {
		c := &replication{run: r, replica: replica, source: source, wanted: wanted, result: ReplicaResult{Name: replica.Name, Location: replica.Location}}
		err := c.step(ctx, holdfast.StepCopy, c.copyAll)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			c.result.Errs = append(c.result.Errs, err)
		}
		result.Replicas = append(result.Replicas, c.result)
	}
	if err := e.dropOldJournals(replicas, infos); err != nil {
		r.log.Warn("notes on copies could not be removed", keyError, err)
	}
	return result, result.err()
}

// wantedCopies gives the backups that were asked for, the oldest first.
func wantedCopies(infos []repo.Info, names []string) ([]repo.Info, error) {
	var wanted []repo.Info
	for _, i := range slices.Backward(infos) {
		if len(names) == 0 && !isEmergency(i) || slices.Contains(names, string(i.Name)) {
			wanted = append(wanted, i)
		}
	}
	for _, name := range names {
		if name == latest && len(infos) > 0 {
			if i := slices.IndexFunc(infos, func(i repo.Info) bool { return i.Err == nil && !isEmergency(i) }); i >= 0 {
				wanted = append(wanted, infos[i])
				continue
			}
		}
		if !slices.ContainsFunc(wanted, func(i repo.Info) bool { return string(i.Name) == name }) {
			return nil, &holdfast.Error{Op: "replicate", Object: name, Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no such backup"), Hint: "holdfast list shows all backups"}
		}
	}
	return wanted, nil
}

// latest stands for the newest backup.
const latest = "latest"

func isEmergency(i repo.Info) bool {
	return i.Metadata != nil && i.Metadata.Trigger == holdfast.TriggerEmergency
}

// A replication is the work on one replica.
type replication struct {
	*run
	replica Replica
	source  *repo.Repository
	target  *repo.Repository
	wanted  []repo.Info
	there   map[holdfast.BackupName]*holdfast.Metadata // what the replica has, hidden ones too
	result  ReplicaResult
}

// copyAll opens the replica and brings it up to date under its lease.
func (c *replication) copyAll(ctx context.Context) (string, error) {
	var err error
	if c.target, err = c.replica.Make(ctx, c.source.ID()); err != nil {
		return "", err
	}
	err = c.underLease(ctx, c.target.Lock, func(ctx context.Context) error {
		notes, err := c.source.ShareEncryption(ctx, c.target)
		if err != nil {
			return err
		}
		c.result.Notes = notes
		list, err := c.target.List(ctx)
		if err != nil {
			return err
		}
		if err := c.know(ctx, list); err != nil {
			return err
		}
		for _, info := range c.choose(list) {
			if err := c.withNeeds(ctx, info.Name, false); err != nil {
				return err
			}
		}
		if err := c.hide(ctx); err != nil {
			return err
		}
		return c.prune(ctx)
	})
	var bytes int64
	for _, b := range c.result.Copied {
		bytes += b.Bytes
	}
	return fmt.Sprintf("%s: %s copied (%s), %d there before", c.replica.Name, count(len(c.result.Copied), "backup", "backups"), humanize.IBytes(uint64(bytes)), c.result.Present), err
}

// know notes what the replica has.
func (c *replication) know(ctx context.Context, list []repo.Info) error {
	c.there = map[holdfast.BackupName]*holdfast.Metadata{}
	for _, i := range list {
		c.there[i.Name] = i.Metadata
	}
	hidden, err := c.target.Hidden(ctx)
	if err != nil {
		return err
	}
	for _, h := range hidden {
		info, _, err := c.target.Known(ctx, h.Name)
		if err != nil && !errors.Is(err, holdfast.ErrNotFound) {
			return err
		}
		c.there[h.Name] = info.Metadata
	}
	return nil
}

// choose gives the backups to be copied: those that are not there and that the
// retention of the replica would not remove at once.
func (c *replication) choose(list []repo.Info) []repo.Info {
	var missing []repo.Info
	for _, info := range c.wanted {
		if there, ok := c.there[info.Name]; ok {
			c.present(info, there)
			continue
		}
		missing = append(missing, info)
	}
	goes := leaving(slices.Concat(list, missing), c.replica, c.e.o.Now())
	return slices.DeleteFunc(missing, func(i repo.Info) bool {
		reason, goes := goes[i.Name]
		if goes {
			c.result.Left = append(c.result.Left, LeftBackup{i.Name, reason})
		}
		return goes
	})
}

// present counts a backup that is there, and refuses to take another one of its
// name for it.
func (c *replication) present(info repo.Info, there *holdfast.Metadata) {
	if info.Metadata != nil && there != nil && !there.CreatedAt.Equal(info.Metadata.CreatedAt.Time) {
		c.failed(info.Name, &holdfast.Error{
			Err:  holdfast.Kindf(holdfast.ErrRefused, "a different backup of this name is there, made %s", there.CreatedAt),
			Hint: "delete one of the two",
		})
		return
	}
	c.result.Present++
}

// failed notes that one backup could not be copied.
func (c *replication) failed(name holdfast.BackupName, err error) {
	c.log.Warn("a backup could not be copied", keyBackup, name, "replica", c.replica.Name, keyError, err)
	c.result.Errs = append(c.result.Errs, &holdfast.Error{Op: "copy", Object: string(name), Err: err})
}

// withNeeds copies a backup after those that it needs. What is wrong with a
// backup is noted; the error is for what keeps all others from being copied too.
func (c *replication) withNeeds(ctx context.Context, name holdfast.BackupName, forOthers bool) error {
	if _, ok := c.there[name]; ok {
		return nil
	}
	info, hidden, err := c.source.Known(ctx, name)
	if err == nil {
		err = info.Err
	}
	if err != nil {
		return c.sort(ctx, name, err)
	}
	for _, needed := range info.Metadata.Needs {
		if err := c.withNeeds(ctx, needed, true); err != nil {
			return err
		}
		if _, ok := c.there[needed]; !ok {
			c.failed(name, fmt.Errorf("it needs %s, which could not be copied", needed))
			return nil
		}
	}
	// Whoever is only there for others is hidden once these are there.
	hide := hidden || forOthers && !slices.ContainsFunc(c.wanted, func(i repo.Info) bool { return i.Name == name })
	if hide {
		if err := c.e.rememberToHide(c.replica, name); err != nil {
			return err
		}
	}
	return c.copy(ctx, info, hide)
}

// copy copies one backup.
func (c *replication) copy(ctx context.Context, info repo.Info, hide bool) error {
	journal := c.e.copyJournal(c.replica, info.Name)
	tell := c.progress(holdfast.StepCopy, "")
	got, err := c.source.Copy(ctx, info.Name, c.target, repo.CopyOptions{
		Journal: journal, Progress: func(done, total int64) { tell(string(info.Name), done, total) },
	})
	err = errors.Join(err, journal.close())
	if err != nil {
		return c.sort(ctx, info.Name, err)
	}
	c.there[info.Name] = info.Metadata
	c.result.Copied = append(c.result.Copied, CopiedBackup{Backup: got.Backup, Bytes: got.Bytes, Reused: got.Reused, Hidden: hide})
	c.log.Info("backup copied", keyBackup, info.Name, "replica", c.replica.Name, "bytes", got.Bytes, "reused_bytes", got.Reused)
	return nil
}

// sort notes an error that is about one backup, and gives back one that is
// about the replica or the run.
func (c *replication) sort(ctx context.Context, name holdfast.BackupName, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, ofOne := range []error{holdfast.ErrDamaged, holdfast.ErrNotFound, holdfast.ErrRefused} {
		if errors.Is(err, ofOne) {
			c.failed(name, err)
			return nil
		}
	}
	return err
}

// hide deletes what was copied only because others need it: while they do, its
// payloads stay.
func (c *replication) hide(ctx context.Context) error {
	names, err := c.e.toHide(c.replica)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, hidden, err := c.target.Known(ctx, name); err == nil && !hidden {
			if _, err := c.target.Delete(ctx, name); err != nil {
				return err
			}
		} else if err != nil && !errors.Is(err, holdfast.ErrNotFound) {
			return err
		}
		if err := c.e.hidden(c.replica, name); err != nil {
			return err
		}
	}
	return nil
}

// prune applies the retention of the replica. Pruning that is on hold in the
// repository is on hold in its replicas.
func (c *replication) prune(ctx context.Context) error {
	if !c.replica.Retention.Active() {
		return nil
	}
	plan, err := planPrune(ctx, c.target, c.replica.Retention, c.e.o.Now())
	if err != nil {
		return err
	}
	why, err := held(ctx, c.source)
	if err != nil {
		return err
	}
	if why != "" {
		retention.OnHold(plan, why)
	}
	sub := *c.run
	sub.e = c.e.over(c.target, c.replica)
	_, err = sub.prune(ctx, plan)
	for _, d := range plan {
		if d.Remove {
			c.result.Pruned = append(c.result.Pruned, d)
		}
	}
	return err
}

// dropOldJournals forgets the copies of backups that are gone.
func (e *Engine) dropOldJournals(replicas []Replica, infos []repo.Info) error {
	known := map[holdfast.BackupName]bool{}
	for _, i := range infos {
		known[i.Name] = true
		if i.Metadata != nil {
			for _, n := range i.Metadata.Needs {
				known[n] = true
			}
		}
	}
	var errs []error
	for _, replica := range replicas {
		errs = append(errs, e.dropJournals(replica, known))
	}
	return errors.Join(errs...)
}
