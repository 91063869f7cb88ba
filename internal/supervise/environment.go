package supervise

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// The variables that tell a program where its data lies.
const (
	databasePath   = "DATABASE_PATH"
	databasePrefix = databasePath + "_" // and the name of the source
	statusPath     = "HOLDFAST_STATUS"
)

// tellPath says that the program is not given the path that its environment names.
func (s *supervisor) tellPath() {
	for _, e := range s.Environ {
		was, found := strings.CutPrefix(e, databasePath+"=")
		if !found || was == "" {
			continue
		}
		ours := s.locations()[databasePath]
		if abs, err := filepath.Abs(was); err != nil || abs != ours {
			s.warn(holdfast.Problem{
				Object: databasePath, Severity: holdfast.Warning,
				Message: fmt.Sprintf("it was %s, and the program gets %s, which is the source that was named", was, ours),
				Hint:    "name no source if the database that DATABASE_PATH names is to be protected",
			})
		}
	}
}

// environment is that of the program: its own, and where its data lies now.
func (s *supervisor) environment() []string {
	set := s.locations()
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

// locations are the variables that tell where the data lies now.
func (s *supervisor) locations() map[string]string {
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
	return set
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
