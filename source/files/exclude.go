package files

import (
	"path"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// patterns are parsed exclude patterns.
type patterns []pattern

type pattern struct {
	glob    string
	whole   bool // compared with the whole path, not its last element
	dirOnly bool
}

// parsePatterns refuses what path.Match could not use.
func parsePatterns(globs []string) (patterns, error) {
	var all patterns
	for _, g := range globs {
		p := pattern{glob: g}
		p.glob, p.dirOnly = strings.CutSuffix(p.glob, "/")
		p.whole = strings.Contains(p.glob, "/")
		p.glob = strings.TrimPrefix(p.glob, "/")
		if _, err := path.Match(p.glob, ""); err != nil || p.glob == "" {
			return nil, &holdfast.Error{
				Op: "exclude pattern", Object: g, Err: holdfast.Kindf(holdfast.ErrUsage, "not a valid pattern"),
				Hint: "examples: *.tmp, cache/, /build/output",
			}
		}
		all = append(all, p)
	}
	return all, nil
}

// match tells whether an entry is left out.
func (ps patterns) match(rel string, dir bool) bool {
	for _, p := range ps {
		if p.dirOnly && !dir {
			continue
		}
		name := rel
		if !p.whole {
			name = path.Base(rel)
		}
		if ok, _ := path.Match(p.glob, name); ok { // parsePatterns saw that it is valid
			return true
		}
	}
	return false
}
