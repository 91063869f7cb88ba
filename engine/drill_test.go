package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/mem"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// An oracle is a rag whose owner answers what its database held.
type oracle struct {
	*rag
	onQuestions func() error
	onRehearse  func(dir, command string) error
	commands    []string // that were run
}

var _ holdfast.Rehearser = (*oracle)(nil)

func (o *oracle) Questions(_ context.Context, copied fs.FS, w io.Writer) (int, error) {
	if err := call(o.onQuestions); err != nil {
		return 0, err
	}
	data, err := fs.ReadFile(copied, "chroma.sqlite3")
	if err != nil {
		return 0, err
	}
	return 1, json.NewEncoder(w).Encode(string(data))
}

func (o *oracle) Rehearse(ctx context.Context, dir, command string, r io.Reader) ([]holdfast.Comparison, error) {
	o.commands = append(o.commands, command)
	if command != "" {
		// As a server does, it changes what it runs on.
		if err := os.WriteFile(filepath.Join(dir, "acquired"), nil, 0o600); err != nil {
			return nil, err
		}
	}
	if o.onRehearse != nil {
		if err := o.onRehearse(dir, command); err != nil {
			return nil, err
		}
	}
	var want string
	if err := json.NewDecoder(r).Decode(&want); err != nil {
		return nil, err
	}
	got, err := os.ReadFile(filepath.Join(dir, "chroma.sqlite3"))
	return []holdfast.Comparison{{Source: o.name, What: "answers", Want: want, Got: string(got), OK: want == string(got)}}, errors.Join(err, ctx.Err())
}

// drills is a world whose rag can be asked.
func drills(t *testing.T) (*world, *oracle) {
	w := newWorld(t)
	o := &oracle{rag: w.rag}
	w.opts.Sources = []holdfast.Source{w.bot, o}
	return w, o
}

// drill holds the drill of a backup.
func (w *world) drill(name string) (*engine.DrillResult, error) {
	w.t.Helper()
	return w.engine().Drill(w.t.Context(), engine.DrillRequest{Name: name, Commands: map[holdfast.Kind]string{holdfast.KindChroma: "serve"}})
}

// drilled gives the proof that is kept with a backup.
func (w *world) drilled(name string) (holdfast.Proof, bool) {
	w.t.Helper()
	info, err := w.repo.Stat(context.WithoutCancel(w.t.Context()), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return info.Drilled()
}

// noScratch fails if a drill left anything in a directory.
func (w *world) noScratch(dirs ...string) {
	w.t.Helper()
	for _, dir := range append(dirs, filepath.Join(w.opts.StateDir, "drill")) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() != "lock" {
				w.t.Errorf("left behind: %s", filepath.Join(dir, e.Name()))
			}
		}
	}
}

func TestDrill_ProvesABackup(t *testing.T) {
	w, o := drills(t)
	w.backup("monday")
	w.set("two") // what is live is no business of it
	w.forget()
	result, err := w.drill("latest")
	if err != nil {
		t.Fatal(err)
	}
	if !result.OK() || !slices.Equal(result.Asked, []string{"chromadb"}) || !slices.Equal(o.commands, []string{"", "serve"}) {
		t.Errorf("ok %v, asked %v by %q", result.OK(), result.Asked, o.commands)
	}
	for _, want := range []string{"rows", "records", "schema", "memory in collection enhanced_rag_memory", "answers"} {
		if !slices.ContainsFunc(result.Compared, func(c holdfast.Comparison) bool { return c.What == want && c.OK }) {
			t.Errorf("%q was not compared, or differs: %+v", want, result.Compared)
		}
	}
	p, held := w.drilled("monday")
	if !held || !p.OK || p.Kind != holdfast.ProofDrill || p.RestoreMS == 0 || p.Bytes == 0 || len(p.Compared) == 0 || len(p.Problems) > 0 {
		t.Errorf("the proof %+v does not tell what was done", p)
	}
	want := []string{"choose finished", "stage finished", "check finished", "check finished", "memory finished", "rehearse finished", "result finished"}
	if got := w.steps(); !slices.Equal(got, want) {
		t.Errorf("steps %q, want %q", got, want)
	}
	w.want("two")
	w.noScratch()
	if _, err := w.engine().Verify(t.Context(), engine.VerifyRequest{Name: "monday"}); err != nil {
		t.Errorf("the drill touched the backup: %v", err)
	}
}

func TestDrill_SaysThatNobodyWasAsked(t *testing.T) {
	w, o := drills(t)
	w.backup("monday")
	result, err := w.engine().Drill(t.Context(), engine.DrillRequest{Name: "monday"})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Asked) > 0 || !slices.Equal(o.commands, []string{""}) {
		t.Errorf("asked %v by %q", result.Asked, o.commands)
	}
	p, _ := w.drilled("monday")
	said := func(list []holdfast.Problem) bool {
		return slices.ContainsFunc(list, func(p holdfast.Problem) bool {
			return strings.Contains(p.Message, "no server was started") && p.Severity == holdfast.Warning && p.Source == "chromadb"
		})
	}
	if !p.OK || !said(result.Problems) || !said(p.Problems) {
		t.Errorf("neither the result nor the proof says so: %v, %v", result.Problems, p.Problems)
	}
}

// What does not stand a drill is damaged, and the backup disproven, also when a
// verification has nothing to find fault with.
func TestDrill_Disproves(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(w *world, o *oracle)
		err    error
		says   string
	}{
		"another answer": {func(_ *world, o *oracle) {
			o.onRehearse = func(dir, command string) error {
				if command == "" {
					return nil
				}
				return os.WriteFile(filepath.Join(dir, "chroma.sqlite3"), []byte("other\n"), 0o600)
			}
		}, holdfast.ErrDamaged, "answers"},
		"a damaged payload":  {func(w *world, _ *oracle) { w.corrupt("monday/bot/bot_database.db") }, holdfast.ErrDamaged, "bot/bot_database.db"},
		"a damaged manifest": {func(w *world, _ *oracle) { w.corrupt("monday/manifest.json") }, holdfast.ErrDamaged, "manifest.json"},
		"a source that was damaged already": {func(w *world, _ *oracle) {
			w.bot.onCheck = func() []holdfast.Problem {
				return []holdfast.Problem{{Severity: holdfast.Damaged, Message: "page 9 is torn"}}
			}
		}, holdfast.ErrIncomplete, "page 9"},
		"fewer rows than were captured": {func(w *world, _ *oracle) { w.opts.Sources[0] = &short{w.bot} }, holdfast.ErrDamaged, "rows"},
	} {
		t.Run(name, func(t *testing.T) {
			w, o := drills(t)
			w.backup("monday")
			c.damage(w, o)
			result, err := w.drill("monday")
			if result == nil || result.OK() || !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("result %+v, error %v, want %v that says %q", result, err, c.err, c.says)
			}
			p, held := w.drilled("monday")
			if !held || p.OK || len(p.Problems) == 0 {
				t.Errorf("the proof is %+v, %v", p, held)
			}
			if info, err := w.repo.Stat(t.Context(), "monday"); err != nil || !info.Disproven() {
				t.Errorf("the backup is not disproven (%v)", err)
			}
			w.noScratch()
		})
	}
}

// short is a database in which a row is missing where it was restored.
type short struct{ *database }

func (s *short) Check(ctx context.Context, copied fs.FS, o holdfast.CheckOptions) (holdfast.Report, error) {
	r, err := s.database.Check(ctx, copied, o)
	r.Facts.SQLite.Rows = new(*r.Facts.SQLite.Rows - 1)
	return r, err
}

// A drill that could not be held tells nothing of the backup.
func TestDrill_NotHeldRecordsNothing(t *testing.T) {
	missing := errors.New("chroma: command not found")
	for name, c := range map[string]struct {
		spoil func(w *world, o *oracle) engine.DrillRequest
		err   error
	}{
		"no server": {func(_ *world, o *oracle) engine.DrillRequest {
			o.onRehearse = func(_, command string) error {
				if command == "" {
					return nil
				}
				return missing
			}
			return engine.DrillRequest{Commands: map[holdfast.Kind]string{holdfast.KindChroma: "serve"}}
		}, missing},
		"scratch in a source": {func(w *world, _ *oracle) engine.DrillRequest { return engine.DrillRequest{Dir: w.rag.path} }, holdfast.ErrRefused},
		"no room": {func(w *world, _ *oracle) engine.DrillRequest {
			w.opts.FS = faulty{durable.OS, func(op, name string) error {
				if op == "create" && strings.Contains(name, "bot_database.db") {
					return syscall.ENOSPC
				}
				return nil
			}}
			return engine.DrillRequest{}
		}, holdfast.ErrRefused},
		"no such backup": {func(*world, *oracle) engine.DrillRequest { return engine.DrillRequest{Name: "nomday"} }, holdfast.ErrNotFound},
		"no time":        {func(*world, *oracle) engine.DrillRequest { return engine.DrillRequest{Timeout: 1} }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w, o := drills(t)
			w.backup("monday")
			req := c.spoil(w, o)
			if req.Name == "" {
				req.Name = "monday"
			}
			result, err := w.engine().Drill(t.Context(), req)
			if err == nil || result != nil || c.err != nil && !errors.Is(err, c.err) {
				t.Fatalf("result %+v, error %v, want %v alone", result, err, c.err)
			}
			if p, held := w.drilled("monday"); held {
				t.Errorf("it recorded %+v", p)
			}
			if name != "no such backup" && name != "no time" {
				w.noScratch()
			}
		})
	}
}

func TestDrill_CancelledRecordsNothing(t *testing.T) {
	w, o := drills(t)
	w.backup("monday")
	ctx, cancel := context.WithCancel(t.Context())
	o.onRehearse = func(string, string) error { cancel(); return nil }
	result, err := w.engine().Drill(ctx, engine.DrillRequest{Name: "monday"})
	if result != nil || !errors.Is(err, context.Canceled) {
		t.Fatalf("result %+v, error %v", result, err)
	}
	if p, held := w.drilled("monday"); held {
		t.Errorf("it recorded %+v", p)
	}
	w.noScratch()
}

// Without its key an encrypted backup cannot be restored, so that it cannot be
// drilled either. With it, nothing of what was compared lies in the open.
func TestDrill_Encrypted(t *testing.T) {
	w, _ := drills(t)
	keys := w.sealed()
	w.backup("monday")
	w.reopen(repo.Options{})
	if result, err := w.drill("monday"); result != nil || !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), "no key was given") {
		t.Fatalf("without a key: result %+v, error %v", result, err)
	}
	if p, held := w.drilled("monday"); held {
		t.Errorf("without a key it recorded %+v", p)
	}
	w.reopen(repo.Options{Keys: keys})
	if _, err := w.drill("monday"); err != nil {
		t.Fatal(err)
	}
	p, held := w.drilled("monday")
	if !held || !p.OK || len(p.Compared) == 0 {
		t.Errorf("the proof is %+v, %v", p, held)
	}
	for info, err := range w.bucket.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		err := w.bucket.Corrupt(info.Key, func(data []byte) []byte {
			if bytes.Contains(data, []byte("enhanced_rag_memory")) || bytes.Contains(data, []byte(`"one`)) {
				t.Errorf("%s tells what is in the backup", info.Key)
			}
			return data
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A backup that is left only in a replica is drilled there, and proven there.
func TestDrill_OfAReplica(t *testing.T) {
	w, _ := drills(t)
	copies := mem.New()
	w.replica("offsite", copies, retention.Policy{})
	w.backup("monday")
	if _, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.repo.Delete(t.Context(), "monday"); err != nil {
		t.Fatal(err)
	}
	result, err := w.drill("monday")
	if err != nil || result.From != "offsite" {
		t.Fatalf("result %+v, error %v", result, err)
	}
	r, err := repo.Open(t.Context(), copies, repo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := r.Stat(t.Context(), "monday"); err != nil {
		t.Error(err)
	} else if p, held := info.Drilled(); !held || !p.OK {
		t.Errorf("the copy in the replica has the proof %+v, %v", p, held)
	}
}
