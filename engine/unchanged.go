package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/holdfast-backup/holdfast"
)

// checkOf gives what the base's check found in a source that has not changed
// since, byte for byte; false if it has to be made (again): the base is not
// known, its check found something or would now come further.
//
// A source in which something was found is checked each time: what the capture
// told of it then is not told apart from what the check did.
func (b *backup) checkOf(s holdfast.Source) (holdfast.Facts, bool) {
	md := b.unchanged(s)
	if md == nil {
		return holdfast.Facts{}, false
	}
	for _, p := range b.base.Problems {
		if p.Source == s.Name() {
			return holdfast.Facts{}, false
		}
	}
	budget := holdfast.CheckOptions{Budget: b.e.o.Settings.CheckBudget}
	return md.Facts, checked(md.Facts) || budget.Hopeless(md.LogicalBytes)
}

// unchanged gives what the base says of a source if that is still true of every
// byte; nil if not, or if another holdfast said it, which may have known less.
func (b *backup) unchanged(s holdfast.Source) *holdfast.SourceMetadata {
	if b.base == nil || b.base.ToolVersion != b.e.o.ToolVersion || !b.pending.Unchanged(s.Name()) {
		return nil
	}
	for i := range b.base.Sources {
		if md := &b.base.Sources[i]; md.Name == s.Name() && md.Kind == s.Kind() {
			return md
		}
	}
	return nil
}

// checked tells whether the check behind some facts came to its end.
func checked(f holdfast.Facts) bool {
	switch {
	case f.SQLite != nil:
		return f.SQLite.QuickCheck == holdfast.CheckOK && f.SQLite.Rows != nil
	case f.Chroma != nil:
		return f.Chroma.QuickCheck == holdfast.CheckOK
	}
	return f.Files != nil
}

// keepMemory takes over from the base what was exported of a collection, if
// the source has not changed since; false if it has to be exported.
func (b *backup) keepMemory(ctx context.Context, ms holdfast.MemorySource, collection, file string) (c holdfast.MemoryCollection, kept bool, err error) {
	md := b.unchanged(ms)
	if md == nil || !slices.Contains(md.Memory, collection) {
		return c, false, nil
	}
	known, err := b.baseMemory(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return c, false, context.Cause(ctx)
		}
		b.log.Info("the memory is exported again: that of the base cannot be read", keyBackup, b.base.BackupName, keyError, err)
		return c, false, nil
	}
	i := slices.IndexFunc(known, func(k holdfast.MemoryCollection) bool {
		return k.Source == ms.Name() && k.Name == collection && k.File == file
	})
	if i < 0 {
		return c, false, nil
	}
	kept, err = b.pending.Keep(file)
	return known[i], kept, err
}

// maxMemoryInfo bounds memory_info.json, which has a few lines for each
// collection.
const maxMemoryInfo = 16 << 20

// baseMemory reads the statistics of the memory in the base.
func (b *backup) baseMemory(ctx context.Context) (_ []holdfast.MemoryCollection, err error) {
	from, err := b.repository.Backup(ctx, b.base.BackupName)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	f, err := from.Open(holdfast.MemoryInfoFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && info.Size() > maxMemoryInfo {
		err = errors.New("it is too large")
	}
	if err != nil {
		return nil, err
	}
	var memory holdfast.MemoryInfo
	err = json.NewDecoder(f).Decode(&memory)
	return memory.Collections, err
}
