package api_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// A clock goes on only where a client sleeps.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.slept = append(c.slept, d)
	return context.Cause(ctx)
}

// longest is the longest pause so far.
func (c *clock) longest() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Max(append(c.slept, 0))
}

// faulty gives a client of a server behind a proxy, which knows who it talks to
// already, and the clock that it sleeps by.
func faulty(t *testing.T, v chromatest.Version) (*api.Client, *chromatest.FaultProxy, *clock) {
	t.Helper()
	p := chromatest.NewFaultProxy(t, serverOf(t, v))
	k := newClock()
	c := clientOf(t, api.Options{URL: p.URL(), Rate: 1e6, Now: k.Now, Sleep: k.Sleep, Stall: time.Second, Patience: 3 * time.Hour})
	if _, err := c.Hello(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c, p, k
}

func TestClient_PassingFaultsPass(t *testing.T) {
	c, p, k := faulty(t, chromatest.New)
	made := create(t, c, base(t, c), api.Spec{Name: "notes"})
	all := some(60, 4, true)
	text := func(body string) http.Header { return http.Header{"Retry-After": {body}} }
	for name, faults := range map[string][]chromatest.Fault{
		"busy":              {{Status: 429, Header: text("7"), Times: 2}},
		"busy until":        {{Status: 503, Header: text(k.Now().Add(time.Hour).Format(http.TimeFormat)), Times: 1}},
		"down":              {{Status: 503, Times: 3}},
		"bad gateway":       {{Status: 502, Body: "<html>nginx</html>", Times: 1}},
		"slow gateway":      {{Status: 504, Times: 1}},
		"locked":            {{Status: 500, Body: `{"error":"InternalError","message":"database is locked"}`, Times: 6}},
		"error":             {{Status: 500, Body: `{"error":"InternalError","message":"oops"}`, Times: 2}},
		"dropped":           {{Drop: true, Times: 2}},
		"answer lost":       {{Lose: true, Times: 2}},
		"answer cut":        {{CutAfter: 1, Times: 2}},
		"records cut":       {{Path: "/get", CutAfter: 5000, Times: 2}},
		"hangs":             {{Hang: true, Times: 1}},
		"takes little":      {{MaxBody: 2000}},
		"each second fails": {{Skip: 1, Status: 503, Times: 1}, {Drop: true, Times: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			p.Set(faults...)
			work(t, c, made, all)
			switch name {
			case "busy":
				if k.longest() < 7*time.Second {
					t.Errorf("the longest pause was %s, the server asked for 7 s", k.longest())
				}
			case "busy until":
				if k.longest() < 50*time.Minute {
					t.Errorf("the longest pause was %s, the server asked for an hour", k.longest())
				}
			}
		})
	}
}

// work writes, reads, searches and deletes records of an empty collection.
func work(t *testing.T, c *api.Client, in api.Collection, all []disk.Record) {
	t.Helper()
	ctx := t.Context()
	if err := c.Add(ctx, in, all); err != nil {
		t.Fatal(err)
	}
	if err := c.Upsert(ctx, in, all[:3]); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for id, err := range c.IDs(ctx, in) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if !slices.Equal(ids, idsOf(all)) {
		t.Fatalf("%d ids, want %d", len(ids), len(all))
	}
	got, bad, err := c.Get(ctx, in, ids, disk.Everything)
	if err != nil || bad != nil {
		t.Fatal(bad, err)
	}
	same(t, got, all)
	if n, err := c.Count(ctx, in); err != nil || n != int64(len(all)) {
		t.Fatalf("count: %d, %v", n, err)
	}
	if err := c.Delete(ctx, in, ids); err != nil {
		t.Fatal(err)
	}
}

// What must not be done twice is looked up where its answer was lost.
func TestClient_LostAnswersAreLookedUp(t *testing.T) {
	c, p, _ := faulty(t, chromatest.New)
	ctx := t.Context()
	database := base(t, c)
	for _, lost := range []chromatest.Fault{{Lose: true, Times: 1}, {Drop: true, Times: 1}, {Status: 504, Times: 1}, {Status: 500, Body: "{}", Times: 1}} {
		one := func(method, path string) {
			f := lost
			f.Method, f.Path = method, path
			p.Set(f)
		}
		one(http.MethodPost, "/collections")
		a := create(t, c, database, api.Spec{Name: "aaa", Metadata: holdfast.Values{"third": 1.0 / 3}})
		p.Set()
		b := create(t, c, database, api.Spec{Name: "bbb"})

		one(http.MethodPut, a.ID)
		if err := c.Rename(ctx, a, "ccc"); err != nil {
			t.Fatal(err)
		}
		if found, err := c.Collection(ctx, api.DefaultTenant, database, "ccc"); err != nil || found.ID != a.ID {
			t.Fatalf("after the renaming: %+v, %v", found, err)
		}
		one(http.MethodPut, b.ID)
		if err := c.Rename(ctx, b, "ccc"); !errors.Is(err, api.ErrTaken) {
			t.Fatalf("renaming to a name that is taken: %v", err)
		}
		a.Name = "ccc"
		for _, gone := range []api.Collection{a, b} {
			one(http.MethodDelete, "/"+gone.Name)
			if err := c.Drop(ctx, gone); err != nil {
				t.Fatal(err)
			}
			if err := c.Drop(ctx, gone); !errors.Is(err, holdfast.ErrNotFound) {
				t.Fatalf("deleting once more: %v", err)
			}
		}
		one(http.MethodPost, "/databases")
		name := "made-" + strings.ToLower(http.StatusText(lost.Status)) + map[bool]string{true: "lost", false: "not"}[lost.Lose]
		name = strings.ReplaceAll(name, " ", "-")
		if err := c.CreateDatabase(ctx, api.DefaultTenant, name); err != nil {
			t.Fatal(err)
		}
		p.Set()
		if err := c.CreateDatabase(ctx, api.DefaultTenant, name); !errors.Is(err, api.ErrTaken) {
			t.Fatalf("creating a database again: %v", err)
		}
		if err := c.DropDatabase(ctx, api.DefaultTenant, name); err != nil {
			t.Fatal(err)
		}
	}
}

// A server that does not let anybody look any more has not deleted anything.
func TestClient_WhatCannotBeLookedUpIsNotTakenForDeleted(t *testing.T) {
	c, p, _ := faulty(t, chromatest.New)
	a := create(t, c, base(t, c), api.Spec{Name: "aaa"})
	p.Set(chromatest.Fault{Method: http.MethodDelete, Drop: true, Times: 1}, chromatest.Fault{Method: http.MethodGet, Path: "/aaa", Skip: 1, Status: http.StatusForbidden})
	if err := c.Drop(t.Context(), a); err == nil || !strings.Contains(err.Error(), "whether it was done is not known") {
		t.Errorf("a deletion that was cut, and could not be looked up: %v", err)
	}
	p.Set()
	if err := c.Drop(t.Context(), a); err != nil {
		t.Errorf("deleting it after all: %v", err)
	}
}

func TestClient_TakenNamesAndOthersCollectionsAreRefused(t *testing.T) {
	for _, v := range chromatest.Versions() {
		t.Run(string(v), func(t *testing.T) {
			c := patient(t, serverOf(t, v))
			ctx, database := t.Context(), base(t, c)
			a, b := create(t, c, database, api.Spec{Name: "aaa"}), create(t, c, database, api.Spec{Name: "bbb"})
			_, err := c.Create(ctx, api.DefaultTenant, database, api.Spec{Name: "aaa"})
			for _, err := range []error{err, c.Rename(ctx, a, "bbb"), c.CreateTenant(ctx, api.DefaultTenant), c.CreateDatabase(ctx, api.DefaultTenant, database)} {
				if !errors.Is(err, api.ErrTaken) || holdfast.ExitCode(err) != holdfast.ExitRefused {
					t.Errorf("a taken name: %v", err)
				}
			}
			b.Name = "aaa"
			if err := c.Drop(ctx, b); !errors.Is(err, holdfast.ErrRefused) {
				t.Errorf("deleting under the name of another: %v", err)
			}
		})
	}
}

// A record over which the server stumbles is found, read as far as it goes, and told.
func TestClient_OneBadRecordStandsAlone(t *testing.T) {
	upstream := serverOf(t, chromatest.New)
	c := patient(t, upstream)
	made := create(t, c, base(t, c), api.Spec{Name: "notes"})
	all := some(300, 4, false)
	if err := c.Add(t.Context(), made, all); err != nil {
		t.Fatal(err)
	}
	stumbles := httptest.NewServer(stumbler{upstream, []string{all[17].ID, all[18].ID, all[299].ID}})
	defer stumbles.Close()
	c = patient(t, stumbles.URL)
	got, bad, err := c.Get(t.Context(), made, idsOf(all), disk.Everything)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range bad {
		names = append(names, b.ID)
		if b.Lost != disk.Embeddings || !strings.Contains(b.Err.Error(), "finding id") {
			t.Errorf("bad record %q: %v, %v", b.ID, b.Lost, b.Err)
		}
	}
	if !slices.Equal(names, []string{all[17].ID, all[18].ID, all[299].ID}) {
		t.Fatalf("the bad ones are %q", names)
	}
	for _, i := range []int{17, 18, 299} {
		all[i].Embedding = nil
	}
	same(t, got, all)
}

// A pass is so fast, and no faster, and so wide, and no wider.
func TestClient_IsGentle(t *testing.T) {
	p := chromatest.NewFaultProxy(t, serverOf(t, chromatest.New))
	k := newClock()
	c := clientOf(t, api.Options{URL: p.URL(), Rate: 10, Parallel: 3, Now: k.Now, Sleep: k.Sleep})
	made := create(t, c, base(t, c), api.Spec{Name: "notes"})
	p.Set(chromatest.Fault{Delay: 20 * time.Millisecond})
	began := k.Now()
	var wg sync.WaitGroup
	for range 33 {
		wg.Go(func() {
			if _, err := c.Count(t.Context(), made); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if p.Widest() != 3 {
		t.Errorf("%d requests were under way at once, want 3", p.Widest())
	}
	if took := k.Now().Sub(began); took < 3*time.Second {
		t.Errorf("33 requests took %s at 10 a second", took)
	}
}

func TestClient_StopsAtOnce(t *testing.T) {
	c, p, _ := faulty(t, chromatest.New)
	made := create(t, c, base(t, c), api.Spec{Name: "notes"})
	p.Set(chromatest.Fault{Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := c.Count(ctx, made); !errors.Is(err, context.Canceled) {
		t.Fatalf("a cancelled request: %v", err)
	}
	if n := len(p.Requests()); n != 1 {
		t.Fatalf("%d requests after the end", n)
	}
}

// Each thing that is wrong with an address has its own sentence.
func TestClient_SaysWhatIsWrong(t *testing.T) {
	upstream := serverOf(t, chromatest.New)
	guarded := chromatest.NewFaultProxy(t, upstream)
	guarded.Require("X-Chroma-Token", "right-and-secret")
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if strings.HasPrefix(r.URL.Path, "/missing") {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte("<html>Welcome</html>"))
	}))
	defer page.Close()
	moved := httptest.NewServer(http.RedirectHandler(upstream+"/api/v2/heartbeat", http.StatusFound))
	defer moved.Close()
	broken := chromatest.NewFaultProxy(t, upstream, chromatest.Fault{Status: 500, Body: `{"error":"bad","message":"it echoes wrong-and-secret and dXNlcjpwdy1zZWNyZXQ="}`})
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := "http://" + nobody.Addr().String()
	nobody.Close()

	for name, test := range map[string]struct {
		url, header    string
		tenant, base   string
		code           int
		says, suggests string
	}{
		"nobody listens":   {url: dead, code: holdfast.ExitFailed, says: "refused", suggests: "does the server run"},
		"wrong host":       {url: "http://nobody.invalid:8000", code: holdfast.ExitFailed, says: "nobody.invalid", suggests: "name of the host"},
		"a page":           {url: page.URL, code: holdfast.ExitUsage, says: "does not answer as a Chroma server (status 200, text/html)", suggests: "address of the server itself"},
		"no page":          {url: page.URL + "/missing", code: holdfast.ExitUsage, says: "does not answer as a Chroma server (status 404, text/html)", suggests: "address"},
		"no TLS":           {url: strings.Replace(upstream, "http:", "https:", 1), code: holdfast.ExitFailed, says: "HTTP", suggests: "http://"},
		"moved":            {url: moved.URL, code: holdfast.ExitFailed, says: "302", suggests: "redirects are not followed"},
		"no token":         {url: guarded.URL(), code: holdfast.ExitRefused, says: "401", suggests: "no header was sent"},
		"wrong token":      {url: guarded.URL(), header: "wrong-and-secret", code: holdfast.ExitRefused, says: "401", suggests: "X-Chroma-Token"},
		"wrong tenant":     {url: upstream, tenant: "nobody", code: holdfast.ExitNotFound, says: "no such tenant", suggests: "name"},
		"wrong database":   {url: upstream, tenant: api.DefaultTenant, base: "nothing", code: holdfast.ExitNotFound, says: "no such database", suggests: "name"},
		"echoes":           {url: strings.Replace(broken.URL(), "http://", "http://user:pw-secret@", 1), header: "wrong-and-secret", code: holdfast.ExitUsage, says: "status 500", suggests: "address"},
		"no URL":           {url: "127.0.0.1:8000", code: holdfast.ExitUsage, says: "URL", suggests: "http://"},
		"another scheme":   {url: "postgres://user:pw-secret@host/", code: holdfast.ExitUsage, says: "http://", suggests: "http://"},
		"a torn URL":       {url: "http://user:pw-secret@host:port/%zz", code: holdfast.ExitUsage, says: "cannot be read", suggests: "http://"},
		"a URL with query": {url: upstream + "?token=pw-secret", code: holdfast.ExitUsage, says: "no ?", suggests: "settings"},
	} {
		t.Run(name, func(t *testing.T) {
			o := api.Options{URL: test.url, Rate: 1e6, Patience: time.Second}
			if test.header != "" {
				o.Headers = http.Header{"X-Chroma-Token": {test.header}}
			}
			err := ask(t, o, test.tenant, test.base)
			if err == nil {
				t.Fatal("no error")
			}
			if code := holdfast.ExitCode(err); code != test.code {
				t.Errorf("exit code %d, want %d: %v", code, test.code, err)
			}
			told := err.Error() + "\n" + holdfast.HintOf(err)
			if !strings.Contains(err.Error(), test.says) || !strings.Contains(holdfast.HintOf(err), test.suggests) {
				t.Errorf("it says %q, hint %q; want %q and %q", err, holdfast.HintOf(err), test.says, test.suggests)
			}
			if strings.Contains(told, "secret") || strings.Contains(told, "dXNlcjpwdy1zZWNyZXQ=") {
				t.Errorf("a secret is told: %s", told)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %s", err)
			}
		})
	}
}

// ask asks for the collections of a database, or the databases of a tenant.
func ask(t *testing.T, o api.Options, tenant, base string) error {
	c, err := api.New(o)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Hello(t.Context()); err != nil || tenant == "" {
		return err
	}
	if base == "" {
		_, err := c.Databases(t.Context(), tenant)
		return err
	}
	for _, err := range c.Collections(t.Context(), tenant, base) {
		return err
	}
	return nil
}

// A server that quotes a long token in a longer sentence is quoted without any part of it.
func TestClient_TellsNoPartOfASecret(t *testing.T) {
	token := "eyJhbGciOi" + strings.Repeat("q7", 400)
	for _, shape := range []string{`{"error":"E","message":%q}`, `{"detail":%q}`, `<p>%s</p>`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprintf(w, shape, strings.Repeat("no ", 40)+r.Header.Get("Authorization")+" is unknown")
		}))
		err := ask(t, api.Options{URL: server.URL, Headers: http.Header{"Authorization": {"Bearer " + token}}, Patience: time.Second}, "", "")
		server.Close()
		if err == nil || !strings.Contains(err.Error(), "is unknown") || strings.Contains(err.Error()+holdfast.HintOf(err), token[:10]) {
			t.Errorf("%s: %v", shape, err)
		}
	}
}
