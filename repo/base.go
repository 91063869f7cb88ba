package repo

import (
	"context"

	"github.com/holdfast-backup/holdfast"
)

// Base tells which backup the next one can be based on: the last that was made
// with Remember from this machine, if it is still there as it was. Without one
// the name is empty and why says why, in a few words.
func (r *Repository) Base(context.Context) (name holdfast.BackupName, why string, err error) {
	return "", "nothing is remembered of an earlier backup", nil
}

// Unchanged tells whether everything captured from a source is, byte for byte,
// what the base has for it.
func (p *Pending) Unchanged(string) bool { return false }
