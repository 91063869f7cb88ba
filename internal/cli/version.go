package cli

import (
	"context"
	"runtime"

	"github.com/holdfast-backup/holdfast"
)

type versionCmd struct{}

func (versionCmd) about() about {
	return about{
		text:     "Prints the version, the repository format it writes, and what it was built with.",
		examples: []example{{"holdfast version --json", "for scripts"}},
	}
}

// versionObject is the outcome of version.
type versionObject struct {
	Type    string `json:"type"` // version
	Version string `json:"version"`
	Format  int    `json:"format"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

// Run prints the version.
func (c *versionCmd) Run(_ context.Context, a *app) error {
	out := versionObject{Type: "version", Version: a.sys.Version, Format: holdfast.FormatVersion, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	a.ui.tell(out, func() {
		a.ui.print("holdfast %s (repository format %d, %s, %s/%s)\n", out.Version, out.Format, out.Go, out.OS, out.Arch)
	})
	return nil
}
