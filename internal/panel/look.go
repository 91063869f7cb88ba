package panel

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/panel/screen"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// overview shows the screen of the backups.
func (v *visit) overview(ctx context.Context) {
	m := screen.OverviewModel{Back: v.back(), Next: v.next()}
	looked, cancel := looking(ctx)
	defer cancel()
	if st, err := v.core.Status(looked); err != nil {
		failure := told("status", err)
		m.Failure = &failure
	} else {
		m.Status = &st
	}
	if v.core.Standings != nil {
		m.Programs = v.core.Standings()
	}
	if v.core.Alarms != nil {
		m.Alarms = v.core.Alarms()
	}
	m.Work, _, _ = v.core.Jobs.List(job.Filter{States: []job.State{job.Running, job.Queued}}, job.Page{Limit: mostWork})
	v.r.Now = v.p.o.Now() // the look may have taken long
	v.show(ctx, screen.Overview(v.r, m))
}

// mostWork bounds the work that is shown.
const mostWork = 10

// next is when the next backup is made by itself; zero: nobody knows.
func (v *visit) next() time.Time {
	if v.core.Next != nil {
		return v.core.Next()
	}
	if at := v.core.Keeper.Standing().NextAt; at != nil {
		return at.Time
	}
	return time.Time{}
}

// backups are all of them, the newest first. A list that cannot be read anew is given as
// it was.
func (v *visit) backups(ctx context.Context) (all []report.Backup, aged *report.AgedError, err error) {
	looked, cancel := looking(ctx)
	defer cancel()
	all, _, err = v.core.Book.Backups(looked)
	if old, ok := errors.AsType[*report.AgedError](err); ok {
		return all, old, nil
	}
	if errors.Is(err, holdfast.ErrNotFound) {
		return nil, nil, nil // there is no repository yet
	}
	return all, nil, err
}

// list shows a page of the list.
func (v *visit) list(ctx context.Context, page int) {
	all, aged, err := v.backups(ctx)
	if err != nil {
		v.fail(ctx, "list", err, screen.Action{Verb: screen.DoList, Page: page})
		return
	}
	v.show(ctx, screen.List(v.r, screen.ListModel{Backups: all, Page: page, Aged: aged}))
}

// find finds the backup that an action means; if there is none, that is shown.
func (v *visit) find(ctx context.Context, a screen.Action) (b report.Backup, all []report.Backup, ok bool) {
	all, _, err := v.backups(ctx)
	if err != nil {
		v.fail(ctx, "list", err, a)
		return b, nil, false
	}
	if b, ok = screen.Find(all, a.Backup); !ok {
		v.show(ctx, screen.Missing(v.r))
	}
	return b, all, ok
}

// details shows one backup.
func (v *visit) details(ctx context.Context, a screen.Action) {
	b, _, ok := v.find(ctx, a)
	if !ok {
		return
	}
	m := screen.DetailsModel{Backup: b, Page: a.Page}
	looked, cancel := looking(ctx)
	defer cancel()
	if err := v.describe(looked, &m); err != nil {
		if errors.Is(err, holdfast.ErrNotFound) {
			v.show(ctx, screen.Missing(v.r))
			return
		}
		m.Error = report.Text(err)
	}
	v.show(ctx, screen.Details(v.r, m))
}

// describe asks what the backup says of itself.
func (v *visit) describe(ctx context.Context, m *screen.DetailsModel) error {
	e, err := v.core.Keeper.Engine(ctx)
	if err != nil {
		return err
	}
	near, err := e.Describe(ctx, string(m.Backup.Name))
	if err != nil {
		return err
	}
	show, err := report.NewShow(ctx, near, false)
	if err != nil {
		return err
	}
	m.Backup, m.Metadata, m.Proofs, m.Private, m.From = show.Backup, show.Metadata, show.Proofs, show.Private, show.From
	return nil
}

// busy is the restore that is at work; false: none is.
func (v *visit) busy() (job.Job, bool) {
	for _, kind := range []string{operation.KindRestore, operation.KindRollback, operation.KindRecover} {
		jobs, _, _ := v.core.Jobs.List(job.Filter{Kind: kind, States: []job.State{job.Running, job.Queued}}, job.Page{Limit: 1})
		if len(jobs) > 0 {
			return jobs[0], true
		}
	}
	return job.Job{}, false
}

// taken is the job that a button has begun already, so that a second tap shows it.
func (v *visit) taken(kind, key string) (job.Job, bool) {
	jobs, _, _ := v.core.Jobs.List(job.Filter{Kind: kind, Since: v.p.o.Now().Add(-2 * screen.Good)}, job.Page{})
	for _, j := range jobs {
		if j.Key == key {
			return j, true
		}
	}
	return job.Job{}, false
}
