package survival

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// A life is what happens to one start of a program, and to its storage after.
type life struct {
	runs    time.Duration // how long it runs
	skew    time.Duration // of the clock of its host
	reached bool          // whether it reaches the repository
	kill    bool
	pause   time.Duration // until the next start
	wipe    bool          // before the next start
}

func lives() *rapid.Generator[life] {
	return rapid.Custom(func(t *rapid.T) life {
		l := life{
			runs:    time.Duration(rapid.IntRange(0, 300).Draw(t, "runs")) * time.Second,
			skew:    time.Duration(rapid.IntRange(-90, 90).Draw(t, "skew")) * time.Minute,
			reached: rapid.IntRange(0, 3).Draw(t, "reached") > 0,
			kill:    rapid.Bool().Draw(t, "kill"),
			pause:   time.Duration(rapid.IntRange(0, 7200).Draw(t, "pause")) * time.Second,
			wipe:    rapid.Bool().Draw(t, "wipe"),
		}
		// What nobody was told of before it was wiped nobody can know.
		l.wipe = l.wipe && l.reached
		return l
	})
}

// Whatever happens to a bot and its storage, one after the other: in the end
// every start is counted once, as the first, as kept or as wiped.
func TestMarker_CountsEveryStartOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		history := rapid.SliceOfN(lives(), 1, 8).Draw(rt, "history")
		var err error
		synctest.Test(t, func(t *testing.T) {
			w := world{t: t, data: filepath.Join(t.TempDir(), "bot.db")}
			w.r, _ = newRepo(t)
			err = w.play(history)
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// A world is what the markers should come to know.
type world struct {
	t                   *testing.T
	r                   *repo.Repository
	data                string
	there               bool // the storage was used before
	starts, kept, wiped int64
}

func (w *world) play(history []life) error {
	for _, l := range history {
		m, err := w.run(l)
		if err != nil {
			return err
		}
		if l.kill {
			kill(w.t, m)
		} else {
			end(w.t, m, w.repository(l))
		}
		time.Sleep(l.pause)
		if l.wipe {
			w.there = false
			if err := errors.Join(os.Remove(MarkerPath(w.data)), os.Remove(LockPath(w.data))); err != nil {
				return err
			}
		}
	}
	// What nobody knew by then shows at the latest now.
	m, err := w.run(life{reached: true, runs: 3 * DefaultLease})
	if err != nil {
		return err
	}
	defer end(w.t, m, w.r)
	s := m.Survival()
	if s.Starts != w.starts || s.Kept != w.kept || s.Wiped != w.wiped {
		return fmt.Errorf("%d starts, %d kept, %d wiped; counted %+v", w.starts, w.kept, w.wiped, s)
	}
	want := holdfast.SurvivalKept
	if history[len(history)-1].wipe {
		want = holdfast.SurvivalWiped
	}
	if s.State != want {
		return fmt.Errorf("in the end it is %s, want %s", s.State, want)
	}
	return nil
}

func (w *world) repository(l life) *repo.Repository {
	if !l.reached {
		return nil
	}
	return w.r
}

// run is one start that lives for a while.
func (w *world) run(l life) (*Marker, error) {
	m, err := Open(Options{Data: w.data, Source: "bot", Now: func() time.Time { return time.Now().Add(l.skew) }})
	if err != nil {
		return nil, err
	}
	w.starts++
	switch {
	case w.there:
		w.kept++
	case w.starts > 1:
		w.wiped++
	}
	w.there = true
	for passed := time.Duration(0); passed <= l.runs; passed += DefaultLease / 3 {
		if err := m.Renew(w.t.Context(), w.repository(l)); err != nil {
			return nil, err
		}
		if s := m.Survival(); s.State == holdfast.SurvivalTwo || s.State == holdfast.SurvivalUnknown {
			return nil, fmt.Errorf("it is alone and says %s: %s", s.State, s.Words)
		}
		time.Sleep(DefaultLease / 3)
	}
	return m, nil
}
