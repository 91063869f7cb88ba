// Package contents is the pages on which a backup is looked into: its tables and
// collections, their rows a page at a time, one row whole, and the rows that have a text.
// Nothing is restored for it, and of the backup only what is shown is read.
//
// Start from [Mount]. What is open is lent by the core's shelf, so that paging does not
// open the backup anew. What stands in the rows is what users and their clients wrote: all
// of it is escaped, set apart from the text around it, and cut where it is long; see
// [Visible].
//
// The files: model.go (what the pages show), value.go (values as text), short.go (long names), whole.go (a value as
// a file), words.go,
// view.templ (tables), rows.templ, row.templ, search.templ, handler.go (routes),
// search.go.
package contents

import (
	"net/url"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// A Place is what stands above every page: which backup is looked into, and what its
// reader may do.
type Place struct {
	Name holdfast.BackupName
	// From is the replica whose copy is looked into; empty: that of the repository.
	From       string
	MayRestore bool
}

// A Model is the tables of a backup.
type Model struct {
	Place
	Sources []Source
	// Failure is why nothing can be looked into.
	Failure *report.Error
}

// A Source is one source of the backup with some of its tables.
type Source struct {
	report.SourceContents
	// Failure is why this one cannot be looked into.
	Failure *report.Error
	// From is the place of the first table that is shown among all, and Total their
	// number.
	From, Total int
}

// Rows is a page of a table.
type Rows struct {
	Place
	Source string
	Table  holdfast.Table
	Rows   []holdfast.Row
	// After is the cursor at which the page begins, Next that of the next one.
	After, Next string
	Failure     *report.Error
}

// A Row is one row whole.
type Row struct {
	Place
	Source string
	Table  holdfast.Table
	Row    holdfast.Row
}

// Command is the command line that brings back this row alone.
func (m Row) Command() string {
	return report.RestoreRow(m.Name, m.Source, m.Table.Kind, m.Table.Name, m.Row.Key)
}

// Path is where a backup is looked into.
func Path(name holdfast.BackupName) string {
	return "/backups/" + url.PathEscape(string(name)) + "/contents"
}

// SearchPath is where a text is looked for in a backup.
func SearchPath(name holdfast.BackupName) string {
	return "/backups/" + url.PathEscape(string(name)) + "/search"
}

// RowsPath is the page of a table that begins after a cursor.
func RowsPath(name holdfast.BackupName, source, table, after string) string {
	q := url.Values{"table": {table}}
	if after != "" {
		q.Set("after", after)
	}
	return Path(name) + "/" + url.PathEscape(source) + "/rows?" + q.Encode()
}

// RowPath is the page of a row.
func RowPath(name holdfast.BackupName, source, table, key string) string {
	return Path(name) + "/" + url.PathEscape(source) + "/row?" + url.Values{"table": {table}, "key": {key}}.Encode()
}

// valuePath is where a value is to be had whole.
func (m Row) valuePath(field string) string {
	return Path(m.Name) + "/" + url.PathEscape(m.Source) + "/value?" + url.Values{"table": {m.Table.Name}, "key": {m.Row.Key}, "field": {field}}.Encode()
}

// RestorePath is the page on which a table is restored, or with keys some of its rows.
func RestorePath(name holdfast.BackupName, source, table string, keys ...string) string {
	q := url.Values{"source": {source}, "table": {table}}
	if len(keys) > 0 {
		q["row"] = keys
	}
	return "/backups/" + url.PathEscape(string(name)) + "/restore?" + q.Encode()
}

// sourcePath is the tables of a source from one on.
func sourcePath(name holdfast.BackupName, source string, from int) string {
	return Path(name) + "?" + url.Values{"source": {source}, "from": {number(from)}}.Encode()
}
