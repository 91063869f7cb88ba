package cli

import (
	"context"

	"github.com/holdfast-backup/holdfast"
)

type listCmd struct{}

func (listCmd) about() about {
	return about{
		text: `The newest backup comes first. With --quiet only the names are printed, one a line.`,
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
}

// Run lists the backups.
func (c *listCmd) Run(ctx context.Context, a *app) error {
	r, err := a.repository(ctx)
	if err != nil {
		return err
	}
	infos, err := r.List(ctx)
	if err != nil {
		return err
	}
	out := listObject{Type: "list", Repository: r.Location(), Backups: []backupItem{}}
	if out.Hidden, err = hiddenItems(ctx, r); err != nil {
		return err
	}
	out.HeldBytes = hiddenBytes(out.Hidden)
	for _, i := range infos {
		item := newBackupItem(i)
		out.StoredBytes += item.StoredBytes
		out.Backups = append(out.Backups, item)
	}
	if out.Hold, err = holdOn(ctx, r); err != nil {
		return err
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
	return nil
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
		if len(b.Problems) > 0 {
			marks = join(marks, plural(len(b.Problems), "problem", "problems"))
		}
		t.add(b.Name.String(), moment(b.CreatedAt.Time), ago(b.CreatedAt.Time, now), string(b.Kind),
			number(b.Records), size(b.LogicalBytes), size(b.StoredBytes), proven, marks)
	}
	u.print("%s", t.render(u.outPaint))
	u.print("%s, %s stored in %s\n", plural(len(out.Backups), "backup", "backups"), size(out.StoredBytes), clean(out.Repository))
	u.printHold(out.Hold)
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}
