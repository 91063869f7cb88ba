package daemon

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/redact"
)

// Attribute keys of the log.
const (
	keyOperation  = "op_id"
	keyAddress    = "address"
	keyError      = "error"
	keyHint       = "hint"
	keyObject     = "object"
	keyBackup     = "backup"
	keyReplica    = "replica"
	keyRepository = "repository"
	keyHolder     = "holder"
	keySignal     = "signal"
	keyUpstream   = "upstream"
	keyOutcome    = "outcome"
	keyJobs       = "jobs"
)

// A Log is where a daemon writes what it does: form and level follow the configuration,
// also when that is read again, and no secret of it gets through.
type Log struct {
	w     io.Writer
	force string       // a format that no configuration changes
	level slog.Leveler // nil: that of the configuration
	now   atomic.Pointer[sink]
}

// sink is how the log is written now.
type sink struct {
	handler slog.Handler
	secrets []string
}

// NewLog writes to w, as text at the level info until a configuration is known. A format
// or level that is given is that of every configuration.
func NewLog(w io.Writer, format string, level slog.Leveler) *Log {
	l := &Log{w: w, force: format, level: level}
	l.follow(config.Log{Format: "text", Level: "info"}, nil)
	return l
}

// Follow takes form, level and secrets from a configuration.
func (l *Log) Follow(c *config.Config) { l.follow(c.Log, secretsOf(c)) }

func (l *Log) follow(c config.Log, secrets []string) {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // an unknown one is info; the configuration lets none pass
	o := &slog.HandlerOptions{Level: level}
	if l.level != nil {
		o.Level = l.level
	}
	format := c.Format
	if l.force != "" {
		format = l.force
	}
	var h slog.Handler = slog.NewTextHandler(l.w, o)
	if format == "json" {
		h = slog.NewJSONHandler(l.w, o)
	}
	l.now.Store(&sink{handler: h, secrets: secrets})
}

// Logger gives the logger.
func (l *Log) Logger() *slog.Logger { return slog.New(&logHandler{log: l}) }

// secretsOf lists what a configuration holds that must appear nowhere.
func secretsOf(c *config.Config) []string {
	urls := append(append([]string{c.Ping.URL, c.Ping.Start, c.Ping.Success, c.Ping.Fail}, c.Notify.URLs...), c.Webhooks.URLs...)
	secrets := redact.Secrets(urls...)
	for _, s := range []string{c.Webhooks.Secret, c.Encryption.Passphrase} {
		if s != "" {
			secrets = append(secrets, s)
		}
	}
	return secrets
}

// A logHandler adds the id of the operation to each record, and takes secrets out of it.
type logHandler struct {
	log  *Log
	wrap []func(slog.Handler) slog.Handler // attributes and groups, in their order
}

func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.log.now.Load().handler.Enabled(ctx, level)
}

func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	s := h.log.now.Load()
	clean := slog.NewRecord(r.Time.UTC(), r.Level, redact.Text(r.Message, s.secrets...), r.PC)
	named := false
	r.Attrs(func(a slog.Attr) bool {
		named = named || a.Key == keyOperation
		clean.AddAttrs(s.clean(a))
		return true
	})
	if id := holdfast.OperationOf(ctx); id != "" && !named {
		clean.AddAttrs(slog.String(keyOperation, id))
	}
	out := s.handler
	for _, wrap := range h.wrap {
		out = wrap(out)
	}
	return out.Handle(ctx, clean)
}

// clean takes the secrets out of an attribute, and writes durations for people.
func (s *sink) clean(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, redact.Text(v.String(), s.secrets...))
	case slog.KindDuration: // with its unit in both forms; JSON would have nanoseconds
		return slog.String(a.Key, v.Duration().Round(time.Millisecond).String())
	case slog.KindGroup:
		group := make([]slog.Attr, 0, len(v.Group()))
		for _, inner := range v.Group() {
			group = append(group, s.clean(inner))
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(group...)}
	case slog.KindAny:
		if v.Any() == nil {
			return a
		}
		if e, ok := v.Any().(error); ok {
			return slog.String(a.Key, redact.Text(e.Error(), s.secrets...))
		}
		return slog.String(a.Key, redact.Text(fmt.Sprint(v.Any()), s.secrets...))
	}
	return a
}

func (h *logHandler) with(wrap func(slog.Handler) slog.Handler) slog.Handler {
	return &logHandler{log: h.log, wrap: append(h.wrap[:len(h.wrap):len(h.wrap)], wrap)}
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	secrets := h.log.now.Load()
	clean := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		clean = append(clean, secrets.clean(a))
	}
	return h.with(func(inner slog.Handler) slog.Handler { return inner.WithAttrs(clean) })
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	return h.with(func(inner slog.Handler) slog.Handler { return inner.WithGroup(name) })
}
