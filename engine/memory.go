package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/repo"
)

// ragEnhanced is the mode of an assistant that takes memory.
const ragEnhanced = "enhanced"

// planMemory decides about memory: it comes with the database it lies in, or
// by itself, or is skipped for a reason.
func (r *run) planMemory(ctx context.Context, p *plan, b *repo.Backup, memoryOnly bool, req RestoreRequest) error {
	if !b.Metadata().IncludesMemory {
		p.Memory = "skipped: the backup includes none"
		return nil
	}
	info, err := memoryInfo(b)
	if err != nil {
		return err
	}
	if w := p.byParts(); w != nil && !memoryOnly && (req.Into != nil || !w.whole()) {
		p.Memory = "skipped: only parts were asked for"
		if w.brings(bySource(info, b.Metadata())[w.source]) {
			p.Memory = memoryRestore
		}
		return nil
	}
	p.Memory = "skipped: not asked for"
	groups := bySource(info, b.Metadata())
	for _, source := range slices.Sorted(maps.Keys(groups)) {
		whole := r.planned(p, source)
		if !whole && !memoryOnly {
			continue
		}
		ms, err := r.memorySource(source)
		if err != nil && memoryOnly {
			return err
		}
		if err != nil {
			p.Memory = "skipped: " + err.Error()
			continue
		}
		if ms.RAGMode() != ragEnhanced {
			p.Memory = fmt.Sprintf("skipped: rag_mode of %s is %q, memory is restored only where it is enhanced", source, ms.RAGMode())
			if memoryOnly && !whole {
				return &holdfast.Error{Op: "restore memory of", Object: source, Err: holdfast.Kindf(holdfast.ErrRefused, "%s", p.Memory), Hint: "set rag_mode: enhanced for the source"}
			}
			p.Warnings = append(p.Warnings, holdfast.Problem{Source: source, Object: "memory", Severity: holdfast.Warning, Message: p.Memory})
			continue
		}
		p.Memory = memoryRestore
		if whole {
			continue // it is in the database
		}
		if store, ok := ms.(holdfast.PartRestorer); ok && store.Running() {
			if err := r.planMemoryParts(ctx, p, b, store, source, groups[source]); err != nil {
				return err
			}
			continue
		}
		if err := r.planMemoryOnly(ctx, p, b, ms, groups[source], req); err != nil {
			return err
		}
	}
	return nil
}

// planned tells whether a source is restored as a whole.
func (r *run) planned(p *plan, source string) bool {
	for _, w := range p.parts {
		if w.source == source && w.whole() {
			return true
		}
	}
	return slices.ContainsFunc(p.works, func(w *work) bool { return w.source.Name() == source && !w.memory })
}

func (r *run) memorySource(name string) (holdfast.MemorySource, error) {
	if ms, ok := r.e.source(name).(holdfast.MemorySource); ok {
		return ms, nil
	}
	return nil, &holdfast.Error{Op: "restore memory of", Object: name, Err: holdfast.Kindf(holdfast.ErrRefused, "no Chroma source of this name is configured here"), Hint: "configure it, or get the files with --to DIR"}
}

// memoryInfo reads memory_info.json of a backup.
func memoryInfo(b *repo.Backup) (info holdfast.MemoryInfo, err error) {
	data, err := fs.ReadFile(b, holdfast.MemoryInfoFile)
	if err == nil {
		err = json.Unmarshal(data, &info)
	}
	if err != nil {
		return info, &holdfast.Error{Op: "read", Object: holdfast.MemoryInfoFile, Err: err}
	}
	return info, nil
}

// bySource groups the collections of a backup by the source they came from.
func bySource(info holdfast.MemoryInfo, m *holdfast.Metadata) map[string][]holdfast.MemoryCollection {
	groups := map[string][]holdfast.MemoryCollection{}
	for _, c := range info.Collections {
		source := c.Source
		for _, s := range m.Sources {
			if source == "" && s.Kind == holdfast.KindChroma {
				source = s.Name
			}
		}
		groups[source] = append(groups[source], c)
	}
	return groups
}

// planMemoryOnly plans to change nothing but the memory of a source.
func (r *run) planMemoryOnly(ctx context.Context, p *plan, b *repo.Backup, ms holdfast.MemorySource, collections []holdfast.MemoryCollection, req RestoreRequest) error {
	w, err := newWork(ms, ms.Target())
	if err != nil {
		return err
	}
	now, err := ms.Inspect(ctx, holdfast.InspectOptions{Counts: true})
	if err != nil {
		return err
	}
	if !now.Exists {
		return &holdfast.Error{Op: "restore memory of", Object: ms.Name(), Err: holdfast.Kindf(holdfast.ErrRefused, "%s does not exist yet", w.path), Hint: "restore the whole source with --only " + ms.Name()}
	}
	w.memory, w.bytes, w.acceptDamage = true, now.Bytes, req.Force
	w.fill = func(ctx context.Context, dir string) error {
		return r.fillMemory(ctx, ms, b, collections, dir)
	}
	return r.addTarget(ctx, p, w, sourceMetadata(b, ms.Name()))
}

func sourceMetadata(b *repo.Backup, name string) holdfast.SourceMetadata {
	for _, md := range b.Metadata().Sources {
		if md.Name == name {
			return md
		}
	}
	return holdfast.SourceMetadata{Name: name, Kind: holdfast.KindChroma}
}

// fillMemory fills a stage with a copy of the present state and puts the
// backup's memory into it.
func (r *run) fillMemory(ctx context.Context, ms holdfast.MemorySource, b *repo.Backup, collections []holdfast.MemoryCollection, dir string) error {
	if _, err := ms.Capture(ctx, &dirSink{fsys: r.e.o.FS, dir: dir}); err != nil {
		return fmt.Errorf("copy the present state: %w", err)
	}
	for _, c := range collections {
		if err := restoreCollection(ctx, ms, b, c, dir); err != nil {
			return &holdfast.Error{Op: "restore memory", Object: c.Name, Err: err}
		}
	}
	return durable.SyncTree(ctx, r.e.o.FS, dir)
}

func restoreCollection(ctx context.Context, ms holdfast.MemorySource, b *repo.Backup, c holdfast.MemoryCollection, dir string) (err error) {
	file := c.File
	if file == "" {
		file = holdfast.MemoriesFile
	}
	f, err := b.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return ms.RestoreMemory(ctx, dir, c, f)
}
