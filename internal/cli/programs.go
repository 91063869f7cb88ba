package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/control"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// programs gives what the programs say that run in holdfast's care with this
// repository. One that cannot be asked is a warning: it says nothing about the
// data.
func (a *app) programs(ctx context.Context, cfg *config.Config) ([]holdfast.Standing, error) {
	state, err := wire.StateDir(cfg)
	if err != nil {
		return nil, err
	}
	all, err := control.Standings(ctx, state)
	if err != nil {
		for _, part := range holdfast.Parts(err) {
			a.ui.warn(holdfast.Problem{Severity: holdfast.Warning, Object: "programs", Message: report.Text(part), Hint: report.Hint(part)})
		}
	}
	return all, nil
}

// besidePrograms runs a verb that replaces data. A program in our care holds the
// repository now and then, for a backup of its own: that is waited for.
func (a *app) besidePrograms(ctx context.Context, verb func() (*engine.RestoreResult, error)) (result *engine.RestoreResult, err error) {
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	programs, err := a.programs(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if len(programs) == 0 {
		return verb()
	}
	waited := patiently(ctx, a.ui, func() error {
		result, err = verb()
		if result != nil && result.RolledBack {
			return nil // it had begun: that is told, and not tried again
		}
		return err
	})
	if waited != nil {
		err = waited
	}
	return result, err
}

// programLines says in a line each how the programs stand.
func programLines(out report.Status, now time.Time) (lines [][2]string) {
	for _, p := range out.Programs {
		lines = append(lines, [2]string{"program", programWords(p, now)})
		for _, problem := range p.Problems {
			if !toldOf(p, problem) {
				lines = append(lines, [2]string{"", string(problem.Severity) + ": " + problemText(problem)})
			}
		}
	}
	return lines
}

// toldOf tells whether the words about a program say already what a problem says.
func toldOf(p holdfast.Standing, problem holdfast.Problem) bool {
	if e := p.Backups.Error; e != "" && strings.Contains(problem.Message, e) {
		return true
	}
	return slices.ContainsFunc(p.Sources, func(s holdfast.SourceStanding) bool {
		return s.DegradedSince != nil && s.Name == problem.Source && strings.Contains(problem.Message, s.Reason)
	})
}

// programWords tell how one program stands.
func programWords(p holdfast.Standing, now time.Time) string {
	words := []string{fmt.Sprintf("process %d: %s, started %s", p.PID, p.State, report.Ago(p.Started.Time, now))}
	for _, s := range p.Sources {
		if s.DegradedSince != nil {
			words = append(words, fmt.Sprintf("%s DEGRADED since %s: in memory, because %s", s.Name, moment(s.DegradedSince.Time), s.Reason))
		}
	}
	if p.Survival != nil && p.Survival.Words != "" {
		words = append(words, "storage: "+p.Survival.Words)
	}
	b := p.Backups
	switch {
	case b.Standby != "":
		words = append(words, "backups are made by "+b.Standby)
	case b.Error != "":
		words = append(words, "backups FAIL: "+b.Error)
	}
	if b.LastAt != nil {
		words = append(words, fmt.Sprintf("last backup %s, %s", b.Last, report.Ago(b.LastAt.Time, now)))
	} else {
		words = append(words, "no backup yet")
	}
	if b.Unsaved != nil {
		words = append(words, "changes unsaved since "+report.Ago(b.Unsaved.Time, now))
	}
	return strings.Join(words, "; ")
}
