package control

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// program is a handler that notes what it is asked.
type program struct {
	mu    sync.Mutex
	asked []string
	stop  func(context.Context) error
}

func (p *program) note(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, what)
}

func (p *program) Stop(ctx context.Context, sources []string) error {
	for _, s := range sources {
		p.note("stop " + s)
	}
	if p.stop != nil {
		return p.stop(ctx)
	}
	return nil
}

func (p *program) Start(context.Context) error { p.note("start"); return nil }
func (p *program) Abandoned(context.Context)   { p.note("abandoned") }

func (p *program) Standing() holdfast.Standing {
	return holdfast.Standing{State: holdfast.StandingReady}
}

func (p *program) log() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

func database(t *testing.T, name, path string) holdfast.Source {
	t.Helper()
	s, err := sqlite.New(name, path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOwners_StopsAndStartsTheProgramThatHasTheData(t *testing.T) {
	state, data := t.TempDir(), filepath.Join(t.TempDir(), "bot.db")
	p := &program{}
	s, err := Serve(state, []holdfast.Source{database(t, "bot", data)}, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := Owners(state, []holdfast.Source{database(t, "other", data)})
	if err := c.Stop(t.Context(), []string{"other"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := p.log(); !slices.Equal(got, []string{"stop bot", "start"}) {
		t.Errorf("asked %q", got)
	}
}
