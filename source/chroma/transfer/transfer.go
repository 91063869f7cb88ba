// Package transfer brings a copy of a Chroma source, whole or in parts, into a running
// server by requests, while the server's clients go on.
//
// Start from [Plan], which compares and changes nothing, [Apply], which does it or
// leaves the server as it was, and [Settle], which decides by looking at the server
// what became of an Apply that was cut.
//
// # How a collection is replaced
//
// A collection NAME is made anew beside the one that is there, as
// NAME-restore-STAMP: created with its configuration, filled in the order of the copy,
// read back and compared record by record, and searched in. When every collection of
// the restore stands so, each takes its name by two requests, directly one after the
// other: what was there becomes NAME-old-STAMP, the new one NAME. Between the two
// nobody has the name; a client that looks it up in that moment has to look again. What
// was replaced is dropped only when it still is what the emergency backup holds: a
// client that remembered its id may have written to it in the meantime.
//
// # How single records are restored
//
// The records that are there are first copied to a collection NAME-old-STAMP, from which they
// come back if anything fails, even if this program never runs again. Then the records
// of the copy take their place, and are read back.
//
// # What servers do behind one's back
//
// An upsert merges metadata and keeps the document; adding an id that exists does nothing and
// says so to nobody; new records of some servers inherit arrays of deleted ones; a
// metadata key that begins with "chroma:" stops the server's writer for good. The
// tests of this package show each on real servers. Hence the rule here: nothing counts
// that has not been read back.
package transfer

import (
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast/source/chroma/api"
)

// A Target is the running server that takes a copy in.
type Target struct {
	API *api.Client
	// Tenants and Databases are what the source looks after: what a part that names
	// everything is taken to mean, and where a collection is looked for of which only
	// the name is given. No tenants is the default one, no databases are all of them.
	Tenants   []string
	Databases []string
	Logger    *slog.Logger // nil: nowhere
}

const (
	defaultTenant   = api.DefaultTenant
	defaultDatabase = api.DefaultDatabase
)

// tenants are the tenants that the target looks after.
func (t Target) tenants() []string {
	if len(t.Tenants) == 0 {
		return []string{defaultTenant}
	}
	return t.Tenants
}

func (t Target) logger() *slog.Logger {
	if t.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return t.Logger
}

// cleanupTime bounds what is done after a restore was given up: putting everything
// back takes a few requests for each collection.
const cleanupTime = 10 * time.Minute

// A place names a collection of a server.
type place struct {
	Tenant   string `json:"tenant"`
	Database string `json:"database"`
	Name     string `json:"name"`
}

// table is what the place is called in a Part: each element as one of a path.
func (p place) table() string {
	return url.PathEscape(p.Tenant) + "/" + url.PathEscape(p.Database) + "/" + url.PathEscape(p.Name)
}

// String names the place for people: the default tenant and database go without saying.
func (p place) String() string {
	switch {
	case p.Tenant != defaultTenant:
		return p.Tenant + "/" + p.Database + "/" + p.Name
	case p.Database != defaultDatabase:
		return p.Database + "/" + p.Name
	}
	return p.Name
}

func placeOf(c api.Collection) place { return place{c.Tenant, c.Database, c.Name} }

// elements takes the name of a table apart. An element that is no escape is itself.
func elements(table string) []string {
	parts := strings.Split(table, "/")
	for i, p := range parts {
		if plain, err := url.PathUnescape(p); err == nil {
			parts[i] = plain
		}
	}
	return parts
}
