package supervise

import (
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// The variables that tell a program where its data lies.
const (
	databasePath   = "DATABASE_PATH"
	databasePrefix = databasePath + "_" // and the name of the source
	statusPath     = "HOLDFAST_STATUS"
)

// environment is that of the program: its own, and where its data lies now.
func (s *supervisor) environment() []string {
	set := map[string]string{}
	var first, firstSQLite string
	for _, p := range s.places {
		at := p.path()
		if name := databasePrefix + variable(p.conf.Name); set[name] == "" {
			set[name] = at
		}
		if first == "" {
			first = at
		}
		if firstSQLite == "" && p.conf.Kind == holdfast.KindSQLite {
			firstSQLite = at
		}
	}
	set[databasePath] = firstSQLite
	if firstSQLite == "" {
		set[databasePath] = first
	}
	if file := s.server.StatusFile(); file != "" {
		set[statusPath] = file
	}
	var env []string
	for _, e := range s.Environ {
		name, _, _ := strings.Cut(e, "=")
		if _, ours := set[name]; !ours {
			env = append(env, e)
		}
	}
	for name, value := range set {
		env = append(env, name+"="+value)
	}
	return env
}

// variable is a source's name as a part of a variable's name.
func variable(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToUpper(name))
}
