package supervise

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/child"
)

// migrate runs the migrations command. What it changes is in a backup made just
// before; if it fails, that is restored.
func (s *supervisor) migrate(ctx context.Context) error {
	line := strings.TrimSpace(s.Config.Run.Migrate)
	if line == "" {
		return nil
	}
	s.board.set(holdfast.StandingStarting, "The migrations are running.")
	before, err := s.backupBefore(ctx)
	if err != nil {
		return &holdfast.Error{Op: "migrate", Err: fmt.Errorf("no backup could be made before it: %w", err), Hint: holdfast.HintOf(err)}
	}
	failed := s.runMigrations(ctx, line)
	if failed == nil {
		s.noteMigration(holdfast.MigrationStanding{Backup: before})
		return nil
	}
	standing := holdfast.MigrationStanding{Backup: before, Failed: failed.Error()}
	failed = &holdfast.Error{Op: "migrate", Object: fmt.Sprintf("%q", line), Err: failed}
	if before == "" {
		s.noteMigration(standing)
		return &holdfast.Error{Err: failed, Hint: "there was nothing to back up before, so nothing was restored; the data is as the command left it"}
	}
	// What interrupted the command must not keep its traces.
	ctx = context.WithoutCancel(ctx)
	if _, err := s.keeper.Restore(ctx, engine.RestoreRequest{Name: string(before)}); err != nil {
		s.noteMigration(standing)
		return errors.Join(failed, fmt.Errorf("the state before could not be restored from %s: %w", before, err))
	}
	standing.RestoredFrom = before
	s.noteMigration(standing)
	return &holdfast.Error{Err: failed, Hint: fmt.Sprintf("the state before was restored from %s; correct the command and start again", before)}
}

// backupBefore backs up what there is; an empty name means that there is nothing.
func (s *supervisor) backupBefore(ctx context.Context) (holdfast.BackupName, error) {
	there := false
	for _, source := range s.sources() {
		seen, err := source.Inspect(ctx, holdfast.InspectOptions{})
		if err != nil {
			return "", err
		}
		there = there || seen.Exists
	}
	if !there {
		return "", nil
	}
	result, err := s.keeper.Backup(ctx, engine.BackupRequest{Trigger: holdfast.TriggerStartup, IfChanged: true})
	if err != nil {
		return "", err
	}
	return result.Backup.Name, nil
}

// runMigrations runs the command by the shell; its output goes to standard error.
func (s *supervisor) runMigrations(ctx context.Context, line string) error {
	s.tell("running the migrations: %s", line)
	shell := []string{"/bin/sh", "-c", line}
	if runtime.GOOS == "windows" {
		shell = []string{"cmd", "/C", line}
	}
	c, err := child.Start(child.Command{Args: shell, Env: s.environment(), Stdout: s.Stderr, Stderr: s.Stderr})
	if err != nil {
		return err
	}
	select {
	case <-c.Done():
	case <-ctx.Done():
		if err := c.Stop(context.WithoutCancel(ctx), s.grace()); err != nil {
			return err
		}
		return context.Cause(ctx)
	}
	if exit := c.Exit(); exit.Code != holdfast.ExitDone {
		return fmt.Errorf("it %s", exit)
	}
	return nil
}

// noteMigration shows what became of the migrations, with the source that the
// command finds in DATABASE_PATH.
func (s *supervisor) noteMigration(m holdfast.MigrationStanding) {
	p := s.places[0]
	for _, other := range s.places {
		if other.conf.Kind == holdfast.KindSQLite {
			p = other
			break
		}
	}
	p.note(func(st *holdfast.SourceStanding) { st.Migration = &m })
	s.board.touch()
}
