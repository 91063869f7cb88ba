package desk

import (
	"context"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/lookout"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// How long somebody who asks waits, and a look for the alarms may take; how old a look may
// be for somebody who asks; and how often alarms are judged.
const (
	askWithin  = 20 * time.Second
	lookWithin = time.Minute
	lookFresh  = 2 * time.Second
	judgeEvery = time.Minute
)

// byItself is who asks for what nobody asked for.
const byItself = "schedule"

// Changed is called when the backups are others than before.
func (d *Desk) Changed() {
	d.book.Changed()
	d.looking.Lock()
	d.seenAt = time.Time{}
	d.looking.Unlock()
}

// Status judges how safe the data is, as `holdfast status` does, or did a moment ago.
func (d *Desk) Status(ctx context.Context) (report.Status, error) {
	d.looking.Lock()
	defer d.looking.Unlock()
	if age := d.o.Now().Sub(d.seenAt); !d.seenAt.IsZero() && age >= 0 && age < lookFresh {
		return d.seen, d.seenErr
	}
	status, err := d.look(ctx, askWithin, true)
	if ctx.Err() == nil { // what was only interrupted tells nothing
		d.seen, d.seenErr, d.seenAt = status, err, d.o.Now()
	}
	return status, err
}

func (d *Desk) look(ctx context.Context, within time.Duration, counts bool) (report.Status, error) {
	looking, cancel := context.WithTimeoutCause(ctx, within, lookout.ErrSlow)
	defer cancel()
	status, err := d.lookout.Look(looking, counts, nil)
	if err != nil && looking.Err() != nil {
		err = context.Cause(looking)
	}
	return status, err
}

// A judgement is what was last found about everything.
type judgement struct {
	status report.Status
	err    error
	seen   lookout.Seen
}

// watch judges whether something is wrong, and tells the admins.
func (d *Desk) watch(ctx context.Context) {
	if d.found == nil || d.lookout.Stale(d.found.seen) {
		status, err := d.look(ctx, lookWithin, false)
		if ctx.Err() != nil {
			return
		}
		d.found = &judgement{status, err, d.lookout.See(err)}
		if err != nil {
			d.log.Warn("how safe the data is cannot be judged", "error", err, "hint", holdfast.HintOf(err))
		}
	}
	if d.found.err != nil {
		return // alarms stand as they are
	}
	backups, _, err := d.book.Backups(ctx)
	if ctx.Err() != nil {
		return
	}
	d.prove(ctx, d.found.status, backups)
	facts := d.lookout.Facts(d.found.status, backups, err, d.began)
	rules := *facts.Config
	rules.Drill.Every = 0 // drills need a place and programs of their own, which a daemon has
	facts.Config = &rules
	d.board.Update(ctx, alarm.Judge(facts))
}

// prove verifies the newest backup, if none was proven for as long as is configured.
func (d *Desk) prove(ctx context.Context, status report.Status, backups []report.Backup) {
	every, now := d.o.Config.Verify.Every, d.o.Now()
	proven := status.Repository.ProvenAt
	switch {
	case every <= 0 || len(backups) == 0 || d.o.Config.Encryption.WritesOnly():
		return
	case proven != nil && now.Sub(proven.Time) < every, !d.proved.IsZero() && now.Sub(d.proved) < every:
		return
	}
	d.proved = now
	if _, err := d.operations.Verify(ctx, byItself, "", operation.VerifyRequest{}); err != nil {
		d.log.Warn("the newest backup cannot be verified", "error", err, "hint", holdfast.HintOf(err))
	}
}
