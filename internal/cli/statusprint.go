package cli

import (
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// print shows the verdict first, then what it rests on.
func (c *statusCmd) print(u *ui, out report.Status) {
	paint := u.outPaint.red
	switch out.Verdict {
	case report.Safe:
		paint = u.outPaint.green
	case report.Unproven, report.Stale, report.Held, report.Divided:
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
		switch {
		case s.LastAt != nil:
			last = s.LastBackup.String() + ", " + report.Ago(s.LastAt.Time, now)
		case out.Repository.Error != "":
			last = "not known"
		}
		t.add(s.Name, string(s.Kind), s.Path, count, bytes, last)
	}
	u.print("\n%s\n", t.render(u.outPaint))
	for _, s := range out.Sources {
		if s.Error != "" {
			u.print("%s %s\n", u.outPaint.red("unreadable:"), clean(s.Error))
		}
	}
	if a := out.AutoBackup; a != nil && !a.On && a.Configured {
		u.print("Auto Backup is switched off: %s did so %s.\n", clean(a.By), report.Ago(a.At.Time, now))
	}
	r := out.Repository
	if state := absence(out); state != "" {
		u.print("%s", facts(slices.Concat([][2]string{{"repository", r.Location + " (" + state + ")"}}, replicaLines(out, now), programLines(out, now))...))
		return
	}
	free, proven := "", "never"
	if r.FreeBytes != nil {
		free = size(*r.FreeBytes)
	}
	if r.ProvenAt != nil {
		proven = r.LastProven.String() + ", " + report.Ago(r.ProvenAt.Time, now)
		if r.ProvenBy == holdfast.ProofDrill {
			proven += ", by a drill"
		}
	}
	drilled := ""
	if r.DrilledAt != nil && r.ProvenBy != holdfast.ProofDrill {
		drilled = r.LastDrilled.String() + ", " + report.Ago(r.DrilledAt.Time, now)
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
		pruning = holdText(out.Hold) + "; `holdfast prune --confirm` ends it"
	}
	lines := [][2]string{
		{"repository", r.Location},
		{"backups", plural(r.Backups, "backup", "backups") + ", " + size(r.LogicalBytes) + " stored in " + size(r.StoredBytes)},
		{"still held", held},
		{"unusable", unusable},
		{"last proven", proven},
		{"drilled", drilled},
		{"pruning", pruning},
		{"free space", free},
	}
	u.print("%s", facts(slices.Concat(lines, replicaLines(out, now), programLines(out, now))...))
}

// absence says why nothing can be told of the repository; empty if it can.
func absence(out report.Status) string {
	switch {
	case out.Repository.Error != "":
		return "cannot be asked"
	case out.Repository.Exists:
		return ""
	case out.Verdict == report.Lost:
		return "is gone"
	}
	return "does not exist yet"
}

// replicaLines says how each replica is.
func replicaLines(out report.Status, now time.Time) (lines [][2]string) {
	for _, r := range out.Replicas {
		lines = append(lines, [2]string{"replica", r.Name + ": " + replicaWords(r, now)})
		for _, limit := range r.Limits {
			lines = append(lines, [2]string{"  its limits", limit})
		}
	}
	return lines
}
