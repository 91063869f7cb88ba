package api

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/access"
)

// matrix says who may do what, written by hand: r for read, b for backup, t for restore,
// a for admin. Whoever adds an operation decides it here, too.
var matrix = map[string]string{
	"listBackups": "r-ta", "getBackup": "r-ta", "listFiles": "r-ta", "listSources": "r-ta", "listReplicas": "r-ta",
	"getContents": "r-ta", "listRows": "r-ta", "getRow": "r-ta", "searchBackup": "r-ta", "diffBackups": "r-ta",
	"listTasks": "r-ta", "listAlarms": "r-ta", "getHistory": "r-ta", "planPrune": "r-ta", "planCompact": "r-ta",
	"getStatus": "rbta", "getAutoBackup": "rbta", "getVersion": "rbta", "listJobs": "rbta", "getJob": "rbta", "followJob": "rbta",
	"createBackup": "-b-a",
	"cancelJob":    "-bta", // its own
	"verifyBackup": "--ta", "verifyAll": "--ta", "drillBackup": "--ta", "planRestore": "--ta", "restoreBackup": "--ta",
	"rollback": "--ta", "planRollback": "--ta", "recover": "--ta", "downloadBackup": "--ta",
	"pinBackup": "---a", "deleteBackup": "---a", "prune": "---a", "compact": "---a", "replicate": "---a", "confirmHold": "---a",
	"getConfig": "---a", "listActivity": "---a", "testNotifications": "---a", "listHooks": "---a", "setAutoBackup": "---a", "testHook": "---a", "passUpdate": "---a",
}

// Every operation of the document, asked by nobody, by each scope, with a token that was
// taken back and with one that has expired.
func TestDoor_EveryOperationByEveryCaller(t *testing.T) {
	w := newWorld(t, map[string]string{"serve.requests_per_minute": "100000"})
	callers := map[string]*world{"nobody": w.as(""), "made up": w.as("hf_0011223344556677_" + strings.Repeat("a", 52))}
	for _, scope := range access.AllScopes() {
		callers[string(scope)] = w.as(w.newToken(string(scope), scope))
	}
	callers["taken back"] = w.as(w.newToken("gone", access.ScopeAdmin))
	if _, err := w.access.Tokens().Revoke("gone"); err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(time.Duration(w.later.Load()))
	old, _, err := w.access.Tokens().Create("old", access.Scopes{access.ScopeAdmin}, now.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	callers["expired"] = w.as(old)

	seen := map[string]bool{}
	w.requests(func(id, method, path, _ string) {
		seen[id] = true
		may, known := matrix[id]
		if !known {
			t.Errorf("nobody has decided who may ask for %s", id)
			return
		}
		w.later.Add(int64(time.Minute)) // strangers are answered so often only
		for name, caller := range callers {
			want, code := http.StatusUnauthorized, "unauthorized"
			if at := slices.Index([]string{"read", "backup", "restore", "admin"}, name); at >= 0 {
				want, code = http.StatusForbidden, "forbidden"
				if may[at] != '-' {
					want, code = http.StatusUnprocessableEntity, "usage" // behind the door, where nonsense is refused
				}
			}
			r := caller.ask(method, path+"?nonsense=1", nil)
			if r.status != want {
				t.Errorf("%s by %s: %d, want %d: %s", id, name, r.status, want, r.body)
				continue
			}
			r.problem(want, code)
		}
	})
	for id := range maps.Keys(matrix) {
		if !seen[id] {
			t.Errorf("there is no operation %s", id)
		}
	}
	for path, may := range map[string]string{"/metrics": "r-ta", "/api/v1/openapi.json": "rbta", "/api/v1/openapi.yaml": "rbta"} {
		for i, scope := range access.AllScopes() {
			want := http.StatusOK
			if may[i] == '-' {
				want = http.StatusForbidden
			}
			callers[string(scope)].ask("GET", path, nil).want(want)
		}
		w.later.Add(int64(time.Minute))
		callers["nobody"].ask("GET", path, nil).want(http.StatusUnauthorized)
	}
}

// Who may back up does not decide what is kept for ever.
func TestMake_OnlyTheOwnerPins(t *testing.T) {
	w := newWorld(t, nil)
	owner, bot := w.as(w.newToken("me", access.ScopeAdmin)), w.as(w.newToken("bot", access.ScopeBackup))
	bot.ask("POST", "backups", map[string]any{"pin": true}).problem(http.StatusForbidden, "forbidden")
	var page jobPage
	owner.ask("GET", "jobs", nil).want(http.StatusOK, &page)
	if page.Total != 0 {
		t.Errorf("a job was begun: %+v", page)
	}
	bot.ask("POST", "backups", map[string]any{"pin": false}).want(http.StatusCreated)
	owner.ask("POST", "backups", map[string]any{"pin": true}).want(http.StatusCreated)
}
