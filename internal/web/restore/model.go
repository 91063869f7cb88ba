// Package restore is the pages on which data is brought back: a restore with what it
// would change, the rollback of the last one, and what is left of one that was cut.
//
// Start from [Mount]. [Build] makes the model of a restore of the list of backups and
// the settings; what would change is asked of package operation, by itself when the page
// is open, since reading a plan can take seconds. Nothing is begun before the exact name
// was typed; the server looks at it, whatever the browser did.
package restore

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// memoryPart is the name that chooses the memory of an assistant.
const memoryPart = "memory"

// A Model is what the page of a restore shows.
type Model struct {
	Backup report.Backup
	// Newer is how many backups were made after this one.
	Newer int
	Parts []Part
	Choice
	// Online tells that there is a SQLite database here, which can be written to while
	// it is open.
	OffersOnline bool
	// OffersServer tells that what is chosen goes into a running server, the plan of which
	// tells what it cannot keep. OffersLosses tells that something else might be lost, which
	// only the restore itself finds: the rows that a row refers to, or what the server that
	// makes a directory cannot keep.
	OffersServer, OffersLosses bool
	// NoEmergencies tells that the settings switch emergency backups off.
	NoEmergencies bool
	// Hooks tell whether the application is stopped and started around the swap.
	StopHook, StartHook bool
	// Plan is what would change; nil: nobody has asked yet.
	Plan *Plan
	// Key makes a second click the same restore as the first.
	Key string
	// WrongName tells that what was typed is not the name; Unchosen, that there is no
	// part to restore.
	WrongName, Unchosen bool
	// Unaccepted tells that something would be lost, and that nobody has accepted it.
	Unaccepted bool
	// ReadOnly tells that the reader may look and not restore.
	ReadOnly bool
	// Busy is the job of a restore that is at work; empty: none is.
	Busy string
}

// A Choice is what the reader has chosen.
type Choice struct {
	Only                       []string // nil: everything
	NoEmergency, Force, Online bool
	Typed                      string
	// Source and Table name the one table or collection that is wanted, Rows those of its
	// rows that are; none is all of it. As is the name that it gets; empty: its own.
	Source, Table, As string
	Rows              []string
	// AcceptLosses goes on although a running server cannot keep all of what comes,
	// KeepReplaced keeps there what is replaced.
	AcceptLosses, KeepReplaced bool
}

// Single tells whether just one table, or some of its rows, is wanted.
func (c Choice) Single() bool { return c.Table != "" }

// A Part is one thing that can be restored by itself.
type Part struct {
	Name    string
	Kind    holdfast.Kind // empty: the memory
	Records *int64
	Bytes   int64
	Chosen  bool
	// Missing says why it cannot be restored here: unconfigured, kind (it is another
	// kind of source here), standard (the assistant takes no memory).
	Missing string
}

// IsMemory tells the memory of an assistant from sources.
func (p Part) IsMemory() bool { return p.Kind == "" }

// A Plan is what would change, or why nothing can.
type Plan struct {
	report.RestorePlan
	// Failure is why there is no plan, or why it cannot be carried out.
	Failure *report.Error
	// Free is the room in the repository, for the emergency backup; nil: nobody knows.
	Free *int64
}

// Usable tells whether a restore can be begun.
func (m Model) Usable() bool {
	return m.Backup.Error == "" && len(m.Parts) > 0 && m.Busy == "" && !m.ReadOnly
}

// Asks tells that nothing but losses, which nobody has accepted, is in the way.
func (p Plan) Asks() bool {
	return p.Failure != nil && p.Failure.Cause == holdfast.CauseLosses && len(p.Losses()) > 0
}

// Lost tells whether a restore takes anything away: there is something at a target.
func (p Plan) Lost() bool {
	return slices.ContainsFunc(p.Targets, func(t report.Target) bool { return t.Exists })
}

// InUse tells whether a process has a target open.
func (p Plan) InUse() bool {
	return slices.ContainsFunc(p.Targets, func(t report.Target) bool { return len(t.Handles) > 0 })
}

// Build makes the model of a restore of one of the backups.
func Build(c *config.Config, all []report.Backup, name string, choice Choice) (Model, error) {
	at := slices.IndexFunc(all, func(b report.Backup) bool { return b.Name.String() == name })
	if at < 0 {
		return Model{}, &holdfast.Error{Op: "restore", Object: name, Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no such backup"), Hint: "the list of backups has it"}
	}
	b := all[at]
	m := Model{
		Backup: b, Newer: newer(all, b), Choice: choice, NoEmergencies: !c.Emergency.Enabled,
		StopHook: c.Hooks.Stop != "", StartHook: c.Hooks.Start != "",
	}
	for _, s := range b.Sources {
		p := Part{Name: s.Name, Kind: s.Kind, Records: s.Records, Bytes: s.Bytes, Missing: missing(c, s)}
		m.OffersOnline = m.OffersOnline || p.Missing == "" && s.Kind == holdfast.KindSQLite
		m.Parts = append(m.Parts, p)
	}
	if b.IncludesMemory {
		m.Parts = append(m.Parts, Part{Name: memoryPart, Missing: missingMemory(c, b)})
	}
	for i, p := range m.Parts {
		wanted := choice.Only == nil || slices.Contains(choice.Only, p.Name)
		if choice.Single() {
			wanted = p.Name == choice.Source && !p.IsMemory()
		}
		m.Parts[i].Chosen = p.Missing == "" && wanted
		if m.Parts[i].Chosen {
			m.offer(c, b, p)
		}
	}
	if choice.Single() && !slices.ContainsFunc(m.Parts, func(p Part) bool { return p.Name == choice.Source }) {
		return Model{}, &holdfast.Error{Op: "restore", Object: name + ": " + choice.Source, Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no such source in it"), Hint: "look inside the backup to see its sources"}
	}
	m.Unchosen = !slices.ContainsFunc(m.Parts, func(p Part) bool { return p.Chosen })
	return m, nil
}

// offer finds out what has to be asked about a part.
func (m *Model) offer(c *config.Config, b report.Backup, p Part) {
	if p.IsMemory() {
		m.OffersServer = m.OffersServer || slices.ContainsFunc(b.Sources, func(s report.BackupSource) bool { return running(c, s.Name) })
		return
	}
	made := slices.ContainsFunc(b.Sources, func(s report.BackupSource) bool { return s.Name == p.Name && s.Consistency != "" })
	switch {
	case running(c, p.Name):
		m.OffersServer = true
	case m.Single() && p.Kind == holdfast.KindSQLite, made:
		m.OffersLosses = true
	}
}

// running tells whether a source is a server that is reached by requests alone.
func running(c *config.Config, name string) bool {
	return slices.ContainsFunc(c.Sources, func(s config.Source) bool { return s.Name == name && s.Server != nil })
}

// newer counts the backups that were made after one.
func newer(all []report.Backup, b report.Backup) (n int) {
	for _, other := range all {
		if b.CreatedAt != nil && other.CreatedAt != nil && other.CreatedAt.After(b.CreatedAt.Time) {
			n++
		}
	}
	return n
}

// missing says why a source of a backup cannot be restored here.
func missing(c *config.Config, s report.BackupSource) string {
	at := slices.IndexFunc(c.Sources, func(o config.Source) bool { return o.Name == s.Name })
	switch {
	case at < 0:
		return "unconfigured"
	case c.Sources[at].Kind != s.Kind:
		return "kind"
	}
	return ""
}

// missingMemory says why the memory of a backup cannot be restored here.
func missingMemory(c *config.Config, b report.Backup) string {
	why := "unconfigured"
	for _, s := range c.Sources {
		ours := slices.ContainsFunc(b.Sources, func(o report.BackupSource) bool { return o.Name == s.Name && o.Kind == s.Kind })
		switch {
		case s.Kind != holdfast.KindChroma || !ours:
		case s.RAGMode == config.RAGEnhanced:
			return ""
		default:
			why = "standard"
		}
	}
	return why
}

// Request is what the engine is asked for.
func (m Model) Request() operation.RestoreRequest {
	q := operation.RestoreRequest{
		Name: m.Backup.Name.String(), NoEmergency: m.NoEmergency, Force: m.Force, Online: m.Choice.Online,
		AcceptLosses: m.AcceptLosses, KeepReplaced: m.KeepReplaced,
	}
	if m.Single() {
		q.Parts = map[string][]holdfast.Part{m.Choice.Source: {{Table: m.Table, Keys: m.Rows, As: m.As}}}
	} else {
		q.Only = m.sources()
	}
	return q
}

// sources are the parts that were chosen; none: everything. The memory lies in its database
// and comes with that.
func (m Model) sources() (only []string) {
	whole := true
	for _, p := range m.Parts {
		if p.Chosen {
			only = append(only, p.Name)
		} else {
			whole = false
		}
	}
	if whole {
		return nil
	}
	return only
}

// Command is the command line that does the same.
func (m Model) Command() string {
	words := []string{"holdfast", "restore", m.Backup.Name.String()}
	if m.Single() {
		words = append(words, m.singleFlags()...)
	} else {
		for _, part := range m.sources() {
			words = append(words, "--only", part)
		}
	}
	for _, o := range []struct {
		on   bool
		flag string
	}{
		{m.NoEmergency, "--no-emergency"},
		{m.Force, "--force"},
		{m.Choice.Online, "--online"},
		{m.AcceptLosses, "--accept-losses"},
		{m.KeepReplaced, "--keep-replaced"},
	} {
		if o.on {
			words = append(words, o.flag)
		}
	}
	for i, w := range words {
		words[i] = report.Quoted(w)
	}
	return strings.Join(words, " ")
}

// singleFlags name the one table, and its rows.
func (m Model) singleFlags() []string {
	flag := "table"
	for _, p := range m.Parts {
		if p.Name == m.Choice.Source && p.Kind == holdfast.KindChroma {
			flag = "collection"
		}
	}
	table := m.Table
	if m.As != "" {
		table += "=" + m.As
	}
	words := []string{"--only", m.Choice.Source, "--" + flag + "=" + table}
	for _, key := range m.Rows {
		words = append(words, "--id="+key)
	}
	return words
}

// planned makes the plan of what the engine said.
func planned(p report.RestorePlan, err error) *Plan {
	out := &Plan{RestorePlan: p, Failure: p.Refused}
	if err != nil {
		told := report.NewError("restore", holdfast.ExitCode(err), err)
		out.Failure = &told
	}
	return out
}

// Age is when the data of the backup was captured; zero: nobody knows.
func (m Model) Age() time.Time {
	if m.Backup.CreatedAt == nil {
		return time.Time{}
	}
	return m.Backup.CreatedAt.Time
}

// Damaged gives what is known to be wrong with the data in the backup.
func (m Model) Damaged() (found []holdfast.Problem) {
	for _, p := range m.Backup.Problems {
		if p.Severity != holdfast.Warning {
			found = append(found, p)
		}
	}
	return found
}

// locked tells whether another restore is at work.
func locked(err error) bool { return errors.Is(err, holdfast.ErrLocked) }

// delta tells how a number changes: less, more, same, or unknown.
func delta(now, then *int64) string {
	if now == nil || then == nil {
		return "unknown"
	}
	return map[int]string{-1: "less", 0: "same", 1: "more"}[cmp.Compare(*then, *now)]
}
