package engine_test

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/repo"
)

// inMirror gives the bot a mirror, with a log that somebody left beside it.
func inMirror(w *world, fsys durable.FS) durable.FS {
	path := filepath.Join(w.dir, "mirror", "bot.backup")
	if read(w.t, path) == "" {
		write(w.t, path+"-wal", "stale")
	}
	w.opts.Mirrors = map[string]string{"bot": path}
	return fsys
}

// inMemory lets the world remember its last backup.
func inMemory(w *world, fsys durable.FS) durable.FS {
	w.opts.Settings.Deltas = engine.DeltasAlways
	b, err := dir.New(filepath.Join(w.dir, "data", "chromadb_backup"), dir.Options{FS: fsys})
	if err != nil {
		w.t.Fatal(err)
	}
	if w.repo, err = repo.Open(w.t.Context(), b, repo.Options{Cache: filepath.Join(w.dir, "cache")}); err != nil {
		w.t.Fatal(err)
	}
	w.opts.Repository = w.repo
	return fsys
}

// wantStarted wants that who was stopped was started before the cut or by the
// recovery, and over a whole state each time.
func (s scenario) wantStarted(w *world, before, after *program) {
	w.t.Helper()
	if before.stops > 0 && before.starts+after.starts == 0 {
		w.t.Error("the owner was stopped and never started again")
	}
	for _, asked := range slices.Concat(before.asked, after.asked) {
		found, started := strings.CutPrefix(asked, "start over ")
		whole := []string{s.old, s.new}
		if s.state != nil { // of memory
			whole = []string{"one", "two", "a mixture: " + w.rag.memoryPath("enhanced_rag_memory") + " holds memory-of-one\n beside two"}
		}
		if started && !slices.Contains(whole, found) {
			w.t.Errorf("the owner was started over %q", found)
		}
	}
}
