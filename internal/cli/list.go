package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/repo"
)

type listCmd struct {
	replicaFlags
}

func (listCmd) about() about {
	return about{
		text: `The newest backup comes first. With --quiet only the names are printed, one a line. If
there are replicas, it tells where each backup is, those that are left only there
too; a replica that cannot be reached is a warning.`,
		examples: []example{
			{"holdfast list", "all backups with size, contents and proof"},
			{"holdfast list --json | jq -r '.backups[0].name'", "the name of the newest"},
		},
		exits: []int{holdfast.ExitNotFound},
	}
}

// Run lists the backups.
func (c *listCmd) Run(ctx context.Context, a *app) error {
	if err := c.use(a); err != nil {
		return err
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	out := report.NewList(cfg.Repository)
	r, broken := a.repository(ctx)
	if broken != nil && (len(cfg.Replicas) == 0 || ctx.Err() != nil || errors.Is(broken, holdfast.ErrUsage)) {
		return broken
	}
	var infos []repo.Info
	if broken == nil {
		if infos, err = c.here(ctx, r, &out); err != nil {
			return err
		}
	} else {
		a.ui.warn(holdfast.Problem{Severity: holdfast.Warning, Message: report.Text(broken), Hint: "only the replicas are listed"})
	}
	if len(cfg.Replicas) > 0 {
		e, err := a.engineOver(r, broken, nil)
		if err != nil {
			return err
		}
		out.Replicas = c.there(ctx, a, e, infos, &out)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	a.ui.tell(out, func() {
		if a.Quiet {
			for _, b := range out.Backups {
				a.ui.print("%s\n", b.Name)
			}
			return
		}
		c.print(a.ui, out)
	})
	if broken != nil && !errors.Is(broken, holdfast.ErrNotFound) {
		return &ending{holdfast.ExitIncomplete}
	}
	return nil
}

// disproofWords says what a backup did not stand, and when.
func disproofWords(p *report.Proven, now time.Time) string {
	what := "verification"
	if p.Kind == holdfast.ProofDrill {
		what = "a drill"
	}
	return "failed " + what + " " + report.Ago(p.At.Time, now)
}

// proofWords says by what a backup was proven, and when. A verification that came
// after a drill does not hide it.
func proofWords(b report.Backup, now time.Time) string {
	drill := ""
	if b.Drilled != nil {
		drill = report.Ago(b.Drilled.At.Time, now)
	}
	switch {
	case b.Disproven != nil:
		return disproofWords(b.Disproven, now)
	case b.Proven == nil:
		return "not yet"
	case b.Proven.Kind == holdfast.ProofDrill:
		return "by drill " + drill
	case b.Drilled != nil:
		return "by drill " + drill + ", verified " + report.Ago(b.Proven.At.Time, now)
	}
	return report.Ago(b.Proven.At.Time, now)
}

// here lists the backups of the repository.
func (c *listCmd) here(ctx context.Context, r *repo.Repository, out *report.List) ([]repo.Info, error) {
	infos, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	out.Repository = r.Location()
	if out.Hidden, err = report.HiddenIn(ctx, r); err != nil {
		return nil, err
	}
	out.HeldBytes = report.HeldBytes(out.Hidden)
	out.Here(infos)
	out.Hold, err = report.HoldOn(ctx, r)
	return infos, err
}

// there adds where the backups are, and those that are only in a replica.
func (c *listCmd) there(ctx context.Context, a *app, e *engine.Engine, here []repo.Info, out *report.List) []report.Replica {
	states := e.Survey(ctx, here)
	out.There(states)
	items := report.NewReplicas(states, a.ui.now())
	for _, item := range items {
		if item.Error != "" {
			a.ui.warn(holdfast.Problem{Severity: holdfast.Warning, Object: "replica " + item.Name, Message: item.Error, Hint: "what is there is not in this list"})
		}
	}
	return items
}

// print shows the table.
func (c *listCmd) print(u *ui, out report.List) {
	defer func() { u.print("%s", hiddenText(out.Hidden)) }()
	if len(out.Backups) == 0 {
		u.print("No backups in %s yet. `holdfast backup` makes the first.\n", clean(out.Repository))
		return
	}
	now := u.now()
	t := table{
		head:  []string{"NAME", "CREATED", "AGE", "TYPE", "RECORDS", "SIZE", "STORED", "PROVEN", ""},
		right: map[int]bool{4: true, 5: true, 6: true},
	}
	for _, b := range out.Backups {
		if b.Error != "" {
			t.add(b.Name.String(), "", "", "", "", "", "", "", "unusable: "+b.Error)
			continue
		}
		marks := ""
		if b.Form == report.FormDelta {
			marks = report.FormDelta
		}
		if b.Pinned {
			marks = join(marks, "pinned")
		}
		if slices.ContainsFunc(b.Sources, func(s report.BackupSource) bool { return s.Consistency == holdfast.Fuzzy }) {
			marks = join(marks, string(holdfast.Fuzzy))
		}
		if len(out.Replicas) > 0 {
			marks = join(marks, "in "+strings.Join(b.Copies, ", "))
		}
		if len(b.Problems) > 0 {
			marks = join(marks, plural(len(b.Problems), "problem", "problems"))
		}
		t.add(b.Name.String(), moment(b.CreatedAt.Time), report.Ago(b.CreatedAt.Time, now), string(b.Kind),
			counted(b), size(b.LogicalBytes), size(b.StoredBytes), proofWords(b, now), marks)
	}
	u.print("%s", t.render(u.outPaint))
	inside := countHere(out)
	elsewhere, where := len(out.Backups)-inside, ""
	if elsewhere > 0 {
		where = fmt.Sprintf("; %d only in replicas", elsewhere)
	}
	u.print("%s, %s stored in %s%s\n", plural(inside, "backup", "backups"), size(out.StoredBytes), clean(out.Repository), where)
	u.printHold(out.Hold)
}

// countHere counts the backups that are in the repository itself.
func countHere(o report.List) int {
	if len(o.Replicas) == 0 {
		return len(o.Backups)
	}
	n := 0
	for _, b := range o.Backups {
		if slices.Contains(b.Copies, report.PlaceHere) {
			n++
		}
	}
	return n
}

// counted gives the records of a backup for people. Those of a database that
// was not counted are unknown, which is not the same as none.
func counted(b report.Backup) string {
	if b.Records == 0 && slices.ContainsFunc(b.Sources, func(s report.BackupSource) bool { return s.Records == nil && s.Kind != holdfast.KindFiles }) {
		return "?"
	}
	return number(b.Records)
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}
