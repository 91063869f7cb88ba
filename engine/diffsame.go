package engine

import (
	"path"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// Two files with one digest hold the same bytes, and two tables whose files are the same
// hold the same rows: what did not change between two backups need not be read to be
// compared.

// stored gives what a backup has of a source by the path in it; nil where the bytes are
// known by nothing but themselves.
func (l *Look) stored(source string) map[string]repo.File {
	if l.backup == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.digests == nil {
		l.digests = map[string]map[string]repo.File{}
		for _, f := range l.backup.Files() {
			if l.digests[f.Source] == nil {
				l.digests[f.Source] = map[string]repo.File{}
			}
			l.digests[f.Source][f.Path] = f
		}
	}
	return l.digests[source]
}

// sameBytes tells that a source has the same files with the same bytes in both states.
func (d *differ) sameBytes(source string) bool {
	a, b := d.a.stored(source), d.b.stored(source)
	if a == nil || b == nil || len(a) != len(b) {
		return false
	}
	for name, f := range a {
		g, both := b[name]
		if !both || !sameFile(f, g) {
			return false
		}
	}
	return true
}

func sameFile(f, g repo.File) bool {
	return f.Mode == g.Mode && f.Size == g.Size && f.Link == g.Link && f.Digest == g.Digest
}

// sameTable tells that a table which has files of its own has the same bytes in both
// states.
func (d *differ) sameTable(source string, a, b holdfast.Table) bool {
	if len(a.Files) == 0 || !slices.Equal(a.Files, b.Files) {
		return false
	}
	before, after := d.a.stored(source), d.b.stored(source)
	return !slices.ContainsFunc(a.Files, func(name string) bool {
		f, had := before[path.Join(source, name)]
		g, has := after[path.Join(source, name)]
		return !had || !has || f.Digest == "" || !sameFile(f, g)
	})
}
