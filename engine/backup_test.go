package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// open opens a backup until the test ends.
func (w *world) open(name holdfast.BackupName) fs.FS {
	w.t.Helper()
	b, err := w.repo.Backup(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { b.Close() })
	return b
}

func TestBackup_IsTheManualsTree(t *testing.T) {
	w := newWorld(t)
	w.bot.stall = 1500 * time.Microsecond
	r, err := w.engine().Backup(t.Context(), engine.BackupRequest{Note: "before the upload", Pin: true})
	if err != nil {
		t.Fatal(err)
	}
	m := r.Backup.Metadata
	if !strings.HasPrefix(string(r.Backup.Name), "enhanced_backup_20241030_1430") || r.Incomplete() || !r.Backup.Pinned {
		t.Errorf("result: %+v", r)
	}
	if m.Type != holdfast.Enhanced || !m.IncludesMemory || m.RAGMode != "enhanced" || m.Trigger != holdfast.TriggerManual || m.Note != "before the upload" || m.WriterStallMS != 1.5 {
		t.Errorf("metadata: %+v", m)
	}
	if d := m.DatabaseInfo; d.TotalRecords != 2 || d.DatabasePath != w.bot.path {
		t.Errorf("database info: %+v", d)
	}
	if s := m.Sources[0]; s.Name != "bot" || s.Facts.SQLite == nil || s.Facts.SQLite.JournalMode != "wal" || *s.Facts.SQLite.Rows != 2 || s.Files != 1 || s.LogicalBytes != 8 {
		t.Errorf("the facts of copy and live source were not put together: %+v", s)
	}
	if got := m.Sources[1].Memory; !slices.Equal(got, []string{"enhanced_rag_memory"}) {
		t.Errorf("memory of the source: %v", got)
	}
	b := w.open(r.Backup.Name)
	for name, want := range map[string]string{
		"bot/bot_database.db":             "one\none\n",
		"chromadb/chroma.sqlite3":         "one\n",
		"memory_collection/memories.json": `{"ids":["memory-of-one"]}` + "\n",
	} {
		if got, err := fs.ReadFile(b, name); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
	var info holdfast.MemoryInfo
	data, err := fs.ReadFile(b, "memory_info.json")
	if err == nil {
		err = json.Unmarshal(data, &info)
	}
	if err != nil || info.TotalMemories != 1 || len(info.Collections) != 1 || info.Collections[0].File != "memory_collection/memories.json" || info.Collections[0].Source != "chromadb" {
		t.Errorf("memory_info.json: %s, %v", data, err)
	}
}

func TestBackup_FurtherCollectionsHaveFilesOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	w.rag.collections = append(w.rag.collections, "notes", "not/there")
	write(t, w.rag.memoryPath("notes"), "buy milk\n")
	r := w.backup("")
	if got, err := fs.ReadFile(w.open(r.Backup.Name), "memory_collection/notes.json"); err != nil || !strings.Contains(string(got), "milk") {
		t.Errorf("notes: %q, %v", got, err)
	}
	if !r.Incomplete() || len(r.Problems) != 1 || r.Problems[0].Object != "collection not/there" || r.Problems[0].Severity != holdfast.Incomplete {
		t.Errorf("the missing collection was not told: %+v", r.Problems)
	}
}

func TestBackup_NamesTypesAndMemory(t *testing.T) {
	yes, no := true, false
	tests := map[string]struct {
		change func(w *world)
		req    engine.BackupRequest
		prefix string
		memory bool
		err    error
	}{
		"by settings":            {req: engine.BackupRequest{}, prefix: "enhanced_backup_", memory: true},
		"settings without":       {change: func(w *world) { w.opts.Settings.IncludeMemory = false }, prefix: "standard_backup_"},
		"asked for":              {change: func(w *world) { w.opts.Settings.IncludeMemory = false }, req: engine.BackupRequest{Type: "enhanced"}, prefix: "enhanced_backup_", memory: true},
		"declined by type":       {req: engine.BackupRequest{Type: "standard"}, prefix: "standard_backup_"},
		"declined by flag":       {req: engine.BackupRequest{Memory: &no}, prefix: "standard_backup_"},
		"contradiction":          {req: engine.BackupRequest{Type: "standard", Memory: &yes}, err: holdfast.ErrUsage},
		"unknown type":           {req: engine.BackupRequest{Type: "big"}, err: holdfast.ErrUsage},
		"unknown trigger":        {req: engine.BackupRequest{Trigger: "moon"}, err: holdfast.ErrUsage},
		"quick":                  {req: engine.BackupRequest{Trigger: holdfast.TriggerQuick}, prefix: "quick_backup_", memory: true},
		"custom":                 {req: engine.BackupRequest{Name: "สำรอง_สุดสัปดาห์"}, prefix: "สำรอง_สุดสัปดาห์", memory: true},
		"hostile":                {req: engine.BackupRequest{Name: "../../etc"}, err: holdfast.ErrUsage},
		"taken":                  {change: func(w *world) { w.backup("monday") }, req: engine.BackupRequest{Name: "monday"}, err: holdfast.ErrRefused},
		"no memory configured":   {change: func(w *world) { w.rag.collections = nil }, prefix: "standard_backup_"},
		"asked for, none there":  {change: func(w *world) { w.rag.collections = nil }, req: engine.BackupRequest{Memory: &yes}, err: holdfast.ErrUsage},
		"collection not there":   {change: func(w *world) { w.rag.collections = []string{"later"} }, prefix: "standard_backup_"},
		"no source":              {change: func(w *world) { w.opts.Sources = nil }, err: holdfast.ErrUsage},
		"source does not exist":  {change: func(w *world) { w.bot.path += ".gone" }, err: holdfast.ErrNotFound},
		"one path under 2 names": {change: func(w *world) { twin := *w.bot; twin.name = "twin"; w.opts.Sources = append(w.opts.Sources, &twin) }, err: holdfast.ErrRefused},
		"state inside a source":  {change: func(w *world) { w.opts.StateDir = filepath.Join(w.rag.path, "state") }, err: holdfast.ErrRefused},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if test.change != nil {
				test.change(w)
			}
			before := len(w.names())
			r, err := w.engine().Backup(t.Context(), test.req)
			if test.err != nil {
				if !errors.Is(err, test.err) {
					t.Errorf("got %v, want %v", err, test.err)
				}
				if after := len(w.names()); after != before {
					t.Errorf("%d backups became %d", before, after)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			m := r.Backup.Metadata
			if !strings.HasPrefix(string(r.Backup.Name), test.prefix) || m.IncludesMemory != test.memory || (m.Type == holdfast.Enhanced) != test.memory {
				t.Errorf("%s of type %s, memory %t", r.Backup.Name, m.Type, m.IncludesMemory)
			}
		})
	}
}

func TestBackup_RefusesWhatWouldContainItself(t *testing.T) {
	for name, place := range map[string]string{"inside a source": "data/chromadb/backups", "around a source": "app"} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			w := onDiskAt(t, root, filepath.Join(root, place))
			w.set("one")
			_, err := w.engine().Backup(t.Context(), engine.BackupRequest{})
			if !errors.Is(err, holdfast.ErrRefused) || holdfast.HintOf(err) == "" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestBackup_SizeLimit(t *testing.T) {
	for _, compress := range []bool{false, true} {
		w := newWorld(t)
		write(t, w.bot.path, strings.Repeat("not to be shrunk to nothing 0123456789", 1000))
		w.opts.Settings.Compress = compress
		w.opts.Settings.MaxBackupBytes = 100
		r := w.backup("warned")
		if !slices.ContainsFunc(r.Problems, func(p holdfast.Problem) bool {
			return p.Severity == holdfast.Warning && strings.Contains(p.Message, "usual limit")
		}) || r.Incomplete() {
			t.Errorf("compress %t: the default limit is not a warning: %v", compress, r.Problems)
		}
		w.opts.Settings.MaxBackupSet = true
		_, err := w.engine().Backup(t.Context(), engine.BackupRequest{Name: "refused"})
		if !errors.Is(err, holdfast.ErrRefused) {
			t.Errorf("compress %t: got %v", compress, err)
		}
		if got := w.names(); len(got) != 1 {
			t.Errorf("compress %t: left behind %v", compress, got)
		}
	}
}

func TestBackup_ASourceThatCannotBeCapturedFailsItByName(t *testing.T) {
	w := newWorld(t)
	w.rag.onCapture = func() error { return errors.New("chroma.sqlite3: input/output error") }
	_, err := w.engine().Backup(t.Context(), engine.BackupRequest{})
	if err == nil || !strings.Contains(err.Error(), "source chromadb") {
		t.Errorf("got %v", err)
	}
	if got := w.names(); len(got) != 0 {
		t.Errorf("left behind %v", got)
	}
}

func TestBackup_DamageInTheSourceIsBackedUpAndTold(t *testing.T) {
	w := newWorld(t)
	write(t, w.bot.path, broken+"\n")
	r := w.backup("torn")
	if !r.Incomplete() || !r.Backup.Metadata.SourceDamaged() {
		t.Errorf("result: %+v", r)
	}
}

func TestBackup_CancelledAnywhereLeavesNothing(t *testing.T) {
	for _, step := range []holdfast.Step{holdfast.StepPreflight, holdfast.StepCapture, holdfast.StepExport, holdfast.StepCommit} {
		t.Run(string(step), func(t *testing.T) {
			w := newWorld(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w.opts.Observer = func(e holdfast.Event) {
				if e.Step == step && e.State == holdfast.Started {
					cancel()
				}
			}
			_, err := w.engine().Backup(ctx, engine.BackupRequest{})
			if holdfast.ExitCode(err) != holdfast.ExitInterrupted {
				t.Errorf("got %v", err)
			}
			if got := w.names(); len(got) != 0 {
				t.Errorf("left behind %v", got)
			}
			w.backup("next")
		})
	}
}

func TestBackup_TellsProgressOfTheWhole(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	var done, total int64
	for _, e := range w.events {
		if e.Step == holdfast.StepCapture && e.State == holdfast.Progress {
			if e.Done < done {
				t.Errorf("progress fell from %d to %d", done, e.Done)
			}
			done, total = e.Done, e.Total
		}
		if e.Op != "backup" {
			t.Errorf("event of %q", e.Op)
		}
	}
	if done == 0 || done > total {
		t.Errorf("%d of %d bytes", done, total)
	}
}

func TestVerify(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	v, err := w.engine().Verify(t.Context(), engine.VerifyRequest{Name: "latest", Full: true})
	if err != nil || !v.Proof.OK || v.Backup != "monday" || len(v.Reports) != 2 {
		t.Fatalf("%+v, %v", v, err)
	}
	info, err := w.repo.Stat(t.Context(), "monday")
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := info.Proven(); !ok || p.Kind != holdfast.ProofVerify || !p.At.Equal(v.Proof.At.Time) {
		t.Errorf("the proof was not recorded: %+v", info.Proofs)
	}

	w.corrupt("monday/chromadb/")
	v, err = w.engine().Verify(t.Context(), engine.VerifyRequest{Name: "monday"})
	if !errors.Is(err, holdfast.ErrDamaged) || v == nil || len(v.Damage) == 0 || v.Proof.OK {
		t.Fatalf("%+v, %v", v, err)
	}
	info, err = w.repo.Stat(t.Context(), "monday")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := info.Proven(); ok {
		t.Error("a damaged backup is still called proven")
	}
}

func TestVerify_IntactBytesOfADamagedSourceAreIncomplete(t *testing.T) {
	w := newWorld(t)
	write(t, w.bot.path, broken+"\n")
	w.backup("torn")
	v, err := w.engine().Verify(t.Context(), engine.VerifyRequest{Name: "torn"})
	if holdfast.ExitCode(err) != holdfast.ExitIncomplete || v.Proof.OK || len(v.Damage) > 0 || len(v.SourceProblems) == 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestVerify_OfASourceThatIsNotConfigured(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	w.opts.Sources = nil
	if v, err := w.engine().Verify(t.Context(), engine.VerifyRequest{Name: "monday"}); !errors.Is(err, holdfast.ErrIncomplete) || v.Proof.OK {
		t.Errorf("unchecked sources were called proven: %+v, %v", v, err)
	}
	w.opts.Checker = func(md holdfast.SourceMetadata) holdfast.Source {
		if md.Kind == holdfast.KindSQLite {
			return w.bot
		}
		return w.rag
	}
	if v, err := w.engine().Verify(t.Context(), engine.VerifyRequest{Name: "monday"}); err != nil || !v.Proof.OK {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestPrune_RemovesByAgeButNeverTheLastProven(t *testing.T) {
	w := newWorld(t)
	w.opts.Settings.Retention = retention.Policy{MaxAge: 7 * 24 * time.Hour}
	w.backup("proven")
	if _, err := w.engine().Verify(t.Context(), engine.VerifyRequest{Name: "proven"}); err != nil {
		t.Fatal(err)
	}
	w.backup("old")
	if _, err := w.engine().Backup(t.Context(), engine.BackupRequest{Name: "pinned", Pin: true}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"week", "new"} {
		w.now = w.now.Add(15 * 24 * time.Hour)
		w.backup(name)
	}
	plan, err := w.engine().PlanPrune(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(w.names()) != 5 {
		t.Fatal("the plan removed something")
	}
	decisions, err := w.engine().Prune(t.Context())
	if err != nil || len(decisions) != len(plan) {
		t.Fatalf("%v, %v", decisions, err)
	}
	if got := w.names(); !slices.Equal(got, []holdfast.BackupName{"new", "week", "pinned", "proven"}) {
		t.Errorf("kept %v", got)
	}
	for _, d := range decisions {
		if d.Reason == "" || d.Remove != (d.Name == "old") {
			t.Errorf("%+v", d)
		}
	}
}

func TestPrune_WhatCannotBeRemovedIsTold(t *testing.T) {
	w := newWorld(t)
	w.opts.Settings.Retention = retention.Policy{MaxAge: time.Hour}
	w.backup("old")
	w.now = w.now.Add(30 * 24 * time.Hour)
	w.backup("new")
	w.now = w.now.Add(time.Minute)
	w.backup("newer")
	w.now = w.now.Add(time.Hour)
	w.backup("newest")
	w.bucket.Inject(func(op, key string) error {
		if strings.HasPrefix(op, "remove") && strings.HasPrefix(key, "old") {
			return errors.New("access denied")
		}
		return nil
	})
	decisions, err := w.engine().Prune(t.Context())
	w.bucket.Inject(nil)
	if !errors.Is(err, holdfast.ErrIncomplete) || !strings.Contains(err.Error(), "access denied") {
		t.Errorf("got %v", err)
	}
	if len(decisions) != 4 {
		t.Errorf("%d decisions", len(decisions))
	}
	for _, d := range decisions {
		if d.Remove {
			t.Errorf("%s is still there, and is told as removed", d.Name)
		}
	}
}

func TestExport_WritesTheWholeTree(t *testing.T) {
	w := newWorld(t)
	w.backup("monday")
	to := filepath.Join(w.dir, "export")
	if _, err := w.engine().Export(t.Context(), "latest", to); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bot/bot_database.db", "chromadb/segment/data_level0.bin", "memory_info.json"} {
		if read(t, filepath.Join(to, name)) == "" {
			t.Errorf("%s is missing", name)
		}
	}
	file := filepath.Join(w.dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine().Export(t.Context(), "monday", filepath.Join(file, "below")); err == nil || !strings.HasPrefix(err.Error(), "write to ") {
		t.Errorf("an export below a file: %v", err)
	}
	if _, err := w.engine().Export(t.Context(), "monday", to); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("into a directory that is not empty: %v", err)
	}
}

func TestEngine_WithoutARepository(t *testing.T) {
	w := newWorld(t)
	w.opts.Repository = nil
	_, backupErr := w.engine().Backup(t.Context(), engine.BackupRequest{})
	_, restoreErr := w.engine().Restore(t.Context(), engine.RestoreRequest{Name: "latest"})
	for _, err := range []error{backupErr, restoreErr} {
		if holdfast.ExitCode(err) != holdfast.ExitNotFound {
			t.Errorf("got %v", err)
		}
	}
	if r, err := w.engine().Recover(t.Context()); err != nil || r.Found {
		t.Errorf("recover: %+v, %v", r, err)
	}
}
