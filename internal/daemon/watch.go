package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/control"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
)

// How old what is known of replicas, and of a repository that every look costs requests,
// may be.
const (
	surveyFresh = 5 * time.Minute
	lookWithin  = time.Minute
	// askWithin is how long somebody who asks waits for a repository that does not answer:
	// what talks to a bucket tries again for minutes.
	askWithin = 20 * time.Second
)

// errSlow is why somebody got no answer.
var errSlow = errors.New("something that is looked at does not answer")

// A judgement is what was last found about everything.
type judgement struct {
	of     *core
	at     time.Time
	status report.Status
	err    error
	stand  holdfast.BackupStanding // of the keeper, then
}

// A survey remembers what replicas hold.
type survey struct {
	mu     sync.Mutex
	at     time.Time
	states []engine.ReplicaState
}

// replicas asks the replicas, if that was not done lately.
func (c *core) replicas(ctx context.Context, e *engine.Engine, here []repo.Info) []engine.ReplicaState {
	s := &c.survey
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := c.d.o.Now(); s.states == nil || now.Sub(s.at) >= surveyFresh || now.Before(s.at) {
		states := e.Survey(ctx, here)
		if ctx.Err() != nil {
			return states
		}
		s.at, s.states = now, states
	}
	return s.states
}

// status judges how safe the data is, as `holdfast status` does.
func (c *core) status(ctx context.Context) (report.Status, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askWithin, errSlow)
	defer cancel()
	return c.glance.get(ctx)
}

func (c *core) look(ctx context.Context, counts bool) (report.Status, error) {
	r, missing := c.keeper.Repository(ctx)
	e, err := c.keeper.Engine(ctx)
	if err != nil {
		if e, err = c.engine(missing); err != nil {
			return report.Status{}, err
		}
	}
	programs, _ := control.Standings(ctx, c.d.state) // who does not answer is shown as it was last
	status, err := report.Look(ctx, report.LookOptions{
		Config: c.config, Engine: e, Repository: r, Err: missing, Now: c.d.o.Now(), MaxAge: c.maxAge(),
		Programs: programs, Counts: counts,
		Survey: func(ctx context.Context, here []repo.Info) []engine.ReplicaState { return c.replicas(ctx, e, here) },
	})
	return status, err
}

// reachable tells why the repository cannot be used, as far as that is known.
func (c *core) reachable() error {
	found, saved := c.d.judged.Load(), c.keeper.LastSuccess()
	if found == nil || found.of != c {
		if saved.After(c.d.began) {
			return nil
		}
		return c.contact
	}
	if saved.After(found.at) {
		return nil // a backup was made there since it was looked at
	}
	if found.err != nil {
		return found.err
	}
	if why := found.status.Repository.Error; why != "" {
		return &holdfast.Error{Op: "reach repository", Object: found.status.Repository.Location, Err: errors.New(why)}
	}
	return nil
}

// maxAge is how old the newest backup may be: by the schedule, if that is wider than usual.
func (c *core) maxAge() time.Duration {
	return max(report.DefaultMaxAge, 2*c.config.Schedule.Every)
}

// watch judges whether something is wrong, and tells those who want to know.
func (c *core) watch(ctx context.Context) error {
	c.d.pulses.beat(loopTasks)
	if c.idle() {
		return nil
	}
	if last := c.d.judged.Load(); last != nil && last.of == c && !c.stale(*last) {
		return c.update(ctx, *last)
	}
	look, cancel := context.WithTimeoutCause(ctx, lookWithin, errSlow)
	defer cancel()
	status, err := c.look(look, false)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil && look.Err() != nil {
		err = context.Cause(look)
	}
	found := judgement{of: c, at: c.d.o.Now(), status: status, err: err, stand: c.keeper.Standing()}
	c.d.judged.Store(&found)
	c.d.manager.status(c.d.sentence())
	return errors.Join(err, c.update(ctx, found))
}

// stale tells whether it is time to look again: at every turn, save where each look costs
// requests and nothing has happened.
func (c *core) stale(last judgement) bool {
	now, age := c.keeper.Standing(), c.d.o.Now().Sub(last.at)
	same := now.Last == last.stand.Last && now.Failed == last.stand.Failed && now.Error == last.stand.Error
	return !config.IsURL(c.config.Repository) || !same || last.err != nil || age < 0 || age >= surveyFresh
}

// update brings the alarms up to date.
func (c *core) update(ctx context.Context, found judgement) error {
	if found.err != nil {
		return nil //nolint:nilerr // the task tells it; alarms stand as they are
	}
	backups, _, err := c.book.Backups(ctx)
	if ctx.Err() != nil {
		return nil
	}
	disproven, drilled := c.proofs()
	standing, failure := c.keeper.Standing(), c.keeper.Failure()
	facts := alarm.Facts{
		Status: found.status, Config: c.config, Now: c.d.o.Now(), Backups: backups, Disproven: disproven,
		Unlisted: err != nil && !errors.Is(err, holdfast.ErrNotFound),
		Began:    c.d.began, LastSuccess: c.keeper.LastSuccess(), Failed: standing.Failed, LastDrill: drilled,
		Gone: c.keeper.GoneSince(),
	}
	if failure != nil {
		facts.Failure, facts.Locked = failure.Error(), errors.Is(failure, holdfast.ErrLocked)
	}
	c.d.board.Load().Update(ctx, alarm.Judge(facts))
	return nil
}

// proofs tells which backups did not stand their last proof, and when a drill was last held.
func (c *core) proofs() (disproven map[holdfast.BackupName]string, drilled time.Time) {
	c.listed.Lock()
	defer c.listed.Unlock()
	disproven = map[holdfast.BackupName]string{}
	for _, i := range c.infos {
		if i.Disproven() {
			disproven[i.Name] = why(i)
		}
		for _, p := range i.Proofs {
			if p.Kind == holdfast.ProofDrill && p.At.After(drilled) {
				drilled = p.At.Time
			}
		}
	}
	return disproven, drilled
}

// why says what the newest proof found that failed.
func why(i repo.Info) string {
	for n := len(i.Proofs) - 1; n >= 0; n-- {
		p := i.Proofs[n]
		if p.OK || len(p.Problems) == 0 {
			continue
		}
		words := p.Problems[0].Message
		if p.Problems[0].Object != "" {
			words = p.Problems[0].Object + ": " + words
		}
		if more := len(p.Problems) - 1; more > 0 {
			words += fmt.Sprintf(" (and %d more)", more)
		}
		return words
	}
	return "it failed its last check"
}

// sentence says in one how everything stands, for the service manager.
func (d *daemon) sentence() string {
	if other := d.claim.standby(); other != "" {
		return "standing by: " + other + " serves the repository"
	}
	if found := d.judged.Load(); found != nil && found.err == nil {
		return found.status.Message
	}
	return "serving " + wire.Location(d.core.Load().config.Repository)
}
