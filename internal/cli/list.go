package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
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

// listObject is the outcome of list.
type listObject struct {
	Type        string       `json:"type"` // list
	Repository  string       `json:"repository"`
	StoredBytes int64        `json:"stored_bytes"`
	HeldBytes   int64        `json:"held_bytes,omitempty"`
	Backups     []backupItem `json:"backups"`
	Hold        *holdItem    `json:"hold,omitempty"`
	Hidden      []hiddenItem `json:"hidden,omitempty"`
	// Replicas tells of each replica, if there are any.
	Replicas []replicaItem `json:"replicas,omitempty"`
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
	out := listObject{Type: "list", Repository: cfg.Repository, Backups: []backupItem{}}
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
		a.ui.warn(holdfast.Problem{Severity: holdfast.Warning, Message: errorText(broken), Hint: "only the replicas are listed"})
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

// here lists the backups of the repository.
func (c *listCmd) here(ctx context.Context, r *repo.Repository, out *listObject) ([]repo.Info, error) {
	infos, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	out.Repository = r.Location()
	if out.Hidden, err = hiddenItems(ctx, r); err != nil {
		return nil, err
	}
	out.HeldBytes = hiddenBytes(out.Hidden)
	for _, i := range infos {
		item := newBackupItem(i)
		out.StoredBytes += item.StoredBytes
		out.Backups = append(out.Backups, item)
	}
	out.Hold, err = holdOn(ctx, r)
	return infos, err
}

// there adds where the backups are, and those that are only in a replica.
func (c *listCmd) there(ctx context.Context, a *app, e *engine.Engine, here []repo.Info, out *listObject) []replicaItem {
	for i := range out.Backups {
		out.Backups[i].Copies = []string{placeHere}
	}
	states := e.Survey(ctx, here)
	for _, s := range states {
		for _, i := range s.Backups {
			item := newBackupItem(i)
			at := slices.IndexFunc(out.Backups, func(b backupItem) bool { return sameBackup(b, item) })
			if at < 0 {
				out.Backups = append(out.Backups, item)
				at = len(out.Backups) - 1
			}
			out.Backups[at].Copies = append(out.Backups[at].Copies, s.Name)
		}
	}
	slices.SortStableFunc(out.Backups, newestItemFirst)
	items := newReplicaItems(states, a.ui.now())
	for _, item := range items {
		if item.Error != "" {
			a.ui.warn(holdfast.Problem{Severity: holdfast.Warning, Object: "replica " + item.Name, Message: item.Error, Hint: "what is there is not in this list"})
		}
	}
	return items
}

// placeHere is the place of a backup that is in the repository itself.
const placeHere = "repository"

// sameBackup tells whether two items are copies of one backup.
func sameBackup(a, b backupItem) bool {
	return a.Name == b.Name && (a.CreatedAt == nil || b.CreatedAt == nil || a.CreatedAt.Equal(b.CreatedAt.Time))
}

// newestItemFirst orders backups as a repository does.
func newestItemFirst(a, b backupItem) int {
	switch {
	case a.CreatedAt == nil || b.CreatedAt == nil:
		return cmp.Compare(btoi(a.CreatedAt == nil), btoi(b.CreatedAt == nil))
	default:
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt.Time), cmp.Compare(b.Name, a.Name))
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// print shows the table.
func (c *listCmd) print(u *ui, out listObject) {
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
		proven := "not yet"
		if b.Proven != nil {
			proven = ago(b.Proven.At.Time, now)
		}
		marks := ""
		if b.Form == formDelta {
			marks = formDelta
		}
		if b.Pinned {
			marks = join(marks, "pinned")
		}
		if len(out.Replicas) > 0 {
			marks = join(marks, "in "+strings.Join(b.Copies, ", "))
		}
		if len(b.Problems) > 0 {
			marks = join(marks, plural(len(b.Problems), "problem", "problems"))
		}
		t.add(b.Name.String(), moment(b.CreatedAt.Time), ago(b.CreatedAt.Time, now), string(b.Kind),
			b.counted(), size(b.LogicalBytes), size(b.StoredBytes), proven, marks)
	}
	u.print("%s", t.render(u.outPaint))
	elsewhere, where := len(out.Backups)-out.here(), ""
	if elsewhere > 0 {
		where = fmt.Sprintf("; %d only in replicas", elsewhere)
	}
	u.print("%s, %s stored in %s%s\n", plural(out.here(), "backup", "backups"), size(out.StoredBytes), clean(out.Repository), where)
	u.printHold(out.Hold)
}

// here counts the backups that are in the repository itself.
func (o listObject) here() int {
	if len(o.Replicas) == 0 {
		return len(o.Backups)
	}
	n := 0
	for _, b := range o.Backups {
		if slices.Contains(b.Copies, placeHere) {
			n++
		}
	}
	return n
}

// counted gives the records of a backup for people. Those of a database that
// was not counted are unknown, which is not the same as none.
func (b backupItem) counted() string {
	if b.Records == 0 && slices.ContainsFunc(b.Sources, func(s sourceItem) bool { return s.Records == nil && s.Kind != holdfast.KindFiles }) {
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
