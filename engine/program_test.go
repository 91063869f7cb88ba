package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// A program is an owner that is at hand. It writes down what it is asked, and what
// it finds when it is started.
type program struct {
	look            func() string // the state that it finds
	onStop, onStart func() error

	mu     sync.Mutex
	asked  []string
	starts int
	stops  int
}

func (p *program) Stop(_ context.Context, sources []string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(sources)
	if err := call(p.onStop); err != nil {
		p.asked = append(p.asked, "stop refused")
		return err
	}
	p.stops++
	p.asked = append(p.asked, "stop "+strings.Join(sources, "+"))
	return nil
}

func (p *program) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starts++
	p.asked = append(p.asked, "start over "+p.look())
	if _, bounded := ctx.Deadline(); ctx.Err() != nil || !bounded {
		return fmt.Errorf("started under a context that has ended, or never does: %w", context.Cause(ctx))
	}
	return call(p.onStart)
}

// owned gives the world an owner.
func (w *world) owned() *program {
	p := &program{look: w.state, onStop: w.onStop}
	w.opts.Owner = p
	return p
}

// wantAsked wants the owner to have been asked this, and forgets it.
func (p *program) wantAsked(t *testing.T, want ...string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.asked, want) {
		t.Errorf("the owner was asked %q, want %q", p.asked, want)
	}
	p.asked = nil
}

func TestOwner_IsStoppedAroundEverySwap(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	p := w.owned()
	w.restore(engine.RestoreRequest{Name: "monday"})
	p.wantAsked(t, "stop bot+chromadb", "start over one")
	if _, err := w.engine().Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.wantAsked(t, "stop bot+chromadb", "start over two")
	p.look = func() string { return strings.Fields(read(t, w.bot.path))[0] }
	w.restore(engine.RestoreRequest{Name: "monday", Only: []string{"bot"}, NoEmergency: true})
	p.wantAsked(t, "stop bot", "start over one")
	w.restore(engine.RestoreRequest{Name: "monday", Only: []string{"bot"}, Online: true})
	p.wantAsked(t)
	w.restore(engine.RestoreRequest{Name: "monday", Only: []string{"memory"}})
	p.wantAsked(t, "stop chromadb", "start over one")
	w.backup("tuesday")
	p.wantAsked(t)
}

// The hooks come around it, and it goes on only when nothing can undo the restore
// any more.
func TestOwner_GoesOnAfterTheConfirmation(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	w.owned()
	w.forget()
	w.restore(engine.RestoreRequest{Name: "monday"})
	steps := w.steps()
	stop, swap := slices.Index(steps, "stop finished"), slices.Index(steps, "swap finished")
	confirm, start := slices.Index(steps, "confirm finished"), slices.Index(steps, "start finished")
	if stop < 0 || swap < stop || confirm < swap || start < confirm {
		t.Errorf("steps: %v", steps)
	}
	told := ""
	for _, e := range w.events {
		if e.Step == holdfast.StepStop || e.Step == holdfast.StepStart {
			told += e.Message + ";"
		}
	}
	if !strings.Contains(told, "the program was stopped") || !strings.Contains(told, "the program was started") {
		t.Errorf("told: %s", told)
	}
}

func TestOwner_ThatRefusesChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	p := w.owned()
	p.onStop = func() error { return errors.New("a transaction does not end") }
	for _, only := range [][]string{nil, {"memory"}} {
		r, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday", Only: only})
		if err == nil || !strings.Contains(err.Error(), "a transaction does not end") || !strings.Contains(holdfast.HintOf(err), "nothing was changed") {
			t.Errorf("got %v, hint %q", err, holdfast.HintOf(err))
		}
		if r.RolledBack {
			t.Error("there was nothing to roll back")
		}
		p.wantAsked(t, "stop refused")
		w.want("two")
		w.clean()
	}
}

func TestOwner_ThatDoesNotStartUndoesNothing(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	p := w.owned()
	p.onStart = func() error { return errors.New("the port is taken") }
	r := w.restore(engine.RestoreRequest{Name: "monday"})
	i := slices.IndexFunc(r.Problems, func(p holdfast.Problem) bool { return strings.Contains(p.Message, "the port is taken") })
	if i < 0 || r.Problems[i].Severity != holdfast.Incomplete || r.Problems[i].Hint == "" {
		t.Errorf("problems: %+v", r.Problems)
	}
	w.want("one")
	w.clean()
	p.wantAsked(t, "stop bot+chromadb", "start over one")
	if r := w.recover(); r.Found {
		t.Errorf("a recovery found %+v", r)
	}
}

// Whatever stops a restore, after its owner was stopped it is started, over the old
// state.
func TestOwner_IsStartedWhateverFails(t *testing.T) {
	fails := map[string]func(w *world, cancel func()){
		"the start hook": func(w *world, _ func()) { w.opts.Hooks.Start = "exit 1" },
		"the stop hook":  func(w *world, _ func()) { w.opts.Hooks.Stop = "exit 1" },
		"the confirmation": func(w *world, _ func()) {
			swapped := false
			observe := w.opts.Observer
			w.opts.Observer = func(e holdfast.Event) {
				swapped = swapped || e.Step == holdfast.StepSwap && e.State == holdfast.Finished
				observe(e)
			}
			w.rag.onInspect = func() error {
				if swapped {
					return errors.New("it cannot be opened")
				}
				return nil
			}
		},
		"the swap": func(w *world, _ func()) {
			failed := false
			w.opts.FS = faulty{durable.OS, func(op, name string) error {
				if op == "rename" && name == w.rag.path && !failed {
					failed = true
					return syscall.EIO
				}
				return nil
			}}
		},
	}
	for _, step := range []holdfast.Step{holdfast.StepStage, holdfast.StepCheck, holdfast.StepStop, holdfast.StepSwap, holdfast.StepMemory, holdfast.StepConfirm} {
		fails["cancelled at "+string(step)] = func(w *world, cancel func()) {
			w.opts.Observer = func(e holdfast.Event) {
				if e.Step == step && e.State == holdfast.Started {
					cancel()
				}
			}
		}
	}
	for name, fail := range fails {
		for _, only := range [][]string{nil, {"memory"}} {
			t.Run(fmt.Sprint(name, only), func(t *testing.T) {
				w := newWorld(t)
				w.backup("monday")
				w.set("two")
				p := w.owned()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				fail(w, cancel)
				_, err := w.engine().Restore(ctx, engine.RestoreRequest{Name: "monday", Only: only, NoEmergency: true})
				if err == nil {
					t.Fatal("nothing failed")
				}
				if p.starts != p.stops {
					t.Errorf("stopped %d times, started %d times: %v", p.stops, p.starts, p.asked)
				}
				if p.stops > 0 {
					p.wantAsked(t, p.asked[0], "start over two")
				}
				w.want("two")
				w.clean()
			})
		}
	}
}

// Where neither state can be put in place, the owner stays stopped, until a recovery
// has put one there: in this process or in the next.
func TestOwner_WaitsForARecovery(t *testing.T) {
	for _, next := range []bool{false, true} {
		w := newWorld(t)
		w.backup("monday")
		w.set("two")
		p := w.owned()
		w.cut(w.rag.path)
		p.wantAsked(t, "stop bot+chromadb")
		if next {
			p = w.owned()
		}
		w.recover()
		p.wantAsked(t, "start over two")
		w.recover()
		p.wantAsked(t)
	}
}

// It is started once, unless that it was could not be recorded.
func TestOwner_ARecoveryThatGoesForwardStartsIt(t *testing.T) {
	for recorded, want := range map[bool][]string{true: nil, false: {"start over one"}} {
		w := newWorld(t)
		w.backup("monday")
		w.set("two")
		p := w.owned()
		w.cutBefore(func(op, name string) bool {
			return op == "create" && p.starts > 0 && (!recorded || strings.Contains(name, "last-restore"))
		})
		p.wantAsked(t, "stop bot+chromadb", "start over one")
		p = w.owned()
		if r := w.recover(); r.Outcome != "finished" {
			t.Errorf("result: %+v", r)
		}
		p.wantAsked(t, want...)
		w.want("one")
	}
}
