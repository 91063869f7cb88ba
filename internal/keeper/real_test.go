package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// slack is what a loaded machine may add to on_change.
const slack = 4 * time.Second

func TestKeeper_ABusyDatabaseIsInItsBackupsInTime(t *testing.T) {
	for _, journal := range []string{"WAL", "DELETE"} {
		t.Run(journal, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			database := filepath.Join(dir, "bot.db")
			p := startProgram(t, database, journal)
			const within = time.Second
			k := newKeeper(t, configured(t, filepath.Join(dir, "backups"), database, map[string]string{"schedule.on_change": within.String()}))
			stop := keep(t, k)
			eventually(t, "the backup at the start", func() bool { return k.Standing().Last != "" })

			enough := make(chan struct{})
			var looking sync.WaitGroup
			looking.Go(func() {
				defer close(enough)
				for range 3 {
					time.Sleep(rand.N(800*time.Millisecond) + 200*time.Millisecond)
					least := p.before(time.Now().Add(-within - slack))
					if got := rowsIn(t, k); got < least {
						t.Errorf("the newest backup holds %d rows, %d are older than on_change", got, least)
					}
				}
			})
			for writing := true; writing; {
				select {
				case <-enough:
					writing = false
				default:
					p.write()
					time.Sleep(rand.N(20 * time.Millisecond))
				}
			}
			looking.Wait()
			p.write()
			written := len(p.acked)
			eventually(t, "the last row", func() bool { return rowsIn(t, k) == written })
			// Once all is quiet nothing more is stored.
			eventually(t, "silence", func() bool {
				k.mu.Lock()
				defer k.mu.Unlock()
				_, changed := k.watch.due()
				return !changed && k.running == nil
			})
			before := count(t, k)
			time.Sleep(3 * within)
			if after := count(t, k); after != before {
				t.Errorf("%d backups of nothing", after-before)
			}
			if s := k.Standing(); s.Failed != 0 || s.Unsaved != nil {
				t.Errorf("standing %+v", s)
			}
			stop()
		})
	}
}

// Nothing but a backup that holds the last row, however the program ended.
func TestLast_OfARealDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	database := filepath.Join(dir, "bot.db")
	p := startProgram(t, database, "WAL")
	c := configured(t, filepath.Join(dir, "backups"), database, nil)
	k := newKeeper(t, c)
	stop := keep(t, k)
	eventually(t, "the backup at the start", func() bool { return k.Standing().Last != "" })
	p.write()
	first, err := last(t, k, 9*time.Second)
	if err != nil || first.Unchanged {
		t.Fatalf("while it runs: %+v, %v", first, err)
	}
	p.write()
	p.stop() // it removes its log
	second, err := last(t, k, 9*time.Second)
	if err != nil || second.Unchanged || second.Backup.Metadata.Trigger != holdfast.TriggerShutdown {
		t.Fatalf("after it ended: %+v, %v", second, err)
	}
	if got := rowsIn(t, k); got != 2 {
		t.Errorf("%d rows", got)
	}
	stop()
	before := count(t, k)
	again := newKeeper(t, c)
	stop = keep(t, again)
	eventually(t, "the look at the start", func() bool { return again.Standing().LastChecked != nil })
	if after := count(t, again); after != before {
		t.Errorf("a restart has added %d backups", after-before)
	}
	eventually(t, "the proof", func() bool {
		r, err := again.Repository(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		info, err := r.Stat(t.Context(), "latest")
		if err != nil {
			t.Fatal(err)
		}
		_, proven := info.Proven()
		return proven
	})
	stop()
}

// The log that a killed program left behind is saved, and reading it, which may move
// it into the database, is no change that is backed up again and again.
func TestKeeper_ACrashedDatabaseComesToRest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	database := filepath.Join(dir, "bot.db")
	p := startProgram(t, database, "WAL")
	p.write()
	p.kill()
	if _, err := os.Stat(database + "-wal"); err != nil {
		t.Fatalf("it left no log: %v", err)
	}
	k := newKeeper(t, configured(t, filepath.Join(dir, "backups"), database, map[string]string{"schedule.on_change": "1s"}))
	stop := keep(t, k)
	quiet := func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		_, changed := k.watch.due()
		return k.last != nil && !changed && k.running == nil
	}
	eventually(t, "silence", quiet)
	time.Sleep(2 * time.Second)
	if !quiet() || count(t, k) != 1 || rowsIn(t, k) != 1 {
		t.Errorf("quiet %t, %d backups, %d rows", quiet(), count(t, k), rowsIn(t, k))
	}
	stop()
}

// A deadline that is over leaves nothing half-done.
func TestLast_CutLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	database := filepath.Join(dir, "bot.db")
	p := startProgram(t, database, "WAL")
	k := newKeeper(t, configured(t, filepath.Join(dir, "backups"), database, nil))
	if _, err := k.Backup(t.Context(), engine.BackupRequest{Trigger: holdfast.TriggerStartup}); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		p.do("INSERT INTO notes(text) SELECT hex(randomblob(5000)) FROM (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT 200) SELECT x FROM c);")
		got, err := last(t, k, time.Duration(i)*time.Millisecond)
		if err != nil && (got != nil || !errors.Is(err, context.DeadlineExceeded)) {
			t.Errorf("after %d ms: %+v, %v", i, got, err)
		}
		left, err := filepath.Glob(filepath.Join(dir, "backups", "shutdown_*"))
		if err != nil {
			t.Fatal(err)
		}
		committed, err := filepath.Glob(filepath.Join(dir, "backups", "shutdown_*", holdfast.MetadataFile))
		if err != nil {
			t.Fatal(err)
		}
		if len(left) != len(committed) {
			t.Errorf("after %d ms: %v", i, left)
		}
	}
	if _, err := last(t, k, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	if got, want := rowsIn(t, k), rows(t, database); got != want {
		t.Errorf("%d rows, want %d", got, want)
	}
}

// During a rolling deploy two instances serve one repository.
func TestKeeper_TwoAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var keepers []*Keeper
	var programs []*program
	for i := range 2 {
		database := filepath.Join(dir, fmt.Sprintf("instance%d", i), "bot.db")
		if err := os.MkdirAll(filepath.Dir(database), 0o700); err != nil {
			t.Fatal(err)
		}
		programs = append(programs, startProgram(t, database, "WAL"))
		c := configured(t, filepath.Join(dir, "backups"), database, map[string]string{"schedule.on_change": "1s"})
		if err := c.SetReplicas([]config.Replica{config.AdHocReplica(filepath.Join(dir, "copies"))}); err != nil {
			t.Fatal(err)
		}
		keepers = append(keepers, newKeeper(t, c))
		keep(t, keepers[i])
	}
	for range 40 {
		for _, p := range programs {
			p.write()
		}
		time.Sleep(50 * time.Millisecond)
	}
	for i, k := range keepers {
		if _, err := last(t, k, 20*time.Second); err != nil {
			t.Errorf("keeper %d: %v", i, err)
		}
		if s := k.Standing(); s.Failed != 0 {
			t.Errorf("keeper %d: %+v", i, s)
		}
		if p := k.Problems(); len(p) != 0 {
			t.Errorf("keeper %d: %+v", i, p)
		}
	}
}

func TestKeeper_RestoresAndBacksUpWhatCameBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	database := filepath.Join(dir, "bot.db")
	p := startProgram(t, database, "WAL")
	p.write()
	k := newKeeper(t, configured(t, filepath.Join(dir, "backups"), database, nil))
	stop := keep(t, k)
	eventually(t, "the backup at the start", func() bool { return k.Standing().Last != "" })
	first := k.Standing().Last
	p.write()
	if _, err := k.Backup(t.Context(), engine.BackupRequest{}); err != nil {
		t.Fatal(err)
	}
	p.stop()
	if _, err := k.Restore(t.Context(), engine.RestoreRequest{Name: string(first)}); err != nil {
		t.Fatal(err)
	}
	if got := rows(t, database); got != 1 {
		t.Errorf("%d rows were restored", got)
	}
	eventually(t, "a backup of what came back", func() bool {
		return k.Standing().LastTrigger == holdfast.TriggerChange && rowsIn(t, k) == 1
	})
	stop()
}

func TestKeeper_InObjectStorage(t *testing.T) {
	s := s3test.Start(t)
	dir := t.TempDir()
	database := filepath.Join(dir, "bot.db")
	p := startProgram(t, database, "DELETE")
	c := configured(t, "s3://"+s.NewBucket(t)+"/bot?endpoint=http://"+s.Addr(), database, map[string]string{"schedule.on_change": "1s", "state": filepath.Join(dir, "state")})
	k := newKeeper(t, c)
	if _, err := k.Repository(t.Context()); !errors.Is(err, holdfast.ErrNotFound) {
		t.Fatalf("before the first backup: %v", err)
	}
	stop := keep(t, k)
	eventually(t, "the backup at the start", func() bool { return k.Standing().Last != "" })
	for range 10 {
		p.write()
		time.Sleep(100 * time.Millisecond)
	}
	eventually(t, "the last row", func() bool { return rowsIn(t, k) == 10 })
	p.write()
	if _, err := last(t, k, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	if got := rowsIn(t, k); got != 11 {
		t.Errorf("%d rows", got)
	}
	stop()
}

// What only wants to show something does not wait for a dead service each time, and
// the end of the program does not wait for it longer than it may.
func TestKeeper_DeadObjectStorage(t *testing.T) {
	for _, v := range s3test.Environment() {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	dir := t.TempDir()
	database := filepath.Join(dir, "bot.db")
	p := startProgram(t, database, "WAL")
	p.write()
	silent := silence(t)
	c := configured(t, "s3://bucket/bot?endpoint=http://"+silent, database, map[string]string{"schedule.on_change": "1s", "state": filepath.Join(dir, "state")})
	k := newKeeper(t, c)
	k.answer = time.Second
	stop := keep(t, k)
	if _, err := last(t, k, time.Second); err == nil || !strings.Contains(err.Error(), "nothing of this run is saved") {
		t.Errorf("the last backup: %v", err)
	}
	if _, err := k.Engine(t.Context()); err == nil {
		t.Error("an engine over nothing")
	}
	begun := time.Now()
	for range 100 {
		if _, err := k.Repository(t.Context()); err == nil || errors.Is(err, holdfast.ErrNotFound) {
			t.Fatalf("the repository: %v", err)
		}
	}
	if took := time.Since(begun); took > 10*k.answer {
		t.Errorf("asking a hundred times took %s", took)
	}
	eventually(t, "the failure is told", func() bool { return k.Standing().Failed > 0 && k.Standing().Error != "" })
	stop()
}

// A repository that was removed is made again by the next backup.
func TestKeeper_MakesARepositoryThatWasRemovedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	database := filepath.Join(dir, "bot.db")
	p := startProgram(t, database, "WAL")
	k := newKeeper(t, configured(t, filepath.Join(dir, "backups"), database, nil))
	if _, err := k.Backup(t.Context(), engine.BackupRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "backups")); err != nil {
		t.Fatal(err)
	}
	p.write()
	got, err := k.Backup(t.Context(), engine.BackupRequest{Trigger: holdfast.TriggerScheduled, IfChanged: true})
	if err != nil || got.Unchanged {
		t.Fatalf("%+v, %v", got, err)
	}
	if n := rowsIn(t, k); n != 1 || count(t, k) != 1 {
		t.Errorf("%d rows, %d backups", n, count(t, k))
	}
}

// A repository that goes away with its backups is told, although backups go on in a new
// one; and so is its return.
func TestKeeper_ARepositoryThatIsGoneIsTold(t *testing.T) {
	dir := t.TempDir()
	database, place := filepath.Join(dir, "bot.db"), filepath.Join(dir, "backups")
	startProgram(t, database, "DELETE").write()
	var log strings.Builder
	k, err := New(Options{Config: configured(t, place, database, nil), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	backUp := func() {
		t.Helper()
		if _, err := k.Backup(t.Context(), engine.BackupRequest{Trigger: holdfast.TriggerScheduled}); err != nil {
			t.Fatal(err)
		}
	}
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	backUp()
	backUp()
	if !k.GoneSince().IsZero() || strings.Contains(log.String(), "gone") {
		t.Fatalf("it is there, and was told to be gone: %s", &log)
	}
	move(place, place+".away")
	backUp()
	backUp()
	if k.GoneSince().IsZero() || strings.Count(log.String(), "the repository is gone with all its backups") != 1 {
		t.Errorf("it is gone, which was not told once: %s", &log)
	}
	move(place, place+".new")
	move(place+".away", place)
	backUp()
	if !k.GoneSince().IsZero() || !strings.Contains(log.String(), "is back") {
		t.Errorf("it is back, which was not told: %s", &log)
	}
}
