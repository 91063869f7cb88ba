package activity

import (
	"net/url"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// kinds are the works by which one can filter, the frequent ones first.
var kinds = []string{
	operation.KindBackup, operation.KindRestore, operation.KindRollback, operation.KindVerify, operation.KindDrill, operation.KindDelete,
	operation.KindPrune, operation.KindReplicate, operation.KindCompact, operation.KindRecover, operation.KindConfirm,
}

// title says what an entry is: what was done, or is being done, or was to be done.
func title(p ui.Page, e Entry) string {
	switch e.State {
	case job.Succeeded:
		return p.L.Word("job", e.Kind+".done")
	case job.Running:
		return p.L.Word("job", e.Kind+".doing")
	}
	return p.L.Word("job", e.Kind)
}

// tones are how the states of a job stand out.
var tones = map[job.State]ui.Tone{
	job.Succeeded: ui.Good, job.Incomplete: ui.Warn, job.Failed: ui.Bad, job.Interrupted: ui.Warn,
}

func tone(s job.State) ui.Tone {
	if t, ok := tones[s]; ok {
		return t
	}
	return ui.Calm
}

// auditTone is how the outcome of a request stands out.
func auditTone(outcome string) ui.Tone {
	switch outcome {
	case access.Refused:
		return ui.Warn
	case access.Failed:
		return ui.Bad
	}
	return ui.Calm
}

// address is the page with another query.
func address(q Query, after string) string {
	out := url.Values{}
	for name, value := range map[string]string{"kind": q.Kind, "state": q.State, "by": q.By, "q": q.Text, "after": after} {
		if value != "" {
			out.Set(name, value)
		}
	}
	if len(out) == 0 {
		return "/activity"
	}
	return "/activity?" + out.Encode()
}

// unfolded is the same page with the log of one entry.
func unfolded(q Query, id string) string {
	at := address(q, q.After)
	separator := "?"
	if strings.Contains(at, "?") {
		separator = "&"
	}
	return at + separator + "log=" + url.QueryEscape(id) + "#log-" + id
}

func pager(m Model) ui.PagerModel {
	out := ui.PagerModel{Total: int64(m.Total)}
	if m.Query.After != "" {
		out.Prev = address(m.Query, "")
	}
	if m.Next != "" {
		out.Next = address(m.Query, m.Next)
	}
	return out
}

func tabs(p ui.Page, m Model) []ui.Tab {
	out := []ui.Tab{
		{Label: p.L.T("activity.tab.work"), Href: "/activity", Current: m.Tab == TabWork},
		{Label: p.L.T("activity.tab.tasks"), Href: "/activity?tab=tasks", Current: m.Tab == TabTasks},
	}
	if m.MayAudit {
		out = append(out, ui.Tab{Label: p.L.T("activity.tab.audit"), Href: "/activity?tab=audit", Current: m.Tab == TabAudit})
	}
	return out
}

func kindOptions(p ui.Page) []ui.Option {
	out := []ui.Option{{Value: "", Label: p.L.T("activity.any_kind")}}
	for _, k := range kinds {
		out = append(out, ui.Option{Value: k, Label: p.L.Word("job", k)})
	}
	return out
}

func stateOptions(p ui.Page) []ui.Option {
	out := []ui.Option{{Value: "", Label: p.L.T("activity.any_state")}}
	for _, s := range []string{StateGood, StateBad, StateWork} {
		out = append(out, ui.Option{Value: s, Label: p.L.T("activity.state." + s)})
	}
	return out
}

func makerOptions(p ui.Page, m Model) []ui.Option {
	out := []ui.Option{{Value: "", Label: p.L.T("activity.anybody")}, {Value: ItSelf, Label: p.L.T("activity.itself")}}
	for _, name := range m.Makers {
		out = append(out, ui.Option{Value: name, Label: maker(p, name)})
	}
	return out
}

// maker is the name of who asked for a work.
func maker(p ui.Page, name string) string { return ui.Maker(p.L, name) }

// known tells whether a maker is one of those that have words, and no name.
func known(p ui.Page, name string) bool { return maker(p, name) != name }

// taskName is what a task does, in words.
func taskName(p ui.Page, t holdfast.TaskStanding) string { return p.L.Word("activity.task", t.Name) }

func entryTime(e Entry) time.Time     { return e.At }
func auditTime(l AuditLine) time.Time { return l.Time.Time }

// millis is a duration in the unit of standings.
func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// eventTone is how a line of a log stands out.
func eventTone(e job.Event) ui.Tone {
	switch {
	case e.Event != nil && e.Event.State == holdfast.Failed:
		return ui.Bad
	case e.Event != nil && e.Event.State == holdfast.Finished:
		return ui.Good
	case e.Event == nil:
		return tone(e.State)
	}
	return ui.Calm
}

// pathOf is a name as a part of a path, query one in a query.
func pathOf(name string) string { return url.PathEscape(name) }
func query(value string) string { return url.QueryEscape(value) }

// deeds are the requests and commands for which there are words; what the API and the
// pages call alike stands here once.
var deeds = map[string]string{
	"POST /login": "activity.did.login", "POST /logout": "activity.did.logout", "POST /logout/everywhere": "activity.did.logout_everywhere",
	"POST /password": "activity.did.password", "password set": "activity.did.password", "password remove": "activity.did.password_remove",
	"token create": "activity.did.token_create", "token revoke": "activity.did.token_revoke",
	"POST /settings/notifications/test": "activity.did.test", "POST /notifications/test": "activity.did.test",
	"POST /settings/hooks/test": "activity.did.test", "POST /hooks/test": "activity.did.test",
	"POST /backups/{name}/pin": "activity.did.pin", "POST /backups/{name}/unpin": "activity.did.pin", "PATCH /backups/{name}": "activity.did.pin",
	"GET /backups/{name}/download": "activity.did.download",
	"POST /backups":                "job.backup", "POST /quick": "job.backup",
	"POST /backups/{name}/restore": "job.restore", "POST /rollback": "job.rollback", "POST /recover": "job.recover",
	"POST /backups/{name}/verify": "job.verify", "POST /verify": "job.verify", "POST /backups/{name}/drill": "job.drill",
	"POST /backups/{name}/delete": "job.delete", "POST /selected/delete": "job.delete", "DELETE /backups/{name}": "job.delete",
}

// deed is what was asked for in words, as an id; empty if there are none for it.
func deed(l AuditLine) string {
	if l.Kind != "" {
		return "job." + l.Kind
	}
	path := strings.TrimPrefix(l.Route, l.Method+" ")
	return deeds[strings.TrimSpace(l.Method+" "+strings.TrimPrefix(path, "/api/v1"))]
}

// route is what was asked for: the method and the pattern of the path, or a command.
func route(e access.Entry) string {
	if e.Method == "" || strings.HasPrefix(e.Route, e.Method+" ") {
		return e.Route
	}
	return e.Method + " " + e.Route
}
