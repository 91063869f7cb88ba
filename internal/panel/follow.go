package panel

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/panel/screen"
)

// defaultEvery is the least time between two edits of the same message. A last word that
// did not arrive is tried again after twice as long, then later and later, up to
// mostAgain times as long.
const (
	defaultEvery = 3 * time.Second
	mostAgain    = 100
)

// A place is a message of a chat.
type place struct {
	chat    int64
	message int
}

// A following is a message that shows a job until it has ended.
type following struct {
	p    *Panel
	jobs *job.Runner
	job  string
	chat int64
	user models.User

	mu    sync.Mutex // held while the message is edited
	at    place      // message 0: it shows something else now
	shown string
	done  bool // its last word has arrived
}

// work shows a job in the message of the visit, and goes on showing it until it has ended.
func (v *visit) work(ctx context.Context, id string) {
	j, err := v.core.Jobs.Get(id)
	if err != nil {
		v.show(ctx, screen.Missing(v.r))
		return
	}
	v.p.detach(place{v.chat, v.message}, id)
	f := v.p.follower(id, v.chat)
	fresh := f == nil
	if fresh {
		f = &following{p: v.p, jobs: v.core.Jobs, job: id, chat: v.chat, user: v.user}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if now, err := v.core.Jobs.Get(id); err == nil {
		j = now
	}
	f.at = place{v.chat, v.message}
	v.r.Now = v.p.o.Now()
	s := screen.Work(v.r, v.p.workOf(ctx, j, nil))
	if err := v.draw(ctx, s); err != nil {
		v.p.log.Warn("a screen of the Telegram panel could not be shown", keyChat, v.chat, keyError, err)
	} else {
		f.at.message, f.shown, f.done = v.message, s.Text, j.State.Ended()
	}
	if fresh && !f.done {
		v.p.follow(f)
	}
}

// workOf is what is shown of a job.
func (p *Panel) workOf(ctx context.Context, j job.Job, steps []screen.Step) screen.WorkModel {
	m := screen.WorkModel{Job: j, Steps: steps}
	m.Memory = slices.ContainsFunc(p.o.Core().Config.Sources, func(s config.Source) bool { return len(s.Memory) > 0 })
	if j.Kind == operation.KindRestore && j.State.Ended() {
		looked, cancel := looking(ctx)
		defer cancel()
		last, err := p.o.Core().Operations.LastRestore(looked)
		m.Rollback = err == nil && last != nil && last.UndoneAt == nil
	}
	return m
}

// follower is who follows a job in a chat, and has not told its end yet; nil: nobody.
func (p *Panel) follower(id string, chat int64) *following {
	for _, f := range p.all() {
		if f.job == id && f.chat == chat && !f.over() {
			return f
		}
	}
	return nil
}

// all are those who follow jobs. The lock of the panel is never held while that of one of
// them is taken.
func (p *Panel) all() []*following {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.followings)
}

func (f *following) over() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.done
}

// follow begins to follow a job; mu of the following is held, or nobody else knows it.
func (p *Panel) follow(f *following) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life.Err() != nil {
		return
	}
	p.followings = append(p.followings, f)
	p.unkept(p.state.watch(f.kept()))
	p.work.Go(func() {
		f.run(p.life)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.followings = slices.DeleteFunc(p.followings, func(other *following) bool { return other == f })
	})
}

// detach says that a message shows something else from now on than every job but one: how
// the others end is told in new messages. An edit that is under way ends first.
func (p *Panel) detach(at place, but string) {
	if at.message == 0 {
		return
	}
	for _, f := range p.all() {
		if f.job == but {
			continue
		}
		f.mu.Lock()
		if f.at == at && !f.done {
			f.at.message, f.shown = 0, ""
			p.unkept(p.state.watch(f.kept()))
		}
		f.mu.Unlock()
	}
}

// kept is what is remembered of it; mu is held, or nobody else knows it.
func (f *following) kept() watched {
	return watched{Job: f.job, Chat: f.chat, Message: f.at.message, User: f.user.ID}
}

// run follows the job until it has ended and that was told.
func (f *following) run(ctx context.Context) {
	var mu sync.Mutex
	var steps []screen.Step
	kind := ""
	if j, err := f.jobs.Get(f.job); err == nil {
		kind = j.Kind
	}
	ended := make(chan struct{})
	listening, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(ended)
		for e, err := range f.jobs.Events(listening, f.job, 0) {
			if err != nil {
				return
			}
			if e.Event != nil {
				mu.Lock()
				steps = screen.Hear(steps, kind, *e.Event)
				mu.Unlock()
			}
		}
	}()
	tick := time.NewTicker(f.p.o.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			<-ended
			return
		case <-ended:
			if ctx.Err() == nil {
				f.conclude(ctx, steps)
			}
			return
		case <-tick.C:
			mu.Lock()
			now := append([]screen.Step{}, steps...)
			mu.Unlock()
			f.progress(ctx, now)
		}
	}
}

// progress edits the message, if it would say something else than it does.
func (f *following) progress(ctx context.Context, steps []screen.Step) {
	j, err := f.jobs.Get(f.job)
	if err != nil || j.State.Ended() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at.message == 0 || f.done {
		return
	}
	s := screen.Work(f.p.reader(f.user), f.p.workOf(ctx, j, steps))
	if s.Text == f.shown {
		return
	}
	message, err := f.p.put(ctx, f.at.chat, f.at.message, s)
	if err != nil {
		f.p.log.Debug("the progress of a job could not be shown", keyOperation, f.job, keyError, err)
		return
	}
	f.shown = s.Text
	if message != f.at.message {
		f.at.message = message
		f.p.unkept(f.p.state.watch(f.kept()))
	}
}

// conclude tells how the job ended, as often as it takes until that has arrived.
func (f *following) conclude(ctx context.Context, steps []screen.Step) {
	wait := 2 * f.p.o.Every
	for {
		err := f.last(ctx, steps)
		switch {
		case err == nil:
			f.p.unkept(f.p.state.forget(watched{Job: f.job, Chat: f.chat}))
			return
		case !passing(ctx, err):
			f.p.log.Warn("nobody could be told in the chat how a job ended", keyOperation, f.job, keyChat, f.chat, keyError, err)
			f.p.unkept(f.p.state.forget(watched{Job: f.job, Chat: f.chat}))
			return
		}
		f.p.log.Warn("how a job ended could not be told in the chat yet", keyOperation, f.job, keyChat, f.chat, keyError, err)
		select {
		case <-ctx.Done():
			return // it is told at the next start
		case <-time.After(wait):
		}
		wait = min(2*wait, mostAgain*f.p.o.Every)
	}
}

// last draws the last screen of the job.
func (f *following) last(ctx context.Context, steps []screen.Step) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done {
		return nil
	}
	r := f.p.reader(f.user)
	s := screen.Missing(r)
	if j, err := f.jobs.Get(f.job); err == nil {
		s = screen.Work(r, f.p.workOf(ctx, j, steps))
	}
	_, err := f.p.put(ctx, f.chat, f.at.message, s)
	f.done = err == nil
	return err
}

// stop asks a job to end.
func (v *visit) stop(ctx context.Context, id string) string {
	j, err := v.core.Jobs.Get(id)
	switch {
	case err != nil:
		v.show(ctx, screen.Missing(v.r))
		return ""
	case j.State.Ended():
		v.work(ctx, id)
		return v.r.L.T("panel.toast.ended")
	}
	if _, err := v.core.Jobs.Cancel(id); err != nil {
		v.fail(ctx, "cancel", err, screen.Action{Verb: screen.DoWork, Arg: id})
		return ""
	}
	v.work(ctx, id)
	return v.r.L.T("panel.toast.cancel")
}

// Resume goes on showing the work that messages showed when the program ended; further
// calls do nothing. [Panel.Handle] and [Panel.Run] call it, too.
func (p *Panel) Resume() {
	p.resumed.Do(func() {
		var all []watched
		p.state.look(func(k kept) { all = append(all, k.Watched...) })
		core := p.o.Core()
		for _, w := range all {
			if !p.gate.lets(w.User) {
				continue
			}
			p.follow(&following{p: p, jobs: core.Jobs, job: w.Job, chat: w.Chat, user: models.User{ID: w.User}, at: place{w.Chat, w.Message}})
		}
	})
}
