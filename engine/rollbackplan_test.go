package engine_test

import (
	"os"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// A plan says that a restore can be undone exactly when it can, and changes nothing.
func TestPlanRollback_SaysWhatRollbackDoes(t *testing.T) {
	restore := func(req engine.RestoreRequest) func(*world) {
		return func(w *world) {
			req.Name = "monday"
			w.restore(req)
		}
	}
	plain := restore(engine.RestoreRequest{})
	forget := func(w *world) {
		last, err := w.engine().LastRestore()
		if err != nil || last == nil {
			w.t.Fatalf("last restore: %+v, %v", last, err)
		}
		if _, err := w.repo.Delete(w.t.Context(), last.Emergency); err != nil {
			w.t.Fatal(err)
		}
	}
	loseAsides := func(w *world) {
		for _, path := range w.asides() {
			if err := os.RemoveAll(path); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		steps []func(*world)
		can   bool
		code  int // of the plan; zero: there is one
		state string
		from  string
	}{
		"no restore":        {nil, false, holdfast.ExitNotFound, "two", ""},
		"just restored":     {[]func(*world){plain}, true, 0, "two", engine.FromEmergency},
		"changed since":     {[]func(*world){plain, func(w *world) { w.set("three") }}, true, 0, "two", engine.FromEmergency},
		"gone since":        {[]func(*world){plain, func(w *world) { removeAll(w, w.bot.path, w.bot.path+"-wal", w.rag.path) }}, true, 0, "two", engine.FromEmergency},
		"no emergency":      {[]func(*world){restore(engine.RestoreRequest{NoEmergency: true})}, true, 0, "two", engine.FromAside},
		"asides lost":       {[]func(*world){restore(engine.RestoreRequest{NoEmergency: true}), loseAsides}, false, 0, "one", engine.FromEmergency},
		"emergency deleted": {[]func(*world){plain, forget}, false, 0, "one", engine.FromEmergency},
		"elsewhere":         {[]func(*world){func(w *world) { w.restore(engine.RestoreRequest{Name: "monday", To: w.dir + "/copy"}) }}, false, holdfast.ExitNotFound, "two", ""},
		"elsewhere after":   {[]func(*world){plain, func(w *world) { w.restore(engine.RestoreRequest{Name: "monday", To: w.dir + "/copy"}) }}, true, 0, "two", engine.FromEmergency},
		"undone":            {[]func(*world){plain, func(w *world) { mustRollBack(w) }}, false, holdfast.ExitNotFound, "two", ""},
		"restored again":    {[]func(*world){plain, func(w *world) { mustRollBack(w) }, plain}, true, 0, "two", engine.FromEmergency},
		"source gone":       {[]func(*world){plain, func(w *world) { w.opts.Sources = w.opts.Sources[1:] }}, false, 0, "one", engine.FromEmergency},
		"another place":     {[]func(*world){plain, func(w *world) { w.bot.path = w.dir + "/moved/bot_database.db"; write(w.t, w.bot.path, "one\none\n") }}, false, 0, "one", engine.FromEmergency},
		"a file in its way": {[]func(*world){plain, func(w *world) { removeAll(w, w.rag.path); write(w.t, w.rag.path, "a file") }}, false, 0, "", engine.FromEmergency},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.backup("monday")
			w.set("two")
			for _, step := range c.steps {
				step(w)
			}
			w.forget()
			names := len(w.names())
			p, err := w.engine().PlanRollback(t.Context())
			if holdfast.ExitCode(err) != c.code {
				t.Fatalf("plan: %v", err)
			}
			if len(w.steps()) > 0 || len(w.names()) != names {
				t.Errorf("a plan did something: %v", w.steps())
			}
			if err == nil {
				if (p.Obstacle == nil) != c.can {
					t.Errorf("obstacle: %v", p.Obstacle)
				}
				if p.Last.Backup != "monday" || len(p.Targets) != 2 {
					t.Errorf("plan %+v", p)
				}
				for _, target := range p.Targets {
					if target.From != c.from {
						t.Errorf("%s would come from %s, want %s", target.Source, target.From, c.from)
					}
				}
			}
			_, rerr := w.engine().Rollback(t.Context())
			if (rerr == nil) != c.can {
				t.Errorf("rollback: %v", rerr)
			}
			if err == nil && p.Obstacle != nil && holdfast.ExitCode(p.Obstacle) != holdfast.ExitCode(rerr) {
				t.Errorf("the plan says %v, the rollback %v", p.Obstacle, rerr)
			}
			if c.state != "" {
				w.want(c.state)
			}
		})
	}
}

func TestPlanRollback_TellsNowAndBefore(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.set("two")
	write(t, w.bot.path, "1\n2\n3\n4\n")
	w.restore(engine.RestoreRequest{Name: "monday", Only: []string{"bot"}})
	p, err := w.engine().PlanRollback(t.Context())
	if err != nil || p.Obstacle != nil || len(p.Targets) != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	target := p.Targets[0]
	now, _ := target.Now.Records()
	before, _ := target.Before.Records()
	if target.Source != "bot" || now != 2 || before != 4 || p.Bytes == 0 || p.Last.Emergency == "" || p.Last.Operation == "" {
		t.Errorf("%+v of %+v", target, p)
	}
}

func TestPlanRollback_OfARestoreOntoNothing(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	removeAll(w, w.bot.path, w.bot.path+"-wal")
	w.restore(engine.RestoreRequest{Name: "monday", Only: []string{"bot"}})
	p, err := w.engine().PlanRollback(t.Context())
	if err != nil || p.Obstacle != nil || p.Targets[0].From != engine.FromNothing {
		t.Errorf("%+v, %v", p, err)
	}
}

// A restore that is refused as things are says so in its plan.
func TestPlanRestore_OfAnIdleTargetHasNoObstacle(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	p, err := w.engine().PlanRestore(t.Context(), engine.RestoreRequest{Name: "monday"})
	if err != nil || p.Obstacle != nil {
		t.Errorf("%+v, %v", p, err)
	}
	p, err = w.engine().PlanRestore(t.Context(), engine.RestoreRequest{Name: "monday", Only: []string{"memory"}})
	if err != nil || len(p.Targets) != 1 || !p.Targets[0].Memory {
		t.Errorf("memory alone: %+v, %v", p, err)
	}
}

func mustRollBack(w *world) {
	w.t.Helper()
	if _, err := w.engine().Rollback(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func removeAll(w *world, paths ...string) {
	w.t.Helper()
	for _, path := range paths {
		if err := os.RemoveAll(path); err != nil {
			w.t.Fatal(err)
		}
	}
}
