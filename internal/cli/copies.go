package cli

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
)

// replicaFlags choose the replicas that a command works with.
type replicaFlags struct {
	Replica []string `sep:"none" value:"NAME|URL" help:"Of the replicas, use only this one: a configured name, a directory or s3://…; repeatable."`
}

// allReplicas stands for every configured replica.
const allReplicas = "all"

// use narrows the configuration down to the chosen replicas. A place that is
// not configured is one, too.
func (f replicaFlags) use(a *app) error { return a.useReplicas(f.Replica) }

func (a *app) useReplicas(refs []string) error {
	cfg, err := a.config()
	if err != nil || len(refs) == 0 {
		return err
	}
	var chosen []config.Replica
	for _, ref := range refs {
		if ref == allReplicas {
			chosen = append(chosen, cfg.Replicas...)
			continue
		}
		i := slices.IndexFunc(cfg.Replicas, func(r config.Replica) bool { return r.Name == ref || r.URL == ref })
		switch {
		case i >= 0:
			chosen = append(chosen, cfg.Replicas[i])
		case config.IsURL(ref) || strings.ContainsRune(ref, filepath.Separator) || strings.Contains(ref, "="):
			chosen = append(chosen, config.AdHocReplica(ref))
		default:
			return usagef(knownReplicas(cfg), "no replica is called %s", ref)
		}
	}
	if len(chosen) == 0 {
		return usagef(knownReplicas(cfg), "no replica is configured")
	}
	return cfg.SetReplicas(chosen)
}

// knownReplicas is the hint that names the configured replicas.
func knownReplicas(cfg *config.Config) string {
	if len(cfg.Replicas) == 0 {
		return "configure one (replicas: [{url: /mnt/nas/backups}]), or give a place such as ./copies or s3://bucket/prefix"
	}
	names := make([]string, len(cfg.Replicas))
	for i, r := range cfg.Replicas {
		names[i] = r.Name
	}
	return "there are: " + strings.Join(names, ", ") + "; a place such as ./copies or s3://bucket/prefix will do, too"
}

// withCopies runs a verb that reads the nearest copy of a backup: it does not
// fail because there is no repository, or none that can be used, as long as
// there are replicas.
func (a *app) withCopies(ctx context.Context, verb func(*engine.Engine) error) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	r, err := a.repository(ctx)
	if err != nil && (len(cfg.Replicas) == 0 || errors.Is(err, holdfast.ErrUsage) || ctx.Err() != nil) {
		return err
	}
	progress := newProgress(a.ui, a.Events, a.Verbose)
	e, engineErr := a.engineOver(r, err, progress.observe)
	if engineErr != nil {
		return engineErr
	}
	defer progress.stop()
	return verb(e)
}

// fromWords tells where a copy comes from, after its name.
func fromWords(from string) string {
	if from == "" {
		return ""
	}
	return " (from the replica " + clean(from) + ")"
}

// tellNearest says that a copy of a replica is taken, and why.
func (a *app) tellNearest(c *engine.Copy) {
	for _, p := range c.Problems {
		a.ui.warn(p)
	}
	if c.From != "" {
		a.ui.note("note: taking %s from the replica %s", clean(c.Backup.Name.String()), clean(c.From))
	}
}
