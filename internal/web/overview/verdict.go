package overview

import (
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// A Verdict is how safe the data is, with what a sentence needs.
type Verdict struct {
	Code string // of package report
	Tone ui.Tone
	// Source is the one that it is about, Backup the one that it names, Program the
	// process; each may be empty.
	Source  string
	Backup  holdfast.BackupName
	Program int
	// At is when the oldest of the newest backups was made, or what else the sentence
	// tells of began; Proven when a backup was last proven. Both may be unknown.
	At, Proven time.Time
	// Unreadable: the source is there and cannot be read; Nothing: none is configured.
	Unreadable, Nothing bool
	// Attention counts the alarms that stand although the data is safe.
	Attention int
	// Reason and Hint are the engine's own words, where they say more.
	Reason, Hint string
	Actions      []Action
	// Withheld tells that there is something to do that the reader may not.
	Withheld bool
}

// An Action is a button of the verdict.
type Action struct {
	Label string // id of its words
	// Post is where a form is sent; Link is where it leads. One of them is set.
	Post, Link string
	Primary    bool
}

// tones of the verdicts; what is not named is bad.
var tones = map[string]ui.Tone{
	report.Safe: ui.Good, report.Unproven: ui.Warn, report.Held: ui.Warn, report.Stale: ui.Warn,
	report.Divided: ui.Warn, report.Cut: ui.Warn,
}

// judge finds what the verdict of the report needs to be said, and what can be done.
func judge(s report.Status, backups []report.Backup, may Rights) Verdict {
	v := Verdict{Code: s.Verdict, Tone: ui.Bad}
	if tone, ok := tones[s.Verdict]; ok {
		v.Tone = tone
	}
	oldest := oldestOf(s.Sources)
	if oldest != nil {
		v.Source, v.Backup, v.At = oldest.Name, oldest.LastBackup, oldest.LastAt.Time
	}
	if at := s.Repository.ProvenAt; at != nil {
		v.Proven = at.Time
	}
	w := wish{v: &v, may: may}
	switch s.Verdict {
	case report.Safe:
		w.backup(true)
	case report.Unproven:
		w.verify(v.Backup)
		w.backup(false)
	case report.Never:
		v.aboutNever(s)
		if v.Nothing {
			v.Tone = ui.Warn
			w.link(true, "overview.do.settings", "/settings", true)
		} else {
			w.backup(true)
		}
	case report.Stale, report.Lost:
		w.backup(true)
		w.link(true, "overview.do.activity", "/activity", false)
	case report.Damaged:
		v.Reason, v.Hint, v.Backup = s.Message, s.Hint, newestBad(backups)
		w.post(may.Restore, "overview.do.verify_all", "/verify", true)
		w.backup(false)
		if v.Backup != "" {
			w.link(true, "overview.do.show", backupPath(v.Backup, ""), false)
		}
	case report.Missing:
		v.aboutMissing(s)
		if v.Backup != "" {
			w.link(may.Restore, "overview.do.restore", backupPath(v.Backup, "/restore"), true)
		}
		w.link(true, "overview.do.settings", "/settings", false)
	case report.Cut:
		if s.Pending != nil {
			v.Backup, v.At = s.Pending.Backup, s.Pending.Begun.Time
		}
		w.link(may.Restore, "overview.do.recover", "/recover", true)
		if name := newestEmergency(backups); name != "" {
			w.link(true, "overview.do.emergency", backupPath(name, ""), false)
		}
	case report.Held:
		if s.Hold != nil {
			v.Reason = s.Hold.Message
		}
		w.post(may.Admin, "overview.do.confirm", "/hold/confirm", true)
		w.link(true, "overview.do.compare", "/backups", false)
	case report.Unreachable:
		v.Reason, v.Hint = s.Repository.Error, s.Hint
		w.link(true, "overview.do.again", "/", true)
		w.link(true, "overview.do.settings", "/settings", false)
	case report.Degraded, report.Failing, report.Divided:
		v.aboutProgram(s)
		w.link(true, "overview.do.programs", "#programs", true)
		w.backup(false)
	}
	return v
}

// A wish adds actions that the reader may do, and notes those that he may not.
type wish struct {
	v   *Verdict
	may Rights
}

func (w wish) add(may bool, a Action) {
	if !may {
		w.v.Withheld = true
		return
	}
	w.v.Actions = append(w.v.Actions, a)
}

func (w wish) post(may bool, label, path string, primary bool) {
	w.add(may, Action{Label: label, Post: path, Primary: primary})
}

func (w wish) link(may bool, label, path string, primary bool) {
	w.add(may, Action{Label: label, Link: path, Primary: primary})
}

// quickPath makes a backup without a question.
const quickPath = "/quick"

func (w wish) backup(primary bool) {
	w.post(w.may.Backup, "overview.do.backup", quickPath, primary)
	if w.may.Backup {
		w.link(true, "overview.do.enhanced", "/new", false)
	}
}

func (w wish) verify(name holdfast.BackupName) {
	w.post(w.may.Restore, "overview.do.verify", backupPath(name, "/verify"), true)
}

// backupPath is where a backup is shown, or something is done with it.
func backupPath(name holdfast.BackupName, verb string) string {
	return "/backups/" + pathEscape(name.String()) + verb
}

// aboutNever finds the source that no backup holds.
func (v *Verdict) aboutNever(s report.Status) {
	v.Nothing = len(s.Sources) == 0
	for _, source := range s.Sources {
		if source.LastAt == nil {
			v.Source, v.Unreadable = source.Name, !source.Exists
			return
		}
	}
}

// aboutMissing finds the source that is gone or cannot be read.
func (v *Verdict) aboutMissing(s report.Status) {
	for _, source := range s.Sources {
		if source.Exists && source.Error == "" {
			continue
		}
		v.Source, v.Unreadable, v.Reason = source.Name, source.Error != "", source.Error
		v.Backup, v.At = source.LastBackup, time.Time{}
		if source.LastAt != nil {
			v.At = source.LastAt.Time
		}
		return
	}
}

// aboutProgram finds the program that the verdict is about.
func (v *Verdict) aboutProgram(s report.Status) {
	for _, p := range s.Programs {
		switch {
		case s.Verdict == report.Failing && p.Backups.Error != "" && p.Backups.Standby == "":
			v.Program, v.Reason, v.Hint = p.PID, p.Backups.Error, s.Hint
			return
		case s.Verdict == report.Divided && p.Survival != nil && report.Apart(p.Survival):
			v.Program, v.Reason = p.PID, p.Survival.Other
			return
		}
		for _, source := range p.Sources {
			if s.Verdict == report.Degraded && source.DegradedSince != nil {
				v.Program, v.Source, v.Reason, v.At = p.PID, source.Name, source.Reason, source.DegradedSince.Time
				return
			}
		}
	}
}

// oldestOf is the source whose last backup is the oldest; nil if none has one.
func oldestOf(sources []report.SourceStatus) *report.SourceStatus {
	var oldest *report.SourceStatus
	for i := range sources {
		if s := &sources[i]; s.LastAt != nil && (oldest == nil || s.LastAt.Before(oldest.LastAt.Time)) {
			oldest = s
		}
	}
	return oldest
}

// newestEmergency is the newest emergency backup; empty if there is none.
func newestEmergency(backups []report.Backup) holdfast.BackupName {
	for i := range backups {
		if backups[i].Trigger == holdfast.TriggerEmergency {
			return backups[i].Name
		}
	}
	return ""
}

// newestBad is the newest backup, if it is the one that cannot be used; else that of which
// a problem with the data is known. Empty: it is another.
func newestBad(backups []report.Backup) holdfast.BackupName {
	for i := range backups {
		if b := &backups[i]; b.Error != "" || len(b.Problems) > 0 || b.Proven == nil {
			return b.Name
		}
	}
	return ""
}
