package details

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/nearest"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// A Model is what the page shows of one backup.
type Model struct {
	Name holdfast.BackupName
	// Show is what the backup says of itself. Of one that cannot be read it has no
	// metadata, and Backup.Error tells why.
	Show report.Show
	Jobs []job.Job // about it, the newest first
	// Deletion is the job that is about to delete it; empty: none is.
	Deletion string
	May      May
}

// May tells what the reader may do.
type May struct{ Restore, Admin bool }

// ReadOnly tells whether the reader may only look.
func (m May) ReadOnly() bool { return !m.Restore && !m.Admin }

// mayOf tells what a caller may do.
func mayOf(c access.Caller) May {
	return May{Restore: c.May(access.ScopeRestore), Admin: c.May(access.ScopeAdmin)}
}

// A FilesModel is what the page of the files shows.
type FilesModel struct {
	Name          holdfast.BackupName
	Sources       []string
	Source, After string // what was asked for
	Page          report.FilePage
}

// A MissingModel is what is said of a backup that is not there.
type MissingModel struct {
	Name string
	Near []report.Backup // which may have been meant
	Jobs []job.Job       // what was done with it, if it was there once
}

// Readable tells whether the backup tells of itself.
func (m Model) Readable() bool { return m.Show.Metadata != nil && m.Show.Backup.Error == "" }

// Here tells whether the repository itself has it.
func (m Model) Here() bool { return m.Show.From == "" }

// Path is the page of a backup.
func Path(name holdfast.BackupName) string { return "/backups/" + url.PathEscape(string(name)) }

// mostNear is how many names are suggested.
const mostNear = 3

// nearest3 gives the backups whose names are most like one, the likest first.
func nearest3(name string, all []report.Backup) (near []report.Backup) {
	left := map[string]report.Backup{}
	var names []string
	for _, b := range all {
		left[string(b.Name)] = b
		names = append(names, string(b.Name))
	}
	for len(near) < mostNear {
		best := nearest.To(name, names)
		if best == "" {
			break
		}
		near = append(near, left[best])
		names = without(names, best)
	}
	return near
}

func without(names []string, name string) (rest []string) {
	for _, n := range names {
		if n != name {
			rest = append(rest, n)
		}
	}
	return rest
}

// clipped bounds what is repeated of a name from outside.
func clipped(name string) string {
	const most = 200
	name = strings.ToValidUTF8(name, "")
	for len(name) > most {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name
}
