package survival

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/mem"
	"github.com/holdfast-backup/holdfast/repo"
)

func newRepo(t testing.TB) (*repo.Repository, *mem.Bucket) {
	t.Helper()
	b := mem.New()
	r, err := repo.Init(t.Context(), b, repo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r, b
}

// A host is a place with a storage and a clock.
type host struct {
	t    testing.TB
	data string
	skew time.Duration
}

func newHost(t testing.TB, skew time.Duration) *host {
	return &host{t, filepath.Join(t.TempDir(), "bot.db"), skew}
}

func (h *host) start(r *repo.Repository) *Marker {
	h.t.Helper()
	m, err := Open(Options{Data: h.data, Source: "bot", Now: func() time.Time { return time.Now().Add(h.skew) }})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := m.Reconcile(h.t.Context(), r); err != nil {
		h.t.Fatal(err)
	}
	return m
}

// wipe gives the host an empty storage.
func (h *host) wipe() {
	h.t.Helper()
	if err := errors.Join(os.Remove(MarkerPath(h.data)), os.Remove(LockPath(h.data))); err != nil {
		h.t.Fatal(err)
	}
}

// A fataler is a test of either kind.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

// kill ends a process as kill -9 does: the kernel frees its lock, and nothing is
// written.
func kill(t fataler, m *Marker) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if err := m.unlock(); err != nil {
		t.Fatal(err)
	}
}

func end(t testing.TB, m *Marker, r *repo.Repository) {
	t.Helper()
	if err := m.Close(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// live lets time pass while all of these renew their leases.
func live(t testing.TB, d time.Duration, r *repo.Repository, markers ...*Marker) {
	t.Helper()
	for passed := time.Duration(0); passed < d; passed += DefaultLease / 3 {
		time.Sleep(DefaultLease / 3)
		for _, m := range markers {
			if err := m.Renew(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func want(t testing.TB, m *Marker, state holdfast.SurvivalState, words string) {
	t.Helper()
	s := m.Survival()
	if s.State != state || !strings.Contains(s.Words, words) {
		t.Errorf("it is %s, %q; want %s, %q", s.State, s.Words, state, words)
	}
}

func records(t testing.TB, r *repo.Repository) int {
	t.Helper()
	list, err := r.Instances(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestMarker_KeptAndWiped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRepo(t)
		h := newHost(t, 0)
		m := h.start(r)
		want(t, m, holdfast.SurvivalFirst, "a first start: nothing is known of an earlier one")
		end(t, m, r)
		for _, words := range []string{"kept over 1 restart", "kept over 2 restarts"} {
			m = h.start(r)
			want(t, m, holdfast.SurvivalKept, words)
			end(t, m, r)
		}
		h.wipe()
		m = h.start(r) // the other one ended: nothing to wait for
		want(t, m, holdfast.SurvivalWiped, "this start found the storage wiped; kept over 2 restarts; wiped once, on "+time.Now().UTC().Format("2006-01-02"))
		end(t, m, r)
		h.wipe()
		m = h.start(r)
		want(t, m, holdfast.SurvivalWiped, "wiped twice, last on")
		s := m.Survival()
		if s.Starts != 5 || s.Kept != 2 || s.Wiped != 2 || s.LastWiped == nil || s.Since == nil {
			t.Errorf("counted %+v", s)
		}
		if n := records(t, r); n != 1 {
			t.Errorf("%d records are left, want the living one's only", n)
		}
		end(t, m, r)
	})
}

func TestMarker_WipedAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRepo(t)
		h := newHost(t, 0)
		m := h.start(r)
		live(t, time.Minute, r, m)
		kill(t, m)
		h.wipe()
		time.Sleep(5 * time.Second)
		m = h.start(r)
		want(t, m, holdfast.SurvivalUnclear, "unclear: the instance ")
		if s := m.Survival(); s.Other == "" || s.OtherUntil == nil {
			t.Errorf("the other is not told: %+v", s)
		}
		live(t, DefaultLease, r, m)
		want(t, m, holdfast.SurvivalWiped, "wiped once")
		kill(t, m)

		h.wipe()
		time.Sleep(24 * time.Hour) // both clocks say that it is long gone
		m = h.start(r)
		want(t, m, holdfast.SurvivalWiped, "wiped twice")
		end(t, m, r)
	})
}

// A rolling deployment: the new instance starts on a storage of its own, the
// old one goes on for a minute and ends.
func TestMarker_CleanHandover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRepo(t)
		old, next := newHost(t, 0).start(r), newHost(t, 0)
		live(t, time.Minute, r, old)
		m := next.start(r)
		want(t, m, holdfast.SurvivalUnclear, "")
		live(t, time.Minute, r, old, m)
		want(t, m, holdfast.SurvivalTwo, "two instances are running")
		want(t, old, holdfast.SurvivalTwo, "two instances are running")
		end(t, old, r)
		live(t, time.Second, r, m)
		want(t, m, holdfast.SurvivalWiped, "wiped once")
		end(t, m, r)
		m = next.start(r)
		want(t, m, holdfast.SurvivalKept, "kept over 1 restart; wiped once")
		end(t, m, r)
	})
}

// Of two instances that begin beside one repository that does not exist yet, neither
// takes the place of the other, whichever is recorded first.
func TestMarker_TwoBeginTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := newHost(t, 0).start(nil)
		first.NoRecords()
		time.Sleep(time.Second)
		r, _ := newRepo(t)
		second := newHost(t, 0).start(r)
		time.Sleep(time.Second)
		live(t, 2*time.Minute, r, first, second)
		want(t, first, holdfast.SurvivalTwo, "")
		want(t, second, holdfast.SurvivalTwo, "")
		end(t, second, r)
		live(t, time.Second, r, first)
		want(t, first, holdfast.SurvivalFirst, "a first start")
		end(t, first, r)
	})
}

// Clocks of hosts are wrong by hours and must decide nothing.
func TestMarker_ClocksThatDiffer(t *testing.T) {
	for _, skew := range []time.Duration{-25 * time.Hour, -time.Hour, time.Hour, 25 * time.Hour} {
		t.Run(skew.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _ := newRepo(t)
				one, two := newHost(t, 0).start(r), newHost(t, skew)
				live(t, time.Minute, r, one)
				m := two.start(r)
				want(t, m, holdfast.SurvivalUnclear, "") // not wiped: the other lives
				live(t, time.Minute, r, one, m)
				want(t, m, holdfast.SurvivalTwo, "")
				want(t, one, holdfast.SurvivalTwo, "")
				live(t, 10*time.Minute, r, one, m)
				want(t, m, holdfast.SurvivalTwo, "")
				kill(t, one)
				live(t, DefaultLease+time.Minute, r, m)
				want(t, m, holdfast.SurvivalWiped, "wiped once")
				end(t, m, r)
			})
		})
	}
}

// Two storages that both last: each keeps its own history.
func TestMarker_TwoThatLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRepo(t)
		a, b := newHost(t, 0), newHost(t, time.Hour)
		one := a.start(r)
		two := b.start(r)
		live(t, time.Minute, r, one, two)
		end(t, one, r)
		live(t, time.Second, r, two) // two was there after one: it took its place
		one = a.start(r)
		want(t, one, holdfast.SurvivalKept, "kept over 1 restart")
		live(t, time.Minute, r, one, two)
		want(t, one, holdfast.SurvivalTwo, "kept over 1 restart")
		want(t, two, holdfast.SurvivalTwo, "")
		end(t, two, r)
		live(t, time.Second, r, one)
		want(t, one, holdfast.SurvivalKept, "kept over 1 restart")
		end(t, one, r)
	})
}

// A restart loop on a new storage must not lose that it is a new one.
func TestMarker_LoopBeforeItIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRepo(t)
		h := newHost(t, 0)
		m := h.start(r)
		kill(t, m)
		h.wipe()
		for range 3 {
			m = h.start(r)
			want(t, m, holdfast.SurvivalUnclear, "")
			kill(t, m)
			time.Sleep(time.Second)
		}
		h.wipe() // the second one is wiped before it settled
		m = h.start(r)
		live(t, 2*DefaultLease, r, m)
		s := m.Survival()
		if s.State != holdfast.SurvivalWiped || s.Starts != 5 || s.Kept != 2 || s.Wiped != 2 {
			t.Errorf("counted %+v", s)
		}
		end(t, m, r)
	})
}

// A storage that was set back to an earlier state has the marker of then.
func TestMarker_SetBackOrCopied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRepo(t)
		h, other := newHost(t, 0), newHost(t, 0)
		m := h.start(r)
		end(t, m, r)
		image, err := os.ReadFile(MarkerPath(h.data))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			end(t, h.start(r), r)
		}
		if err := os.WriteFile(MarkerPath(h.data), image, 0o600); err != nil {
			t.Fatal(err)
		}
		m = h.start(r)
		want(t, m, holdfast.SurvivalWiped, "kept over 3 restarts; wiped once")

		// A copy of a living storage.
		if image, err = os.ReadFile(MarkerPath(h.data)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(MarkerPath(other.data), image, 0o600); err != nil {
			t.Fatal(err)
		}
		copied := other.start(r)
		live(t, 2*time.Minute, r, m, copied)
		want(t, m, holdfast.SurvivalTwo, "")
		want(t, copied, holdfast.SurvivalTwo, "")
		if m.state.me.ID == copied.state.me.ID {
			t.Error("both go by one id")
		}
		end(t, m, r)
		end(t, copied, r)
	})
}

func TestMarker_RepositoryOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, b := newRepo(t)
		h := newHost(t, 0)
		m := h.start(nil)
		want(t, m, holdfast.SurvivalFirst, "a first start, as far as this storage tells")
		m.NoRecords()
		want(t, m, holdfast.SurvivalFirst, "a first start: nothing is known of an earlier one")
		end(t, m, nil)
		m = h.start(nil)
		want(t, m, holdfast.SurvivalKept, "kept over 1 restart")

		outage := errors.New("no route to host")
		b.Inject(func(string, string) error { return outage })
		if err := m.Renew(t.Context(), r); !errors.Is(err, outage) {
			t.Errorf("got %v", err)
		}
		want(t, m, holdfast.SurvivalKept, "kept over 1 restart")
		b.Inject(nil)
		live(t, time.Second, r, m)
		list, err := r.Instances(t.Context())
		if err != nil || len(list) != 1 || list[0].Starts != 2 || list[0].Kept != 1 || list[0].Ended != nil {
			t.Errorf("recorded %+v, %v", list, err)
		}
		end(t, m, r)
		if list, err = r.Instances(t.Context()); err != nil || len(list) != 1 || list[0].Ended == nil {
			t.Errorf("recorded %+v, %v", list, err)
		}
	})
}

// The history of the storage before is not removed before it lies safe in the
// own record.
func TestMarker_EveryFailureKeepsTheHistory(t *testing.T) {
	for n := 1; ; n++ {
		done := false
		synctest.Test(t, func(t *testing.T) {
			r, b := newRepo(t)
			h := newHost(t, 0)
			for range 3 {
				end(t, h.start(r), r)
			}
			h.wipe()
			ops := 0
			b.Inject(func(string, string) error {
				if ops++; ops >= n {
					return errors.New("cut")
				}
				return nil
			})
			m, err := Open(Options{Data: h.data, Source: "bot"})
			if err != nil {
				t.Fatal(err)
			}
			failed := m.Reconcile(t.Context(), r) != nil
			b.Inject(nil)
			kill(t, m)
			m = h.start(r)
			live(t, 2*DefaultLease, r, m)
			s := m.Survival()
			if s.Starts != 5 || s.Kept != 3 || s.Wiped != 1 {
				t.Errorf("cut at operation %d: counted %+v", n, s)
			}
			end(t, m, r)
			done = !failed
		})
		if done {
			return
		}
	}
}

// A record that could not be written is not somebody else's.
func TestMarker_RecordThatCouldNotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, b := newRepo(t)
		h := newHost(t, 0)
		m := h.start(r)
		id := m.state.me.ID
		end(t, m, r)
		m, err := Open(Options{Data: h.data, Source: "bot"})
		if err != nil {
			t.Fatal(err)
		}
		readOnly := errors.New("the repository is read-only")
		b.Inject(func(op, _ string) error {
			if op == "put" {
				return readOnly
			}
			return nil
		})
		for range 3 {
			if err := m.Renew(t.Context(), r); !errors.Is(err, readOnly) {
				t.Errorf("got %v", err)
			}
			time.Sleep(DefaultLease / 3)
		}
		b.Inject(nil)
		live(t, time.Second, r, m)
		want(t, m, holdfast.SurvivalKept, "kept over 1 restart")
		if n := records(t, r); n != 1 || m.state.me.ID != id {
			t.Errorf("%d records, and the id changed: %v", n, m.state.me.ID != id)
		}
		end(t, m, r)
	})
}

func TestMarker_CancelledEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRepo(t)
		h := newHost(t, 0)
		m := h.start(r)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := m.Close(ctx, r); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if err := m.Close(ctx, r); err != nil {
			t.Errorf("a second Close: %v", err)
		}
		m = h.start(r) // the lock was given back
		want(t, m, holdfast.SurvivalKept, "kept over 1 restart")
		end(t, m, r)
	})
}
