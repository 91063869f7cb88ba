package daemon

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// claimed is the source under which daemons keep their records in a repository: none that
// is backed up can have the name.
const claimed = ".serve"

// How long a claim is good for, and how often it is renewed.
const (
	claimLasts  = 90 * time.Second
	claimEvery  = 30 * time.Second
	mostClaim   = 10 * time.Minute // whatever a record says
	claimWithin = 10 * time.Second // until the repository must have answered
	forgetClaim = 24 * time.Hour   // what a daemon that was killed left is removed
)

// A claim tells other machines that this daemon serves a repository which they can reach as
// well. The lock of the state directory tells it to whoever has the same one.
//
// Each has a record of its own, so no two ever write the same. Whether another one lives is
// judged by the clock of the store: how long its record was not renewed when ours just was.
// Of two that live the later one stands by: it makes no backups until the other is gone. The
// lease of the writers keeps the repository safe whatever is decided here.
type claim struct {
	now  func() time.Time
	host string
	run  string // this process

	mu      sync.Mutex
	id      string
	started time.Time
	settled bool   // it was found to be the only one
	other   string // who serves instead; empty: nobody does
}

func newClaim(t tag, now func() time.Time) *claim {
	return &claim{now: now, host: t.Host, run: strings.ToLower(rand.Text()), id: t.ID, started: now()}
}

// standby names the daemon that serves the repository instead of this one.
func (c *claim) standby() string {
	if c == nil {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.other
}

// renew writes the record, and tells who else serves the repository.
func (c *claim) renew(ctx context.Context, r *repo.Repository) error {
	ctx, cancel := context.WithTimeout(ctx, claimWithin)
	defer cancel()
	before, err := r.Instances(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, i := range before {
		// A record of another process under our name, while we live: the state
		// directory was copied. Before that it is that of our last life.
		if i.Source == claimed && i.ID == c.id && i.Run != c.run && c.settled {
			c.id, c.settled = strings.ToLower(rand.Text()), false
		}
	}
	if err := r.PutInstance(ctx, c.record()); err != nil {
		return err
	}
	all, err := r.Instances(ctx)
	if err != nil {
		return err
	}
	c.other = c.judge(all)
	if c.other == "" && !c.settled {
		c.settled = true
		return r.PutInstance(ctx, c.record())
	}
	c.clear(ctx, r, all)
	return nil
}

// record is what the repository holds of this daemon.
func (c *claim) record() repo.Instance {
	now, begun := holdfast.At(c.now()), holdfast.At(c.started)
	return repo.Instance{
		ID: c.id, Run: c.run, Source: claimed, Host: c.host, Created: begun, Since: begun, Started: begun,
		Seen: now, Expires: holdfast.At(now.Add(claimLasts)), Open: !c.settled, Starts: 1,
	}
}

// judge names the daemon that goes before this one.
func (c *claim) judge(all []repo.Instance) string {
	var mine repo.Instance
	for _, i := range all {
		if i.ID == c.id {
			mine = i
		}
	}
	for _, i := range all {
		if i.Err != nil || i.Source != claimed || i.ID == c.id || !lives(i, mine.Modified) {
			continue
		}
		// One that serves goes before one that begins, whatever their clocks say; of two
		// that begin, or serve, the older one.
		first := !i.Open
		if i.Open != c.settled {
			first = i.Started.Before(mine.Started.Time) || i.Started.Equal(mine.Started.Time) && i.ID < mine.ID
		}
		if first {
			host := i.Host
			if host == "" {
				host = "another machine"
			}
			return fmt.Sprintf("the daemon on %s (since %s)", host, i.Started.UTC().Format(time.RFC3339))
		}
	}
	return ""
}

// lives tells whether a record was renewed in time.
func lives(i repo.Instance, now time.Time) bool {
	lasts := min(max(i.Expires.Sub(i.Seen.Time), 0), mostClaim)
	return i.Ended == nil && now.Sub(i.Modified) < lasts
}

// clear removes the records of daemons that were killed long ago. That it fails harms
// nothing: it is tried again.
func (c *claim) clear(ctx context.Context, r *repo.Repository, all []repo.Instance) {
	for _, i := range all {
		if i.Err == nil && i.Source == claimed && i.ID != c.id && c.now().Sub(i.Modified) > forgetClaim {
			_ = r.RemoveInstance(ctx, i.ID)
		}
	}
}

// end removes the record: the next one need not wait.
func (c *claim) end(ctx context.Context, r *repo.Repository) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return r.RemoveInstance(ctx, c.id)
}
