package keeper

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/schedule/scheduletest"
)

// noted is where a hook of these tests writes a line.
func noted(t *testing.T, file string) int {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return bytes.Count(data, []byte("\n"))
}

// A real repository lives through a month of a daemon: a backup every night, each
// proven, the old ones let go, and one that makes up for a night that was missed.
func TestDaemon_ARealRepositoryThroughAMonth(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	docs, before, after := filepath.Join(dir, "docs"), filepath.Join(dir, "before"), filepath.Join(dir, "after")
	write := func(n int) {
		t.Helper()
		if err := os.MkdirAll(docs, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(docs, "a"), []byte(strconv.Itoa(n)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	source, err := config.AdHoc(holdfast.KindFiles, "files", "docs="+docs)
	if err != nil {
		t.Fatal(err)
	}
	flags := config.Flags{NoFile: true, Repository: filepath.Join(dir, "backups"), Sources: []config.Source{source}, Settings: map[string]config.FlagValue{}}
	for name, value := range map[string]string{
		"schedule.every": "off", "schedule.on_change": "off", "schedule.cron": "0 3 * * *", "retention.days": "7",
		"hooks.before_backup": "echo >> '" + before + "'", "hooks.after_backup": "echo >> '" + after + "'",
	} {
		flags.Settings[name] = config.FlagValue{Flag: name, Value: value}
	}
	c, err := config.Load(flags, nil)
	if err != nil {
		t.Fatal(err)
	}
	var k *Keeper
	var mu sync.Mutex
	clock := scheduletest.New(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), scheduletest.Options{Busy: func() bool {
		mu.Lock()
		defer mu.Unlock()
		return k != nil && k.Busy()
	}})
	begin := func() (stop func()) {
		t.Helper()
		next, err := New(Options{Config: c, Daemon: true, Now: clock.Now, Timer: clock.Timer})
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		k = next
		mu.Unlock()
		stop = keep(t, next)
		eventually(t, "the look at the newest backup", func() bool { return next.Standing().NextAt != nil && !next.Busy() })
		return stop
	}
	write(0)
	stop := begin()
	for night := 1; night <= 20; night++ {
		write(night)
		clock.Through(24*time.Hour, time.Hour)
	}
	if s := k.Standing(); s.Failed != 0 || s.LastAt == nil || !s.LastAt.Equal(time.Date(2026, 1, 20, 3, 0, 0, 0, time.UTC)) {
		t.Errorf("after twenty nights it stands %+v", s)
	}
	if err := k.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	made := k.Counts().Backups
	write(21)
	clock.Leap(10 * 24 * time.Hour) // nobody runs
	stop = begin()
	eventually(t, "the backup that was missed", func() bool { return k.Counts().Backups == 1 && !k.Busy() })
	clock.Through(24*time.Hour, time.Hour)
	stop()
	if s := k.Standing(); s.LastTrigger != holdfast.TriggerScheduled || s.Failed != 0 {
		t.Errorf("in the end it stands %+v", s)
	}
	if made != 21 || k.Counts().Backups != 1 || k.Counts().Unchanged != 1 {
		t.Errorf("%d backups, then %+v", made, k.Counts())
	}
	if b, a := noted(t, before), noted(t, after); b != 23 || a != 22 { // one found nothing new
		t.Errorf("the hooks ran %d and %d times", b, a)
	}
	r, err := k.Repository(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := r.List(t.Context())
	if err != nil || len(list) < 1 || len(list) > 9 {
		t.Errorf("kept are %d backups, %v", len(list), err)
	}
	if _, proven := list[0].Proven(); !proven {
		t.Errorf("the newest is not proven: %+v", list[0].Proofs)
	}
}

// An interval that ends at the very moment at which it is looked is over once, though the
// wall clock stands still while the other one goes on.
func TestDaemon_AnIntervalEndsOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	database := filepath.Join(dir, "bot.db")
	startProgram(t, database, "WAL").write()
	c := configured(t, filepath.Join(dir, "backups"), database, map[string]string{"schedule.every": "6h", "schedule.on_change": "off"})
	clock := scheduletest.New(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), scheduletest.Options{})
	k, err := New(Options{Config: c, Daemon: true, Now: clock.Now, Timer: clock.Timer})
	if err != nil {
		t.Fatal(err)
	}
	stop := keep(t, k)
	eventually(t, "the first backup", func() bool { return k.Counts().Backups == 1 && !k.Busy() })
	for checked := int64(1); checked <= 2; checked++ {
		clock.Leap(6 * time.Hour)
		eventually(t, "the look at the end of the interval", func() bool { return k.Counts().Unchanged >= checked && !k.Busy() })
	}
	stop()
	if n := k.Counts().Unchanged; n != 2 {
		t.Errorf("two intervals ended %d times", n)
	}
}

// A verb of another has its turn, waits for who has the repository, and bears its
// own name.
func TestWith_HasItsTurn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	database := filepath.Join(dir, "bot.db")
	startProgram(t, database, "WAL").write()
	var log bytes.Buffer
	c := configured(t, filepath.Join(dir, "backups"), database, nil)
	k, err := New(Options{Config: c, Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.With(t.Context(), func(*engine.Engine) error { return nil }); !errors.Is(err, holdfast.ErrNotFound) {
		t.Errorf("without a repository: %v", err)
	}
	ctx := holdfast.WithOperation(t.Context(), "job-7")
	made, err := k.Backup(ctx, engine.BackupRequest{Name: "monday"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := k.Repository(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lease, err := r.Lock(t.Context(), "another")
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	err = k.With(ctx, func(e *engine.Engine) error {
		if !k.Busy() {
			t.Error("nothing is at work")
		}
		err := e.SetPinned(ctx, made.Backup.Name, true)
		if tries++; tries == 2 {
			err = errors.Join(err, lease.Release())
		}
		return err
	})
	if err != nil || tries != 3 {
		t.Errorf("after %d tries: %v", tries, err)
	}
	if info, err := r.Stat(t.Context(), "monday"); err != nil || !info.Pinned {
		t.Errorf("pinned: %t, %v", info.Pinned, err)
	}
	lines := 0
	for line := range strings.Lines(log.String()) {
		var l struct {
			ID string `json:"op_id"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if lines++; l.ID != "job-7" && !strings.Contains(line, "repository created") {
			t.Errorf("a line without the operation: %s", line)
		}
	}
	if lines < 5 {
		t.Errorf("the log has %d lines:\n%s", lines, log.String())
	}
}
