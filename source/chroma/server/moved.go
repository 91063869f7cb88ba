package server

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
)

// mostMoved bounds the collections that are named as moved.
const mostMoved = 100

// tellMoved gives what had moved at the last look, the most first.
func (c *capture) tellMoved() []holdfast.ChromaMoved {
	moved := slices.DeleteFunc(c.moved, func(m holdfast.ChromaMoved) bool { return m.Collection == "" })
	slices.SortFunc(moved, func(a, b holdfast.ChromaMoved) int {
		return cmp.Or(
			cmp.Compare(b.Added+b.Changed+b.Removed, a.Added+a.Changed+a.Removed),
			cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Database, b.Database), cmp.Compare(a.Collection, b.Collection))
	})
	return moved[:min(len(moved), mostMoved)]
}

// fuzzy is the problem of a capture that is of no one instant. Nothing is missing: it
// is told, and the backup stands.
func (c *capture) fuzzy(s *holdfast.ChromaServer) holdfast.Problem {
	var added, changed, removed int64
	for _, m := range c.moved {
		added, changed, removed = added+m.Added, changed+m.Changed, removed+m.Removed
	}
	return holdfast.Problem{
		Source: c.name, Object: c.Target().Path, Severity: holdfast.Warning,
		Message: fmt.Sprintf("the capture is fuzzy: the server was written to all the time, and each record is as it was at some moment of %v (at the last look %d records added, %d changed, %d removed since the one before)",
			s.Ended.Sub(s.Began.Time).Round(time.Millisecond), added, changed, removed),
		Hint: "back up when less is written, or back up the server's directory (path in place of url), which gives one instant under any load",
	}
}

// problems are the records of a collection that could not be read whole.
func (k known) problems(at address) []holdfast.Problem {
	var out []holdfast.Problem
	for _, l := range k.lost {
		p := holdfast.Problem{
			Object: fmt.Sprintf("collection %s, record %.60q", label(at), l.id), Severity: holdfast.Incomplete,
			Message: "the server cannot give its embedding; it is kept without: " + l.why,
			Hint:    "add the record again with its embedding",
		}
		if !l.embedding {
			p.Message = "some of its metadata has no place in a backup; it is kept without: " + l.why
			p.Hint = "back up the server's directory (path in place of url), which keeps its files as they are"
		}
		out = append(out, p)
	}
	if k.lostMore > 0 {
		out = append(out, holdfast.Problem{
			Object: "collection " + label(at), Severity: holdfast.Incomplete,
			Message: fmt.Sprintf("the server cannot give %d more records whole; they are kept without what is missing", k.lostMore),
			Hint:    "add the records again",
		})
	}
	return out
}

// label names a collection for people.
func label(at address) string {
	if at.tenant == api.DefaultTenant && at.database == api.DefaultDatabase {
		return at.name
	}
	return at.tenant + "/" + at.database + "/" + at.name
}

func compareAddresses(a, b address) int {
	return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.database, b.database), cmp.Compare(a.name, b.name))
}

func sameDatabase(a, b api.Database) bool { return a.Tenant == b.Tenant && a.Name == b.Name }
