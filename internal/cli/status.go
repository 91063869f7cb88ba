package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/repo"
)

type statusCmd struct {
	MaxAge string `default:"36h" value:"DURATION" help:"How old the newest backup of a source may be (default 36h: a daily backup that is half a day late)."`
	replicaFlags
}

func (statusCmd) about() about {
	return about{
		text: `Answers one question first: is the data safe? It looks at every configured
source, when it was last backed up, whether its backups are proven, and whether
a restore was cut. It tells how far each replica is behind, and how the programs
stand that run in holdfast's care. Exit status 3 means that something needs
attention: no backup, a stale one, damage, a source or the repository that is
gone or cannot be asked, a restore to recover, a backup so small that pruning is
on hold, a program whose data lies in memory or whose backups fail, or two
instances that run with data of their own.`,
		examples: []example{
			{"holdfast status", "is my data safe?"},
			{"holdfast status --max-age 7h || notify-send 'backup is late'", "for a monitor; with --json for a program"},
		},
		exits: []int{holdfast.ExitIncomplete},
	}
}

// Run looks at everything and judges.
func (c *statusCmd) Run(ctx context.Context, a *app) error {
	maxAge, err := config.ParseDuration(c.MaxAge)
	if err != nil || maxAge <= 0 {
		return usagef("name one such as 36h or 7d", "--max-age: %q is not a duration", c.MaxAge)
	}
	if err := c.use(a); err != nil {
		return err
	}
	cfg, err := a.sources()
	if err != nil {
		return err
	}
	o := report.LookOptions{Config: cfg, Now: a.sys.Now(), MaxAge: maxAge, Counts: true}
	o.Repository, o.Err = c.open(ctx, a)
	if o.Engine, err = a.engineOver(o.Repository, o.Err, nil); err != nil {
		return err
	}
	if o.Programs, err = a.programs(ctx, cfg); err != nil {
		return err
	}
	out, err := report.Look(ctx, o)
	if err != nil {
		return err
	}
	a.ui.tell(out, func() { c.print(a.ui, out) })
	if !out.Fine() {
		return &ending{holdfast.ExitIncomplete}
	}
	return nil
}

// openWait is how long status waits for a repository that says nothing: longer than
// any healthy one takes, and shorter than a command that writes would try.
const openWait = 10 * time.Second

// open opens the repository, or tells soon that it does not answer.
func (c *statusCmd) open(ctx context.Context, a *app) (*repo.Repository, error) {
	opening, cancel := context.WithTimeoutCause(ctx, openWait, fmt.Errorf("no answer within %s", openWait))
	defer cancel()
	return a.repository(opening)
}
