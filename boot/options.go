package boot

import (
	"cmp"
	"context"
	"database/sql/driver"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
)

// Never, for Options.Every and Options.OnChange, makes no such backups.
const Never time.Duration = -1

// Options say what Start works with. Only Database must be set.
//
// What is set here wins over the environment (HOLDFAST_REPOSITORY,
// HOLDFAST_REPLICAS …), which wins over .env and that over holdfast.yaml in the
// working directory. All of them are honoured, so that whoever deploys the bot
// can choose where its backups go without touching the code. Of the sources that
// are configured there, the one with the path of Database lends its name and its
// mirror; the others are not this program's, and are left alone.
type Options struct {
	// Database is the path of the SQLite database. Its directory is made if it
	// does not exist.
	Database string
	// Name is the folder of the database in every backup; by default it is made
	// of the file's name: bot_database of /tmp/bot_database.db.
	Name string
	// Mirror is a file that always holds the newest backup as a plain SQLite
	// database, replaced atomically. It is also where a start looks for a backup.
	Mirror string
	// Repository is where the backups go: a directory, or s3://bucket/prefix; by
	// default ./data/chromadb_backup, as for the holdfast command. A directory on the
	// disk of the database is lost with it. Several databases may share one, under
	// different Names; each is better off with its own, since increments need the
	// backup before to be of the same database, and Rollback undoes the last restore
	// of all of them.
	Repository string

	// Migrations holds the SQL files that bring the database up to date, in the
	// form of goose (00001_users.sql with "-- +goose Up"), in its root or in
	// MigrationsDir. They run at every start, before the database is handed out,
	// and also on a backup that is restored.
	Migrations    fs.FS
	MigrationsDir string

	// Every is the interval of the backups, 6 h if nothing else is configured;
	// Never makes none.
	Every time.Duration
	// OnChange is the longest that a change goes without a backup, 1 min if
	// nothing else is configured; Never leaves changes to the interval.
	OnChange time.Duration
	// ShutdownTimeout is how long the end of the program and the last backup may
	// take together once a signal has come or Close was called, 9 s if nothing
	// else is configured.
	ShutdownTimeout time.Duration

	// Pragmas are run on every new connection, written as "cache_size(-20000)".
	// They come after those that are set anyway, and win: WAL mode,
	// busy_timeout(10000), foreign_keys(1) and synchronous(full).
	Pragmas []string
	// Open opens connections with another SQLite library than the one that
	// comes with this package; uri is a SQLite URI (file:///tmp/bot.db?…). Then
	// nothing of this package opens the file while the library has it open,
	// since POSIX locks are lost when any descriptor of the file is closed. It
	// has its price: a backup is made by VACUUM INTO over a connection of that
	// library, which reads and writes the whole database and makes increments
	// larger; a restore leaves what it replaced beside the database, since it cannot
	// tell whether a copy holds every byte of that; and where the storage fails the
	// database lives in a file in memory or TMPDIR, which the next start finds if
	// this process is killed. Its pragmas are Open's business, so Pragmas must be
	// empty: a busy timeout and WAL mode are worth having, or statements fail with
	// "database is locked" while a backup reads.
	Open func(ctx context.Context, uri string) (driver.Conn, error)

	// Telegram is the bot in whose chats admins look after the backups (package
	// telegram), and where copies can lie.
	Telegram Telegram

	// Logger takes what happens; nil is slog.Default, since a bot whose database
	// lies in memory should not keep quiet about it.
	Logger *slog.Logger
	// Observer takes the steps of backups and restores as they happen, from several
	// goroutines. One that panics is not called again.
	Observer holdfast.Observer
	// NoSignals leaves SIGTERM and SIGINT to the program. It should then call
	// Close when it is told to end.
	NoSignals bool
	// NoMemory makes Start fail where the storage cannot hold the database,
	// instead of going on in memory: for databases that are larger than the memory
	// of the machine. A storage that fails later is told in the status, and
	// statements fail.
	NoMemory bool
}

// Telegram names a bot. Its zero value leaves everything to the environment
// (HOLDFAST_TELEGRAM_TOKEN …).
type Telegram struct {
	Token string
	// FormerToken is the one before, if it was replaced by a new one: copies in the chat that
	// were made until then are encrypted with it.
	FormerToken string
	// Admins are the ids of the users who may use the panel.
	Admins []int64
	// Replica is the chat in which an encrypted copy of every backup is kept, which a start
	// on an empty machine finds again: its number, or @name of a channel; empty: none but
	// what HOLDFAST_REPLICAS names. For up to 200 MB.
	Replica string
	// API is the base URL of a Bot API server of one's own; Proxy is a proxy on the way
	// to it: http://…, socks5://….
	API, Proxy string
}

// settings are Options with everything decided.
type settings struct {
	Options
	config *config.Config
	source config.Source
}

// settle reads every layer of the configuration below the options.
func (o Options) settle() (*settings, error) {
	fail := func(err error, hint string) (*settings, error) {
		return nil, &holdfast.Error{Op: "start", Object: o.Database, Err: err, Hint: hint}
	}
	if o.Database == "" {
		return fail(holdfast.Kindf(holdfast.ErrUsage, "no database is named"), "set boot.Options.Database to its path")
	}
	if strings.HasPrefix(o.Database, ":memory:") || strings.HasPrefix(o.Database, "file:") {
		return fail(holdfast.Kindf(holdfast.ErrUsage, "it is no path"), "Database is the path of a file, as the shell has it")
	}
	if o.ShutdownTimeout < 0 {
		return fail(holdfast.Kindf(holdfast.ErrUsage, "ShutdownTimeout is negative"), "the last backup needs a moment; the zero value is 9 s")
	}
	if o.Open != nil && len(o.Pragmas) > 0 {
		return fail(holdfast.Kindf(holdfast.ErrUsage, "Pragmas are set, and Open too"), "run them in Open")
	}
	path, err := filepath.Abs(o.Database)
	if err != nil {
		return fail(err, "")
	}
	o.Database = path
	if o.Migrations != nil && o.MigrationsDir != "" {
		if o.Migrations, err = fs.Sub(o.Migrations, o.MigrationsDir); err != nil {
			return fail(holdfast.Kindf(holdfast.ErrUsage, "the folder of the migrations: %w", err), "MigrationsDir is a folder in Migrations")
		}
	}
	flags := config.Flags{Repository: o.Repository, Settings: o.flags()}
	if o.Telegram.Replica != "" {
		if flags.Replicas, err = o.replicas(flags); err != nil {
			return nil, err
		}
	}
	c, err := config.Load(flags, os.Environ())
	if err != nil {
		return nil, err
	}
	source, err := o.sourceOf(c)
	if err != nil {
		return nil, err
	}
	flags.Sources = []config.Source{source}
	if c, err = config.Load(flags, os.Environ()); err != nil {
		return nil, err
	}
	o.Logger = cmp.Or(o.Logger, slog.Default())
	o.Observer = contained(o.Observer, o.Logger)
	return &settings{Options: o, config: c, source: c.Sources[0]}, nil
}

// contained gives an observer whose panic ends nothing but itself: it is called in
// the middle of backups and restores.
func contained(observe holdfast.Observer, log *slog.Logger) holdfast.Observer {
	if observe == nil {
		return nil
	}
	var broken atomic.Bool
	return func(e holdfast.Event) {
		if broken.Load() {
			return
		}
		defer func() {
			if p := recover(); p != nil && !broken.Swap(true) {
				log.Error("the observer panicked; it is told nothing more", "error", p, "stack", string(debug.Stack()))
			}
		}()
		observe(e)
	}
}

// flags are the options that are keys of the configuration.
func (o Options) flags() map[string]config.FlagValue {
	set := map[string]config.FlagValue{}
	for _, f := range []struct {
		key, option string
		value       time.Duration
	}{
		{"schedule.every", "boot.Options.Every", o.Every},
		{"schedule.on_change", "boot.Options.OnChange", o.OnChange},
		{"shutdown_timeout", "boot.Options.ShutdownTimeout", o.ShutdownTimeout},
	} {
		switch {
		case f.value < 0:
			set[f.key] = config.FlagValue{Flag: f.option, Value: "off"}
		case f.value > 0:
			set[f.key] = config.FlagValue{Flag: f.option, Value: f.value.String()}
		}
	}
	for _, f := range []struct{ key, option, value string }{
		{"telegram.token", "Token", o.Telegram.Token},
		{"telegram.former_token", "FormerToken", o.Telegram.FormerToken},
		{"telegram.api", "API", o.Telegram.API},
		{"telegram.proxy", "Proxy", o.Telegram.Proxy},
		{"telegram.admins", "Admins", numbers(o.Telegram.Admins)},
	} {
		if f.value != "" {
			set[f.key] = config.FlagValue{Flag: "boot.Options.Telegram." + f.option, Value: f.value}
		}
	}
	return set
}

// numbers are ids as the configuration has them.
func numbers(ids []int64) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(words, ",")
}

// replicas are those that are configured, and the chat.
func (o Options) replicas(flags config.Flags) ([]config.Replica, error) {
	c, err := config.Load(flags, os.Environ())
	if err != nil {
		return nil, err
	}
	chat := config.AdHocReplica("telegram://" + o.Telegram.Replica)
	chat.Origin.Where = "boot.Options.Telegram.Replica"
	if slices.ContainsFunc(c.Replicas, func(r config.Replica) bool { return r.URL == chat.URL }) {
		return c.Replicas, nil
	}
	return append(c.Replicas, chat), nil
}

// sourceOf gives the source that the database is, with what the configuration
// knows of it.
func (o Options) sourceOf(c *config.Config) (config.Source, error) {
	s := config.Source{Kind: holdfast.KindSQLite, Origin: config.Origin{Layer: config.FromFlag, Where: "boot.Options.Database"}}
	for _, known := range c.Sources {
		if abs, err := filepath.Abs(known.Path); err == nil && abs == o.Database && known.Kind == holdfast.KindSQLite {
			s.Name, s.Mirror = known.Name, known.Mirror
		}
	}
	s.Path, s.Mirror = o.Database, cmp.Or(o.Mirror, s.Mirror)
	if s.Name = cmp.Or(o.Name, s.Name); s.Name == "" {
		named, err := config.AdHoc(holdfast.KindSQLite, "sqlite", o.Database)
		if err != nil {
			return s, &holdfast.Error{Op: "start", Object: o.Database, Err: holdfast.Kindf(holdfast.ErrUsage, "no name can be made of this path"), Hint: "set boot.Options.Name"}
		}
		s.Name = named.Name
	}
	name, err := holdfast.ParseSourceName(s.Name)
	s.Name = name
	return s, err
}
