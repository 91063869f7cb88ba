package report

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// An archive is a repository that takes its time, and says in its only name how often it
// was changed before the reading began.
type archive struct {
	takes  time.Duration
	state  atomic.Int64
	reads  atomic.Int64
	broken atomic.Bool
}

func (s *archive) read(ctx context.Context) ([]repo.Info, error) {
	s.reads.Add(1)
	name := fmt.Sprint("state-", s.state.Load())
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.broken.Load() {
		return nil, holdfast.Kindf(holdfast.ErrLocked, "no answer")
	}
	return infosOf(name), nil
}

// stateOf is what the only backup says.
func stateOf(t *testing.T, all []Backup) (n int64) {
	t.Helper()
	if len(all) != 1 {
		t.Errorf("got %d backups", len(all))
		return -1
	}
	if _, err := fmt.Sscanf(all[0].Name.String(), "state-%d", &n); err != nil {
		t.Error(err)
	}
	return n
}

// readingBook begins a book that is read behind its answers, and waits for the first reading.
func readingBook(t *testing.T, s *archive) *Book {
	t.Helper()
	b := NewBook(s.read, BookOptions{})
	ctx, stop := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() {
		if err := b.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); run.Wait() })
	time.Sleep(s.takes)
	synctest.Wait()
	return b
}

// question asks and tells what the answer was and how long it took.
func question(t *testing.T, ask func(context.Context) ([]Backup, string, error)) (state int64, took time.Duration) {
	t.Helper()
	begun := time.Now()
	all, etag, err := ask(t.Context())
	if err != nil || etag == "" {
		t.Errorf("tag %q, %v", etag, err)
	}
	return stateOf(t, all), time.Since(begun)
}

func TestBook_RecentAnswersAtOnceAndOneReadingFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &archive{takes: time.Second}
		b := readingBook(t, s)
		s.state.Add(1) // another program: nobody tells the book
		time.Sleep(MostAge - time.Second)
		var asking sync.WaitGroup
		for range 20 {
			asking.Go(func() {
				if state, took := question(t, b.Recent); state != 0 || took != 0 {
					t.Errorf("state %d after %s, want that of before at once", state, took)
				}
			})
		}
		asking.Wait()
		time.Sleep(s.takes)
		synctest.Wait()
		if state, took := question(t, b.Recent); state != 1 || took != 0 || s.reads.Load() != 2 {
			t.Errorf("state %d after %s and %d readings, want what one reading behind 20 answers found", state, took, s.reads.Load())
		}
	})
}

func TestBook_RecentIsBounded(t *testing.T) {
	for _, c := range []struct {
		name       string
		idle       time.Duration
		told       bool // that it has changed
		broken     bool // when it was read last
		wantsState int64
		waits      time.Duration
	}{
		{name: "a moment ago", idle: DefaultFresh, wantsState: 0},
		{name: "almost too old", idle: MostAge - 1, wantsState: 0},
		{name: "too old", idle: MostAge, wantsState: 1, waits: time.Second},
		{name: "changed here", told: true, wantsState: 1, waits: time.Second},
		{name: "an old failure", broken: true, idle: oldFor * DefaultFresh, wantsState: 1, waits: time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &archive{takes: time.Second}
				b := readingBook(t, s)
				if c.broken {
					s.broken.Store(true)
					if _, _, err := b.Refresh(t.Context()); err == nil {
						t.Fatal("a failure is not told")
					}
					s.broken.Store(false)
				}
				s.state.Add(1)
				if c.told {
					b.Changed()
				}
				time.Sleep(c.idle)
				if state, took := question(t, b.Recent); state != c.wantsState || took != c.waits {
					t.Errorf("state %d after %s, want %d after %s", state, took, c.wantsState, c.waits)
				}
			})
		})
	}
}

// TestBook_AFailureBehindAnAnswerIsTold: the next answer has the list, its age and why.
func TestBook_AFailureBehindAnAnswerIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &archive{takes: time.Second}
		b := readingBook(t, s)
		read := time.Now()
		s.broken.Store(true)
		time.Sleep(MostAge / 2)
		question(t, b.Recent)
		time.Sleep(s.takes)
		synctest.Wait()
		all, _, err := b.Recent(t.Context())
		aged, ok := errors.AsType[*AgedError](err)
		if !ok || !aged.At.Equal(read) || !errors.Is(err, holdfast.ErrLocked) || stateOf(t, all) != 0 {
			t.Errorf("got %v, want the list of %s and why there is no other", err, read)
		}
	})
}

// TestBook_RecentWithoutRunReadsItself: nobody would read behind the answer.
func TestBook_RecentWithoutRunReadsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &archive{takes: time.Second}
		b := NewBook(s.read, BookOptions{})
		question(t, b.Recent)
		s.state.Add(1)
		time.Sleep(DefaultFresh)
		if state, took := question(t, b.Recent); state != 1 || took != s.takes {
			t.Errorf("state %d after %s", state, took)
		}
	})
}

// TestBook_RefreshIsOfAfterTheQuestion: those who ask during a reading share the next
// one, and those who only look are not held up.
func TestBook_RefreshIsOfAfterTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &archive{takes: time.Second}
		b := readingBook(t, s)
		var asking sync.WaitGroup
		asking.Go(func() { question(t, b.Refresh) }) // begins to read the state of before
		time.Sleep(time.Millisecond)
		s.state.Add(1)
		for range 20 {
			asking.Go(func() {
				if state, took := question(t, b.Refresh); state != 1 || took != 2*time.Second-time.Millisecond {
					t.Errorf("state %d after %s", state, took)
				}
			})
		}
		if state, took := question(t, b.Recent); state != 0 || took != 0 {
			t.Errorf("state %d after %s for who only looks", state, took)
		}
		asking.Wait()
		if n := s.reads.Load(); n != 3 {
			t.Errorf("%d readings, want the first, the one under way and one for all others", n)
		}
	})
}

// TestBook_NobodyMissesWhatWasDoneHere lets readers of all kinds and a writer loose: no
// answer is of before the last change that was told before the question, none of Recent
// is older than the bound, and none of Refresh older than the question.
func TestBook_NobodyMissesWhatWasDoneHere(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		s := &archive{takes: 300 * time.Millisecond}
		b := readingBook(t, s)
		var told atomic.Int64 // the last state that Changed was told of
		var log sync.Mutex
		states := []time.Time{time.Now()} // when each state began
		began := func(n int64) time.Time {
			log.Lock()
			defer log.Unlock()
			return states[n]
		}
		change := func() {
			log.Lock()
			defer log.Unlock()
			s.state.Add(1)
			states = append(states, time.Now())
		}
		var loose sync.WaitGroup
		loose.Go(func() {
			dice := rand.New(rand.NewPCG(seed, 0))
			for range 200 {
				time.Sleep(time.Duration(dice.IntN(5000)) * time.Millisecond)
				change()
				if dice.IntN(3) == 0 { // else it was another program
					now := s.state.Load()
					b.Changed()
					told.Store(now)
				}
			}
		})
		for i := range 6 {
			loose.Go(func() {
				dice := rand.New(rand.NewPCG(seed, uint64(i)+1))
				for range 300 {
					time.Sleep(time.Duration(dice.IntN(2500)) * time.Millisecond)
					asked, least, now := time.Now(), told.Load(), s.state.Load()
					kind := []string{"Backups", "Recent", "Refresh"}[i%3]
					state, _ := question(t, map[string]func(context.Context) ([]Backup, string, error){"Backups": b.Backups, "Recent": b.Recent, "Refresh": b.Refresh}[kind])
					if kind == "Refresh" {
						least = now
					}
					if state < least {
						t.Errorf("%s: state %d, although %d was known when it was asked", kind, state, least)
					}
					if next := state + 1; next <= now && began(next).Before(asked.Add(-MostAge-s.takes)) {
						t.Errorf("%s: state %d, although the next one began %s before the question", kind, state, asked.Sub(began(next)))
					}
				}
			})
		}
		loose.Wait()
	})
}
