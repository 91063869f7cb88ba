package boot

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
)

// BackupOptions choose what Backup makes; the zero value is good.
type BackupOptions struct {
	// Name is a name to remember it by; by default it is made of the time.
	Name string
	// Note is a sentence that stays with it.
	Note string
	// Quick marks it as the backup of a quick button: quick_backup_….
	Quick bool
}

// A Backup is a backup of the database.
type Backup struct {
	Name      string
	CreatedAt time.Time
	Trigger   holdfast.Trigger // what caused it
	Note      string
	Pinned    bool
	// LogicalBytes is the size of the database in it, StoredBytes what it takes
	// in the repository.
	LogicalBytes int64
	StoredBytes  int64
	// Rows is the number of rows in it; -1 if they were not counted.
	Rows int64
	// Proof is the last verification of it; nil if there was none.
	Proof *holdfast.Proof
	// Problem tells why it cannot be used, or what is missing in it.
	Problem string
}

// Backup makes a backup now, and gives it back. A backup that was made, but
// lacks something, comes with an error that matches holdfast.ErrIncomplete.
func (s *Store) Backup(ctx context.Context, o BackupOptions) (Backup, error) {
	if err := s.refuseShut("backup", o.Name); err != nil {
		return Backup{}, err
	}
	trigger := holdfast.TriggerManual
	if o.Quick {
		trigger = holdfast.TriggerQuick
	}
	made, err := s.keeper.Backup(ctx, engine.BackupRequest{Name: o.Name, Note: o.Note, Trigger: trigger})
	if err != nil {
		return Backup{}, err
	}
	b := newBackup(made.Backup, s.o.source.Name)
	if made.Incomplete() {
		i := slices.IndexFunc(made.Problems, func(p holdfast.Problem) bool { return p.Severity != holdfast.Warning })
		b.Problem = made.Problems[i].Message
		return b, &holdfast.Error{Op: "backup", Object: b.Name, Err: holdfast.Kindf(holdfast.ErrIncomplete, "%s", b.Problem), Hint: made.Problems[i].Hint}
	}
	return b, nil
}

// Backups lists the backups that hold the database, newest first. There are none
// before the first one was made.
func (s *Store) Backups(ctx context.Context) ([]Backup, error) {
	r, err := s.keeper.Repository(ctx)
	if errors.Is(err, holdfast.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	infos, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	var all []Backup
	for _, info := range infos {
		if info.Err != nil || slices.ContainsFunc(info.Metadata.Sources, s.isOurs) {
			all = append(all, newBackup(info, s.o.source.Name))
		}
	}
	return all, nil
}

// isOurs tells whether a source in a backup is the database.
func (s *Store) isOurs(m holdfast.SourceMetadata) bool { return m.Name == s.o.source.Name }

// newBackup describes a backup.
func newBackup(info repo.Info, source string) Backup {
	b := Backup{Name: string(info.Name), Pinned: info.Pinned, Rows: -1}
	if n := len(info.Proofs); n > 0 {
		b.Proof = &info.Proofs[n-1]
	}
	if info.Err != nil {
		b.Problem = info.Err.Error()
		return b
	}
	md := info.Metadata
	b.CreatedAt, b.Trigger, b.Note, b.StoredBytes = md.CreatedAt.Time, md.Trigger, md.Note, md.StoredBytes
	for _, m := range md.Sources {
		if m.Name != source {
			continue
		}
		b.LogicalBytes = m.LogicalBytes
		if n, ok := m.Facts.Records(); ok {
			b.Rows = n
		}
	}
	return b
}

// A Restored tells what a restore did.
type Restored struct {
	// Backup is what took the place of the database.
	Backup string
	// Emergency is the backup of what was replaced; Rollback brings it back.
	Emergency string
	// Problems are what is worth knowing; nothing in them undid the restore.
	Problems []holdfast.Problem
}

// Restore replaces the database by a backup: by its name, or "latest", the newest
// that holds it. The backup is checked, byte by byte and then as a database, before anything is
// replaced, and what is replaced is backed up first. Statements wait meanwhile;
// transactions that are open are waited for, so do not call it while this
// goroutine has one. Afterwards the *sql.DB goes on, the migrations have run on
// what was restored, and an error leaves what was there before.
//
// While the database lies in memory, it is replaced there.
func (s *Store) Restore(ctx context.Context, name string) (Restored, error) {
	if err := s.refuseShut("restore", name); err != nil {
		return Restored{}, err
	}
	if s.displaced() {
		s.fault(s.displacedError()) // what the open file holds is to be saved first
	}
	if s.fallen() != nil {
		return s.restoreInMemory(ctx, name)
	}
	r, err := s.keeper.Restore(ctx, engine.RestoreRequest{Name: name, Only: []string{s.o.source.Name}})
	return restored(r), err
}

// latest is the newest backup that holds the database.
const latest = "latest"

// named gives a backup its name where the database alone is read: a repository may hold
// what other programs back up, so that the newest of all need not be ours. Emergency backups hold what
// somebody replaced, and are the latest only if there is nothing else.
func (s *Store) named(ctx context.Context, name string) (string, error) {
	if name != latest {
		return name, nil
	}
	r, err := s.keeper.Repository(ctx)
	if err != nil {
		return name, nil // replicas may stand in for it
	}
	infos, err := r.List(ctx)
	if err != nil {
		return "", err
	}
	for _, info := range infos {
		if info.Err != nil || !slices.ContainsFunc(info.Metadata.Sources, s.isOurs) {
			continue
		}
		if info.Metadata.Trigger != holdfast.TriggerEmergency {
			return string(info.Name), nil
		}
		if name == latest {
			name = string(info.Name)
		}
	}
	return name, nil
}

// Rollback undoes the last restore. ErrNotFound if there is none.
func (s *Store) Rollback(ctx context.Context) (Restored, error) {
	if err := s.refuseShut("rollback", s.o.Database); err != nil {
		return Restored{}, err
	}
	if d := s.fallen(); d != nil {
		return Restored{}, &holdfast.Error{
			Op: "rollback", Object: s.o.Database, Err: holdfast.Kindf(holdfast.ErrRefused, "the database lies in memory: %s", d.reason),
			Hint: "restore the emergency backup by its name",
		}
	}
	r, err := s.keeper.Rollback(ctx)
	return restored(r), err
}

func restored(r *engine.RestoreResult) Restored {
	if r == nil {
		return Restored{}
	}
	out := Restored{Emergency: string(r.Emergency), Problems: r.Problems}
	if r.Plan != nil {
		out.Backup = string(r.Plan.Backup.Name)
	}
	return out
}

// restoreInMemory replaces the database that lies in memory.
func (s *Store) restoreInMemory(ctx context.Context, name string) (out Restored, err error) {
	if name, err = s.named(ctx, name); err != nil {
		return out, err
	}
	e, err := s.keeper.Engine(ctx)
	if err != nil {
		return out, err
	}
	emergency, err := s.keeper.Backup(ctx, engine.BackupRequest{Trigger: holdfast.TriggerEmergency})
	if err != nil {
		return out, &holdfast.Error{Op: "restore", Object: name, Err: err, Hint: "nothing was changed: what lies in memory must be in a backup first"}
	}
	out.Emergency = string(emergency.Backup.Name)
	if err := s.take(ctx); err != nil {
		return out, err
	}
	defer s.pass()
	d := s.fallen()
	if d == nil {
		return out, &holdfast.Error{Op: "restore", Object: name, Err: holdfast.Kindf(holdfast.ErrLocked, "the database went back to disk meanwhile"), Hint: "try again"}
	}
	b, _, err := e.Open(ctx, name)
	if err != nil {
		return out, err
	}
	out.Backup = string(b.Metadata().BackupName)
	if err := b.Close(); err != nil {
		return out, err
	}
	from := origin{words: "backup " + out.Backup, fill: func(ctx context.Context, l *location) error {
		return s.fillFromBackup(ctx, e, holdfast.BackupName(out.Backup), l)
	}}
	l, err := s.loaded(ctx, from)
	if err != nil {
		return out, err
	}
	if _, err := s.migrate(ctx, l.uri, saveNothing); err != nil {
		return out, errors.Join(err, l.drop())
	}
	return out, s.swapMemory(ctx, l)
}

// swapMemory lets another location in memory take the place of the present one.
func (s *Store) swapMemory(ctx context.Context, l *location) error {
	limited, cancel := context.WithTimeout(ctx, holdLimit)
	defer cancel()
	hold, err := s.pool.Hold(limited)
	if err != nil {
		return errors.Join(err, l.drop())
	}
	defer hold.Release()
	hold.Move(l.uri)
	s.mu.Lock()
	old, disk := s.location, s.degraded.disk
	s.location = l
	s.mu.Unlock()
	s.noteOrigin(l, disk)
	s.keeper.SetSources([]holdfast.Source{l.source})
	return old.drop()
}

// OpenBackup gives the database in a backup, or in the "latest", as one plain SQLite file, to be sent
// or looked at, without restoring anything. Whoever reads it checks each byte
// against what was recorded. The caller closes it.
func (s *Store) OpenBackup(ctx context.Context, name string) (fs.File, error) {
	name, err := s.named(ctx, name)
	if err != nil {
		return nil, err
	}
	e, err := s.keeper.Engine(ctx)
	if err != nil {
		return nil, err
	}
	b, _, err := e.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	f, err := b.Open(s.inBackup())
	if err != nil {
		return nil, errors.Join(&holdfast.Error{Op: "open", Object: name, Err: err}, b.Close())
	}
	return backupFile{f, b}, nil
}

// A backupFile is a file of a backup that nothing else of is open.
type backupFile struct {
	fs.File
	backup *repo.Backup
}

// Close closes the file and the backup.
func (f backupFile) Close() error { return errors.Join(f.File.Close(), f.backup.Close()) }
