package daemon

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/mem"
	"github.com/holdfast-backup/holdfast/repo"
)

func newRepository(t *testing.T) *repo.Repository {
	t.Helper()
	r, err := repo.Init(t.Context(), mem.New(), repo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func machine(host string) *claim {
	return newClaim(tag{ID: strings.Repeat(host[:1], 26), Owner: holdfast.Owner{Host: host}}, time.Now)
}

func renew(t *testing.T, c *claim, r *repo.Repository) string {
	t.Helper()
	if err := c.renew(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return c.standby()
}

func TestClaim_TheSecondStandsByUntilTheFirstIsGone(t *testing.T) {
	r, first, second := newRepository(t), machine("alpha"), machine("beta")
	if other := renew(t, first, r); other != "" {
		t.Fatalf("the first one stands by for %s", other)
	}
	if other := renew(t, second, r); !strings.Contains(other, "alpha") {
		t.Errorf("the second one stands by for %q", other)
	}
	if other := renew(t, first, r); other != "" {
		t.Errorf("the first one stands by for %s", other)
	}
	if err := first.end(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if other := renew(t, second, r); other != "" {
		t.Errorf("the second one stands by for %s, which is gone", other)
	}
}

// A daemon whose clock is wrong takes nothing from one that serves.
func TestClaim_ClocksOfTheOthersCountForNothing(t *testing.T) {
	r, first, second := newRepository(t), machine("alpha"), machine("beta")
	renew(t, first, r)
	second.now = func() time.Time { return time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC) }
	second.started = second.now()
	if other := renew(t, second, r); other == "" {
		t.Error("the second one serves beside the first")
	}
}

// Of those that begin at one moment one is left.
func TestClaim_OneOfThoseThatBeginTogether(t *testing.T) {
	r := newRepository(t)
	begun := time.Now()
	all := []*claim{machine("alpha"), machine("beta"), machine("gamma")}
	for _, c := range all {
		c.started = begun
		if err := r.PutInstance(t.Context(), c.record()); err != nil {
			t.Fatal(err)
		}
	}
	serving := 0
	for range 2 {
		serving = 0
		for _, c := range all {
			if renew(t, c, r) == "" {
				serving++
			}
		}
	}
	if serving != 1 {
		t.Errorf("%d serve", serving)
	}
}

// What a daemon that was killed left counts until it runs out, by the clock of the store.
func TestClaim_RunsOut(t *testing.T) {
	i := repo.Instance{Seen: holdfast.At(time.Unix(0, 0)), Expires: holdfast.At(time.Unix(0, 0).Add(claimLasts)), Modified: time.Unix(1000, 0)}
	for after, want := range map[time.Duration]bool{0: true, claimLasts - time.Second: true, claimLasts: false, -time.Hour: true} {
		if got := lives(i, i.Modified.Add(after)); got != want {
			t.Errorf("after %s: %v", after, got)
		}
	}
	i.Expires = holdfast.At(time.Unix(0, 0).Add(1000 * time.Hour))
	if lives(i, i.Modified.Add(mostClaim)) {
		t.Error("a record can claim the repository for longer than any does")
	}
}

// The same state directory after a crash is no other daemon; a copy of it is.
func TestClaim_OwnRecordOfAnEarlierLife(t *testing.T) {
	r, before, now := newRepository(t), machine("alpha"), machine("alpha")
	renew(t, before, r)
	if other := renew(t, now, r); other != "" {
		t.Errorf("it stands by for its own earlier life: %s", other)
	}
	// The earlier one was not dead: it meets another life under its name.
	if renew(t, before, r); before.id == now.id {
		t.Error("two lives go on under one name")
	}
	if a, b := renew(t, before, r), renew(t, now, r); (a == "") == (b == "") {
		t.Errorf("%q and %q: one of them should serve", a, b)
	}
}

func TestRun_OneOfTwoMachinesServes(t *testing.T) {
	w := newWorld(t, nil)
	w.set("state", w.path("state-1"))
	first := w.start()
	if code, body := first.ask("POST", "/api/v1/backups", `{}`); code/100 != 2 {
		t.Fatalf("%d %s", code, body)
	}
	first.stop() // the repository exists now
	first = w.start()
	w.set("state", w.path("state-2"))
	err := w.begin().refused()
	if !errors.Is(err, holdfast.ErrLocked) {
		t.Errorf("a daemon with another state directory: %v", err)
	}
	first.stop()
	w.start().stop()
}
