package wire

import (
	"log/slog"

	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/around"
	"github.com/holdfast-backup/holdfast/internal/config"
)

// Around makes what the configuration wants to be told before and after backups and
// restores: hooks, webhooks, pings; nil if nothing. Whoever makes several engines for
// one configuration gives all of them the same.
func Around(c *config.Config, logger *slog.Logger, toolVersion string) engine.Around {
	return around.New(c, around.Options{Logger: logger, ToolVersion: toolVersion})
}
