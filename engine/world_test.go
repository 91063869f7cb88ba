package engine_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/mem"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
)

// A world is a machine with a bot's database and a RAG assistant's directory,
// a repository in memory, and an engine over them.
type world struct {
	t      *testing.T
	dir    string
	bucket *mem.Bucket
	repo   *repo.Repository
	bot    *database
	rag    *rag
	opts   engine.Options

	onStop func() error // of the owner

	mu     sync.Mutex
	events []holdfast.Event
	now    time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := bare(t, t.TempDir())
	w.bucket = mem.New()
	var err error
	if w.repo, err = repo.Init(t.Context(), w.bucket, repo.Options{}); err != nil {
		t.Fatal(err)
	}
	w.opts.Repository = w.repo
	w.set("one")
	return w
}

// bare is a world below a directory, without a repository and data.
func bare(t *testing.T, dir string) *world {
	w := &world{t: t, dir: dir, now: time.Date(2024, 10, 30, 14, 30, 0, 0, time.UTC)}
	w.bot = &database{name: "bot", path: filepath.Join(w.dir, "app", "bot_database.db")}
	w.rag = &rag{name: "chromadb", path: filepath.Join(w.dir, "data", "chromadb"), collections: []string{"enhanced_rag_memory"}, mode: "enhanced", schema: 5}
	w.opts = engine.Options{
		Sources:  []holdfast.Source{w.bot, w.rag},
		StateDir: filepath.Join(w.dir, "state"),
		Settings: engine.Settings{IncludeMemory: true, Compress: true, EmergencyBackup: true},
		Observer: w.observe,
		Now:      w.tick,
	}
	return w
}

// tick is a clock that moves on by a second with each look.
func (w *world) tick() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Second)
	return w.now
}

func (w *world) observe(e holdfast.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// engine makes an engine as the next command would.
func (w *world) engine() *engine.Engine {
	w.t.Helper()
	e, err := engine.New(w.opts)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// set brings both sources into a state named by a word, with a log beside the
// bot's database.
func (w *world) set(state string) {
	w.t.Helper()
	write(w.t, w.bot.path, state+"\n"+state+"\n")
	write(w.t, w.bot.path+"-wal", "log of "+state)
	write(w.t, w.rag.databasePath(), state+"\n")
	write(w.t, filepath.Join(w.rag.path, "segment", "data_level0.bin"), state+"\n")
	write(w.t, w.rag.memoryPath("enhanced_rag_memory"), "memory-of-"+state+"\n")
}

// state tells which state both sources are in, or what is wrong with them.
func (w *world) state() string {
	w.t.Helper()
	state := strings.Fields(read(w.t, w.bot.path))
	if len(state) != 2 {
		return "bot database: " + strings.Join(state, " ")
	}
	for path, want := range map[string]string{
		w.rag.databasePath(): state[0] + "\n",
		filepath.Join(w.rag.path, "segment", "data_level0.bin"): state[0] + "\n",
		w.rag.memoryPath("enhanced_rag_memory"):                 "memory-of-" + state[0] + "\n",
	} {
		if got := read(w.t, path); got != want {
			return "a mixture: " + path + " holds " + got + " beside " + state[0]
		}
	}
	if log := read(w.t, w.bot.path+"-wal"); log != "" && log != "log of "+state[0] {
		return "a mixture: a stale log beside " + state[0]
	}
	return state[0]
}

func (w *world) want(state string) {
	w.t.Helper()
	if got := w.state(); got != state {
		w.t.Errorf("the sources are in state %q, want %q", got, state)
	}
}

// clean fails if a restore left anything beside what may be left.
func (w *world) clean() {
	w.t.Helper()
	for _, path := range w.leftovers() {
		w.t.Errorf("left behind: %s", path)
	}
}

// leftovers lists stages, journals, temporary and set-apart files.
func (w *world) leftovers() []string {
	w.t.Helper()
	var left []string
	err := filepath.WalkDir(w.dir, func(path string, _ fs.DirEntry, err error) error {
		name := filepath.Base(path)
		for _, part := range []string{".holdfast-stage-", "restore-journal", "parts-journal", ".tmp-", ".found-"} {
			if strings.Contains(name, part) {
				left = append(left, path)
			}
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return left
}

// asides lists the replaced state that is kept.
func (w *world) asides() []string {
	w.t.Helper()
	var found []string
	filepath.WalkDir(w.dir, func(path string, _ fs.DirEntry, err error) error {
		if strings.Contains(filepath.Base(path), ".before-") {
			found = append(found, path)
			return fs.SkipDir
		}
		return err
	})
	return found
}

func (w *world) backup(name string) *engine.BackupResult {
	w.t.Helper()
	r, err := w.engine().Backup(w.t.Context(), engine.BackupRequest{Name: name})
	if err != nil {
		w.t.Fatalf("backup %s: %v", name, err)
	}
	return r
}

func (w *world) restore(req engine.RestoreRequest) *engine.RestoreResult {
	w.t.Helper()
	r, err := w.engine().Restore(w.t.Context(), req)
	if err != nil {
		w.t.Fatalf("restore: %v", err)
	}
	return r
}

func (w *world) names() []holdfast.BackupName {
	w.t.Helper()
	infos, err := w.repo.List(context.WithoutCancel(w.t.Context()))
	if err != nil {
		w.t.Fatal(err)
	}
	var names []holdfast.BackupName
	for _, i := range infos {
		names = append(names, i.Name)
	}
	return names
}

// steps lists the steps that were told, with their last state.
func (w *world) steps() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, e := range w.events {
		if e.State != holdfast.Started && e.State != holdfast.Progress {
			out = append(out, string(e.Step)+" "+string(e.State))
		}
	}
	return out
}

func (w *world) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = nil
}

func write(t *testing.T, name, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// read gives the content of a file, empty if there is none.
func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(data)
}
