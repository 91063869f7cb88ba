package startup

import (
	"path/filepath"
	"strings"
	"testing"
)

// A plan names files beside its target only, and none that Place would not make.
func FuzzParsePlan(f *testing.F) {
	f.Add([]byte(`{"version":1,"stage":".holdfast-place-.tmp-bot.db-AAAAAAAAAAAAA","aside":"bot.db.before-20261103_140000","companions":["-wal"],"begun":"2026-11-03T14:00:00.000Z"}`))
	f.Add([]byte(`{"version":1,"stage":".holdfast-place-x","aside":"..","companions":["/etc"]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, ok := parsePlan(data, "bot.db")
		if !ok {
			return
		}
		for _, c := range append([]string{""}, p.Companions...) {
			for name, begins := range map[string]string{p.Stage + c: stagePrefix, p.Aside + c: "bot.db" + asideInfix} {
				if filepath.Dir(filepath.Join("dir", name)) != "dir" || !strings.HasPrefix(name, begins) {
					t.Errorf("%q is followed to %q", data, name)
				}
			}
		}
	})
}
