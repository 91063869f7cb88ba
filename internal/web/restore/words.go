package restore

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/contents"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// A line is one thing of which the number changes.
type line struct {
	Name         string
	Memory       bool
	Path         string
	Unit         string // id of the sentence that counts it
	Exists, Gone bool   // that there is something now; that there will be nothing
	Undo         bool   // what comes is what was there before a restore
	Now, Then    *int64
	Keys         []string // the rows that it is about; none is all
}

// coming is the heading of what comes.
func (c line) coming() string {
	if c.Undo {
		return "restore.col.before"
	}
	return "restore.col.then"
}

// tone is that of the change: only what becomes less asks for attention.
func (c line) tone() ui.Tone {
	if c.Exists && (c.Gone || delta(c.Now, c.Then) == "less") {
		return ui.Warn
	}
	return ui.Calm
}

// words tell the change.
func (c line) words(p ui.Page) string {
	switch {
	case c.Gone:
		return p.L.T("restore.change.gone")
	case !c.Exists:
		return p.L.T("restore.change.new")
	}
	switch d := delta(c.Now, c.Then); d {
	case "less":
		return p.L.N("restore.change.less", *c.Now-*c.Then)
	case "more":
		return p.L.N("restore.change.more", *c.Then-*c.Now)
	case "same":
		return p.L.T("restore.change.same")
	}
	return p.L.T("restore.change.unknown")
}

// counted is the sentence that counts what a kind of source holds.
func counted(k holdfast.Kind) string {
	switch k {
	case holdfast.KindSQLite:
		return "restore.count.rows"
	case holdfast.KindFiles:
		return "restore.count.files"
	}
	return "restore.count.records"
}

// A fact is one thing that is worth knowing before.
type fact struct {
	Tone ui.Tone
	Text string
}

// facts are what a restore does beside changing numbers.
func facts(p ui.Page, m Model, plan Plan) (out []fact) {
	tell := func(tone ui.Tone, text string) { out = append(out, fact{tone, text}) }
	kept := !m.NoEmergency && !m.NoEmergencies
	switch {
	case !plan.Lost():
		tell(ui.Good, p.L.T("restore.fact.nothing_lost"))
	case kept && !m.Age().IsZero() && !m.Single():
		tell(ui.Warn, p.L.T("restore.fact.since", "age", locale.Said(ui.Relative(p, m.Age()))))
		tell(ui.Good, p.L.T("restore.fact.emergency"))
	case kept:
		tell(ui.Good, p.L.T("restore.fact.emergency"))
	case plan.Requests():
		tell(ui.Warn, p.L.T("restore.fact.no_emergency"))
	case m.NoEmergency:
		tell(ui.Warn, p.L.T("restore.fact.declined"))
	default:
		tell(ui.Warn, p.L.T("restore.fact.switched_off"))
	}
	if memory := m.memory(plan); memory != "" {
		tone := ui.Calm
		if memory == "standard" {
			tone = ui.Warn
		}
		tell(tone, p.L.T("restore.fact.memory_"+memory))
	}
	if m.Single() {
		tell(ui.Calm, p.L.T("restore.fact.only_this"))
	}
	switch {
	case plan.Requests() && m.OffersServer:
		tell(ui.Calm, p.L.T("restore.fact.server"))
	case plan.Requests():
		tell(ui.Calm, p.L.T("restore.fact.online"))
	case m.StopHook:
		tell(ui.Good, p.L.T("restore.fact.hooks"))
	case plan.Lost() && !m.Choice.Online:
		tell(ui.Calm, p.L.T("restore.fact.no_hooks"))
	}
	if m.Choice.Online {
		tell(ui.Calm, p.L.T("restore.fact.online"))
	}
	if m.Force && plan.InUse() {
		tell(ui.Warn, p.L.T("restore.fact.force"))
	}
	if plan.From != "" {
		tell(ui.Calm, p.L.T("restore.fact.replica", "name", plan.From))
	}
	if plan.Free != nil && kept && plan.Lost() {
		return append(out, fact{ui.Calm, p.L.T("restore.fact.bytes_free", "bytes", p.L.Bytes(plan.Bytes), "free", p.L.Bytes(*plan.Free))})
	}
	return append(out, fact{ui.Calm, p.L.T("restore.fact.bytes", "bytes", p.L.Bytes(plan.Bytes))})
}

// memory tells what happens to the memory: back, standard (it is skipped, since the
// assistant here takes none), unasked; empty where there is none.
func (m Model) memory(plan Plan) string {
	switch {
	case !m.Backup.IncludesMemory, m.Single():
		return ""
	case plan.Memory == "restore":
		return "back"
	}
	for _, part := range m.Parts {
		if part.IsMemory() && part.Missing == "standard" {
			return "standard"
		}
	}
	return "unasked"
}

// handles are the processes that have targets open, each once.
func handles(targets []report.Target) (out []engine.Handle) {
	seen := map[int]bool{}
	for _, t := range targets {
		for _, h := range t.Handles {
			if !seen[h.PID] {
				seen[h.PID] = true
				out = append(out, h)
			}
		}
	}
	return out
}

// id is the number of a process, which is no quantity.
func id(pid int) string { return strconv.Itoa(pid) }

func escaped(name holdfast.BackupName) string { return url.PathEscape(name.String()) }

// onlyThis is the page with one part chosen.
func onlyThis(m Model, part string) string {
	return path(m.Backup.Name) + "?" + url.Values{"chosen": {"true"}, "part": {part}, "show": {"true"}}.Encode()
}

// wrongName is the error beside a name that was typed wrong.
func wrongName(p ui.Page, wrong bool) string {
	if !wrong {
		return ""
	}
	return p.L.T("restore.wrong_name")
}

// unaccepted is the error at the box that accepts losses, which names what is concerned.
func unaccepted(p ui.Page, m Model, losses []holdfast.Problem) string {
	if !m.Unaccepted {
		return ""
	}
	var names []string
	for _, l := range losses {
		if name := cmp.Or(l.Object, l.Source); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > mostLost {
		return p.L.N("restore.losses.unaccepted.many", int64(len(names)))
	}
	return p.L.T("restore.losses.unaccepted", "names", locale.Said(p.L.List(names)))
}

// undoFacts are what a rollback does beside changing numbers.
func undoFacts(p ui.Page, m Rollback) (out []fact) {
	tell := func(tone ui.Tone, text string) { out = append(out, fact{tone, text}) }
	from := map[string]bool{}
	exists, held := false, false
	for _, t := range m.Plan.Targets {
		from[t.From] = true
		exists, held = exists || t.Exists, held || len(t.Handles) > 0
	}
	if from[engine.FromEmergency] && m.Plan.Undoable {
		tell(ui.Good, p.L.T("restore.fact.from_emergency"))
	}
	if from[engine.FromAside] {
		tell(ui.Good, p.L.T("restore.fact.from_aside"))
	}
	if from[engine.FromNothing] {
		tell(ui.Warn, p.L.T("restore.fact.from_nothing"))
	}
	if exists {
		tell(ui.Warn, p.L.T("restore.fact.since_restore", "age", locale.Said(ui.Relative(p, m.Plan.Last.At.Time))))
	}
	if held {
		tell(ui.Warn, p.L.T("restore.fact.held"))
	}
	for _, t := range m.Plan.Targets {
		if t.Parts == nil {
			continue
		}
		tell(ui.Calm, p.L.T("restore.fact.only_this"))
		if t.Kind == holdfast.KindSQLite {
			tell(ui.Calm, p.L.T("restore.fact.online"))
		} else {
			tell(ui.Calm, p.L.T("restore.fact.server"))
		}
	}
	return append(out, fact{ui.Calm, p.L.T("restore.fact.bytes", "bytes", p.L.Bytes(m.Plan.Bytes))})
}

// mostNamed is how many rows a page names that are restored, mostLost how many things that
// lose something, mostChanges how many tables
// that change or stay.
const (
	mostNamed   = 10
	mostLost    = 3
	mostChanges = 100
)

// partLines are what becomes of the tables of a store that is changed by requests.
func partLines(t report.Target) (out []line) {
	if t.Parts == nil {
		return nil
	}
	for _, c := range t.Parts.Changes[:min(len(t.Parts.Changes), mostChanges)] {
		out = append(out, line{
			Name: contents.Short(contents.LastName(c.Table)), Path: t.Source + "/" + contents.Short(c.Table), Unit: counted(t.Kind),
			Exists: c.Action != holdfast.PartCreate, Gone: c.Action == holdfast.PartRemove, Now: c.Now, Then: c.Then,
		})
	}
	return out
}

// rowNames names rows in one line, the first of many.
func rowNames(p ui.Page, keys []string) string {
	var names []string
	for _, key := range keys[:min(len(keys), mostNamed)] {
		names = append(names, contents.KeyText(key))
	}
	text := p.L.List(names)
	if more := len(keys) - mostNamed; more > 0 {
		text += " " + p.L.N("restore.more", int64(more))
	}
	return text
}

// undoneLines are those of a rollback, with the rows that come back.
func undoneLines(t report.RollbackTarget) []line {
	lines := partLines(report.Target{Source: t.Source, Kind: t.Kind, Parts: t.Parts})
	for i := range lines {
		lines[i].Undo = true
		for _, part := range t.Wanted {
			if part.Table == t.Parts.Changes[i].Table {
				lines[i].Keys = part.Keys
			}
		}
	}
	return lines
}

// unchosen says why there is nothing to restore.
func unchosen(p ui.Page, m Model) string {
	for _, part := range m.Parts {
		if m.Single() && part.Name == m.Choice.Source && part.Missing != "" {
			return p.L.T("restore.missing." + part.Missing)
		}
	}
	return p.L.T("restore.unchosen")
}
