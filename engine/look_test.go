package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/mem"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
)

// look opens a backup until the test ends.
func (w *world) look(name string) *engine.Look {
	w.t.Helper()
	l, err := w.engine().Look(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := l.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return l
}

var someStock = stock{
	"users":        {"1": {"name": "Alice"}, "2": {"name": "Bob"}, "3": {"name": "Carol", "note": "likes whales"}},
	"t/d/notes":    {"a": {"document": "a blue Whale"}},
	"t/d/memories": {},
	"t/e/memories": {},
}

func TestLook_TablesHaveTheNumbersThatWereRecorded(t *testing.T) {
	w, s := stocked(t, someStock)
	s.uncounted = true
	w.backup("monday")
	in, err := w.look("latest").Inside(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	tables, err := in.Tables(t.Context())
	if err != nil || len(tables) != 4 || tables[3].Rows == nil || *tables[3].Rows != 3 {
		t.Errorf("%v %+v", err, tables)
	}
	if s.reads.Load() != 0 {
		t.Error("rows were read to count them")
	}
}

func TestLook_ATableIsFoundByWhatPeopleCallIt(t *testing.T) {
	w, _ := stocked(t, someStock)
	w.backup("monday")
	l := w.look("monday")
	for name, want := range map[string]string{"users": "users", "notes": "t/d/notes", "t/e/memories": "t/e/memories"} {
		if got, _, err := l.Table(t.Context(), "shop", name); err != nil || got.Name != want {
			t.Errorf("%s is %q, %v", name, got.Name, err)
		}
	}
	for name, want := range map[string]struct {
		kind error
		hint string
	}{
		"memories": {holdfast.ErrUsage, "name one of them: t/d/memories, t/e/memories"},
		"user":     {holdfast.ErrNotFound, "did you mean users?"},
		"zzzzzzzz": {holdfast.ErrNotFound, "there are: t/d/memories, memories, t/d/notes, notes, t/e/memories, memories, users"},
	} {
		_, _, err := l.Table(t.Context(), "shop", name)
		if !errors.Is(err, want.kind) || holdfast.HintOf(err) != want.hint {
			t.Errorf("%s: %v, hint %q", name, err, holdfast.HintOf(err))
		}
	}
	if _, err := l.Inside(t.Context(), "shpo"); !errors.Is(err, holdfast.ErrNotFound) || holdfast.HintOf(err) != "did you mean shop?" {
		t.Errorf("%v", err)
	}
}

func TestLook_PagesAreThatLongAndNotTooLarge(t *testing.T) {
	held := stock{"t": {}}
	for i := range 12 {
		text := "small"
		if i >= 5 {
			text = strings.Repeat("x", 3<<20)
		}
		held["t"][fmt.Sprintf("%02d", i)] = map[string]any{"text": text}
	}
	w, _ := stocked(t, held)
	w.backup("monday")
	l := w.look("monday")
	var sizes []int
	var keys []string
	for after := ""; ; {
		page, err := l.Page(t.Context(), engine.PageRequest{Source: "shop", Table: "t", After: after, Limit: 5})
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(page.Rows))
		for _, row := range page.Rows {
			keys = append(keys, row.Key)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(keys) != 12 || !slices.IsSorted(keys) || !slices.Equal(sizes, []int{5, 3, 3, 1}) {
		t.Errorf("pages of %v rows: %v", sizes, keys)
	}
	if _, _, err := l.Row(t.Context(), "shop", "t", "0"); !errors.Is(err, holdfast.ErrNotFound) || holdfast.HintOf(err) != "did you mean 00?" {
		t.Errorf("%v", err)
	}
}

func TestLook_ASourceThatNothingCanLookIntoIsToldSo(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	l := w.look("monday")
	if len(l.Sources) != 2 || l.Sources[0].Closed == "" {
		t.Fatalf("%+v", l.Sources)
	}
	if _, err := l.Inside(t.Context(), "bot"); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("%v", err)
	}
	var skipped []holdfast.Problem
	for range l.Search(t.Context(), engine.SearchRequest{Text: "one", Skipped: func(p holdfast.Problem) { skipped = append(skipped, p) }}) {
		t.Error("something was found in what cannot be looked into")
	}
	if len(skipped) != 2 || skipped[0].Source != l.Sources[0].Name || skipped[0].Severity != holdfast.Incomplete || !strings.Contains(skipped[0].Message, l.Sources[0].Closed) {
		t.Errorf("%+v", skipped)
	}
}

func TestLook_TheNearestCopyIsTaken(t *testing.T) {
	w, _ := stocked(t, someStock)
	w.backup("monday")
	there := mem.New()
	copies, err := repo.Init(t.Context(), there, repo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.opts.Repository, w.opts.Replicas = nil, []engine.Replica{{Name: "nas", Open: func(context.Context) (*repo.Repository, error) { return w.repo, nil }}}
	if l := w.look("monday"); l.From != "nas" || l.Words() != "monday from the replica nas" {
		t.Errorf("it is %s", l.Words())
	}
	w.opts.Repository = copies
	w.opts.Replicas = nil
	if _, err := w.engine().Look(t.Context(), "monday"); !errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestLook_DamageIsNamedAndNeverShown(t *testing.T) {
	w, _ := stocked(t, someStock)
	w.backup("monday")
	l := w.look("monday")
	w.corrupt("monday/shop/")
	_, err := l.Inside(t.Context(), "shop")
	if !errors.Is(err, holdfast.ErrDamaged) || !strings.Contains(err.Error(), "monday/shop/shop.json") || !strings.Contains(holdfast.HintOf(err), "holdfast verify") {
		t.Errorf("%v, hint %q", err, holdfast.HintOf(err))
	}
}

func TestLook_WithoutAKeyNothingIsSeen(t *testing.T) {
	w, _ := stocked(t, someStock)
	keys := w.sealed()
	w.backup("monday")
	if _, err := w.engine().Look(t.Context(), "monday"); !errors.Is(err, repo.ErrNoKey) {
		t.Errorf("%v", err)
	}
	w.reopen(repo.Options{Keys: keys})
	if _, _, err := w.look("monday").Row(t.Context(), "shop", "users", "2"); err != nil {
		t.Error(err)
	}
}

func TestLook_ManyAtOnceOpenASourceOnce(t *testing.T) {
	w, _ := stocked(t, someStock)
	w.backup("monday")
	l := w.look("monday")
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, row, err := l.Row(t.Context(), "shop", "users", "1"); err != nil || row.Fields[0].Value != "Alice" {
				t.Errorf("%v %v", row, err)
			}
		})
	}
	wg.Wait()
}

func TestSearch_StreamsHitsOfAllSources(t *testing.T) {
	w, s := stocked(t, someStock)
	other := &shop{name: "other", path: filepath.Join(w.dir, "other", "other.json"), reads: s.reads}
	w.opts.Sources = append(w.opts.Sources, other)
	w.stock(other, stock{"users": {"9": {"name": "no whale"}}})
	w.backup("monday")
	for name, one := range map[string]struct {
		req  engine.SearchRequest
		want string
	}{
		"all":          {engine.SearchRequest{Text: "WHALE"}, "shop/t/d/notes a, shop/users 3, other/users 9"},
		"one source":   {engine.SearchRequest{Text: "whale", Source: "other"}, "other/users 9"},
		"by title":     {engine.SearchRequest{Text: "whale", Tables: []string{"notes"}}, "shop/t/d/notes a"},
		"some limit":   {engine.SearchRequest{Text: "whale", Limit: 2}, "shop/t/d/notes a, shop/users 3"},
		"two tables":   {engine.SearchRequest{Text: "whale", Tables: []string{"users", "notes"}}, "shop/t/d/notes a, shop/users 3, other/users 9"},
		"nothing":      {engine.SearchRequest{Text: "shark"}, ""},
		"table+source": {engine.SearchRequest{Text: "whale", Source: "shop", Tables: []string{"users"}}, "shop/users 3"},
	} {
		one.req.Name = "monday"
		var got []string
		for hit, err := range w.engine().Search(t.Context(), one.req) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got = append(got, hit.Source+"/"+hit.Table+" "+hit.Key)
		}
		if strings.Join(got, ", ") != one.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	for name, one := range map[string]struct {
		req  engine.SearchRequest
		kind error
	}{
		"no text":   {engine.SearchRequest{Name: "monday", Text: "  "}, holdfast.ErrUsage},
		"no table":  {engine.SearchRequest{Name: "monday", Text: "a", Tables: []string{"user"}}, holdfast.ErrNotFound},
		"no source": {engine.SearchRequest{Name: "monday", Text: "a", Source: "x"}, holdfast.ErrNotFound},
		"no backup": {engine.SearchRequest{Name: "tuesday", Text: "a"}, holdfast.ErrNotFound},
	} {
		n := 0
		for _, err := range w.engine().Search(t.Context(), one.req) {
			if n++; !errors.Is(err, one.kind) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d answers", name, n)
		}
	}
}

// scratches lists what looks at the present state left.
func (w *world) scratches() []string {
	found, err := filepath.Glob(filepath.Join(w.opts.StateDir, "look", "holdfast-look-*"))
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

func TestLookLive_IsPrivateAndGoesWithTheLook(t *testing.T) {
	w, s := stocked(t, someStock)
	absent := &shop{name: "absent", path: filepath.Join(w.dir, "nowhere")}
	w.opts.Sources = append(w.opts.Sources, absent)
	e := w.engine()
	l, err := e.LookLive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Sources) != 1 || len(l.Problems) != 1 || l.Problems[0].Source != "absent" {
		t.Errorf("%+v %+v", l.Sources, l.Problems)
	}
	dirs := w.scratches()
	if len(dirs) != 1 {
		t.Fatalf("%v", dirs)
	}
	if info, err := os.Stat(dirs[0]); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	w.stock(s, stock{"users": {}}) // the Look stays as it was
	if _, row, err := l.Row(t.Context(), "shop", "users", "1"); err != nil || row.Fields[0].Value != "Alice" {
		t.Errorf("%v %v", row, err)
	}
	if _, err := e.LookLive(t.Context()); !errors.Is(err, holdfast.ErrLocked) {
		t.Errorf("a second one at once: %v", err)
	}
	if err := e.ClearScratch(); err != nil || len(w.scratches()) != 1 {
		t.Errorf("what is in use was removed: %v", err)
	}
	if err := l.Close(); err != nil || len(w.scratches()) != 0 {
		t.Errorf("left: %v, %v", w.scratches(), err)
	}
}

func TestLookLive_AFailureLeavesNothing(t *testing.T) {
	w, s := stocked(t, someStock)
	s.bytes = 1 << 62
	if _, err := w.engine().LookLive(t.Context()); !errors.Is(err, holdfast.ErrRefused) || holdfast.CauseOf(err) != holdfast.CauseNoSpace {
		t.Errorf("%v", err)
	}
	s.bytes = 0
	w.opts.Sources = append(w.opts.Sources, &database{name: "bot", path: w.bot.path, onCapture: func() error { return errors.New("locked for good") }})
	if l, err := w.engine().LookLive(t.Context()); err != nil { // a database of the tests cannot be looked into, so it is not captured
		t.Error(err)
	} else if err := l.Close(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.engine().LookLive(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := w.engine().LookLive(t.Context(), "shpo"); !errors.Is(err, holdfast.ErrUsage) || holdfast.HintOf(err) != "did you mean shop?" {
		t.Errorf("%v", err)
	}
	if left := w.scratches(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestLookLive_WhatAKilledOneLeftGoes(t *testing.T) {
	w, _ := stocked(t, someStock)
	dir := filepath.Join(w.opts.StateDir, "look", "holdfast-look-dead")
	for range 2 {
		write(t, filepath.Join(dir, "shop", "shop.json"), "{}")
		write(t, filepath.Join(w.opts.StateDir, "look", "scratch"), dir)
		if err := w.engine().ClearScratch(); err != nil {
			t.Fatal(err)
		}
		if left := w.scratches(); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
	// And nothing else, whoever wrote the note.
	write(t, filepath.Join(w.opts.StateDir, "look", "scratch"), filepath.Dir(w.bot.path))
	if err := w.engine().ClearScratch(); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("%v", err)
	}
	w.want("one")
}
