package wire

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
)

// DrillRequest asks for the drill of a backup as it is configured.
func DrillRequest(c *config.Config, name string) engine.DrillRequest {
	return engine.DrillRequest{Name: name, Dir: c.Drill.Dir, Timeout: c.Drill.Timeout, Commands: commands(c)}
}

// commands start the owner of a source of a kind on a directory.
func commands(c *config.Config) map[holdfast.Kind]string {
	all := map[holdfast.Kind]string{}
	if c.Drill.ChromaCommand != "" {
		all[holdfast.KindChroma] = c.Drill.ChromaCommand
	}
	return all
}
