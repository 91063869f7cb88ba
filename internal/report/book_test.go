package report

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// infosOf makes backups as a repository gives them.
func infosOf(names ...string) []repo.Info {
	var infos []repo.Info
	for i, name := range names {
		made := holdfast.At(time.Date(2024, 10, 30, 12, 0, -i, 0, time.UTC))
		infos = append(infos, repo.Info{Name: holdfast.BackupName(name), Metadata: &holdfast.Metadata{CreatedAt: made}})
	}
	return infos
}

// library is a repository that counts how often it is read.
type library struct {
	mu    sync.Mutex
	names []string
	err   error
	reads int
}

func (l *library) read(context.Context) ([]repo.Info, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	return infosOf(l.names...), l.err
}

func (l *library) set(err error, names ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err, l.names = err, names
}

func TestBook_AnswersFromMemoryWhileFresh(t *testing.T) {
	l := &library{names: []string{"b", "a"}}
	now := time.Date(2024, 10, 30, 14, 0, 0, 0, time.UTC)
	b := NewBook(l.read, BookOptions{Now: func() time.Time { return now }})
	ask := func(reads, backups int) string {
		t.Helper()
		all, etag, err := b.Backups(t.Context())
		if err != nil || len(all) != backups || l.reads != reads {
			t.Fatalf("got %d backups by %d reads and %v, want %d by %d", len(all), l.reads, err, backups, reads)
		}
		return etag
	}
	first := ask(1, 2)
	l.set(nil, "c", "b", "a")
	now = now.Add(time.Second)
	if tag := ask(1, 2); tag != first {
		t.Error("the same list has another tag")
	}
	now = now.Add(time.Second)
	second := ask(2, 3)
	if second == first {
		t.Error("another list has the same tag")
	}
	l.set(nil, "b", "a")
	b.Changed()
	if tag := ask(3, 2); tag != first {
		t.Error("the same list, read again, has another tag")
	}
	now = now.Add(-time.Hour)
	ask(4, 2) // a clock that was set back makes nothing fresh
}

func TestBook_GivesTheLastGoodListWithItsAge(t *testing.T) {
	l := &library{err: errors.New("no answer")}
	begin := time.Date(2024, 10, 30, 14, 0, 0, 0, time.UTC)
	now := begin
	b := NewBook(l.read, BookOptions{Now: func() time.Time { return now }})
	if all, _, err := b.Backups(t.Context()); err == nil || len(all) != 0 {
		t.Fatalf("got %d backups and %v before anything was read", len(all), err)
	}
	now = now.Add(time.Minute)
	l.set(nil, "a")
	_, good, err := b.Backups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.set(holdfast.Kindf(holdfast.ErrLocked, "no answer again"))
	now = now.Add(time.Minute)
	for range 3 {
		all, etag, err := b.Backups(t.Context())
		aged, ok := errors.AsType[*AgedError](err)
		if !ok || len(all) != 1 || etag != good || !aged.At.Equal(begin.Add(time.Minute)) || !errors.Is(err, holdfast.ErrLocked) {
			t.Fatalf("got %d backups and %v, want the last good list and its age", len(all), err)
		}
	}
	if l.reads != 3 {
		t.Errorf("read %d times, want no more than one attempt while the answer is fresh", l.reads-2)
	}
}

func TestBook_OneReadingAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads, at atomic.Int64
		b := NewBook(func(context.Context) ([]repo.Info, error) {
			if at.Add(1) > 1 {
				t.Error("two readings at a time")
			}
			defer at.Add(-1)
			reads.Add(1)
			time.Sleep(time.Second)
			return infosOf("a"), nil
		}, BookOptions{Fresh: time.Minute})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if all, _, err := b.Backups(t.Context()); err != nil || len(all) != 1 {
					t.Errorf("got %d backups and %v", len(all), err)
				}
			})
		}
		wg.Wait()
		if n := reads.Load(); n != 1 {
			t.Errorf("20 questions at once made %d readings", n)
		}
	})
}

// TestBook_AQuestionAfterAChangeSeesIt: a look that began before the change does
// not answer it.
func TestBook_AQuestionAfterAChangeSeesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int64
		b := NewBook(func(context.Context) ([]repo.Info, error) {
			n := reads.Add(1)
			time.Sleep(time.Second)
			return infosOf(fmt.Sprint("reading ", n)), nil
		}, BookOptions{Fresh: time.Minute})
		var wg sync.WaitGroup
		ask := func(want string) {
			wg.Go(func() {
				all, _, err := b.Backups(t.Context())
				if err != nil || len(all) != 1 || all[0].Name.String() != want {
					t.Errorf("got %v and %v, want %s", all, err, want)
				}
			})
			synctest.Wait()
		}
		ask("reading 1")
		b.Changed()
		ask("reading 2")
		wg.Wait()
	})
}

// TestBook_AnImpatientCallerSpoilsNothing: whoever waits reads on when the one
// who was reading leaves.
func TestBook_AnImpatientCallerSpoilsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBook(func(ctx context.Context) ([]repo.Info, error) {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(time.Minute):
				return infosOf("a"), nil
			}
		}, BookOptions{})
		impatient, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, _, err := b.Backups(impatient); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if all, _, err := b.Backups(t.Context()); err != nil || len(all) != 1 {
				t.Errorf("got %d backups and %v", len(all), err)
			}
		})
		synctest.Wait()
		leave()
		wg.Wait()
	})
}

func TestBook_ManyAtOnce(t *testing.T) {
	l := &library{names: []string{"a"}}
	b := NewBook(l.read, BookOptions{Fresh: time.Nanosecond})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				if i%7 == 0 {
					b.Changed()
				}
				if all, etag, err := b.Backups(t.Context()); err != nil || len(all) != 1 || etag == "" {
					t.Errorf("got %d backups, tag %q and %v", len(all), etag, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestBook_AnOldListAnswersWhileItIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &library{names: []string{"a"}}
		slow := func(ctx context.Context) ([]repo.Info, error) {
			infos, err := l.read(ctx)
			time.Sleep(time.Second)
			return infos, err
		}
		b := NewBook(slow, BookOptions{})
		ask := func(backups int, patience time.Duration) {
			t.Helper()
			begun := time.Now()
			all, _, err := b.Backups(t.Context())
			if took := time.Since(begun); err != nil || len(all) != backups || took != patience {
				t.Errorf("%d backups after %s, %v; want %d after %s", len(all), took, err, backups, patience)
			}
		}
		ask(1, time.Second)
		var reader sync.WaitGroup
		for _, c := range []struct {
			idle    time.Duration
			backups int // that the one is told who does not read
			waits   time.Duration
		}{
			{DefaultFresh, 1, 0},
			{oldFor * DefaultFresh, 3, time.Second - time.Millisecond}, // too old
		} {
			time.Sleep(c.idle)
			l.set(nil, append(l.names, "more")...)
			reader.Go(func() { ask(len(l.names), time.Second) })
			time.Sleep(time.Millisecond)
			ask(c.backups, c.waits)
			reader.Wait()
		}
	})
}
