// Package wire makes a configuration into the things it names: sources, a
// bucket, the repository in it, an engine over all. Outside of tests it is the
// only place that names concrete sources and buckets; every surface gets them
// here.
package wire

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/control"
	"github.com/holdfast-backup/holdfast/internal/survival"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/source/chroma"
	"github.com/holdfast-backup/holdfast/source/files"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// Sources builds the configured sources.
func Sources(c *config.Config) ([]holdfast.Source, error) {
	var out []holdfast.Source
	var errs []error
	for _, s := range c.Sources {
		source, err := Source(s)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, source)
	}
	return out, errors.Join(errs...)
}

// Source builds one source.
func Source(s config.Source) (holdfast.Source, error) {
	switch s.Kind {
	case holdfast.KindSQLite:
		return sqlite.New(s.Name, s.Path, sqlite.Options{})
	case holdfast.KindChroma:
		if s.Server != nil {
			return chromaServer(s)
		}
		return chroma.New(s.Name, s.Path, chroma.Options{MemoryCollections: s.Memory, RAGMode: s.RAGMode})
	case holdfast.KindFiles:
		// What tells whether a volume outlives restarts lies in its root.
		own := "/" + filepath.Base(survival.MarkerPath(s.Path))
		lock := "/" + filepath.Base(survival.LockPath(s.Path))
		return files.New(s.Name, s.Path, files.Options{Exclude: append(slices.Clone(s.Exclude), own, lock)})
	}
	return nil, &holdfast.Error{Op: "source", Object: s.Name, Err: holdfast.Kindf(holdfast.ErrUsage, "type %q is not known", s.Kind)}
}

// checker builds what can check a copy of a source that is not configured
// here. Its path only tells how the file in the copy is called; nothing there
// is ever opened.
func checker(md holdfast.SourceMetadata) holdfast.Source {
	c := config.Source{Name: md.Name, Kind: md.Kind, Path: md.Path, RAGMode: config.RAGStandard}
	if f := md.Facts.Chroma; f != nil && f.Server != nil {
		c.Path, c.Server = "", &config.Server{URL: md.Path}
	}
	s, err := Source(c)
	if err != nil {
		return nil
	}
	return s
}

// FastReads tells whether databases can be read as files here, beside SQLite.
func FastReads() bool { return sqlite.ReadsBesideSQLite() }

// cacheFolder, in the state directory, remembers what the last backup looked
// like.
const cacheFolder = "cache"

// repositoryOptions are what the repository of the configuration is opened
// with.
func repositoryOptions(c *config.Config) (repo.Options, error) {
	state, err := stateDir(c, encrypts(c))
	if err != nil {
		return repo.Options{}, err
	}
	return encrypted(repo.Options{Cache: filepath.Join(state, cacheFolder)}, c.Encryption), nil
}

// place gives the bucket of the repository and what it is opened with.
func place(c *config.Config) (bucket.Bucket, repo.Options, error) {
	b, err := bucketAt(c, c.Repository, nil)
	if err != nil {
		return nil, repo.Options{}, err
	}
	o, err := repositoryOptions(c)
	return b, o, err
}

// OpenRepository opens the repository that exists.
func OpenRepository(ctx context.Context, c *config.Config) (*repo.Repository, error) {
	b, o, err := place(c)
	if err != nil {
		return nil, err
	}
	r, err := repo.Open(ctx, b, o)
	if errors.Is(err, holdfast.ErrNotFound) && holdfast.HintOf(err) == "" {
		return nil, &holdfast.Error{Err: err, Hint: "`holdfast backup` creates it, or name another with --repo"}
	}
	return r, err
}

// CreateRepository opens the repository, and makes it first if there is none. One
// that has replicas already is made again with their id.
func CreateRepository(ctx context.Context, c *config.Config) (r *repo.Repository, made bool, err error) {
	b, o, err := place(c)
	if err != nil {
		return nil, false, err
	}
	r, err = repo.Open(ctx, b, o)
	if !errors.Is(err, holdfast.ErrNotFound) {
		return r, false, err
	}
	if !config.IsURL(c.Repository) {
		if err := mayLie(ctx, b.Location()); err != nil {
			return nil, false, err
		}
	}
	replica, err := replicaLeft(ctx, c)
	if err != nil {
		return nil, false, err
	}
	if replica != nil {
		r, err = replica.InitFrom(ctx, b, o)
	} else {
		r, err = repo.Init(ctx, b, o)
	}
	return r, err == nil, err
}

// mayLie refuses places where no repository can be made: behind a link that
// leads nowhere, and inside of another repository, where it would look like
// damage of a backup.
func mayLie(ctx context.Context, location string) error {
	if to, err := os.Readlink(location); err == nil {
		if _, err := os.Stat(location); errors.Is(err, fs.ErrNotExist) {
			return &holdfast.Error{
				Op: "make repository", Object: location, Err: holdfast.Kindf(holdfast.ErrRefused, "it is a link to %s, which does not exist", to),
				Hint: "make that directory, or name it with --repo; is a disk not mounted?",
			}
		}
	}
	for at := filepath.Dir(location); ; at = filepath.Dir(at) {
		b, err := dir.New(at, dir.Options{})
		if err == nil {
			_, err = repo.Open(ctx, b, repo.Options{})
		}
		if err == nil {
			return &holdfast.Error{
				Op: "make repository", Object: location, Err: holdfast.Kindf(holdfast.ErrRefused, "it lies inside the repository %s", at),
				Hint: "name that repository itself, or a place outside of it",
			}
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

// Options are what an engine needs beside the configuration.
type Options struct {
	Repository  *repo.Repository        // nil for what needs none
	Unusable    error                   // why Repository is nil, if it cannot be used
	Sources     []holdfast.Source       // in place of the configured ones, if any
	Stores      []holdfast.PartRestorer // that are not configured, and were restored into
	Owner       engine.Owner            // nil: the programs that hold the sources and live here
	Around      engine.Around           // nil: what the configuration wants to be told
	Observer    holdfast.Observer
	Logger      *slog.Logger
	Now         func() time.Time
	ToolVersion string
}

// Engine makes an engine for the configuration.
func Engine(c *config.Config, o Options) (*engine.Engine, error) {
	sources := o.Sources
	if sources == nil {
		var err error
		if sources, err = Sources(c); err != nil {
			return nil, err
		}
	}
	state, err := StateDir(c)
	if err != nil {
		return nil, err
	}
	owner := o.Owner
	if owner == nil {
		// The engine treats data that has an owner otherwise: only one that is there.
		if programs := control.Owners(state, sources); programs.Any() {
			owner = programs
		}
	}
	told := o.Around
	if told == nil {
		told = Around(c, o.Logger, o.ToolVersion)
	}
	return engine.New(engine.Options{
		Repository: o.Repository,
		Unusable:   o.Unusable,
		Location:   c.Repository,
		Replicas:   replicas(c, o.Logger),
		Sources:    sources,
		Checker:    checker,
		StateDir:   state,
		Settings: engine.Settings{
			IncludeMemory:   c.IncludeMemory,
			Compress:        c.Compression,
			MaxBackupBytes:  c.MaxBackupBytes(),
			MaxBackupSet:    c.MaxBackupSizeSet,
			EmergencyBackup: c.Emergency.Enabled,
			EmergencyPrefix: c.Emergency.Prefix,
			Retention:       c.Retention.Policy(),
			ShrinkHold:      c.Retention.ShrinkHold,
			Deltas:          engine.Deltas(c.Deltas),
			FullEvery:       c.FullEvery,
			CheckBudget:     c.CheckBudget,
		},
		Owner:       owner,
		Around:      told,
		Stores:      o.Stores,
		Commands:    commands(c),
		Mirrors:     mirrors(c),
		Hooks:       engine.Hooks{Stop: c.Hooks.Stop, Start: c.Hooks.Start, Reload: c.Hooks.Reload, Timeout: c.Hooks.Timeout},
		Observer:    o.Observer,
		Logger:      o.Logger,
		Now:         o.Now,
		ToolVersion: o.ToolVersion,
	})
}

// mirrors are the configured mirrors by the name of their source.
func mirrors(c *config.Config) map[string]string {
	out := map[string]string{}
	for _, s := range c.Sources {
		if s.Mirror != "" {
			out[s.Name] = s.Mirror
		}
	}
	return out
}
