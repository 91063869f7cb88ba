package wire

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
)

// DrillRequest asks for the drill of a backup as it is configured.
func DrillRequest(c *config.Config, name string) engine.DrillRequest {
	req := engine.DrillRequest{Name: name, Dir: c.Drill.Dir, Timeout: c.Drill.Timeout, Commands: map[holdfast.Kind]string{}}
	if c.Drill.ChromaCommand != "" {
		req.Commands[holdfast.KindChroma] = c.Drill.ChromaCommand
	}
	return req
}
