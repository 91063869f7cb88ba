package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type showCmd struct {
	Name string `arg:"" help:"Name of the backup, or latest."`
	Tree bool   `help:"List every file in it."`
	replicaFlags
}

func (showCmd) about() about {
	return about{
		text: `Shows what the backup says of itself: sources, collections or tables with
their counts, memory, problems, and when it was proven.`,
		examples: []example{
			{"holdfast show latest", "before choosing what to restore"},
			{"holdfast show monday --tree", "with every file and how it is stored"},
		},
		exits: []int{holdfast.ExitNotFound, holdfast.ExitDamaged, holdfast.ExitRefused},
	}
}

// Run shows one backup.
func (c *showCmd) Run(ctx context.Context, a *app) error {
	if err := c.use(a); err != nil {
		return err
	}
	return a.withCopies(ctx, func(e *engine.Engine) error { return c.show(ctx, a, e) })
}

func (c *showCmd) show(ctx context.Context, a *app, e *engine.Engine) error {
	near, err := e.Describe(ctx, c.Name)
	if err != nil {
		return err
	}
	a.tellNearest(near)
	out, err := report.NewShow(ctx, near, c.Tree)
	if err != nil {
		return err
	}
	out.Complete(ctx, e, near)
	a.ui.tell(out, func() { c.print(a.ui, out) })
	return nil
}

// placesLine tells which places have the backup, if there is more than one.
func placesLine(places []report.CopyPlace) string {
	if len(places) < 2 {
		return ""
	}
	var words []string
	for _, p := range places {
		name := p.Name
		if name == report.PlaceHere {
			name = "here"
		}
		switch {
		case p.Error != "":
			words = append(words, name+" (unknown: "+clean(p.Error)+")")
		case p.Has:
			words = append(words, name)
		default:
			words = append(words, "not in "+name)
		}
	}
	return strings.Join(words, ", ")
}

// print shows the backup to a person.
func (c *showCmd) print(u *ui, out report.Show) {
	m, now := out.Metadata, u.now()
	proven := "not yet; `holdfast verify " + m.BackupName.String() + "` proves it"
	if p := out.Backup.Proven; p != nil {
		proven = fmt.Sprintf("%s (%s), by %s", moment(p.At.Time), report.Ago(p.At.Time, now), p.Kind)
	}
	if p := out.Backup.Disproven; p != nil {
		proven = "no: it " + disproofWords(p, now)
	}
	pinned := ""
	if out.Backup.Pinned {
		pinned = "yes"
	}
	u.print("%s\n", u.outPaint.bold(clean(m.BackupName.String())))
	u.print("%s", facts(
		[2]string{"  created", moment(m.CreatedAt.Time) + " (" + report.Ago(m.CreatedAt.Time, now) + ")"},
		[2]string{"  type", string(m.Type) + ", " + string(m.Trigger)},
		[2]string{"  memory", memoryWord(m.IncludesMemory)},
		[2]string{"  rag mode", ragMode(m)},
		[2]string{"  size", size(m.LogicalBytes) + ", stored in " + size(m.StoredBytes)},
		[2]string{"  form", formLine(&out.Backup)},
		[2]string{"  needs", names(m.Needs)},
		[2]string{"  took", span(millis(m.DurationMS)) + ", writers waited at most " + span(millisF(m.WriterStallMS))},
		[2]string{"  proven", proven},
		[2]string{"  drilled", drilledLine(out.Backup.Drilled, now)},
		[2]string{"  pinned", pinned},
		[2]string{"  places", placesLine(out.Places)},
		[2]string{"  encrypted", encryptedTo(m)},
		[2]string{"  note", m.Note},
		[2]string{"  made by", madeBy(m)},
	))
	if out.Private {
		u.print("\nThe rest is encrypted; a key shows it: identity_file, or a passphrase.\n")
	}
	for _, s := range m.Sources {
		u.print("\n%s (%s)\n", u.outPaint.bold(clean(s.Name)), place(s))
		u.print("%s", factLines(s.Facts))
		if len(s.Memory) > 0 {
			u.print("  memory: %s\n", clean(strings.Join(s.Memory, ", ")))
		}
	}
	for _, p := range m.Problems {
		u.print("\n%s %s\n", u.outPaint.yellow(string(p.Severity)+":"), problemText(p))
		if p.Hint != "" {
			u.print("  %s\n", clean(p.Hint))
		}
	}
	if len(out.Files) > 0 {
		t := table{head: []string{"MODE", "SIZE", "STORED", "FORM", "PATH"}, right: map[int]bool{1: true, 2: true}}
		for _, f := range out.Files {
			path := f.Path
			if f.Link != "" {
				path += " -> " + f.Link
			}
			t.add(f.Mode, size(f.Bytes), size(f.Stored), f.Form, path)
		}
		u.print("\n%s", t.render(u.outPaint))
	}
}

// drilledLine tells of the last drill, if there was one.
func drilledLine(d *report.Drilled, now time.Time) string {
	switch {
	case d == nil:
		return ""
	case !d.OK:
		return fmt.Sprintf("%s (%s): it did not stand it", moment(d.At.Time), report.Ago(d.At.Time, now))
	}
	return fmt.Sprintf("%s (%s), restored in %s", moment(d.At.Time), report.Ago(d.At.Time, now), span(millis(d.RestoreMS)))
}

// encryptedTo names the keys that open a backup.
func encryptedTo(m *holdfast.Metadata) string {
	if !m.Encrypted {
		return ""
	}
	return "to " + strings.Join(m.Recipients, ", ")
}

// madeBy names program and machine, as far as they are told.
func madeBy(m *holdfast.Metadata) string {
	if m.Host == "" {
		return "holdfast " + m.ToolVersion
	}
	return "holdfast " + m.ToolVersion + " on " + m.Host
}

// place names kind and path of a source, as far as they are told.
func place(s holdfast.SourceMetadata) string {
	if s.Path == "" {
		return string(s.Kind)
	}
	return string(s.Kind) + ", " + clean(s.Path)
}

// names joins the names of backups.
func names(list []holdfast.BackupName) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = n.String()
	}
	return strings.Join(words, ", ")
}

// ragMode is the assistant's mode, if there is an assistant.
func ragMode(m *holdfast.Metadata) string {
	for _, s := range m.Sources {
		if s.Kind == holdfast.KindChroma {
			return m.RAGMode
		}
	}
	return ""
}
