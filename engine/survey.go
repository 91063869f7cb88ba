package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// surveyWait is how long a survey waits for one replica: who asks what is where
// wants to know soon.
const surveyWait = 10 * time.Second

// ReplicaState tells what is in one replica.
type ReplicaState struct {
	Name, Location string
	// Err tells why nothing is known of it; ErrNotFound if nothing was ever
	// copied there.
	Err     error
	Backups []repo.Info // newest first
	// Behind are the backups of the repository that it still lacks, the newest
	// first. What its own retention would remove is not missing.
	Behind []holdfast.BackupName
	// Newest is when the newest copy was captured; nil if there is none.
	Newest *holdfast.Time
	// Limits are what the replica cannot promise, in sentences.
	Limits []string
}

// Survey looks into every replica at once and compares it with these backups of
// the repository. What is wrong with a replica is told of it and fails nothing.
func (e *Engine) Survey(ctx context.Context, here []repo.Info) []ReplicaState {
	states := make([]ReplicaState, len(e.o.Replicas))
	var wg sync.WaitGroup
	for i, replica := range e.o.Replicas {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, surveyWait)
			defer cancel()
			states[i] = e.look(ctx, replica, here)
		})
	}
	wg.Wait()
	return states
}

// look looks into one replica.
func (e *Engine) look(ctx context.Context, replica Replica, here []repo.Info) ReplicaState {
	s := ReplicaState{Name: replica.Name, Location: replica.Location}
	r, err := e.openReplica(ctx, replica)
	if err == nil {
		s.Backups, err = r.List(ctx)
	}
	s.Err = err
	for _, i := range s.Backups {
		if i.Metadata != nil && !isEmergency(i) {
			s.Newest = &i.Metadata.CreatedAt
			break
		}
	}
	s.Behind = e.missing(replica, here, s.Backups)
	if replica.Limits != nil {
		s.Limits = replica.Limits()
	}
	return s
}

// missing gives the backups here that a replica which holds there lacks.
func (e *Engine) missing(replica Replica, here, there []repo.Info) []holdfast.BackupName {
	var lacks []repo.Info
	for _, i := range here {
		if i.Err == nil && !isEmergency(i) && !slices.ContainsFunc(there, func(o repo.Info) bool { return o.Name == i.Name }) {
			lacks = append(lacks, i)
		}
	}
	goes := leaving(slices.Concat(there, lacks), replica, e.o.Now())
	var names []holdfast.BackupName
	for _, i := range lacks {
		if _, ok := goes[i.Name]; !ok {
			names = append(names, i.Name)
		}
	}
	return names
}

// leaving tells which of some backups the retention of a replica would remove,
// and why.
func leaving(backups []repo.Info, replica Replica, now time.Time) map[holdfast.BackupName]string {
	goes := map[holdfast.BackupName]string{}
	if !replica.Retention.Active() {
		return goes
	}
	for _, d := range retention.Plan(candidates(backups), replica.Retention, now) {
		if d.Remove {
			goes[d.Name] = d.Reason
		}
	}
	return goes
}
