package cli

import (
	"context"
	"log/slog"

	"github.com/alecthomas/kong"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
)

// app gives the commands what they ask for: configuration, repository,
// engine, each made when it is first needed.
type app struct {
	*globals
	sys   System
	ui    *ui
	model *kong.Application
	cfg   *config.Config
	// assume lets the usual source stand in for a missing configuration.
	assume bool
	// settings are keys that flags of the command set, and databasePath lets
	// DATABASE_PATH name the source.
	settings     map[string]config.FlagValue
	databasePath bool
	// stores are servers that are not configured, which a restore went into.
	stores []holdfast.PartRestorer
}

// config reads the configuration and tells its warnings.
func (a *app) config() (*config.Config, error) {
	if a.cfg != nil {
		return a.cfg, nil
	}
	flags, err := a.flags()
	if err != nil {
		return nil, err
	}
	flags.AssumeUsual, flags.Settings, flags.DatabasePath = a.assume, a.settings, a.databasePath
	cfg, err := config.Load(flags, a.sys.Environ)
	if err != nil {
		return nil, err
	}
	if a.ui.canAsk() && !cfg.Encryption.HasPassphrase() {
		cfg.Encryption.Prompt = a.ui.askOnce("Passphrase of " + wire.Location(cfg.Repository))
	}
	a.cfg = cfg
	for _, w := range cfg.Warnings {
		a.ui.warn(w)
	}
	return cfg, nil
}

// flags reads the source flags.
func (g *globals) flags() (config.Flags, error) {
	f := config.Flags{File: g.Config, Repository: g.Repo, Memory: g.MemoryCollection, RAGMode: g.RAGMode}
	for _, group := range []struct {
		kind   holdfast.Kind
		flag   string
		values []string
	}{
		{holdfast.KindChroma, "chroma", g.Chroma},
		{holdfast.KindSQLite, "sqlite", g.SQLite},
		{holdfast.KindFiles, "files", g.Files},
	} {
		for _, v := range group.values {
			s, err := config.AdHoc(group.kind, group.flag, v)
			if err != nil {
				return f, err
			}
			f.Sources = append(f.Sources, s)
		}
	}
	for _, v := range g.ChromaURL {
		s, err := config.AdHocServer("chroma-url", v)
		if err != nil {
			return f, err
		}
		f.Sources = append(f.Sources, s)
	}
	return f, nil
}

// sources is the configuration of a command that needs something to protect.
func (a *app) sources() (*config.Config, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	if len(cfg.Sources) == 0 {
		what := config.DefaultChroma + " does not exist and no source is configured"
		if cfg.File != "" {
			what = cfg.File + " configures no source, and " + config.DefaultChroma + " does not exist"
		}
		return nil, usagef("name one with --chroma DIR, --chroma-url URL, --sqlite FILE or --files DIR, or write a configuration with `holdfast init`", "nothing to protect: %s", what)
	}
	if cfg.Detected {
		a.ui.note("note: no source is configured; found the Chroma directory %s", config.DefaultChroma)
	}
	return cfg, nil
}

// targets is sources for a command that may have to bring one back.
func (a *app) targets() (*config.Config, error) {
	a.assume = true
	cfg, err := a.sources()
	if err == nil && cfg.Assumed {
		a.ui.note("note: no source is configured; taking the Chroma directory %s, which is not there", config.DefaultChroma)
	}
	return cfg, err
}

// repository opens the existing repository.
func (a *app) repository(ctx context.Context) (*repo.Repository, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	return wire.OpenRepository(ctx, cfg)
}

// engine makes an engine over r, which may be nil for verbs that need none.
func (a *app) engine(r *repo.Repository, observe holdfast.Observer) (*engine.Engine, error) {
	return a.engineOver(r, nil, observe)
}

// engineOver is engine that knows why there is no repository.
func (a *app) engineOver(r *repo.Repository, unusable error, observe holdfast.Observer) (*engine.Engine, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	return wire.Engine(cfg, wire.Options{
		Repository: r, Unusable: unusable, Stores: a.stores, Observer: observe, Logger: a.logger(), Now: a.sys.Now, ToolVersion: a.sys.Version,
	})
}

// withEngine opens repository and engine and runs a verb whose events are
// shown.
func (a *app) withEngine(ctx context.Context, verb func(*engine.Engine, *repo.Repository) error) error {
	r, err := a.repository(ctx)
	if err != nil {
		return err
	}
	progress := newProgress(a.ui, a.Events, a.Verbose)
	e, err := a.engine(r, progress.observe)
	if err != nil {
		return err
	}
	defer progress.stop()
	return verb(e, r)
}

// logger writes the log to standard error if it was asked for.
func (a *app) logger() *slog.Logger {
	if !a.Verbose {
		return slog.New(slog.DiscardHandler)
	}
	o := &slog.HandlerOptions{Level: slog.LevelDebug}
	if a.JSON {
		return slog.New(slog.NewJSONHandler(a.sys.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(a.sys.Stderr, o))
}
