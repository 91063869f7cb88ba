package engine

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/volume"
	"github.com/holdfast-backup/holdfast/repo"
)

// ExportRecords writes the records of a backup in the form that other programs read, each
// source into a folder of its name below dir, which does not exist or is empty. Only
// chooses sources; none is all that have records. Import brings such a folder back.
func (e *Engine) ExportRecords(ctx context.Context, name string, only []string, dir string) (*ExportResult, error) {
	r := e.start(ctx, "export")
	search := e.search(name, only)
	f, err := search.next(ctx)
	if err != nil {
		return nil, err
	}
	result := &ExportResult{}
	for {
		var problems []holdfast.Problem
		problems, err = r.exportRecords(ctx, f, only, dir)
		if err == nil || !search.leave(ctx, err) {
			result.Problems = problems
			break
		}
		f = search.at
	}
	if err != nil {
		return nil, err
	}
	result.Backup, result.From, result.Problems = f.info, f.from, append(search.problems(), result.Problems...)
	return result, nil
}

// exportRecords is ExportRecords of one copy.
func (r *run) exportRecords(ctx context.Context, f *found, only []string, dir string) (problems []holdfast.Problem, err error) {
	r.backup = f.info.Name
	b, err := f.at.Backup(ctx, f.info.Name)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	b.Until(ctx)
	if err := r.e.checkElsewhere(dir); err != nil {
		return nil, err
	}
	chosen, err := r.exporters(b, only)
	if err != nil {
		return nil, err
	}
	existed := exists(dir)
	if existed {
		if err := mustBeEmptyDir(dir); err != nil {
			return nil, err
		}
	}
	var names []string
	for _, s := range chosen {
		names = append(names, s.Name())
	}
	if err := r.needSpace(dir, sizeOf(b, names)); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(spaceError(err), empty(r.e.o.FS, dir, existed))
		}
	}()
	for _, s := range chosen {
		err := r.stepOf(ctx, holdfast.StepExport, s.Name(), func(ctx context.Context) (string, error) {
			to := filepath.Join(dir, s.Name())
			if err := durable.MkdirAll(r.e.o.FS, to, 0o700); err != nil {
				return "", volume.Explain("write to", to, pathless(err))
			}
			copied, err := fs.Sub(b, s.Name())
			if err != nil {
				return "", err
			}
			found, err := s.ExportRecords(ctx, copied, &dirSink{fsys: r.e.o.FS, dir: to})
			for _, p := range named(s.Name(), found) {
				problems = append(problems, r.problem(p))
			}
			if err != nil {
				return "", err
			}
			return to, durable.SyncTree(ctx, r.e.o.FS, to)
		})
		if err != nil {
			return nil, &holdfast.Error{Op: "export the records of", Object: s.Name(), Err: err}
		}
	}
	return problems, nil
}

// exporters gives what writes the records of the chosen sources.
func (r *run) exporters(b *repo.Backup, only []string) (chosen []holdfast.Exporter, err error) {
	sources, _, err := selectSources(b.Metadata(), only)
	if err != nil {
		return nil, err
	}
	var without []string
	for _, md := range sources {
		s, ok := r.e.checker(md).(holdfast.Exporter)
		if !ok {
			without = append(without, md.Name)
			continue
		}
		chosen = append(chosen, s)
	}
	if len(chosen) == 0 || len(only) > 0 && len(without) > 0 {
		return nil, &holdfast.Error{Op: "export the records of", Object: strings.Join(without, ", "), Err: holdfast.Kindf(holdfast.ErrUsage, "only a Chroma source has records"), Hint: "leave out --format: the files themselves are portable"}
	}
	return chosen, nil
}
