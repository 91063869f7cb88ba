package engine_test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// served is a world whose Chroma is a running server, beside a bot's database.
func served(t *testing.T) (*world, *server) {
	w := newWorld(t)
	s := w.server("chromadb", "http://127.0.0.1:8000")
	w.opts.Sources = []holdfast.Source{w.bot, s}
	s.set("one")
	return w, s
}

func (w *world) server(name, url string) *server {
	return &server{name: name, url: url, path: filepath.Join(w.t.TempDir(), "server.json")}
}

// set brings two collections into a state named by a word.
func (s *server) set(state string) {
	s.put(tables{"notes": {"doc-1": state, "doc-2": state}, "memory": {"m": state}})
}

func (s *server) put(state tables) {
	power := s.power
	s.power = nil
	if err := s.request("put", func(t tables) { clear(t); maps.Copy(t, state) }); err != nil {
		panic(err)
	}
	s.power = power
}

// state gives all tables in one line.
func (s *server) state() string {
	t, err := s.load()
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(t)) {
		rows := ""
		for _, key := range slices.Sorted(maps.Keys(t[name])) {
			rows += " " + key + "=" + t[name][key]
		}
		out = append(out, name+":"+rows)
	}
	return strings.Join(out, "; ")
}

const (
	stateOne = "memory: m=one; notes: doc-1=one doc-2=one"
	stateTwo = "memory: m=two; notes: doc-1=two doc-2=two"
)

func (s *server) want(t *testing.T, state string) {
	t.Helper()
	if got := s.state(); got != state {
		t.Errorf("the server holds %q, want %q", got, state)
	}
}

func parts(p ...holdfast.Part) map[string][]holdfast.Part {
	return map[string][]holdfast.Part{"chroma": p}
}

func TestParts_ARunningSourceComesBackWhole(t *testing.T) {
	w, s := served(t)
	w.backup("monday")
	s.set("two")
	told := &witness{}
	w.opts.Around = told
	w.forget()
	r := w.restore(engine.RestoreRequest{Name: "monday", Only: []string{"chromadb"}})
	s.want(t, stateOne)
	if len(r.Parts) != 1 || len(r.Parts[0].Changes) != 2 || !slices.Equal(r.Parts[0].Reload, []string{"memory", "notes"}) {
		t.Errorf("result: %+v", r.Parts)
	}
	if r.Emergency == "" || !slices.Equal(r.Restored, []string{"chromadb"}) || len(r.Problems) > 0 {
		t.Errorf("result: %+v", r)
	}
	told.want(t, "before restore", "after restore")
	if v := told.last(t); !slices.Equal(v.Sources, []string{"chromadb"}) || v.Backup != "monday" || v.Err != nil {
		t.Errorf("told: %+v", v)
	}
	steps := strings.Join(w.steps(), ", ")
	last := -1
	for _, step := range []string{"choose finished", "emergency finished", "validate finished", "stage finished", "check finished", "swap finished", "memory ", "start skipped", "confirm finished", "result finished"} {
		at := strings.LastIndex(steps, step)
		if at < last {
			t.Errorf("%q is missing or out of order in %s", step, steps)
		}
		last = at
	}
	w.clean()

	back, err := w.engine().Rollback(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.want(t, stateTwo)
	if back.Emergency == "" || len(back.Parts) != 1 {
		t.Errorf("rollback: %+v", back)
	}
	if _, err := w.engine().Rollback(t.Context()); !errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("a second rollback: %v", err)
	}
	// What the rollback replaced can be had back, as after one of files.
	w.restore(engine.RestoreRequest{Name: string(back.Emergency), Only: []string{"chromadb"}})
	s.want(t, stateOne)
}

func TestParts_OneRecord(t *testing.T) {
	w, s := served(t)
	w.backup("monday")
	s.put(tables{"notes": {"doc-2": "two", "doc-3": "two"}, "memory": {"m": "two"}})
	s.reads = 0
	r := w.restore(engine.RestoreRequest{Name: "latest", Parts: parts(holdfast.Part{Table: "notes", Keys: []string{"doc-1", "doc-2"}})})
	s.want(t, "memory: m=two; notes: doc-1=one doc-2=one doc-3=two")
	if s.reads != 1 {
		t.Errorf("the emergency backup read %d records, want the one that was replaced", s.reads)
	}
	info, err := w.repo.Stat(t.Context(), string(r.Emergency))
	if err != nil || len(info.Proofs) == 0 || !info.Proofs[0].OK {
		t.Errorf("the emergency backup is not verified: %+v, %v", info, err)
	}
	if _, err := w.engine().Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.want(t, "memory: m=two; notes: doc-2=two doc-3=two")
}

func TestParts_ANewNameIsRemovedByARollback(t *testing.T) {
	w, s := served(t)
	w.backup("monday")
	s.set("two")
	plan, err := w.engine().PlanRestore(t.Context(), engine.RestoreRequest{Name: "monday", Parts: parts(holdfast.Part{Table: "notes", As: "notes-before"})})
	if err != nil {
		t.Fatal(err)
	}
	if target := plan.Targets[0]; target.Parts == nil || target.Parts.Changes[0].Action != holdfast.PartCreate || target.Method != "requests" || len(target.Wanted) != 1 {
		t.Errorf("plan: %+v", target)
	}
	s.want(t, stateTwo)
	w.restore(engine.RestoreRequest{Name: "monday", Parts: parts(holdfast.Part{Table: "notes", As: "notes-before"})})
	s.want(t, stateTwo+"; notes-before: doc-1=one doc-2=one")
	undo, err := w.engine().PlanRollback(t.Context())
	if err != nil || undo.Obstacle != nil || undo.Targets[0].Parts == nil || undo.Targets[0].Parts.Changes[0].Action != holdfast.PartRemove {
		t.Errorf("plan of the rollback: %+v, %v", undo, err)
	}
	if _, err := w.engine().Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.want(t, stateTwo)
}

func TestParts_ARollbackKeepsWhatCameSince(t *testing.T) {
	w, s := served(t)
	w.backup("monday")
	s.set("two")
	w.restore(engine.RestoreRequest{Name: "monday", Only: []string{"chromadb"}})
	if err := s.request("a client", func(t tables) { t["since"] = map[string]string{"a": "b"} }); err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine().Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.want(t, stateTwo+"; since: a=b")
}

func TestParts_IntoAnotherStore(t *testing.T) {
	w := newWorld(t) // whose Chroma is a directory
	source := w.server("chromadb", "http://127.0.0.1:8000")
	source.set("one")
	other := w.opts
	other.Sources = []holdfast.Source{source}
	e, err := engine.New(other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Backup(t.Context(), engine.BackupRequest{Name: "served"}); err != nil {
		t.Fatal(err)
	}
	into := w.server("elsewhere", "http://10.0.0.7:8000")
	into.put(tables{"notes": {"doc-9": "nine"}})
	r := w.restore(engine.RestoreRequest{Name: "latest", Into: into})
	into.want(t, stateOne)
	if !slices.Equal(r.Restored, []string{"chromadb"}) || r.Plan.Memory == "" {
		t.Errorf("result: %+v", r)
	}
	w.want("one") // nothing of what is configured

	_, err = w.engine().Rollback(t.Context())
	if !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), "--into http://10.0.0.7:8000") {
		t.Errorf("a rollback without the store: %v (%s)", err, holdfast.HintOf(err))
	}
	w.opts.Stores = []holdfast.PartRestorer{into}
	if _, err := w.engine().Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	into.want(t, "notes: doc-9=nine")
}

// Whoever wants a store filled from a backup that has nothing for it is told what it has.
func TestParts_IntoFromABackupWithoutItsKind(t *testing.T) {
	w := newWorld(t)
	only := w.opts
	only.Sources = slices.DeleteFunc(slices.Clone(w.opts.Sources), func(s holdfast.Source) bool { return s.Kind() == holdfast.KindChroma })
	e, err := engine.New(only)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Backup(t.Context(), engine.BackupRequest{Name: "bot-only"}); err != nil {
		t.Fatal(err)
	}
	into := w.server("elsewhere", "http://10.0.0.7:8000")
	for _, name := range []string{"latest", "bot-only"} {
		_, err := w.engine().PlanRestore(t.Context(), engine.RestoreRequest{Name: name, Into: into})
		if !errors.Is(err, holdfast.ErrNotFound) || !strings.Contains(err.Error(), "bot-only: the backup holds no Chroma database") || !strings.Contains(holdfast.HintOf(err), "it holds bot (sqlite)") {
			t.Errorf("%s: %v (%s)", name, err, holdfast.HintOf(err))
		}
	}
}

func TestParts_Refusals(t *testing.T) {
	w, s := served(t)
	w.backup("monday")
	s.set("two")
	loss := []holdfast.Problem{{Object: "notes doc-1", Severity: holdfast.Incomplete, Message: "the server has no arrays"}}
	for name, c := range map[string]struct {
		req    engine.RestoreRequest
		losses []holdfast.Problem
		kind   error
		says   string
	}{
		"ids without a collection":  {engine.RestoreRequest{Parts: parts(holdfast.Part{Keys: []string{"doc-1"}})}, nil, holdfast.ErrUsage, "ids alone"},
		"ids of a whole database":   {engine.RestoreRequest{Parts: parts(holdfast.Part{Table: "a/b/*", Keys: []string{"doc-1"}})}, nil, holdfast.ErrUsage, "ids alone"},
		"a name for many":           {engine.RestoreRequest{Parts: parts(holdfast.Part{As: "new"})}, nil, holdfast.ErrUsage, "a new name"},
		"an empty id":               {engine.RestoreRequest{Parts: parts(holdfast.Part{Table: "notes", Keys: []string{""}})}, nil, holdfast.ErrUsage, "an id is empty"},
		"parts into a directory":    {engine.RestoreRequest{To: "somewhere", Parts: parts(holdfast.Part{Table: "notes"})}, nil, holdfast.ErrUsage, "not into a directory"},
		"two sources at once":       {engine.RestoreRequest{}, nil, holdfast.ErrUsage, "cannot be undone together"},
		"parts of another source":   {engine.RestoreRequest{Only: []string{"bot"}, Parts: parts(holdfast.Part{Table: "notes"})}, nil, holdfast.ErrUsage, "another source"},
		"what the backup has not":   {engine.RestoreRequest{Parts: parts(holdfast.Part{Table: "nothing"})}, nil, holdfast.ErrNotFound, "no collection nothing"},
		"a record it has not":       {engine.RestoreRequest{Parts: parts(holdfast.Part{Table: "notes", Keys: []string{"doc-7"}})}, nil, holdfast.ErrNotFound, "no record doc-7"},
		"a source it has not":       {engine.RestoreRequest{Parts: map[string][]holdfast.Part{"nobody": {{}}}}, nil, holdfast.ErrNotFound, "no such source"},
		"losses":                    {engine.RestoreRequest{Only: []string{"chromadb"}}, loss, holdfast.ErrRefused, "no arrays"},
		"parts of what has none":    {engine.RestoreRequest{Parts: map[string][]holdfast.Part{"bot": {{Table: "users"}}}}, nil, holdfast.ErrUsage, "as a whole only"},
		"a store of another kind":   {engine.RestoreRequest{Only: []string{"bot"}, Into: s}, nil, holdfast.ErrUsage, "takes a chroma"},
		"more than the one of Into": {engine.RestoreRequest{Only: []string{"bot", "chromadb"}, Into: s}, nil, holdfast.ErrUsage, "takes a chroma"},
	} {
		t.Run(name, func(t *testing.T) {
			s.losses = c.losses
			c.req.Name = "monday"
			r, err := w.engine().Restore(t.Context(), c.req)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("refused with %v, want %v: %s", err, c.kind, c.says)
			}
			s.want(t, stateTwo)
			if r != nil && r.Emergency != "" {
				t.Errorf("an emergency backup was made for nothing: %s", r.Emergency)
			}
		})
	}
	s.losses = loss
	plan, err := w.engine().PlanRestore(t.Context(), engine.RestoreRequest{Name: "monday", Only: []string{"chromadb"}})
	if err != nil || !errors.Is(plan.Obstacle, holdfast.ErrRefused) || len(plan.Targets[0].Parts.Losses) != 1 {
		t.Errorf("plan: %+v, %v", plan, err)
	}
	r := w.restore(engine.RestoreRequest{Name: "monday", Only: []string{"chromadb"}, AcceptLosses: true})
	s.want(t, stateOne)
	if len(r.Problems) != 1 || r.Problems[0].Severity != holdfast.Warning || !strings.Contains(r.Problems[0].Message, "no arrays") {
		t.Errorf("accepted losses are told as %+v", r.Problems)
	}
}

func TestParts_AFailureIsUndone(t *testing.T) {
	w, s := served(t)
	w.backup("monday")
	s.set("two")
	s.onRestore = func() error { return errors.New("the check found another record") }
	r, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday", Only: []string{"chromadb"}})
	if err == nil || !strings.Contains(err.Error(), "another record") || !r.RolledBack {
		t.Errorf("%+v, %v", r, err)
	}
	s.want(t, stateTwo)
	if rec := w.recover(); rec.Found {
		t.Errorf("something was left to recover: %+v", rec)
	}
	if last, err := w.engine().LastRestore(); err != nil || last != nil {
		t.Errorf("a restore that failed is remembered: %+v, %v", last, err)
	}
	steps := strings.Join(w.steps(), ", ")
	if !strings.Contains(steps, "stage finished, check failed, rollback finished, result failed") {
		t.Errorf("steps: %s", steps)
	}
}

func TestParts_WhatIsReplacedIsKeptWithoutAnEmergencyBackup(t *testing.T) {
	for name, c := range map[string]struct {
		req engine.RestoreRequest
		set func(o *engine.Options)
	}{
		"declined": {engine.RestoreRequest{NoEmergency: true}, func(*engine.Options) {}},
		"disabled": {engine.RestoreRequest{}, func(o *engine.Options) { o.Settings.EmergencyBackup = false }},
		"wanted":   {engine.RestoreRequest{KeepReplaced: true}, func(*engine.Options) {}},
	} {
		t.Run(name, func(t *testing.T) {
			w, s := served(t)
			w.backup("monday")
			s.set("two")
			c.set(&w.opts)
			c.req.Name, c.req.Parts = "monday", parts(holdfast.Part{Table: "notes"})
			r := w.restore(c.req)
			if len(r.Parts[0].Kept) != 1 || len(r.Problems) == 0 || !strings.Contains(s.state(), r.Parts[0].Kept[0]+": doc-1=two doc-2=two") {
				t.Errorf("kept: %+v, %+v; the server holds %s", r.Parts[0].Kept, r.Problems, s.state())
			}
			if r.Emergency == "" {
				if _, err := w.engine().Rollback(t.Context()); !errors.Is(err, holdfast.ErrNotFound) || !strings.Contains(holdfast.HintOf(err), r.Parts[0].Kept[0]) {
					t.Errorf("rollback: %v (%s)", err, holdfast.HintOf(err))
				}
			}
		})
	}
}

func TestParts_TheReloadHookGetsTheNames(t *testing.T) {
	w, s := served(t)
	w.backup("monday")
	out := filepath.Join(w.dir, "reload")
	w.opts.Hooks.Reload = fmt.Sprintf(`printf '%%s|%%s' "$HOLDFAST_RELOAD" "$HOLDFAST_SOURCE_NAMES" > %q`, out)
	s.set("two")
	w.restore(engine.RestoreRequest{Name: "monday", Only: []string{"chromadb"}})
	if got := read(t, out); got != "memory\nnotes|chromadb" {
		t.Errorf("the hook got %q", got)
	}
	w.opts.Hooks.Reload = "exit 7"
	r := w.restore(engine.RestoreRequest{Name: "monday", Only: []string{"chromadb"}})
	s.want(t, stateOne)
	if len(r.Problems) != 1 || r.Problems[0].Severity != holdfast.Incomplete || !strings.Contains(r.Problems[0].Message, "reload hook") {
		t.Errorf("a hook that fails is told as %+v", r.Problems)
	}
}

func TestParts_ADeadStoreKeepsRestoresOutAndNothingElse(t *testing.T) {
	w, s := served(t)
	w.backup("monday")
	s.set("two")
	s.onRestore = func() error { s.stopped = true; return errors.New("connection reset") }
	_, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday", Only: []string{"chromadb"}})
	if err == nil || len(holdfast.Parts(err)) != 1 || !strings.Contains(err.Error(), "connection reset; the previous state is not back") || !strings.Contains(holdfast.HintOf(err), "holdfast recover") {
		t.Fatalf("a store that died: %v (%s)", err, holdfast.HintOf(err))
	}
	s.onRestore = nil
	if _, err := w.engine().Recover(t.Context()); !errors.Is(err, engine.ErrUnsettled) || !strings.Contains(err.Error(), s.url) {
		t.Errorf("recover says %v", err)
	}
	if p, err := w.engine().Pending(); err != nil || p == nil || p.Backup != "monday" {
		t.Errorf("pending: %+v, %v", p, err)
	}
	for name, verb := range map[string]func() error{
		"restore": func() error {
			_, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday", Only: []string{"bot"}})
			return err
		},
		"rollback": func() error { _, err := w.engine().Rollback(t.Context()); return err },
	} {
		if err := verb(); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), "settled first") {
			t.Errorf("%s beside it: %v", name, err)
		}
	}
	w.opts.Sources = []holdfast.Source{w.bot} // the server would stop a backup by itself
	b := w.backup("tuesday")
	if len(b.Problems) != 1 || b.Problems[0].Severity != holdfast.Warning || !strings.Contains(b.Problems[0].Message, "cannot be settled") {
		t.Errorf("a backup beside it says %+v", b.Problems)
	}
	if _, err := w.engine().Prune(t.Context()); err != nil {
		t.Errorf("prune: %v", err)
	}
	s.stopped = false
	_, err = w.engine().Recover(t.Context())
	if err == nil || !strings.Contains(holdfast.HintOf(err), "--into "+s.url) {
		t.Errorf("recover of a store that is not configured: %v (%s)", err, holdfast.HintOf(err))
	}
	w.opts.Stores = []holdfast.PartRestorer{s}
	if r := w.recover(); !r.Found || r.Outcome != "undone" {
		t.Errorf("recover: %+v", r)
	}
	s.want(t, stateTwo)
	if r := w.recover(); r.Found {
		t.Errorf("found again: %+v", r)
	}
}

func TestParts_ADamagedBackupChangesNothing(t *testing.T) {
	w, s := served(t)
	r := w.backup("monday")
	s.set("two")
	w.corrupt(string(r.Backup.Name))
	_, err := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "monday", Only: []string{"chromadb"}})
	if !errors.Is(err, holdfast.ErrDamaged) {
		t.Errorf("a damaged backup: %v", err)
	}
	s.want(t, stateTwo)
}

// A journal comes with a repository that may come from anywhere.
func TestParts_AStrangeJournalStopsEveryVerb(t *testing.T) {
	good := `{"version":1,"id":"x","op":"restore","phase":"changing","store":"chromadb","kind":"chroma","location":"http://127.0.0.1:8000","wanted":[{}],"note":{"Step":"fill"}}`
	for name, change := range map[string][2]string{
		"a phase":      {`"changing"`, `"confirmed"`},
		"a verb":       {`"op":"restore"`, `"op":"prune"`},
		"a store":      {`"chromadb"`, `"../x"`},
		"no place":     {`"http://127.0.0.1:8000"`, `""`},
		"no parts":     {`[{}]`, `[]`},
		"no note":      {`{"Step":"fill"}`, `null`},
		"a version":    {`"version":1`, `"version":9`},
		"half a file":  {`"note":{"Step":"fill"}}`, `"note":`},
		"a backup":     {`"op":`, `"backup":"../../x","op":`},
		"an emergency": {`"op":`, `"emergency":"../../x","op":`},
	} {
		t.Run(name, func(t *testing.T) {
			w, s := served(t)
			changed := strings.Replace(good, change[0], change[1], 1)
			if changed == good {
				t.Fatal("nothing was changed")
			}
			write(t, filepath.Join(w.dir, "state", "parts-journal.json"), changed)
			if _, err := w.engine().Backup(t.Context(), engine.BackupRequest{}); err == nil {
				t.Error("a backup was made")
			}
			if _, err := w.engine().Recover(t.Context()); err == nil {
				t.Error("it was settled")
			}
			s.want(t, stateOne)
		})
	}
	w, s := served(t)
	write(t, filepath.Join(w.dir, "state", "parts-journal.json"), good)
	if r := w.recover(); r.Outcome != "undone" {
		t.Errorf("the good one: %+v", r)
	}
	s.want(t, stateOne)
}

// The power of holdfast or of the server goes off before each single thing that is done.
func TestParts_EveryCutLeavesOldOrNew(t *testing.T) {
	for name, act := range map[string]func(e *engine.Engine) error{
		"whole": func(e *engine.Engine) error {
			_, err := e.Restore(t.Context(), engine.RestoreRequest{Name: "monday", Only: []string{"chromadb"}})
			return err
		},
		"a record": func(e *engine.Engine) error {
			_, err := e.Restore(t.Context(), engine.RestoreRequest{Name: "monday", Parts: parts(holdfast.Part{Table: "notes", Keys: []string{"doc-1"}})})
			return err
		},
		"rollback": func(e *engine.Engine) error {
			_, err := e.Rollback(t.Context())
			return err
		},
	} {
		for _, alone := range []bool{false, true} { // holdfast stops, or the server alone
			t.Run(fmt.Sprintf("%s, server alone %t", name, alone), func(t *testing.T) {
				outcomes := map[string]bool{}
				for n := 0; ; n++ {
					cut, outcome := cutParts(t, n, alone, name == "rollback", act)
					outcomes[outcome] = true
					if !cut || t.Failed() {
						break
					}
				}
				if !t.Failed() && !(outcomes["old"] && outcomes["new"]) {
					t.Errorf("the cuts left only %v", outcomes)
				}
			})
		}
	}
}

// cutParts cuts a verb and recovers.
func cutParts(t *testing.T, n int, alone, afterRestore bool, act func(e *engine.Engine) error) (cut bool, outcome string) {
	t.Helper()
	w, s := served(t)
	w.backup("monday")
	s.set("two")
	if afterRestore {
		w.restore(engine.RestoreRequest{Name: "monday", Only: []string{"chromadb"}})
	}
	before := s.state()
	p := &power{n: n}
	s.power = p
	if !alone {
		w.opts.FS = faulty{unsynced{durable.OS}, func(op, name string) error { return p.use(op + " " + name) }}
	}
	err := act(w.engine())
	w.opts.FS, s.power = nil, nil
	if p.off == "" && err != nil {
		t.Fatalf("without a cut: %v", err)
	}
	if _, err := w.engine().Recover(t.Context()); err != nil {
		t.Errorf("recover: %v", err)
	}
	w.clean()
	if s.state() == before {
		if p.off == "" {
			t.Errorf("nothing was restored")
		}
		return p.off != "", "old"
	}
	got := s.state()
	if strings.Contains(got, "-restore-") || strings.Contains(got, "-old-") || got == "" || !slices.Contains([]string{stateOne, stateTwo, "memory: m=two; notes: doc-1=one doc-2=two"}, got) {
		t.Errorf("cut before %q: the server holds %q, neither old nor new", p.off, got)
	}
	if afterRestore {
		return p.off != "", "new"
	}
	if _, err := w.engine().Rollback(t.Context()); err != nil {
		t.Errorf("cut before %q: the old state cannot be had back: %v", p.off, err)
	}
	s.want(t, before)
	return p.off != "", "new"
}
