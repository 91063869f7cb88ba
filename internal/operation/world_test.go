package operation

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/keeper"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// A world is a SQLite database, its repository, and the daemons that serve them one
// after the other.
type world struct {
	t                    *testing.T
	dir, database, state string
	config               *config.Config
	keeper               *keeper.Keeper
	jobs                 *job.Runner
	changed              atomic.Int64
	*Operations
}

// Changed counts how often the list was said to be another one.
func (w *world) Changed() { w.changed.Add(1) }

func newWorld(t *testing.T, settings map[string]string) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, dir: dir, database: filepath.Join(dir, "bot.db"), state: filepath.Join(dir, "state", "jobs")}
	sourcetest.SQLite(t, w.database, "PRAGMA journal_mode=WAL; CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT); INSERT INTO notes(text) VALUES('first');")
	s, err := config.AdHoc(holdfast.KindSQLite, "sqlite", "bot="+w.database)
	if err != nil {
		t.Fatal(err)
	}
	flags := config.Flags{NoFile: true, Repository: filepath.Join(dir, "backups"), Sources: []config.Source{s}, Settings: map[string]config.FlagValue{}}
	all := map[string]string{"state": filepath.Join(dir, "state")}
	maps.Copy(all, settings)
	for name, value := range all {
		flags.Settings[name] = config.FlagValue{Flag: name, Value: value}
	}
	if w.config, err = config.Load(flags, nil); err != nil {
		t.Fatal(err)
	}
	w.start()
	return w
}

// start starts a daemon.
func (w *world) start() {
	w.t.Helper()
	var err error
	if w.keeper, err = keeper.New(keeper.Options{Config: w.config}); err != nil {
		w.t.Fatal(err)
	}
	if w.jobs, err = job.Open(job.Options{Dir: w.state, Logger: slog.New(slog.NewTextHandler(w.t.Output(), nil))}); err != nil {
		w.t.Fatal(err)
	}
	jobs := w.jobs
	w.t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		jobs.Close(ctx)
	})
	if w.Operations, err = New(Options{Keeper: w.keeper, Config: w.config, Jobs: w.jobs, Book: w}); err != nil {
		w.t.Fatal(err)
	}
}

// next starts a daemon over what a kill leaves now: the old one writes the records of
// its jobs elsewhere from here on.
func (w *world) next() {
	w.t.Helper()
	state := filepath.Join(w.t.TempDir(), "jobs")
	if err := os.CopyFS(state, os.DirFS(w.state)); err != nil {
		w.t.Fatal(err)
	}
	w.state = state
	w.start()
}

// settle does what a daemon does at its start.
func (w *world) settle() {
	w.t.Helper()
	err := w.keeper.With(w.t.Context(), func(e *engine.Engine) error {
		result, err := e.Recover(w.t.Context())
		w.SetRecovered(result)
		return err
	})
	if err != nil && !errors.Is(err, holdfast.ErrNotFound) {
		w.t.Fatal(err)
	}
	if err := w.jobs.Settle(w.t.Context(), w.Settle); err != nil {
		w.t.Fatal(err)
	}
}

// end waits for the end of a job that was begun without an error.
func (w *world) end(j job.Job, err error) job.Job {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	if j, err = w.jobs.Wait(ctx, j.ID); err != nil {
		w.t.Fatal(err)
	}
	return j
}

// done waits for the end of a job, which must be a success, and reads its result.
func (w *world) done(result any, j job.Job, err error) job.Job {
	w.t.Helper()
	j = w.end(j, err)
	if j.State != job.Succeeded {
		w.t.Fatalf("%s is %s: %+v, %s", j.Kind, j.State, j.Error, j.Outcome)
	}
	w.read(result, j)
	return j
}

func (w *world) read(result any, j job.Job) {
	w.t.Helper()
	if result == nil {
		return
	}
	if err := json.Unmarshal(j.Result, result); err != nil {
		w.t.Fatalf("result %s: %v", j.Result, err)
	}
}

// backup makes a backup of a name.
func (w *world) backup(name string) report.BackupResult {
	w.t.Helper()
	var out report.BackupResult
	j, err := w.Backup(w.t.Context(), "tester", "", BackupRequest{Name: name})
	w.done(&out, j, err)
	return out
}

// write adds a row, and rows counts them.
func (w *world) write() {
	w.t.Helper()
	sourcetest.SQLite(w.t, w.database, "INSERT INTO notes(text) VALUES('more');")
}

// rest waits until a look at the database tells for certain whether it was changed.
func (w *world) rest() {
	w.t.Helper()
	sources, err := wire.Sources(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	sourcetest.Settle(w.t, sources[0])
}

func (w *world) rows() int64 {
	w.t.Helper()
	return sourcetest.SQLiteInt(w.t, w.database, "SELECT count(*) FROM notes;")
}

// backups are those of the repository.
func (w *world) backups() []repo.Info {
	w.t.Helper()
	r, err := w.keeper.Repository(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	infos, err := r.List(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return infos
}

func mustBe(t *testing.T, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: got %v, want %v", what, err, kind)
	}
}
