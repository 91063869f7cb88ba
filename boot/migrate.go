package boot

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// beforeLimit bounds the backup before migrations, so that a repository that
// hangs does not keep the bot from starting: a copy beside the database does then.
const beforeLimit = time.Minute

// beforeSuffix names that copy.
const beforeSuffix = ".before-migrations"

// saving is how the state before migrations is kept.
type saving int

const (
	saveBackup  saving = iota // in a backup, else beside the database
	saveBeside                // beside the database: the repository is in use
	saveNothing               // there is no state before
)

// A migration brings one database up to date.
type migration struct {
	s        *Store
	uri      string
	db       *sql.DB
	how      saving
	standing holdfast.MigrationStanding
	copied   string // the copy beside the database, if the backup could not be made
}

// migrate runs what is pending on the database at uri, which nobody else uses.
// A failure leaves the database as it was before, and says so.
func (s *Store) migrate(ctx context.Context, uri string, how saving) (_ *holdfast.MigrationStanding, err error) {
	if s.o.Migrations == nil {
		return nil, nil
	}
	m := &migration{s: s, uri: uri, db: s.o.private(uri), how: how}
	defer func() { err = errors.Join(err, m.db.Close()) }()
	provider, err := goose.NewProvider(goose.DialectSQLite3, m.db, s.o.Migrations, goose.WithDisableGlobalRegistry(true))
	if errors.Is(err, goose.ErrNoMigrations) {
		return nil, m.fail(holdfast.Kindf(holdfast.ErrUsage, "there are no migrations in the file system that was given"), "embed the folder of the SQL files, and name it in MigrationsDir")
	}
	if err != nil {
		return nil, m.fail(holdfast.Kindf(holdfast.ErrUsage, "%w", err), "migrations are files like 00001_users.sql that begin with -- +goose Up")
	}
	return m.run(ctx, provider)
}

func (m *migration) fail(err error, hint string) error {
	return &holdfast.Error{Op: "migrate", Err: err, Hint: hint}
}

// run backs the database up and applies what is pending.
func (m *migration) run(ctx context.Context, provider *goose.Provider) (*holdfast.MigrationStanding, error) {
	pending, err := provider.HasPending(ctx)
	if err != nil {
		return nil, m.fail(err, "")
	}
	from, to, err := provider.GetVersions(ctx)
	if err != nil {
		return nil, m.fail(err, "")
	}
	m.standing.From, m.standing.To = from, from
	if !pending {
		if from > to {
			m.s.note(problemNewer, holdfast.Problem{
				Severity: holdfast.Warning, Object: m.s.o.Database,
				Message: fmt.Sprintf("the database is at version %d, newer than the migrations of this program, which end at %d", from, to),
				Hint:    "run the newer program, or restore a backup from before it",
			})
		}
		return &m.standing, nil
	}
	if err := m.save(ctx); err != nil {
		return &m.standing, err
	}
	applied, err := provider.Up(ctx)
	if err != nil {
		return &m.standing, m.undo(ctx, err)
	}
	for _, a := range applied {
		m.standing.Applied = append(m.standing.Applied, path.Base(a.Source.Path))
		m.standing.To = max(m.standing.To, a.Source.Version)
	}
	m.s.log.Info("migrated", "database", m.s.o.Database, "from", m.standing.From, "to", m.standing.To, "applied", m.standing.Applied)
	if m.copied != "" {
		if err := durable.OS.Remove(m.copied); err != nil {
			m.s.log.Warn("the copy from before the migrations could not be removed", "path", m.copied, "error", err)
		}
	}
	return &m.standing, nil
}

// save keeps the state before: in a backup, or in a copy beside the database
// if the repository cannot take one.
func (m *migration) save(ctx context.Context) error {
	switch m.how {
	case saveNothing:
		return nil
	case saveBeside:
		if err := m.copy(ctx); err != nil {
			return m.fail(fmt.Errorf("nothing was migrated, since no copy could be made: %w", err), "make room beside the database")
		}
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, beforeLimit)
	defer cancel()
	made, err := m.s.keeper.Backup(limited, engine.BackupRequest{Trigger: holdfast.TriggerStartup, IfChanged: true})
	if err == nil {
		m.standing.Backup = made.Backup.Name
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m.s.log.Warn("no backup before the migrations; a copy is kept beside the database", "database", m.s.o.Database, "error", err)
	if cerr := m.copy(ctx); cerr != nil {
		return m.fail(holdfast.Kindf(holdfast.ErrRefused, "nothing was migrated, since neither a backup could be made (%w) nor a copy beside it (%w)", err, cerr),
			"make the repository reachable, or make room beside the database")
	}
	return nil
}

// copy keeps a copy beside the database. SQLite makes it in a folder that nobody
// else can look into, for it gives a file the mode that the system has in mind for
// new ones, and writes into whatever has the name.
func (m *migration) copy(ctx context.Context) (err error) {
	copied := m.s.beside(beforeSuffix)
	dir, base := filepath.Split(copied)
	if entries, err := os.ReadDir(dir); err == nil {
		for _, e := range entries {
			if durable.TempOf(e.Name(), base) { // of a start that was cut, for this one is alone
				err = errors.Join(err, durable.OS.RemoveAll(filepath.Join(dir, e.Name())))
			}
		}
		if err != nil {
			m.s.log.Warn("what an earlier start left could not be removed", "error", err)
		}
	}
	folder := filepath.Join(dir, durable.TempName(base))
	if err := durable.OS.Mkdir(folder, 0o700); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, durable.OS.RemoveAll(folder)) }()
	made := filepath.Join(folder, "copy")
	if err := vacuumInto(ctx, m.db, made); err != nil {
		return err
	}
	if err := errors.Join(durable.OS.Chmod(made, 0o600), durable.OS.SyncFile(made)); err != nil {
		return err
	}
	if err := durable.Rename(durable.OS, made, copied); err != nil {
		return err
	}
	m.copied = copied
	return nil
}

// undo puts the state before back and says what failed.
func (m *migration) undo(ctx context.Context, cause error) error {
	if partial, ok := errors.AsType[*goose.PartialError](cause); ok {
		cause = fmt.Errorf("%s: %w", path.Base(partial.Failed.Source.Path), partial.Err)
	}
	m.standing.Failed = cause.Error()
	if other := m.s.standby(); other != "" && m.uri == m.s.diskURI {
		// What it writes meanwhile must not be lost with the file.
		return m.fail(fmt.Errorf("%w; the migrations before it stay, since %s uses the database too", cause, other),
			"mend the migration and start again, or stop the other program and restore a backup")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), beforeLimit)
	defer cancel()
	where, err := m.putBack(ctx)
	if err != nil {
		return m.fail(errors.Join(cause, fmt.Errorf("and the state before could not be put back: %w", err)), m.hintLeft())
	}
	m.s.log.Error("a migration failed; the state before is in place", "database", m.s.o.Database, "error", cause, "from", where)
	return m.fail(fmt.Errorf("%w; the state before the migrations is in place, %s", cause, where), "mend the migration and start again")
}

// putBack gives the database its state from before, and says where from.
func (m *migration) putBack(ctx context.Context) (where string, err error) {
	if err := m.db.Close(); err != nil {
		m.s.log.Warn("the database did not close", "error", err)
	}
	if m.uri != m.s.diskURI {
		return "which lies in memory and is given up", nil
	}
	switch {
	case m.how == saveNothing:
		return "which is none", m.s.remove()
	case m.copied != "":
		dir, file := os.DirFS(filepath.Dir(m.copied)), filepath.Base(m.copied)
		if err := m.s.place(ctx, dir, file); err != nil {
			return "", err
		}
		return "from a copy", durable.OS.Remove(m.copied)
	}
	eng, err := m.s.keeper.Engine(ctx)
	if err != nil {
		return "", err
	}
	b, _, err := eng.Open(ctx, string(m.standing.Backup))
	if err != nil {
		return "", err
	}
	defer b.Close()
	if err := m.s.place(ctx, b, m.s.inBackup()); err != nil {
		return "", err
	}
	m.standing.RestoredFrom = m.standing.Backup
	return "from backup " + string(m.standing.Backup), nil
}

// hintLeft says where the state before is, where it could not be put back.
func (m *migration) hintLeft() string {
	if m.copied != "" {
		return "it lies in " + m.copied
	}
	return fmt.Sprintf("`holdfast restore %s` brings it back", m.standing.Backup)
}

// inBackup is the path of the database in a backup.
func (s *Store) inBackup() string { return path.Join(s.disk.Name(), s.disk.Target().File) }
