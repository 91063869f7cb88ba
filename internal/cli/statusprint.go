package cli

import (
	"slices"
	"time"
)

// print shows the verdict first, then what it rests on.
func (c *statusCmd) print(u *ui, out statusObject) {
	paint := u.outPaint.red
	switch out.Verdict {
	case verdictSafe:
		paint = u.outPaint.green
	case verdictUnproven, verdictStale, verdictHeld:
		paint = u.outPaint.yellow
	}
	u.print("%s\n", paint(clean(out.Message)))
	if out.Hint != "" {
		u.print("%s\n", clean(out.Hint))
	}
	now := u.now()
	t := table{head: []string{"SOURCE", "KIND", "PATH", "RECORDS", "SIZE", "LAST BACKUP"}, right: map[int]bool{3: true, 4: true}}
	for _, s := range out.Sources {
		count, bytes := "", ""
		switch {
		case s.Error != "":
			bytes = "unreadable"
		case !s.Exists:
			bytes = "missing"
		default:
			bytes, count = size(s.Bytes), "?"
			if s.Records != nil {
				count = number(*s.Records)
			}
		}
		last := "never"
		if s.LastAt != nil {
			last = s.LastBackup.String() + ", " + ago(s.LastAt.Time, now)
		}
		t.add(s.Name, string(s.Kind), s.Path, count, bytes, last)
	}
	u.print("\n%s\n", t.render(u.outPaint))
	for _, s := range out.Sources {
		if s.Error != "" {
			u.print("%s %s\n", u.outPaint.red("unreadable:"), clean(s.Error))
		}
	}
	r := out.Repository
	if !r.Exists {
		state := "does not exist yet"
		if out.Verdict == verdictLost {
			state = "is gone"
		}
		u.print("%s", facts(slices.Concat([][2]string{{"repository", r.Location + " (" + state + ")"}}, replicaLines(out, now), programLines(out, now))...))
		return
	}
	free, proven := "", "never"
	if r.FreeBytes != nil {
		free = size(*r.FreeBytes)
	}
	if r.ProvenAt != nil {
		proven = r.LastProven.String() + ", " + ago(r.ProvenAt.Time, now)
	}
	unusable := ""
	if r.Unusable > 0 {
		unusable = plural(r.Unusable, "backup", "backups") + " cannot be used; `holdfast list` names them"
	}
	held := ""
	if r.HeldBytes > 0 {
		held = size(r.HeldBytes) + " of deleted backups; `holdfast list` tells why"
	}
	pruning := ""
	if out.Hold != nil {
		pruning = out.Hold.text() + "; `holdfast prune --confirm` ends it"
	}
	lines := [][2]string{
		{"repository", r.Location},
		{"backups", plural(r.Backups, "backup", "backups") + ", " + size(r.LogicalBytes) + " stored in " + size(r.StoredBytes)},
		{"still held", held},
		{"unusable", unusable},
		{"last proven", proven},
		{"pruning", pruning},
		{"free space", free},
	}
	u.print("%s", facts(slices.Concat(lines, replicaLines(out, now), programLines(out, now))...))
}

// replicaLines says how each replica is.
func replicaLines(out statusObject, now time.Time) (lines [][2]string) {
	for _, r := range out.Replicas {
		lines = append(lines, [2]string{"replica", r.Name + ": " + r.words(now)})
	}
	return lines
}
