package startup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/startup"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// A world is a machine with a bot's database, a repository in a directory, and
// whatever else a test adds.
type world struct {
	t        *testing.T
	root     string
	database string
	repoDir  string
	replicas []engine.Replica
	mirror   string
	source   holdfast.Source
	opts     startup.Options

	mu  sync.Mutex
	now time.Time
	log bytes.Buffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	root := t.TempDir()
	w := &world{t: t, root: root, database: filepath.Join(root, "data", "bot_database.db"), repoDir: filepath.Join(root, "backups"), now: time.Date(2026, 11, 3, 14, 0, 0, 0, time.UTC)}
	if err := os.MkdirAll(filepath.Dir(w.database), 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.New("bot", w.database, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.source = s
	w.opts = startup.Options{
		Source: s, Engine: w.engine, StateDir: filepath.Join(root, "state"), Wait: 5 * time.Second,
		Logger: slog.New(slog.NewTextHandler(&w.log, nil)),
	}
	return w
}

// clock moves on by a minute with each look.
func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Minute)
	return w.now
}

// openRepo opens the repository at a directory, or tells that there is none.
func openRepo(ctx context.Context, at string) (*repo.Repository, error) {
	if _, err := os.Stat(filepath.Join(at, "repository.json")); err != nil {
		return nil, &holdfast.Error{Op: "open repository", Object: at, Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no repository")}
	}
	b, err := dir.New(at, dir.Options{})
	if err != nil {
		return nil, err
	}
	return repo.Open(ctx, b, repo.Options{})
}

func makeRepo(t *testing.T, at string) {
	t.Helper()
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	b, err := dir.New(at, dir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Init(t.Context(), b, repo.Options{}); err != nil {
		t.Fatal(err)
	}
}

// engine is an engine over whatever is there, as the keeper makes one.
func (w *world) engine(ctx context.Context) (*engine.Engine, error) {
	o := engine.Options{
		Sources: []holdfast.Source{w.source}, StateDir: filepath.Join(w.root, "state"), Replicas: w.replicas, Now: w.clock,
		Settings: engine.Settings{Compress: true, EmergencyBackup: true},
	}
	if w.mirror != "" {
		o.Mirrors = map[string]string{"bot": w.mirror}
	}
	r, err := openRepo(ctx, w.repoDir)
	if err != nil && !errors.Is(err, holdfast.ErrNotFound) {
		return nil, err
	}
	o.Repository = r
	return engine.New(o)
}

// backup backs the database up and gives the backup's name.
func (w *world) backup() holdfast.BackupName {
	w.t.Helper()
	if _, err := os.Stat(w.repoDir); err != nil {
		makeRepo(w.t, w.repoDir)
	}
	e, err := w.engine(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := e.Backup(w.t.Context(), engine.BackupRequest{Trigger: holdfast.TriggerChange})
	if err != nil {
		w.t.Fatalf("backup: %v", err)
	}
	for _, p := range r.Problems {
		w.t.Fatalf("backup: %s", p.Message)
	}
	return r.Backup.Name
}

// sql runs statements on the database in a process of its own.
func (w *world) sql(statements string) string { return sqlOn(w.t, w.database, statements) }

func sqlOn(t testing.TB, path, statements string) string {
	t.Helper()
	out, err := exec.Command("sqlite3", "-batch", path, statements).CombinedOutput()
	if err != nil {
		t.Fatalf("sqlite3 %s: %v: %s", path, err, out)
	}
	return strings.TrimSpace(string(out))
}

// fill brings the database to hold n notes.
func (w *world) fill(n int) {
	w.t.Helper()
	w.sql(fmt.Sprintf(`CREATE TABLE IF NOT EXISTS notes(id INTEGER PRIMARY KEY, text TEXT UNIQUE);
		WITH RECURSIVE c(i) AS (SELECT (SELECT count(*) FROM notes) + 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)
		INSERT INTO notes SELECT i, printf('note %%d %%s', i, hex(randomblob(100))) FROM c WHERE i <= %d;`, n, n))
}

// notes is the number of notes in the database, as sqlite3 sees it.
func (w *world) notes() string {
	w.t.Helper()
	return w.sql("SELECT count(*) FROM notes")
}

// wipe removes the directory of the data, as a platform without a disk does.
func (w *world) wipe() {
	w.t.Helper()
	if err := os.RemoveAll(filepath.Dir(w.database)); err != nil {
		w.t.Fatal(err)
	}
}

// prepare prepares the data and wants it to work.
func (w *world) prepare() holdfast.StartDecision {
	w.t.Helper()
	d, err := startup.Prepare(w.t.Context(), w.opts)
	if err != nil {
		w.t.Fatalf("prepare: %v", err)
	}
	w.tidy()
	return d
}

// refuse prepares the data and wants a failure that leaves everything as it was.
func (w *world) refuse(kind error) (holdfast.StartDecision, error) {
	w.t.Helper()
	before := snapshot(w.t, filepath.Dir(w.database))
	d, err := startup.Prepare(w.t.Context(), w.opts)
	if !errors.Is(err, kind) || d.Action != holdfast.StartFailed {
		w.t.Fatalf("got %s and %v, want a failure of kind %q", d.Action, err, kind)
	}
	if holdfast.HintOf(err) == "" {
		w.t.Errorf("%v has no hint", err)
	}
	if after := snapshot(w.t, filepath.Dir(w.database)); after != before {
		w.t.Errorf("a start that failed changed the data:\n%s\nbecame\n%s", before, after)
	}
	w.tidy()
	return d, err
}

// tidy fails if anything of the start-up's own is left.
func (w *world) tidy() {
	w.t.Helper()
	for _, pattern := range []string{".holdfast-*", ".tmp-*"} {
		left, err := filepath.Glob(filepath.Join(filepath.Dir(w.database), pattern))
		if err != nil || len(left) > 0 {
			w.t.Errorf("left behind: %v %v", left, err)
		}
	}
}

// snapshot describes every file of a directory.
func snapshot(t testing.TB, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range list {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil && !e.IsDir() {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %d %x\n", e.Name(), len(data), hash(data))
	}
	return b.String()
}

func hash(data []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range data {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

func wantWords(t testing.TB, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q does not say %q", text, word)
		}
	}
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
