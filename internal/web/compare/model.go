// Package compare is the pages on which a backup is compared with another one, or with the
// present state: the tables that differ with their numbers, and on demand the rows with
// what they held before and after.
//
// Start from [Mount]. The pages grow while the comparison goes on, see site.Each. The
// present state is captured for it into a private directory, which needs the scope backup;
// nothing is changed anywhere.
//
// The files: model.go (what the pages show), words.go, view.templ (tables), rows.templ,
// handler.go (routes).
package compare

import (
	"net/url"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// A Model is the page of a comparison.
type Model struct {
	// Name is the backup that is compared: the older state.
	Name holdfast.BackupName
	// Others are the backups that it can be compared with.
	Others []report.Backup
	// With is the newer state: the name of a backup or [engine.Live]; empty: nobody has
	// chosen.
	With string
	// MayLive tells that the reader may have the present state captured, MayRestore that
	// he may restore.
	MayLive, MayRestore bool
}

// Live tells whether it is compared with the present state.
func (m Model) Live() bool { return m.With == engine.Live }

// Rows is the page of what differs in a table.
type Rows struct {
	Model
	Source, Table string
	Kind          holdfast.Kind // of the source
}

// An End is how a comparison ended.
type End struct {
	Result  *engine.DiffResult // nil: it did not come so far
	Failure *report.Error
}

// Path is where a backup is compared with another state; empty: with one to be chosen.
func Path(name holdfast.BackupName, with string) string {
	to := "/backups/" + url.PathEscape(string(name)) + "/compare"
	if with != "" {
		to += "?" + url.Values{"with": {with}}.Encode()
	}
	return to
}

// rowsPath is the page of what differs in a table.
func (m Model) rowsPath(source, table string) string {
	return "/backups/" + url.PathEscape(string(m.Name)) + "/compare/table?" + url.Values{"with": {m.With}, "source": {source}, "table": {table}}.Encode()
}
