package engine

import (
	"cmp"
	"context"
	"io/fs"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// A stage can also be built: out of the records of a server, by a server at hand.

// planBuild makes a work build its stage if the copy cannot be put in place as it is.
// What the server cannot keep refuses the restore, before anything moves, unless that was accepted.
func (r *run) planBuild(w *work, copied fs.FS, md holdfast.SourceMetadata, commands map[holdfast.Kind]string, acceptLosses bool) error {
	builder, ok := w.source.(holdfast.Builder)
	if !ok || !builder.MustBuild(md.Facts) {
		return nil
	}
	command := cmp.Or(commands[md.Kind], r.e.o.Commands[md.Kind])
	if command == "" {
		return &holdfast.Error{
			Op: opRestore, Object: md.Name, Err: holdfast.Kindf(holdfast.ErrRefused, "the backup holds the records of a server, of which only a server makes the directory %s", w.path),
			Hint: "name a command that starts one with --chroma-command, or restore into a running one with --into URL",
		}
	}
	w.fill = func(ctx context.Context, dir string) error {
		tell := r.progress(holdfast.StepStage, md.Name)
		problems, err := builder.Build(ctx, copied, dir, command, func(done, total int64) { tell("", done, total) })
		if err != nil {
			return err
		}
		lost := slices.DeleteFunc(slices.Clone(problems), func(p holdfast.Problem) bool { return p.Severity != holdfast.Incomplete })
		if len(lost) > 0 && !acceptLosses {
			return lossy(md.Name, lost, "nothing was changed; --accept-losses goes on without it")
		}
		w.notes = problems
		return durable.SyncTree(ctx, r.e.o.FS, dir)
	}
	return nil
}
