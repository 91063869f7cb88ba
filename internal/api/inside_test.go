package api

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// newShelved is a world that keeps opened backups, and has two: in between a row was
// added, one changed and one went.
func newShelved(t *testing.T) *world {
	w := newWorld(t, nil)
	w.core.Shelf = NewShelf(w.core.Keeper, func(err error) { t.Error(err) })
	t.Cleanup(w.core.Shelf.Close)
	sourcetest.SQLite(t, w.database, "INSERT INTO note(text) VALUES('a blue Whale'),('third'),('สวัสดี');")
	w.ask("POST", "backups", map[string]any{"name": "one"}).want(http.StatusCreated)
	sourcetest.SQLite(t, w.database, "UPDATE note SET text='a green whale' WHERE id=2; DELETE FROM note WHERE id=3; INSERT INTO note(text) VALUES('fifth'); CREATE TABLE extra(x);")
	w.ask("POST", "backups", map[string]any{"name": "two"}).want(http.StatusCreated)
	return w
}

// lines reads a stream of lines.
func (r reply) lines() (kinds []string, objects []map[string]any) {
	r.t.Helper()
	for line := range strings.Lines(string(r.body)) {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			r.t.Fatalf("%s: %v: %s", r.what, err, line)
		}
		if kind := o["type"].(string); kind != "progress" {
			kinds, objects = append(kinds, kind), append(objects, o)
		}
	}
	return kinds, objects
}

func TestInside_ABackupIsPagedThrough(t *testing.T) {
	w := newShelved(t)
	var contents report.Contents
	w.ask("GET", "backups/one/contents", nil).want(http.StatusOK, &contents)
	if len(contents.Sources) != 1 || len(contents.Sources[0].Tables) != 1 || *contents.Sources[0].Tables[0].Rows != 4 {
		t.Fatalf("%+v", contents)
	}
	var keys []string
	for after := ""; ; {
		var page report.Rows
		w.ask("GET", "backups/one/contents/bot/rows?table=note&limit=3&after="+after, nil).want(http.StatusOK, &page)
		for _, row := range page.Rows {
			keys = append(keys, row.Key)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if !slices.Equal(keys, []string{"1", "2", "3", "4"}) {
		t.Errorf("the pages hold %q", keys)
	}
	var row report.OneRow
	w.ask("GET", "backups/two/contents/bot/row?table=note&key=2", nil).want(http.StatusOK, &row)
	if row.Row.Fields[1].Value.Value != "a green whale" || row.Restore != "holdfast restore two --only bot --table note --id 2" {
		t.Errorf("%+v", row)
	}
	var cut report.Rows
	w.ask("GET", "backups/latest/contents/bot/rows?table=note&cut=2", nil).want(http.StatusOK, &cut)
	if f := cut.Rows[0].Fields[1]; f.Value.Value != "fi" || f.Length != 5 {
		t.Errorf("%+v", f)
	}
}

func TestInside_WhatIsNotThereIsToldWithWhatWasMeant(t *testing.T) {
	w := newShelved(t)
	for path, hint := range map[string]string{
		"backups/one/contents?source=bto":                      "did you mean bot?",
		"backups/one/contents/bot/rows?table=notes":            "did you mean note?",
		"backups/one/contents/bot/row?table=note&key=44":       "did you mean 4?",
		"backups/one/search?text=a&table=notes":                "did you mean note?",
		"backups/one/search?text=a&source=bto":                 "did you mean bot?",
		"backups/one/diff/two?table=notes":                     "did you mean note?",
		"backups/one/diff/two?source=bto":                      "did you mean bot?",
		"backups/none/contents":                                "",
		"backups/none/search?text=a":                           "",
		"backups/none/diff/one":                                "",
		"backups/one/diff/none":                                "",
		"backups/none/contents/bot/rows?table=note":            "",
		"backups/none/contents/bot/row?table=note&key=1":       "",
		"backups/one/contents/none/rows?table=note":            "there are: bot",
		"backups/one/contents/none/row?table=note&key=1&key=2": "there are: bot",
	} {
		r := w.ask("GET", path, nil)
		p := r.problem(http.StatusNotFound, "not_found")
		if hint != "" && p.Hint != hint {
			t.Errorf("%s: the hint is %q, want %q", path, p.Hint, hint)
		}
	}
	w.ask("GET", "backups/one/contents/bot/rows?table=note&after=nonsense", nil).problem(http.StatusBadRequest, "usage")
	w.ask("GET", "backups/one/contents/bot/rows?table=note&limit=501", nil).problem(http.StatusUnprocessableEntity, "usage")
	w.ask("GET", "backups/one/search?text=%20", nil).problem(http.StatusBadRequest, "usage")
	for _, path := range []string{"contents", "contents/bot/rows?table=note", "contents/bot/row?table=note&key=1", "search?text=a", "diff/two"} {
		w.ask("GET", "backups/one/"+path, nil, "Accept", "image/png").problem(http.StatusNotAcceptable, "usage")
	}
}

func TestInside_ASearchStreams(t *testing.T) {
	w := newShelved(t)
	kinds, objects := w.ask("GET", "backups/one/search?text=WHALE", nil).lines()
	if !slices.Equal(kinds, []string{"hit", "search"}) || objects[0]["key"] != "2" || objects[1]["more"] != false {
		t.Errorf("%v %v", kinds, objects)
	}
	kinds, objects = w.ask("GET", "backups/one/search?text=i&limit=1", nil).lines()
	if !slices.Equal(kinds, []string{"hit", "search"}) || objects[1]["more"] != true {
		t.Errorf("%v %v", kinds, objects)
	}
	r := w.ask("GET", "backups/one/search?text=whale", nil, "Accept", eventStreamType)
	if got := r.header.Get("Content-Type"); got != eventStreamType {
		t.Errorf("the answer is %s", got)
	}
	var names []string
	for s := bufio.NewScanner(strings.NewReader(string(r.body))); s.Scan(); {
		if name, ok := strings.CutPrefix(s.Text(), "event: "); ok && name != "progress" {
			names = append(names, name)
		}
	}
	if !slices.Equal(names, []string{"hit", "search"}) {
		t.Errorf("the events are %q: %s", names, r.body)
	}
	if r := w.ask("HEAD", "backups/one/search?text=whale", nil); r.status != http.StatusOK || len(r.body) > 0 {
		t.Errorf("HEAD: %d %s", r.status, r.body)
	}
}

func TestInside_TwoStatesAreCompared(t *testing.T) {
	w := newShelved(t)
	kinds, objects := w.ask("GET", "backups/one/diff/two?details=true", nil).lines()
	want := []string{"diff_table", "diff_table", "diff_row", "diff_row", "diff_row", "diff"}
	if !slices.Equal(kinds, want) {
		t.Fatalf("%v", kinds)
	}
	if sum := objects[5]; fmt.Sprint(sum["added"], sum["changed"], sum["removed"], sum["differs"]) != "1 1 1 true" {
		t.Errorf("%v", sum)
	}
	fields := objects[2]["fields"].([]any)
	if fmt.Sprint(fields) != "[map[after:map[type:text value:a green whale] before:map[type:text value:a blue Whale] name:text]]" {
		t.Errorf("%v", fields)
	}
	sourcetest.SQLite(t, w.database, "INSERT INTO extra VALUES(7);")
	kinds, objects = w.ask("GET", "backups/two/diff/live", nil).lines()
	if !slices.Equal(kinds, []string{"diff_table", "diff_table", "diff"}) || fmt.Sprint(objects[2]["added"], objects[2]["changed"]) != "1 0" {
		t.Errorf("%v %v", kinds, objects)
	}
}

// What is captured for a comparison with the present state is as much as a backup takes.
func TestInside_LiveNeedsTheScopeOfABackup(t *testing.T) {
	w := newShelved(t)
	owner, reader := w.as(w.newToken("me", access.ScopeAdmin)), w.as(w.newToken("reader", access.ScopeRead))
	both := w.as(w.newToken("both", access.ScopeRead, access.ScopeBackup))
	reader.ask("GET", "backups/one/diff/two", nil).want(http.StatusOK)
	reader.ask("GET", "backups/one/diff/live", nil).problem(http.StatusForbidden, "forbidden")
	both.ask("GET", "backups/one/diff/live", nil).want(http.StatusOK)
	owner.ask("GET", "backups/one/diff/live", nil).want(http.StatusOK)
}

// What was deleted is not shown from what is still open.
func TestInside_ADeletedBackupIsGoneAtOnce(t *testing.T) {
	w := newShelved(t)
	w.ask("GET", "backups/one/contents", nil).want(http.StatusOK)
	r, err := w.core.Keeper.Repository(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Delete(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	w.ask("GET", "backups/one/contents", nil).problem(http.StatusNotFound, "not_found")
	w.ask("GET", "backups/two/contents", nil).want(http.StatusOK)
}

// Each scan reads a whole backup: there are so many at once.
func TestInside_ScansAreBounded(t *testing.T) {
	w := newShelved(t)
	s := &server{scans: make(chan struct{}, 1)}
	leave, err := s.room()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.room(); problemOf(t.Context(), err).Status != http.StatusTooManyRequests {
		t.Errorf("a second one was let in: %v", err)
	}
	leave()
	if leave, err = s.room(); err != nil {
		t.Errorf("the room was not given back: %v", err)
	}
	leave()
	// Each gives its place back, however it ends.
	for range maxScans + 1 {
		w.ask("GET", "backups/one/search?text=whale", nil).want(http.StatusOK)
		w.ask("GET", "backups/one/search?text=whale&table=none", nil).problem(http.StatusNotFound, "not_found")
		w.ask("HEAD", "backups/one/diff/two", nil).want(http.StatusOK)
	}
}

// A scan ends when the client goes, or the server, and gives its place back.
func TestInside_AScanEndsWithItsClient(t *testing.T) {
	for name, end := range map[string]func(cancel func(), closing chan struct{}){
		"the client": func(cancel func(), _ chan struct{}) { cancel() },
		"the server": func(_ func(), closing chan struct{}) { close(closing) },
	} {
		closing := make(chan struct{})
		s := &server{o: Options{Heartbeat: time.Millisecond, Closing: closing}, log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r := httptest.NewRequest("GET", "/", nil).WithContext(ctx)
		w := &sparing{ResponseRecorder: httptest.NewRecorder(), wrote: make(chan struct{}, 1)}
		stopped := make(chan error, 1)
		go func() {
			<-w.wrote // a progress, since nothing is found
			end(cancel, closing)
		}()
		s.sendScan(r, &scanStream{w: newUnhurried(w)}, scan{
			done: func(err error) { stopped <- err },
			run: func(ctx context.Context, _ func(string, any) error, walk func(string, string, int64)) error {
				walk("bot", "note", 7)
				<-ctx.Done()
				return ctx.Err()
			},
		})
		if err := <-stopped; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the scan ended with %v", name, err)
		}
		if !strings.Contains(w.Body.String(), `"type":"progress"`) {
			t.Errorf("%s: nothing showed that it lived: %s", name, w.Body)
		}
	}
}

// sparing tells of the first write.
type sparing struct {
	*httptest.ResponseRecorder
	wrote chan struct{}
}

func (s *sparing) Write(b []byte) (int, error) {
	select {
	case s.wrote <- struct{}{}:
	default:
	}
	return s.ResponseRecorder.Write(b)
}

// What fails half-way is the last line.
func TestInside_AFailureHalfWayIsTold(t *testing.T) {
	s := &server{o: Options{Heartbeat: time.Hour}, log: slog.New(slog.DiscardHandler)}
	for _, events := range []bool{false, true} {
		w := httptest.NewRecorder()
		s.sendScan(httptest.NewRequest("GET", "/", nil), &scanStream{w: newUnhurried(w), events: events}, scan{
			done: func(error) {},
			run: func(_ context.Context, tell func(string, any) error, _ func(string, string, int64)) error {
				return cmp.Or(tell("hit", map[string]string{"type": "hit"}), error(&holdfast.Error{Op: "read", Object: "one", Err: holdfast.Kindf(holdfast.ErrDamaged, "torn")}))
			},
		})
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"code":"damaged"`) || strings.Contains(w.Body.String(), "event: error") != events {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

// A look that panics gives the backup back, closed: nobody waits for it for ever.
func TestInside_APanicKeepsNoBackup(t *testing.T) {
	w := newShelved(t)
	var lent *engine.Look
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = w.core.Looking(t.Context(), "one", func(l *engine.Look) error {
			lent = l
			panic("a bug")
		})
	}()
	err := w.core.Looking(t.Context(), "one", func(l *engine.Look) error {
		if l == lent {
			t.Error("what was left by a panic is lent again")
		}
		_, err := l.Page(t.Context(), engine.PageRequest{Source: l.Sources[0].Name, Table: "note", Limit: 1})
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
