package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

const (
	messageNoMemory = "the memory collection does not exist, so its records are not in this backup"
	hintNoMemory    = "check the name given with --memory-collection; a new assistant makes it with its first memory"
)

// isMemoryProblem tells whether a problem is only about the export of memory:
// the source itself was captured whole.
func isMemoryProblem(p holdfast.Problem) bool { return p.Message == messageNoMemory }

// exportMemory writes the records of every configured collection, read from
// the captured copy, and their statistics.
func (b *backup) exportMemory(ctx context.Context) (string, error) {
	info := holdfast.MemoryInfo{Collections: []holdfast.MemoryCollection{}}
	for _, s := range b.sources {
		ms, ok := s.(holdfast.MemorySource)
		if !ok {
			continue
		}
		for _, name := range ms.MemoryCollections() {
			file := memoryFile(name, info.Collections)
			c, kept, err := b.keepMemory(ctx, ms, name, file)
			if err == nil && !kept {
				c, err = b.exportCollection(ctx, ms, name, file)
			}
			if errors.Is(err, holdfast.ErrNotFound) {
				b.add(holdfast.Problem{Source: s.Name(), Object: "collection " + name, Severity: holdfast.Incomplete, Message: messageNoMemory, Hint: hintNoMemory})
				continue
			}
			if b.blamesBase(err) {
				return "", &baseError{base: b.form.Base, err: err}
			}
			if err != nil {
				return "", &holdfast.Error{Op: "export memory", Object: name, Err: err}
			}
			c.Source, c.File = s.Name(), file
			info.Collections = append(info.Collections, c)
			info.TotalMemories += c.Records
			b.remember(s.Name(), name)
		}
	}
	err := b.pending.WriteFile(holdfast.MemoryInfoFile, func(w io.Writer) error { return writeJSON(w, info) })
	return fmt.Sprintf("%d memories", info.TotalMemories), err
}

func (b *backup) exportCollection(ctx context.Context, ms holdfast.MemorySource, collection, file string) (c holdfast.MemoryCollection, err error) {
	sub, err := fs.Sub(b.pending.FS(), ms.Name())
	if err != nil {
		return c, err
	}
	err = b.pending.WriteFile(file, func(w io.Writer) (err error) {
		c, err = ms.ExportMemory(ctx, sub, collection, w)
		return err
	})
	return c, err
}

// remember notes in the metadata of a source which collections were exported.
func (b *backup) remember(source, collection string) {
	for i := range b.captured {
		if b.captured[i].Name == source {
			b.captured[i].Memory = append(b.captured[i].Memory, collection)
		}
	}
}

// memoryFile is where the records of a collection lie in a backup: the
// manual's place for the first, a file of its own name for further ones.
func memoryFile(collection string, before []holdfast.MemoryCollection) string {
	if len(before) == 0 {
		return holdfast.MemoriesFile
	}
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r < ' ' {
			return '_'
		}
		return r
	}, strings.TrimLeft(collection, "."))
	file := holdfast.MemoryDir + "/" + name + ".json"
	for i := 2; slices.ContainsFunc(before, func(c holdfast.MemoryCollection) bool { return strings.EqualFold(c.File, file) }); i++ {
		file = fmt.Sprintf("%s/%s_%d.json", holdfast.MemoryDir, name, i)
	}
	return file
}
