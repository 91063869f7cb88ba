package overview

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// statusOf is a status with a verdict, and what belongs to it.
func statusOf(verdict string) report.Status {
	at := func(before time.Duration) *holdfast.Time { return new(holdfast.At(noon.Add(-before))) }
	s := report.Status{Verdict: verdict, Hint: "`holdfast doctor` tells more", Message: "something is wrong", Sources: []report.SourceStatus{
		{Name: "chromadb", Exists: true, LastBackup: "b1", LastAt: at(12 * time.Minute)},
		{Name: "bot", Exists: true, LastBackup: "b2", LastAt: at(2 * time.Hour)},
	}, Repository: report.RepositoryState{Exists: true, ProvenAt: at(26 * time.Hour)}}
	switch verdict {
	case report.Never:
		s.Sources[1].LastAt, s.Sources[1].LastBackup = nil, ""
	case report.Missing:
		s.Sources[1].Exists = false
	case report.Cut:
		s.Pending = &report.Pending{Op: "restore", Backup: "b1", Begun: *at(time.Minute)}
	case report.Held:
		s.Hold = &report.Hold{Message: "bot has 12 records"}
	case report.Unreachable:
		s.Repository = report.RepositoryState{Error: "no answer in time"}
	case report.Degraded, report.Failing, report.Divided:
		s.Programs = []holdfast.Standing{{
			PID: 7, Sources: []holdfast.SourceStanding{{Name: "bot", DegradedSince: at(time.Hour), Reason: "read-only file system"}},
			Backups: holdfast.BackupStanding{Error: "no room"}, Survival: &holdfast.Survival{State: holdfast.SurvivalTwo, Other: "process 9", OtherUntil: at(-time.Minute)},
		}}
	}
	return s
}

// Every verdict has a sentence in every language that says what it is about, and the
// button that does what is to be done, if the reader may.
func TestVerdict_SaysWhatIsWrongAndWhatToDo(t *testing.T) {
	want := map[string]struct {
		first, about string // the first button's target; a word of the sentence
		scope        access.Scope
	}{
		report.Safe: {"/quick", "", access.ScopeBackup}, report.Unproven: {"/backups/b2/verify", "", access.ScopeRestore},
		report.Never: {"/quick", "bot", access.ScopeBackup}, report.Stale: {"/quick", "bot", access.ScopeBackup},
		report.Damaged: {"/verify", "b1", access.ScopeRestore}, report.Missing: {"/backups/b2/restore", "bot", access.ScopeRestore},
		report.Cut: {"/recover", "", access.ScopeRestore}, report.Held: {"/hold/confirm", "", access.ScopeAdmin},
		report.Lost: {"/quick", "", access.ScopeBackup}, report.Unreachable: {"/", "", access.ScopeRead},
		report.Degraded: {"#programs", "bot", access.ScopeRead}, report.Failing: {"#programs", "", access.ScopeRead}, report.Divided: {"#programs", "", access.ScopeRead},
	}
	backups := []report.Backup{{Name: "b1"}, {Name: "emergency_restore_20261122_090500", Trigger: holdfast.TriggerEmergency}}
	for _, verdict := range report.Verdicts() {
		s, c := statusOf(verdict), want[verdict]
		if c.first == "" {
			t.Errorf("%s: nobody has decided what is to be done", verdict)
			continue
		}
		build := func(scopes ...access.Scope) Model {
			return Build(Input{Status: &s, Backups: backups, Now: noon, Zone: time.UTC, Caller: access.Caller{Name: "a", Scopes: scopes}})
		}
		m := build(access.ScopeRead, c.scope)
		if len(m.Verdict.Actions) == 0 {
			t.Errorf("%s: nothing can be done", verdict)
			continue
		}
		if a := m.Verdict.Actions[0]; a.Post+a.Link != c.first || !a.Primary {
			t.Errorf("%s: first %+v, want %s", verdict, a, c.first)
		}
		if n := len(slices.DeleteFunc(slices.Clone(m.Verdict.Actions), func(a Action) bool { return !a.Primary })); n != 1 {
			t.Errorf("%s: %d primary actions", verdict, n)
		}
		reader := build(access.ScopeRead)
		if i := slices.IndexFunc(reader.Verdict.Actions, func(a Action) bool { return a.Post != "" }); i >= 0 {
			t.Errorf("%s: a reader may %s", verdict, reader.Verdict.Actions[i].Post)
		}
		if c.scope != access.ScopeRead && !reader.Verdict.Withheld {
			t.Errorf("%s: a reader is not told that there is something to do", verdict)
		}
		for _, lang := range locale.Languages() {
			p := ui.Page{L: locale.Of(lang), Now: noon, Zone: time.UTC}
			said := sentence(p, m)
			if said == "" || strings.Contains(said, "overview.") || strings.Contains(said, "verdict.") || strings.Contains(said, "{{") || !strings.Contains(said, c.about) {
				t.Errorf("%s in %s: %q", verdict, lang, said)
			}
			if what := todo(p, m); (what == "") != (verdict == report.Safe) || strings.Contains(what, "verdict.") {
				t.Errorf("%s in %s: what to do: %q", verdict, lang, what)
			}
			for _, a := range m.Verdict.Actions {
				if p.L.T(a.Label) == a.Label {
					t.Errorf("%s has no words in %s", a.Label, lang)
				}
			}
		}
	}
}

func TestVerdict_GreenOnlyWhereNothingStandsWrong(t *testing.T) {
	s := statusOf(report.Safe)
	in := Input{Status: &s, Now: noon, Zone: time.UTC, Caller: access.Caller{Name: "a", Scopes: access.AllScopes()}}
	p := ui.Page{L: locale.Of(locale.English), Now: noon, Zone: time.UTC}
	if m := Build(in); m.Tone() != ui.Good || sentence(p, m) != "Everything is backed up. Last backup 2 hours ago, proven yesterday." {
		t.Errorf("%s: %q", m.Tone(), sentence(p, m))
	}
	in.Alarms = []alarm.Alarm{{Kind: alarm.KindSpace}}
	if m := Build(in); m.Tone() != ui.Warn || !strings.Contains(sentence(p, m), "1 thing needs attention") {
		t.Errorf("%s: %q", m.Tone(), sentence(p, m))
	}
	in.Status = nil
	if m := Build(in); !m.Loading || m.Tone() != ui.Calm {
		t.Errorf("%+v", m.Tone())
	}
}

func TestVerdict_NamesMayBeAnything(t *testing.T) {
	if got, want := backupPath("ปลาย_สัปดาห์", "/verify"), "/backups/%E0%B8%9B%E0%B8%A5%E0%B8%B2%E0%B8%A2_%E0%B8%AA%E0%B8%B1%E0%B8%9B%E0%B8%94%E0%B8%B2%E0%B8%AB%E0%B9%8C/verify"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
