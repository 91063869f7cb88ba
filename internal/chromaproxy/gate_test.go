package chromaproxy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// saver makes backups that take a while, in a bubble of synctest.
type saver struct {
	mu    sync.Mutex
	took  time.Duration
	err   error
	made  []string
	begun int
	// seen is what had ended when each backup began.
	seen  []int
	ended int // writes
}

func (s *saver) backup(reason string) error {
	s.mu.Lock()
	s.begun++
	seen, took := s.ended, s.took
	s.mu.Unlock()
	time.Sleep(took)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.made, s.seen = append(s.made, reason), append(s.seen, seen)
	}
	return s.err
}

func (s *saver) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.made)
}

func newGate(s *saver, change ...func(*gate)) *gate {
	g := &gate{burst: 5 * time.Minute, maxWait: 2 * time.Minute, backup: s.backup, now: time.Now}
	for _, c := range change {
		c(g)
	}
	return g
}

// write passes the gate and stays in flight for a while.
func (s *saver) write(t *testing.T, g *gate, kind Kind, inFlight time.Duration) verdict {
	t.Helper()
	v, err := g.enter(t.Context(), kind)
	if err != nil {
		t.Error(err)
		return v
	}
	if v.place != 0 {
		time.Sleep(inFlight)
		s.mu.Lock()
		s.ended++
		s.mu.Unlock()
		g.leave(kind, true)
	}
	return v
}

func TestGate_ABackupComesBeforeTheFirstWriteOfABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &saver{took: 10 * time.Second}
		g := newGate(s)
		defer g.close()
		begin := time.Now()
		s.write(t, g, Write, 0)
		if s.count() != 1 || time.Since(begin) != 10*time.Second {
			t.Fatalf("%d backups after %s", s.count(), time.Since(begin))
		}
		for range 50 { // a burst is as long as it goes on
			time.Sleep(4 * time.Minute)
			s.write(t, g, Write, 30*time.Second)
		}
		if s.count() != 1 {
			t.Fatalf("%d backups in one burst", s.count())
		}
		// It is measured from the end of the last write.
		time.Sleep(5*time.Minute - time.Second)
		s.write(t, g, Write, 10*time.Minute)
		time.Sleep(5*time.Minute - time.Second)
		s.write(t, g, Write, 0)
		if s.count() != 1 {
			t.Fatalf("%d backups in one burst", s.count())
		}
		time.Sleep(5 * time.Minute)
		s.write(t, g, Write, 0)
		if s.count() != 2 {
			t.Fatalf("%d backups after the pause", s.count())
		}
	})
}

func TestGate_ABackupComesBeforeEveryDeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &saver{took: time.Second}
		g := newGate(s)
		defer g.close()
		s.write(t, g, Write, time.Second)
		s.write(t, g, Deletion, time.Second)
		s.write(t, g, Deletion, time.Second)
		s.write(t, g, Write, time.Second)
		s.write(t, g, Deletion, time.Second)
		if s.count() != 4 {
			t.Fatalf("%d backups, want 4", s.count())
		}
		// What each of them was made after had ended before it began.
		for i, want := range []int{0, 1, 2, 4} {
			if s.seen[i] != want {
				t.Errorf("backup %d holds %d writes, want %d", i, s.seen[i], want)
			}
		}
	})
}

func TestGate_NoSecondBackupWhereNothingWasWrittenSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &saver{took: 3 * time.Minute} // longer than a write waits
		g := newGate(s)
		defer g.close()
		if v := s.write(t, g, Deletion, 0); v.place != 0 || v.failure == nil {
			t.Fatalf("it passed: %+v", v)
		}
		time.Sleep(90 * time.Second) // the backup has gone on
		begin := time.Now()
		if v := s.write(t, g, Deletion, 0); v.place == 0 || v.failure != nil || time.Since(begin) != 0 || s.count() != 1 {
			t.Fatalf("the second try: %+v after %s, %d backups", v, time.Since(begin), s.count())
		}
		s.mu.Lock()
		s.took = time.Second
		s.mu.Unlock()
		if s.write(t, g, Deletion, 0); s.count() != 2 {
			t.Fatalf("%d backups, want 2", s.count())
		}
		// A backup of long ago says nothing about what went around the proxy.
		time.Sleep(time.Hour)
		if s.write(t, g, Deletion, 0); s.count() != 3 {
			t.Fatalf("%d backups, want 3", s.count())
		}
	})
}

func TestGate_FirstWritesShareOneBackupAndPassInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &saver{took: time.Minute}
		g := newGate(s)
		defer g.close()
		const n = 50
		places := make([]int64, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { places[i] = s.write(t, g, Write, time.Second).place })
			time.Sleep(time.Millisecond)
		}
		wg.Wait()
		if s.count() != 1 || s.begun != 1 {
			t.Fatalf("%d backups", s.count())
		}
		for i, p := range places {
			if p != int64(i+1) {
				t.Fatalf("write %d passed as number %d", i, p)
			}
		}
	})
}

func TestGate_ADeletionWaitsForWritesInFlightAndHoldsThoseBehindIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &saver{took: 10 * time.Second}
		g := newGate(s)
		defer g.close()
		begin := time.Now()
		var wg sync.WaitGroup
		var deleted, after verdict
		wg.Go(func() { s.write(t, g, Write, time.Minute) }) // 10 s to 70 s
		time.Sleep(20 * time.Second)
		wg.Go(func() { deleted = s.write(t, g, Deletion, time.Second) }) // waits, backs up until 80 s
		time.Sleep(time.Second)
		wg.Go(func() { after = s.write(t, g, Write, 0) })
		wg.Wait()
		if got := time.Since(begin); got != 81*time.Second {
			t.Errorf("it took %s", got)
		}
		if s.count() != 2 || s.seen[1] != 1 {
			t.Errorf("backups %v after %v writes", s.made, s.seen)
		}
		if deleted.place != 2 || after.place != 3 {
			t.Errorf("places %d and %d", deleted.place, after.place)
		}
	})
}

func TestGate_AFailedBackupRefusesAllThatWaitForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &saver{took: time.Minute, err: errors.New("disk full")}
		g := newGate(s)
		defer g.close()
		begin := time.Now()
		var wg sync.WaitGroup
		for i := range 20 {
			kind := []Kind{Write, Deletion}[i%2]
			wg.Go(func() {
				if v := s.write(t, g, kind, 0); v.place != 0 || !errors.Is(v.failure, s.err) {
					t.Errorf("verdict %+v", v)
				}
			})
		}
		wg.Wait()
		if time.Since(begin) != time.Minute || s.begun != 1 {
			t.Errorf("%d tries in %s", s.begun, time.Since(begin))
		}
		s.mu.Lock()
		s.err = nil
		s.mu.Unlock()
		if v := s.write(t, g, Write, 0); v.place != 1 || v.failure != nil {
			t.Errorf("after that: %+v", v)
		}
	})
}

func TestGate_WhereItMayPassItPassesAndSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &saver{err: errors.New("disk full")}
		g := newGate(s, func(g *gate) { g.pass = true })
		defer g.close()
		for range 3 { // each deletion tries again
			if v := s.write(t, g, Deletion, 0); v.place == 0 || !errors.Is(v.failure, s.err) {
				t.Errorf("verdict %+v", v)
			}
		}
		if s.begun != 3 {
			t.Errorf("%d tries", s.begun)
		}
		if v := s.write(t, g, Write, 0); v.place == 0 || v.failure != nil {
			t.Errorf("a write of the burst: %+v", v)
		}
	})
}

func TestGate_NobodyWaitsLongerThanConfigured(t *testing.T) {
	for _, pass := range []bool{false, true} {
		t.Run(fmt.Sprint("pass=", pass), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &saver{took: time.Hour}
				g := newGate(s, func(g *gate) { g.pass = pass })
				defer g.close()
				begin := time.Now()
				var wg sync.WaitGroup
				for range 10 {
					time.Sleep(time.Second)
					wg.Go(func() {
						v := s.write(t, g, Write, time.Second)
						if (v.place != 0) != pass {
							t.Errorf("verdict %+v", v)
						}
					})
				}
				wg.Wait()
				// In a burst that has begun without it nobody waits for the backup.
				want := 2*time.Minute + 10*time.Second
				if pass {
					want = 2*time.Minute + 2*time.Second
				}
				if got := time.Since(begin); got != want {
					t.Errorf("it took %s, want %s", got, want)
				}
				if pass {
					begin = time.Now()
					if v := s.write(t, g, Write, 0); v.place == 0 || time.Since(begin) != 0 {
						t.Errorf("a write of the burst: %+v after %s", v, time.Since(begin))
					}
					time.Sleep(time.Hour)
					// That backup began before those writes: it does not count for a deletion.
					s.mu.Lock()
					s.took = 0
					s.mu.Unlock()
					if s.write(t, g, Deletion, 0); s.count() != 2 {
						t.Errorf("%d backups, want 2", s.count())
					}
				}
			})
		})
	}
}

func TestGate_WhoeverLeavesGivesUpItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &saver{took: time.Minute}
		g := newGate(s)
		defer g.close()
		var wg sync.WaitGroup
		ctx, leave := context.WithCancel(t.Context())
		for range 3 {
			wg.Go(func() {
				if v, err := g.enter(ctx, Deletion); err == nil {
					t.Errorf("it passed: %+v", v)
				}
			})
		}
		time.Sleep(time.Second)
		var stays verdict
		wg.Go(func() { stays = s.write(t, g, Write, 0) })
		time.Sleep(time.Second)
		leave()
		wg.Wait()
		if stays.place != 1 || stays.failure != nil || s.count() != 1 {
			t.Errorf("verdict %+v, %d backups", stays, s.count())
		}
		if waiting, active := g.load(); waiting != 0 || active != 0 {
			t.Errorf("%d wait and %d are in flight", waiting, active)
		}
	})
}

func TestGate_AWriteThatWasLostSightOfMakesNoBackupFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &saver{}
		g := newGate(s)
		defer g.close()
		s.write(t, g, Write, 0)
		if _, err := g.enter(t.Context(), Write); err != nil {
			t.Fatal(err)
		}
		g.leave(Write, false) // it may go on in the server
		ctx, cancel := context.WithCancel(t.Context())
		s.took = time.Second
		go func() { time.Sleep(time.Second / 2); cancel() }()
		if _, err := g.enter(ctx, Deletion); err == nil { // leaves, the backup is made
			t.Fatal("it passed")
		}
		time.Sleep(time.Second)
		if s.write(t, g, Deletion, 0); s.count() != 3 {
			t.Errorf("%d backups, want 3", s.count())
		}
	})
}

func TestGate_AClockThatIsTurnedBackMakesNoBurstEndless(t *testing.T) {
	s := &saver{}
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	g := newGate(s, func(g *gate) { g.now = func() time.Time { return now } })
	defer g.close()
	s.write(t, g, Write, 0)
	now = now.Add(-24 * time.Hour)
	if s.write(t, g, Write, 0); s.count() != 2 {
		t.Errorf("%d backups, want 2", s.count())
	}
}

func TestGate_CloseRefusesWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &saver{took: time.Minute}
		g := newGate(s)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if v := s.write(t, g, Write, 0); v.place != 0 || !errors.Is(v.failure, errClosed) {
					t.Errorf("verdict %+v", v)
				}
			})
		}
		time.Sleep(time.Second)
		g.close()
		wg.Wait()
		if v := s.write(t, g, Write, 0); !errors.Is(v.failure, errClosed) {
			t.Errorf("afterwards: %+v", v)
		}
	})
}

// TestGate_NothingIsDeletedThatNoBackupHolds lets many clients do what they like,
// and holds the gate to its promise at every deletion.
func TestGate_NothingIsDeletedThatNoBackupHolds(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			var mu sync.Mutex
			ended, saved := 0, 0 // writes that ended; and those that had when the last good backup began
			var atWork [Deletion + 1]int
			var lastEnd time.Time
			g := newGate(&saver{})
			g.backup = func(string) error {
				mu.Lock()
				seen, took, fails := ended, time.Duration(random.IntN(100))*time.Second, random.IntN(5) == 0
				mu.Unlock()
				time.Sleep(took)
				mu.Lock()
				defer mu.Unlock()
				if fails {
					return errors.New("it failed")
				}
				saved = max(saved, seen)
				return nil
			}
			defer g.close()
			var wg sync.WaitGroup
			for range 12 {
				wg.Go(func() {
					for range 20 {
						mu.Lock()
						pause, inFlight := time.Duration(random.IntN(600))*time.Second, time.Duration(1+random.IntN(60))*time.Second
						kind := []Kind{Write, Write, Write, Deletion}[random.IntN(4)]
						patience := time.Duration(1+random.IntN(300)) * time.Second
						mu.Unlock()
						time.Sleep(pause)
						ctx, cancel := context.WithTimeout(t.Context(), patience)
						v, err := g.enter(ctx, kind)
						cancel()
						if err != nil || v.place == 0 {
							continue
						}
						mu.Lock()
						if kind == Deletion && saved != ended {
							t.Errorf("seed %d: a deletion passed with %d writes ended and %d saved", seed, ended, saved)
						}
						if atWork[Deletion] > 0 || kind == Deletion && atWork[Write] > 0 {
							t.Errorf("seed %d: a %s passed beside %d writes and %d deletions", seed, kind, atWork[Write], atWork[Deletion])
						}
						atWork[kind]++
						mu.Unlock()
						time.Sleep(inFlight)
						mu.Lock()
						ended++
						atWork[kind]--
						lastEnd = time.Now()
						g.leave(kind, true)
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			if waiting, active := g.load(); waiting != 0 || active != 0 || lastEnd.IsZero() {
				t.Errorf("seed %d: %d wait and %d are in flight", seed, waiting, active)
			}
		})
	}
}
