package shelf

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// a thing knows whether it is open.
type thing struct {
	name   string
	closed atomic.Bool
}

func (b *thing) Close() error {
	if b.closed.Swap(true) {
		return errors.New(b.name + " was closed twice")
	}
	return nil
}

// a store opens things and knows all of them.
type store struct {
	t      *testing.T
	mu     sync.Mutex
	opened []*thing
	gone   map[string]bool
	fail   error
}

func (s *store) options() Options[*thing] {
	return Options[*thing]{
		Resolve: func(_ context.Context, name string) (string, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.gone[name] {
				return "", errors.New("gone")
			}
			if name == "latest" {
				name = "b"
			}
			return name, nil
		},
		Open: func(_ context.Context, name string) (*thing, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.fail != nil {
				return nil, s.fail
			}
			b := &thing{name: name}
			s.opened = append(s.opened, b)
			return b, nil
		},
		Failed: func(err error) { s.t.Error(err) },
	}
}

func (s *store) count() (opened, open int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.opened {
		if !b.closed.Load() {
			open++
		}
	}
	return len(s.opened), open
}

func (s *store) want(opened, open int) {
	s.t.Helper()
	if a, b := s.count(); a != opened || b != open {
		s.t.Errorf("%d were opened and %d are open, want %d and %d", a, b, opened, open)
	}
}

func take(t *testing.T, s *Shelf[*thing], name string) *Loan[*thing] {
	t.Helper()
	l, err := s.Take(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if l.Value.closed.Load() {
		t.Fatalf("%s is lent and closed", name)
	}
	return l
}

func TestShelf_OneIsOpenedOnceAndClosedWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &store{t: t}
		s := New(st.options())
		one, two := take(t, s, "b"), take(t, s, "latest")
		if one.Value != two.Value {
			t.Error("two names of one thing are two things")
		}
		one.Return(nil)
		one.Return(nil) // counts once
		time.Sleep(time.Hour)
		st.want(1, 1) // still borrowed
		two.Return(nil)
		time.Sleep(time.Minute)
		take(t, s, "b").Return(nil)
		time.Sleep(time.Minute + time.Second)
		st.want(1, 1) // the time begins anew with each loan
		time.Sleep(time.Minute)
		st.want(1, 0)
		take(t, s, "b").Return(nil)
		st.want(2, 1)
		s.Close()
		st.want(2, 0)
	})
}

func TestShelf_TheLongestUnusedMakesRoom(t *testing.T) {
	st := &store{t: t}
	o := st.options()
	o.Size = 2
	s := New(o)
	defer s.Close()
	for _, name := range []string{"a", "b", "a", "c"} {
		take(t, s, name).Return(nil)
	}
	st.want(3, 2)
	take(t, s, "a").Return(nil) // b went
	st.want(3, 2)
	// All borrowed: more are open, but only so long.
	loans := []*Loan[*thing]{take(t, s, "a"), take(t, s, "c"), take(t, s, "d")}
	st.want(4, 3)
	for _, l := range loans {
		l.Return(nil)
	}
	st.want(4, 2)
}

func TestShelf_WhatIsGoneOrSpoiltIsNotLentAgain(t *testing.T) {
	st := &store{t: t, gone: map[string]bool{}}
	s := New(st.options())
	defer s.Close()
	l := take(t, s, "a")
	s.Drop()
	st.want(1, 1) // borrowed
	other := take(t, s, "a")
	if other.Value == l.Value {
		t.Error("what was dropped was lent again")
	}
	l.Return(nil)
	st.want(2, 1)
	other.Return(errors.New("damaged"))
	st.want(2, 0)
	l = take(t, s, "a")
	l.Return(fmt.Errorf("read: %w", context.Canceled)) // nothing is wrong with it
	st.want(3, 1)
	st.mu.Lock()
	st.gone["a"] = true
	st.mu.Unlock()
	if _, err := s.Take(t.Context(), "a"); err == nil {
		t.Error("what is gone was lent")
	}
}

func TestShelf_AFailureToOpenIsNotKept(t *testing.T) {
	st := &store{t: t, fail: errors.New("no key")}
	s := New(st.options())
	defer s.Close()
	if _, err := s.Take(t.Context(), "a"); err != st.fail {
		t.Errorf("got %v", err)
	}
	st.fail = nil
	take(t, s, "a").Return(nil)
	st.want(1, 1)
}

// Who goes while something is opened takes it from nobody, and what nobody waits for any
// more stays for the next.
func TestShelf_ABorrowerMayGoWhileItOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &store{t: t}
		o := st.options()
		open := o.Open
		o.Open = func(ctx context.Context, name string) (*thing, error) {
			time.Sleep(time.Minute)
			return open(ctx, name)
		}
		s := New(o)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Take(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		take(t, s, "a").Return(nil)
		st.want(1, 1)
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Take(ctx, "b"); err == nil {
			t.Error("b was not slow")
		}
		s.Close() // waits for b and closes it
		st.want(2, 0)
	})
}

func TestShelf_ManyAtOnce(t *testing.T) {
	st := &store{t: t}
	o := st.options()
	o.Size, o.Idle = 2, time.Microsecond
	s := New(o)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				l, err := s.Take(t.Context(), string(rune('a'+(i+j)%4)))
				if err != nil {
					t.Error(err)
					return
				}
				if l.Value.closed.Load() {
					t.Error("it is lent and closed")
				}
				switch {
				case j%50 == 7:
					s.Drop()
				case j%31 == 3:
					l.Return(errors.New("spoilt"))
				}
				l.Return(nil)
			}
		})
	}
	wg.Wait()
	s.Close()
	if _, open := st.count(); open != 0 {
		t.Errorf("%d are still open", open)
	}
}
