package keeper

import (
	"context"
	"log/slog"
)

// Attribute keys of the log.
const (
	keyOpID       = "op_id"
	keyBackup     = "backup"
	keyTrigger    = "trigger"
	keyForm       = "form"
	keyBytes      = "bytes"
	keyDuration   = "duration"
	keyError      = "error"
	keyHint       = "hint"
	keyObject     = "object"
	keySource     = "source"
	keyFailed     = "failed"
	keyRepository = "repository"
	keyStandby    = "standby"
)

// quiet gives a logger for an engine that works every minute: what it does is of
// interest to whoever looks for something, what goes wrong to all.
func quiet(l *slog.Logger) *slog.Logger { return slog.New(demoted{l.Handler()}) }

// demoted logs what is only information as detail.
type demoted struct{ slog.Handler }

func level(l slog.Level) slog.Level {
	if l == slog.LevelInfo {
		return slog.LevelDebug
	}
	return l
}

func (d demoted) Enabled(ctx context.Context, l slog.Level) bool {
	return d.Handler.Enabled(ctx, level(l))
}

func (d demoted) Handle(ctx context.Context, r slog.Record) error {
	r.Level = level(r.Level)
	return d.Handler.Handle(ctx, r)
}

func (d demoted) WithAttrs(a []slog.Attr) slog.Handler { return demoted{d.Handler.WithAttrs(a)} }
func (d demoted) WithGroup(name string) slog.Handler   { return demoted{d.Handler.WithGroup(name)} }
