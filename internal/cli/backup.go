package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/keeper"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
)

type backupCmd struct {
	Name        string `value:"NAME" help:"Name of the backup (default: what it is and when, such as enhanced_backup_20241030_143000)."`
	Type        string `enum:",enhanced,standard" default:"" value:"TYPE" help:"enhanced includes the assistant's memory, standard does not."`
	Memory      *bool  `value:"BOOL" help:"Include the memory, or not (--memory=false)."`
	Trigger     string `enum:"manual,quick,auto,scheduled,change,startup,shutdown,guard" default:"manual" value:"TRIGGER" help:"What caused it: manual, quick, auto, scheduled, change, startup, shutdown, guard."`
	Full        bool   `help:"Store every file whole."`
	Note        string `value:"TEXT" help:"A note that is kept with the backup."`
	Pin         bool   `help:"Keep it from pruning."`
	NoPrune     bool   `help:"Do not remove old backups afterwards."`
	NoReplicate bool   `help:"Do not copy it into the replicas afterwards."`
	replicaFlags
}

func (backupCmd) about() about {
	return about{
		text: `Captures every source while its owner keeps writing, all as one set. The
backup exists completely or not at all. The repository is created on first use.
Afterwards the backups are removed that no rule of the retention keeps (those
older than 7 days, unless set otherwise); of every source the newest, the newest
undamaged and the last proven backup stay, and so do pinned ones. A backup that
cannot be removed is a warning. One that holds much less than the one before it
puts that on hold and says so.

A backup that comes often (scheduled, auto, change, startup, shutdown), or would
take in more than 256 MB, stores only what changed since the one before; deltas
and full_every in the configuration, or --full, decide otherwise.

If replicas are configured, it is copied into them at once, and what they lack;
what cannot be copied is a warning, and the exit status is 3.

With --trigger auto, which an application uses before a large change,
AUTO_BACKUP_ENABLED=false makes it do nothing and say so.`,
		examples: []example{
			{"holdfast backup", "back up ./data/chromadb, or what holdfast.yaml names"},
			{"holdfast backup --name weekend_backup_20241030 --note 'before the import'", "a backup that is easy to find again"},
			{"holdfast backup --sqlite bot=/tmp/bot_database.db --repo /backups", "a bot's database, without a configuration file"},
			{"holdfast backup --chroma ./data/chromadb --memory-collection enhanced_rag_memory", "with the assistant's memory"},
		},
		exits: []int{holdfast.ExitIncomplete, holdfast.ExitNotFound, holdfast.ExitLocked, holdfast.ExitRefused},
	}
}

// Run makes a backup, and does what follows one.
func (c *backupCmd) Run(ctx context.Context, a *app) error {
	if err := c.use(a); err != nil {
		return err
	}
	cfg, err := a.sources()
	if err != nil {
		return err
	}
	out := report.NewBackupResult(cfg.Repository)
	if out.Skip(cfg, holdfast.Trigger(c.Trigger)) {
		a.ui.tell(out, func() { a.ui.print("No backup was made: %s.\n", out.Skipped) })
		return nil
	}
	copied, err := c.backUp(ctx, a, cfg, &out)
	if out.Backup == nil {
		return err
	}
	a.ui.tell(out, func() { c.print(a.ui, out) })
	switch {
	case err != nil:
		return err
	case out.Incomplete || !copied:
		return &ending{holdfast.ExitIncomplete}
	}
	return nil
}

// backUp makes a backup and what follows one, and tells of it in out. If out names
// a backup, it was made whatever the error says.
func (c *backupCmd) backUp(ctx context.Context, a *app, cfg *config.Config, out *report.BackupResult) (copied bool, err error) {
	if n := len(c.Note); n > holdfast.MaxNote {
		return false, usagef("keep long texts in a source", "a note can have at most %d bytes, this one has %d", holdfast.MaxNote, n)
	}
	request := engine.BackupRequest{
		Name: c.Name, Trigger: holdfast.Trigger(c.Trigger), Type: holdfast.Type(c.Type),
		Memory: c.Memory, Full: c.Full, Note: c.Note, Pin: c.Pin,
	}
	r, err := c.repository(ctx, a, cfg, request)
	if err != nil {
		return false, err
	}
	out.Repository = r.Location()
	progress := newProgress(a.ui, a.Events, a.Verbose)
	defer progress.stop()
	e, err := a.engine(r, progress.observe)
	if err != nil {
		return false, err
	}
	result, err := e.Backup(ctx, request)
	if err != nil {
		return false, err
	}
	out.Made(result)
	return c.follow(ctx, cfg, e, out)
}

// follow does what follows a backup, on every surface.
func (c *backupCmd) follow(ctx context.Context, cfg *config.Config, e *engine.Engine, out *report.BackupResult) (copied bool, err error) {
	wanted := keeper.FollowingOf(cfg)
	wanted.Replicate, wanted.Prune = wanted.Replicate && !c.NoReplicate, wanted.Prune && !c.NoPrune
	followed, err := keeper.Follow(ctx, e, wanted)
	out.Followed(followed.Replicas, followed.Pruned, followed.Problems)
	return !followed.Lacking, err
}

// repository opens the repository. The first backup makes it, but only once
// nothing is known to stand in the way: a mistyped path leaves nothing behind.
func (c *backupCmd) repository(ctx context.Context, a *app, cfg *config.Config, request engine.BackupRequest) (*repo.Repository, error) {
	r, err := wire.OpenRepository(ctx, cfg)
	if !errors.Is(err, holdfast.ErrNotFound) {
		return r, err
	}
	e, err := a.engine(nil, nil)
	if err != nil {
		return nil, err
	}
	if err := e.Preflight(ctx, request); err != nil {
		return nil, err
	}
	r, made, err := wire.CreateRepository(ctx, cfg)
	if made {
		a.ui.note("note: created the repository %s", clean(r.Location()))
	}
	return r, err
}

// print tells the outcome to a person.
func (c *backupCmd) print(u *ui, out report.BackupResult) {
	for _, p := range out.Problems {
		u.warn(p)
	}
	b := out.Backup
	var names []string
	for _, s := range b.Sources {
		names = append(names, s.Name)
	}
	u.print("%s %s\n", u.outPaint.green("Backed up to"), u.outPaint.bold(clean(b.Name.String())))
	u.print("%s", facts(
		[2]string{"  sources", strings.Join(names, ", ")},
		[2]string{"  records", recordsOf(b)},
		[2]string{"  size", size(b.LogicalBytes) + ", stored in " + size(b.StoredBytes)},
		[2]string{"  form", formLine(b)},
		[2]string{"  memory", memoryWord(b.IncludesMemory)},
		[2]string{"  took", span(millis(b.DurationMS)) + ", writers waited at most " + span(millisF(b.WriterStallMS))},
	))
	for _, r := range out.Replicas {
		if len(r.Copied) > 0 {
			var bytes int64
			for _, copied := range r.Copied {
				bytes += copied.Bytes
			}
			u.print("Copied to %s (%s, %s).\n", clean(r.Name), plural(len(r.Copied), "backup", "backups"), size(bytes))
		}
	}
	for _, d := range out.Pruned {
		u.print("Removed %s: %s.\n", clean(d.Name.String()), clean(d.Reason))
	}
	if out.Incomplete {
		u.print("%s\n", u.outPaint.yellow("The backup is kept, but it is incomplete or holds damage; see the warnings."))
	}
}

// formLine tells of a delta what it is the delta of. That a backup is whole
// needs no word.
func formLine(b *report.Backup) string {
	if b.Form != report.FormDelta {
		return ""
	}
	return "delta of " + b.Parent.String()
}

// recordsOf tells what each source holds; with one source its name says nothing
// new.
func recordsOf(b *report.Backup) string {
	var counts []string
	for _, s := range b.Sources {
		if s.Records == nil {
			continue
		}
		count := number(*s.Records)
		if s.Kind == holdfast.KindFiles {
			count = plural(int(*s.Records), "file", "files")
		}
		if len(b.Sources) > 1 {
			count = s.Name + " " + count
		}
		counts = append(counts, count)
	}
	return strings.Join(counts, ", ")
}

func memoryWord(included bool) string {
	if included {
		return "included"
	}
	return "not included"
}
