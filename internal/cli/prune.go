package cli

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

type pruneCmd struct {
	DryRun bool `help:"Show what would go, and why, and remove nothing."`
}

func (pruneCmd) about() about {
	return about{
		text: `Removes backups that are older than the retention (retention.days,
BACKUP_RETENTION_DAYS; 7 days unless set, 0 keeps all). Of every source the
newest, the newest undamaged and the last proven backup always stay, and so do
pinned ones. Every backup is listed with the reason why it stays or goes.`,
		examples: []example{
			{"holdfast prune --dry-run", "look before"},
			{"BACKUP_RETENTION_DAYS=30 holdfast prune", "with another retention"},
		},
		exits: []int{holdfast.ExitIncomplete, holdfast.ExitNotFound, holdfast.ExitLocked},
	}
}

// pruneObject is the outcome of prune.
type pruneObject struct {
	Type          string         `json:"type"` // prune
	Repository    string         `json:"repository"`
	DryRun        bool           `json:"dry_run"`
	RetentionDays int            `json:"retention_days"`
	Removed       int            `json:"removed"`
	Decisions     []decisionItem `json:"decisions"`
}

// decisionItem says whether a backup stays, and why.
type decisionItem struct {
	Name      holdfast.BackupName `json:"name"`
	CreatedAt holdfast.Time       `json:"created_at"`
	Remove    bool                `json:"remove"`
	Reason    string              `json:"reason"`
}

func newDecisionItem(d retention.Decision) decisionItem {
	return decisionItem{Name: d.Name, CreatedAt: holdfast.At(d.CreatedAt), Remove: d.Remove, Reason: d.Reason}
}

// Run plans, and executes the plan unless told otherwise.
func (c *pruneCmd) Run(ctx context.Context, a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	return a.withEngine(ctx, func(e *engine.Engine, r *repo.Repository) error {
		decide := e.Prune
		if c.DryRun {
			decide = e.PlanPrune
		}
		decisions, err := decide(ctx)
		if err != nil && len(decisions) == 0 {
			return err
		}
		out := pruneObject{Type: "prune", Repository: r.Location(), DryRun: c.DryRun, RetentionDays: cfg.Retention.Days, Decisions: []decisionItem{}}
		for _, d := range decisions {
			out.Decisions = append(out.Decisions, newDecisionItem(d))
			if d.Remove {
				out.Removed++
			}
		}
		a.ui.tell(out, func() { c.print(a.ui, out, cfg.Retention.Policy().String()) })
		return err
	})
}

// print shows every decision.
func (c *pruneCmd) print(u *ui, out pruneObject, rule string) {
	t := table{head: []string{"BACKUP", "CREATED", "DECISION", "REASON"}}
	for _, d := range out.Decisions {
		word := "keep"
		if d.Remove {
			word = "remove"
		}
		t.add(d.Name.String(), moment(d.CreatedAt.Time), word, d.Reason)
	}
	if len(out.Decisions) > 0 {
		u.print("%s", t.render(u.outPaint))
	}
	verb := "removed"
	if out.DryRun {
		verb = "would be removed"
	}
	u.print("%s %s (retention: %s)\n", plural(out.Removed, "backup", "backups"), verb, rule)
}
