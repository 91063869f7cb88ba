package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// A repository may hold the backups of several programs, each with sources of its own,
// and backups of one program need not all include memory. Whoever asks for parts of the
// latest backup wants the newest that has them.

// NearestWith is Nearest for whoever wants only some sources of a backup, or its memory:
// latest is the newest that has all of them.
func (e *Engine) NearestWith(ctx context.Context, name string, only []string) (*Copy, error) {
	f, err := e.findParts(ctx, name, only, nil)
	return f.asCopy(), err
}

// findParts is find for whoever wants only some sources of a backup, by their names or
// kinds, or its memory.
func (e *Engine) findParts(ctx context.Context, name string, only, without []string) (*found, error) {
	if name != latest || len(only) == 0 {
		return e.find(ctx, name, without)
	}
	var newer []holdfast.Problem // in the place that was asked last, which is where it was found
	f, err := e.findBy(ctx, name, without, func(ctx context.Context, r *repo.Repository, _ string) (info repo.Info, err error) {
		if info, newer, err = newestWith(ctx, r, only); err != nil {
			return repo.Info{}, err
		}
		return usable(ctx, r, string(info.Name))
	})
	if err != nil {
		return nil, err
	}
	f.newer = newer
	return f, nil
}

// newestWith gives the newest backup that has all of the parts, and says so if another
// one is newer. As with latest, emergency backups count only if there is nothing else.
// If none has them the error is about the newest of all.
func newestWith(ctx context.Context, r *repo.Repository, only []string) (info repo.Info, newer []holdfast.Problem, err error) {
	all, err := r.List(ctx)
	if err != nil {
		return repo.Info{}, nil, err
	}
	all = slices.DeleteFunc(all, func(i repo.Info) bool { return i.Err != nil })
	slices.SortStableFunc(all, func(a, b repo.Info) int { return btoi(isEmergency(a)) - btoi(isEmergency(b)) })
	for i, info := range all {
		if lacks(info.Metadata, only) != "" {
			continue
		}
		if i > 0 {
			newer = []holdfast.Problem{{
				Severity: holdfast.Warning, Object: string(all[0].Name),
				Message: fmt.Sprintf("the newest backup was passed over, %s was taken: the newest %s", info.Name, lacks(all[0].Metadata, only)),
			}}
		}
		return info, newer, nil
	}
	if len(all) == 0 {
		info, err = r.Stat(ctx, latest) // says that there is none
		return info, nil, err
	}
	if err = lacksKind(all[0].Metadata, only); err == nil {
		_, _, err = selectSources(all[0].Metadata, only)
	}
	return repo.Info{}, nil, err
}

// lacksKind says that a backup has no source of a kind that was asked for, and what it has;
// nil if no kind was, or it has one.
func lacksKind(m *holdfast.Metadata, only []string) error {
	for _, kind := range only {
		if _, known := kindNames[holdfast.Kind(kind)]; !known || lacks(m, []string{kind}) == "" {
			continue
		}
		var has []string
		for _, s := range m.Sources {
			has = append(has, fmt.Sprintf("%s (%s)", s.Name, s.Kind))
		}
		return &holdfast.Error{
			Op: opRestore, Object: string(m.BackupName),
			Err:  holdfast.Kindf(holdfast.ErrNotFound, "the backup holds no %s", kindNames[holdfast.Kind(kind)]),
			Hint: fmt.Sprintf("it holds %s; `holdfast list` and `holdfast show NAME` tell which backup holds one", strings.Join(has, ", ")),
		}
	}
	return nil
}

// kindNames are the kinds of sources in words.
var kindNames = map[holdfast.Kind]string{
	holdfast.KindChroma: "Chroma database", holdfast.KindSQLite: "SQLite database", holdfast.KindFiles: "files",
}

// lacks tells what of the parts a backup does not have; empty: it has all of them.
func lacks(m *holdfast.Metadata, only []string) string {
	for _, part := range only {
		switch {
		case part == memoryPart && !m.IncludesMemory:
			return "includes no memory"
		case part != memoryPart && !slices.ContainsFunc(m.Sources, func(s holdfast.SourceMetadata) bool { return s.Name == part || string(s.Kind) == part }):
			return "has no source " + part
		}
	}
	return ""
}
