package engine_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/holdfast-backup/holdfast"
)

// A server is a store that runs: its tables are in a file that only its requests change,
// each as a whole, and it outlives whoever sends them.
type server struct {
	name, url string
	path      string // of its state
	only      []holdfast.Part
	power     *power
	stopped   bool // its process is gone
	files     bool // it is a database whose owner has it open, and no server
	losses    []holdfast.Problem
	onRestore func() error // once everything is filled
	reads     int          // rows that a capture of it has read
	parent    *server
}

// A power goes off before the n-th thing that is done under it; negative is never.
type power struct {
	mu  sync.Mutex
	n   int
	off string // at what it went off
}

var errPower = errors.New("the power is off")

func (p *power) use(what string) error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off == "" && p.n == 0 {
		p.off = what
	}
	p.n--
	if p.off != "" {
		return errPower
	}
	return nil
}

// tables are rows by the names of their tables and their own.
type tables map[string]map[string]string

func (s *server) load() (tables, error) {
	root := s
	for root.parent != nil {
		root = root.parent
	}
	if root.stopped {
		return nil, fmt.Errorf("%s: connection refused", s.url)
	}
	data, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return tables{}, nil
	}
	if err != nil {
		return nil, err
	}
	t := tables{}
	return t, json.Unmarshal(data, &t)
}

// request changes the state, at once or not at all.
func (s *server) request(what string, change func(t tables)) error {
	if err := s.power.use(what); err != nil {
		return err
	}
	t, err := s.load()
	if err != nil {
		return err
	}
	change(t)
	data, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return os.WriteFile(s.path, data, 0o600)
}

func (s *server) Name() string        { return s.name }
func (s *server) Kind() holdfast.Kind { return holdfast.KindChroma }
func (s *server) Running() bool       { return !s.files }
func (s *server) Target() holdfast.Target {
	return holdfast.Target{Path: s.url, Remote: true}
}

// Narrow implements holdfast.PartRestorer.
func (s *server) Narrow(parts []holdfast.Part) holdfast.Source {
	n := *s
	n.parent, n.only = s, parts
	return &n
}

// visible is what of the state a narrowed server shows.
func (s *server) visible() (tables, error) {
	t, err := s.load()
	if err != nil || len(s.only) == 0 {
		return t, err
	}
	seen := tables{}
	for _, p := range s.only {
		for name, rows := range t {
			if p.Table != "" && name != cmp.Or(p.As, p.Table) {
				continue
			}
			if seen[name] == nil {
				seen[name] = map[string]string{}
			}
			for key, row := range rows {
				if len(p.Keys) == 0 || slices.Contains(p.Keys, key) {
					seen[name][key] = row
				}
			}
		}
	}
	return seen, nil
}

func factsOf(t tables) holdfast.Facts {
	c := &holdfast.ChromaFacts{Server: &holdfast.ChromaServer{API: "v2", Consistency: holdfast.Consistent}}
	for _, name := range slices.Sorted(maps.Keys(t)) {
		c.Collections = append(c.Collections, holdfast.ChromaCollection{Name: name, Records: int64(len(t[name]))})
		c.Records += int64(len(t[name]))
	}
	return holdfast.Facts{Chroma: c}
}

func (s *server) Inspect(context.Context, holdfast.InspectOptions) (holdfast.Inspection, error) {
	t, err := s.visible()
	return holdfast.Inspection{Exists: err == nil, Facts: factsOf(t)}, err
}

func (s *server) Capture(_ context.Context, sink holdfast.Sink) (holdfast.Captured, error) {
	t, err := s.visible()
	if err != nil {
		return holdfast.Captured{}, err
	}
	if err := sink.Add(holdfast.Entry{Path: "tables", Mode: fs.ModeDir | 0o700}); err != nil {
		return holdfast.Captured{}, err
	}
	for _, name := range slices.Sorted(maps.Keys(t)) {
		w, err := sink.Create(holdfast.Entry{Path: "tables/" + name, Mode: 0o600})
		if err != nil {
			return holdfast.Captured{}, err
		}
		for _, key := range slices.Sorted(maps.Keys(t[name])) {
			if s.parent != nil {
				s.parent.reads++
			}
			if _, err := fmt.Fprintf(w, "%s=%s\n", key, t[name][key]); err != nil {
				return holdfast.Captured{}, errors.Join(err, w.Discard())
			}
		}
		if err := w.Close(); err != nil {
			return holdfast.Captured{}, err
		}
	}
	return holdfast.Captured{Method: "requests", Facts: factsOf(t)}, nil
}

// copiedTables reads what Capture wrote.
func copiedTables(copied fs.FS) (tables, error) {
	t := tables{}
	entries, err := fs.ReadDir(copied, "tables")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		data, err := fs.ReadFile(copied, "tables/"+e.Name())
		if err != nil {
			return nil, err
		}
		t[e.Name()] = map[string]string{}
		for line := range strings.Lines(string(data)) {
			key, row, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			t[e.Name()][key] = row
		}
	}
	return t, nil
}

func (s *server) Check(_ context.Context, copied fs.FS, _ holdfast.CheckOptions) (holdfast.Report, error) {
	t, err := copiedTables(copied)
	if err != nil {
		return holdfast.Report{}, err
	}
	r := holdfast.Report{Facts: factsOf(t)}
	for name, rows := range t {
		if slices.Contains(slices.Collect(maps.Values(rows)), broken) {
			r.Problems = append(r.Problems, holdfast.Problem{Object: "collection " + name, Severity: holdfast.Damaged, Message: "a record is torn"})
		}
	}
	return r, nil
}

// A change is what becomes of one table; Then is nil if it is removed.
type change struct {
	holdfast.PartChange
	Existed bool
	Then    map[string]string
}

// work finds what is to become of each table.
func (s *server) work(copied fs.FS, parts []holdfast.Part) ([]change, error) {
	from, err := copiedTables(copied)
	if err != nil {
		return nil, err
	}
	now, err := s.load()
	if err != nil {
		return nil, err
	}
	var all []change
	for _, p := range parts {
		names := []string{p.Table}
		if p.Table == "" {
			names = slices.Sorted(maps.Keys(from))
		}
		for _, name := range names {
			to := cmp.Or(p.As, name)
			c := change{PartChange: holdfast.PartChange{Table: to, From: name, Action: holdfast.PartReplace, Keys: p.Keys}, Then: from[name]}
			rows, known := from[name]
			_, c.Existed = now[to]
			switch {
			case !known && !p.Exact:
				return nil, holdfast.Kindf(holdfast.ErrNotFound, "the copy has no collection %s", name)
			case !known && len(p.Keys) == 0:
				c.Action, c.Then = holdfast.PartRemove, nil
			case len(p.Keys) > 0 && c.Existed:
				c.Action, c.Then = holdfast.PartMerge, maps.Clone(now[to])
				for _, key := range p.Keys {
					row, ok := rows[key]
					if !ok && !p.Exact {
						return nil, holdfast.Kindf(holdfast.ErrNotFound, "the copy has no record %s in %s", key, name)
					}
					delete(c.Then, key)
					if ok {
						c.Then[key] = row
					}
				}
			case !c.Existed:
				c.Action = holdfast.PartCreate
				if len(p.Keys) > 0 {
					c.Then = maps.Clone(rows)
					maps.DeleteFunc(c.Then, func(key, _ string) bool { return !slices.Contains(p.Keys, key) })
				}
			}
			then, old := int64(len(c.Then)), int64(len(now[to]))
			c.Now, c.PartChange.Then = &old, &then
			all = append(all, c)
		}
	}
	return all, nil
}

func changesOf(all []change) (out []holdfast.PartChange) {
	for _, c := range all {
		out = append(out, c.PartChange)
	}
	return out
}

func (s *server) PlanParts(_ context.Context, copied fs.FS, parts []holdfast.Part) (holdfast.PartPlan, error) {
	all, err := s.work(copied, parts)
	return holdfast.PartPlan{Changes: changesOf(all), Losses: s.losses, Bytes: 100}, err
}

// A serverNote is what settling needs.
type serverNote struct {
	Step    string // fill, swap, done
	Stamp   string
	Changes []change
	Keep    bool
}

func (n serverNote) filled(table string) string { return table + "-restore-" + n.Stamp }
func (n serverNote) old(table string) string    { return table + "-old-" + n.Stamp }

func (s *server) RestoreParts(_ context.Context, copied fs.FS, parts []holdfast.Part, o holdfast.PartOptions) (r holdfast.PartResult, err error) {
	all, err := s.work(copied, parts)
	if err != nil {
		return r, err
	}
	n := serverNote{Stamp: o.Stamp, Changes: all, Keep: o.KeepReplaced || o.Replaced == nil}
	note := func(step string) error {
		n.Step = step
		data, err := json.Marshal(n)
		if err != nil {
			return err
		}
		return o.Note(data)
	}
	noted := false
	defer func() {
		if err != nil && noted {
			r.Undone = s.undo(n) == nil
		}
	}()
	if err := note("fill"); err != nil {
		return r, err
	}
	noted = true
	for _, c := range all {
		o.Step(holdfast.StepStage, c.Table)
		if c.Then == nil {
			continue
		}
		if err := s.request("fill "+c.Table, func(t tables) { t[n.filled(c.Table)] = c.Then }); err != nil {
			return r, err
		}
		o.Progress(holdfast.StepStage, c.Table, 1, 1)
	}
	o.Step(holdfast.StepCheck, "")
	if err := call(s.onRestore); err != nil {
		return r, err
	}
	if err := note("swap"); err != nil {
		return r, err
	}
	o.Step(holdfast.StepSwap, "")
	for _, c := range all {
		if err := s.request("aside "+c.Table, func(t tables) { rename(t, c.Table, n.old(c.Table)) }); err != nil {
			return r, err
		}
		if err := s.request("place "+c.Table, func(t tables) { rename(t, n.filled(c.Table), c.Table) }); err != nil {
			return r, err
		}
	}
	if err := note("done"); err != nil {
		return r, err
	}
	noted = false // what is left can only be finished
	return s.finish(n)
}

func rename(t tables, from, to string) {
	if rows, ok := t[from]; ok {
		t[to] = rows
		delete(t, from)
	}
}

// undo brings back what was there, whatever was done of it.
func (s *server) undo(n serverNote) error {
	for _, c := range n.Changes {
		err := s.request("undo "+c.Table, func(t tables) {
			_, moved := t[n.old(c.Table)]
			if _, waiting := t[n.filled(c.Table)]; n.Step != "fill" && !waiting && (moved || !c.Existed) {
				delete(t, c.Table)
			}
			delete(t, n.filled(c.Table))
			rename(t, n.old(c.Table), c.Table)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *server) finish(n serverNote) (r holdfast.PartResult, err error) {
	r.Changes = changesOf(n.Changes)
	for _, c := range n.Changes {
		if c.Action == holdfast.PartReplace {
			r.Reload = append(r.Reload, c.Table)
		}
		if n.Keep && c.Existed {
			r.Kept = append(r.Kept, n.old(c.Table))
			continue
		}
		if err := s.request("drop "+c.Table, func(t tables) { delete(t, n.old(c.Table)) }); err != nil {
			return r, err
		}
	}
	return r, nil
}

// Settle implements holdfast.PartRestorer.
func (s *server) Settle(_ context.Context, note json.RawMessage) (holdfast.Settled, error) {
	var n serverNote
	d := json.NewDecoder(bytes.NewReader(note))
	d.DisallowUnknownFields()
	if err := d.Decode(&n); err != nil {
		return holdfast.Settled{}, err
	}
	if n.Step == "done" {
		r, err := s.finish(n)
		return holdfast.Settled{Finished: err == nil, Result: r}, err
	}
	return holdfast.Settled{}, s.undo(n)
}

var _ holdfast.PartRestorer = (*server)(nil)
