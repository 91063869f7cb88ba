package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/web"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/webtest"
)

// public stands for no scope at all.
const public = access.Scope("public")

// routes are all that the pages answer, and the scopes of which one is needed.
var routes = map[string][]access.Scope{
	"GET /assets/":                                {public},
	"POST /preferences":                           {public},
	"GET /login":                                  {public},
	"POST /login":                                 {public},
	"POST /logout":                                {public},
	"GET /strip":                                  {access.ScopeRead},
	"GET /password":                               {access.ScopeAdmin},
	"POST /password":                              {access.ScopeAdmin},
	"GET /sessions":                               access.AllScopes(),
	"POST /sessions/end":                          access.AllScopes(),
	"POST /sessions/others":                       access.AllScopes(),
	"POST /logout/everywhere":                     access.AllScopes(),
	"GET /tokens":                                 {access.ScopeAdmin},
	"POST /tokens":                                {access.ScopeAdmin},
	"GET /tokens/{token}/revoke":                  {access.ScopeAdmin},
	"POST /tokens/{token}/revoke":                 {access.ScopeAdmin},
	"GET /{$}":                                    {access.ScopeRead},
	"POST /verify":                                {access.ScopeRestore},
	"POST /hold/confirm":                          {access.ScopeAdmin},
	"GET /backups":                                {access.ScopeRead},
	"POST /backups":                               {access.ScopeBackup},
	"GET /new":                                    {access.ScopeBackup},
	"GET /new/command":                            {access.ScopeBackup},
	"POST /quick":                                 {access.ScopeBackup},
	"POST /selected/delete":                       {access.ScopeAdmin},
	"POST /selected/verify":                       {access.ScopeRestore},
	"POST /selected/pin":                          {access.ScopeAdmin},
	"POST /selected/unpin":                        {access.ScopeAdmin},
	"POST /auto":                                  {access.ScopeAdmin},
	"GET /backups/{name}":                         {access.ScopeRead},
	"GET /backups/{name}/files":                   {access.ScopeRead},
	"POST /backups/{name}/verify":                 {access.ScopeRestore},
	"POST /backups/{name}/drill":                  {access.ScopeRestore},
	"POST /backups/{name}/pin":                    {access.ScopeAdmin},
	"POST /backups/{name}/unpin":                  {access.ScopeAdmin},
	"POST /backups/{name}/delete":                 {access.ScopeAdmin},
	"GET /backups/{name}/restore":                 {access.ScopeRead},
	"GET /backups/{name}/restore/plan":            {access.ScopeRestore},
	"POST /backups/{name}/restore":                {access.ScopeRestore},
	"GET /backups/{name}/contents":                {access.ScopeRead},
	"GET /backups/{name}/contents/{source}/rows":  {access.ScopeRead},
	"GET /backups/{name}/contents/{source}/row":   {access.ScopeRead},
	"GET /backups/{name}/contents/{source}/value": {access.ScopeRead},
	"GET /backups/{name}/search":                  {access.ScopeRead},
	"GET /backups/{name}/compare":                 {access.ScopeRead},
	"GET /backups/{name}/compare/table":           {access.ScopeRead},
	"GET /rollback":                               {access.ScopeRead},
	"POST /rollback":                              {access.ScopeRestore},
	"GET /recover":                                {access.ScopeRead},
	"POST /recover":                               {access.ScopeRestore},
	"GET /jobs/{id}":                              {access.ScopeRead, access.ScopeBackup},
	"GET /jobs/{id}/live":                         {access.ScopeRead, access.ScopeBackup},
	"GET /jobs/{id}/there":                        {access.ScopeRead, access.ScopeBackup},
	"POST /jobs/{id}/cancel":                      {access.ScopeBackup, access.ScopeRestore}, // of others: admin
	"GET /activity":                               {access.ScopeRead},
	"GET /activity?tab=audit":                     {access.ScopeAdmin},
	"GET /activity/log/{id}":                      {access.ScopeRead},
	"GET /settings":                               {access.ScopeAdmin},
	"POST /settings/notifications/test":           {access.ScopeAdmin},
	"POST /settings/hooks/test":                   {access.ScopeAdmin},
}

// canary is in the note of a backup: nobody reads it who may not.
const canary = "canary-in-a-note"

// guarded is a world with a password, a backup, and a token of each scope.
type guarded struct {
	*webtest.World
	made   job.Job
	tokens map[access.Scope]string
}

const password = "correct horse battery"

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{World: webtest.New(t, webtest.Options{}), tokens: map[access.Scope]string{}}
	g.made = g.Ended(g.Core().Operations.Backup(t.Context(), "tester", "", operation.BackupRequest{Name: "monday", Note: canary}))
	if err := g.Access.SetPassword(t.Context(), password); err != nil {
		t.Fatal(err)
	}
	for _, scope := range access.AllScopes() {
		token, _, err := g.Access.Tokens().Create("only-"+string(scope), access.Scopes{scope}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		g.tokens[scope] = token
	}
	return g
}

// login gives the cookie of a new session of the owner.
func (g *guarded) login() string {
	g.T.Helper()
	r := g.Post("/login", url.Values{"password": {password}})
	cookies := (&http.Response{Header: r.Header}).Cookies()
	if r.Status != http.StatusSeeOther || len(cookies) != 1 {
		g.T.Fatalf("login: %d %v", r.Status, cookies)
	}
	return cookies[0].Name + "=" + cookies[0].Value
}

// path fills a pattern, with what is there or with what is not.
func (g *guarded) path(pattern string, there bool) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	name, id, token := "monday", g.made.ID, "only-read"
	if !there {
		name, id, token = "sunday", "20200101T000000000-AAAAAAAA", "nobodys"
	}
	return method, strings.NewReplacer("{source}/rows", "bot/rows?table=note", "{source}/row", "bot/row?table=note&key=1",
		"{source}/value", "bot/value?table=note&key=1&field=text", "/compare/table", "/compare/table?with=monday&source=bot&table=note", "{name}", name, "{id}", id, "{token}", token, "{$}", "", "/assets/", "/assets/app.js").Replace(path)
}

// state is what can be changed: backups, jobs, tokens, sessions, the switch.
func (g *guarded) state() string {
	g.T.Helper()
	var out []string
	all, _, err := g.Core().Book.Backups(g.T.Context())
	if err != nil {
		g.T.Fatal(err)
	}
	for _, b := range all {
		pinned := ""
		if b.Pinned {
			pinned = " pinned"
		}
		out = append(out, "backup "+b.Name.String()+pinned)
	}
	jobs, _, _ := g.Core().Jobs.List(job.Filter{}, job.Page{Limit: 1000})
	for _, j := range jobs {
		out = append(out, "job "+j.ID)
	}
	tokens, err := g.Access.Tokens().List()
	if err != nil {
		g.T.Fatal(err)
	}
	for _, one := range tokens {
		out = append(out, "token "+one.Name)
	}
	if g.Core().Operations.AutoBackup().On {
		out = append(out, "auto")
	}
	owner := access.WithCaller(g.T.Context(), access.Caller{Name: access.Owner, Scopes: access.Scopes{access.ScopeAdmin}})
	sessions, err := g.Access.Sessions(owner)
	if err != nil {
		g.T.Fatal(err)
	}
	for _, s := range sessions {
		out = append(out, "session "+s.ID)
	}
	return strings.Join(out, "\n")
}

// toLogin tells whether an answer sends its reader to the login.
func toLogin(r webtest.Reply) bool {
	return strings.HasPrefix(r.Header.Get("Location")+r.Header.Get("HX-Redirect"), "/login?next=")
}

func TestRoutes_EachHasItsScopes(t *testing.T) {
	g := newGuarded(t)
	known := web.New(site.Options{Core: g.Core, Access: g.Access}).Routes()
	for _, pattern := range known {
		if routes[pattern] == nil {
			t.Errorf("nobody has said who may %s", pattern)
		}
	}
	for pattern := range routes {
		if !slices.Contains(known, strings.TrimSuffix(pattern, "?tab=audit")) {
			t.Errorf("there is no %s", pattern)
		}
	}
	before := g.state()
	for pattern, needs := range routes {
		if needs[0] == public {
			continue
		}
		for _, there := range []bool{true, false} {
			method, path := g.path(pattern, there)
			for _, part := range []string{"", "true"} {
				r := g.Do(g.Request(t.Context(), method, path, url.Values{}, "HX-Request", part))
				want := http.StatusSeeOther
				if part != "" {
					want = http.StatusNoContent
				}
				if r.Status != want || !toLogin(r) || r.Header.Get("Content-Type") == "text/event-stream" {
					t.Errorf("%s %s by nobody (part %q): %d to %q", method, path, part, r.Status, r.Header.Get("Location"))
				}
				g.keeps(r, method+" "+path)
				for _, scope := range access.AllScopes() {
					if slices.ContainsFunc(needs, access.Scopes{scope}.Has) {
						continue
					}
					r := g.Do(g.Request(t.Context(), method, path, url.Values{}, "HX-Request", part, "Authorization", "Bearer "+g.tokens[scope]))
					if r.Status != http.StatusForbidden {
						t.Errorf("%s %s with %s: %d", method, path, scope, r.Status)
					}
					g.keeps(r, method+" "+path)
				}
			}
		}
	}
	if after := g.state(); after != before {
		t.Errorf("something was done:\n%s\nbefore:\n%s", after, before)
	}
}

// keeps checks that an answer to somebody who may not tells nothing.
func (g *guarded) keeps(r webtest.Reply, what string) {
	g.T.Helper()
	for _, secret := range []string{canary, g.Dir, g.Database} {
		if strings.Contains(r.Body, secret) {
			g.T.Errorf("%s tells %q", what, secret)
		}
	}
}

// What looks may be asked for by whoever may, changes nothing, and comes with what keeps
// browsers from doing anything else with it.
func TestRoutes_LookingChangesNothingAndIsKeptByNobody(t *testing.T) {
	g := newGuarded(t)
	owner := g.login()
	before := g.state()
	for pattern, needs := range routes {
		method, path := g.path(pattern, true)
		if method != http.MethodGet {
			continue
		}
		ask := func(who string, headers ...string) {
			r := g.Get(path, append(headers, "Sec-Fetch-Site", "same-origin")...)
			if r.Status >= 400 || toLogin(r) {
				t.Errorf("%s by %s: %d to %q", path, who, r.Status, r.Header.Get("Location"))
			}
			h := r.Header
			csp := h.Get("Content-Security-Policy")
			if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("%s has the policy %q", path, csp)
			}
			if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" || h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %v", path, h)
			}
			if needs[0] != public && r.Status == http.StatusOK && h.Get("Cache-Control") != "no-store" {
				t.Errorf("%s may be kept: %q", path, h.Get("Cache-Control"))
			}
		}
		ask("the owner", "Cookie", owner)
		for _, scope := range access.AllScopes() {
			others := scope == access.ScopeBackup && strings.HasPrefix(path, "/jobs/") // its own jobs only
			if needs[0] != public && !others && slices.ContainsFunc(needs, access.Scopes{scope}.Has) {
				ask(string(scope), "Authorization", "Bearer "+g.tokens[scope])
			}
		}
	}
	if after := g.state(); after != before {
		t.Errorf("something was done:\n%s\nbefore:\n%s", after, before)
	}
}

// The browser of the owner sends what pages of others ask for, with his cookie.
func TestRoutes_PagesOfOthersDoNothing(t *testing.T) {
	g := newGuarded(t)
	owner := g.login()
	before := g.state()
	foreign := map[string][]string{
		"another site":                   {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
		"another port":                   {"Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1:1"},
		"a browser without Sec-Fetch":    {"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
		"a frame without an origin":      {"Sec-Fetch-Site", "", "Origin", "null"},
		"a site that says it is ours":    {"Sec-Fetch-Site", "cross-site", "Origin", g.URL},
		"a site that sends no other one": {"Sec-Fetch-Site", "cross-site"},
	}
	for pattern := range routes {
		method, path := g.path(pattern, true)
		for who, headers := range foreign {
			headers = append([]string{"Cookie", owner, "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "iframe"}, headers...)
			form := url.Values{"password": {password}, "name": {"monday"}, "confirm": {"monday"}, "lang": {"th"}}
			r := g.Do(g.Request(t.Context(), method, path, form, headers...))
			if r.Status != http.StatusForbidden || len(r.Header.Values("Set-Cookie")) != 0 {
				t.Errorf("%s %s asked by %s: %d, %v", method, path, who, r.Status, r.Header.Values("Set-Cookie"))
			}
			g.keeps(r, pattern)
		}
	}
	if after := g.state(); after != before {
		t.Errorf("something was done:\n%s\nbefore:\n%s", after, before)
	}
}
