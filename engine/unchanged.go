package engine

import (
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
// byte; nil if not.
func (b *backup) unchanged(s holdfast.Source) *holdfast.SourceMetadata {
	if b.base == nil || !b.pending.Unchanged(s.Name()) {
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
