package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/chromaproxy"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/metrics"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// backupBefore makes the backup that a Chroma proxy waits for, and returns once it is
// committed: what follows a backup is nothing that a client should wait for.
func (d *daemon) backupBefore(ctx context.Context, reason string) error {
	c := d.core.Load()
	j, err := c.operations.Backup(ctx, access.ChromaProxy, "", operation.BackupRequest{Trigger: holdfast.TriggerAuto, Note: reason, Always: true})
	if err != nil {
		return err
	}
	made, err := c.outcome(d.jobs.WaitResult(ctx, j.ID))
	if err != nil {
		return err
	}
	return d.holds(holdfast.WithOperation(ctx, j.ID), made)
}

// holds tells whether a backup of a job is one to go on after. It is, once it is committed:
// what it lacks or holds damaged was so in the sources, and no further backup would hold
// more. A program must not stand still for that; it is said, though.
func (d *daemon) holds(ctx context.Context, j job.Job) error {
	var result report.BackupResult
	if err := json.Unmarshal(j.Result, &result); err != nil || result.Backup == nil {
		return &holdfast.Error{Op: "backup before a write", Err: errors.Join(errors.New("no backup was made"), err)}
	}
	if !result.Incomplete {
		return nil
	}
	level, lacks := slog.LevelWarn, []string{}
	for _, p := range result.Problems {
		if p.Severity == holdfast.Damaged {
			level = slog.LevelError
		}
		if p.Severity != holdfast.Warning {
			lacks = append(lacks, strings.TrimPrefix(p.Object+": "+p.Message, ": "))
		}
	}
	d.log.Log(ctx, level, "a write goes on after a backup that does not hold everything", keyBackup, result.Backup.Name, keyError, strings.Join(lacks, "; "))
	return nil
}

// passed tells what has gone through each proxy.
func (s *doors) passed() []metrics.Proxy {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []metrics.Proxy
	for _, p := range s.now.proxies {
		n := p.proxy.Standing()
		out = append(out, metrics.Proxy{
			Listen: p.addr, Upstream: p.to.Upstream, Refused: n.Refused, Unprotected: n.Unprotected, Waiting: n.Waiting,
			Requests: map[string]int64{chromaproxy.Read.String(): n.Reads, chromaproxy.Write.String(): n.Writes, chromaproxy.Deletion.String(): n.Deletions},
		})
	}
	return out
}
