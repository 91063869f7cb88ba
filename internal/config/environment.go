package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/joho/godotenv"

	"github.com/holdfast-backup/holdfast"
)

// fileSuffix on an environment name gives a file that holds the value.
const fileSuffix = "_FILE"

// forHooks are variables that holdfast sets for the hooks and programs it runs;
// they may call holdfast again.
var forHooks = []string{
	envPrefix + "OP", envPrefix + "BACKUP", envPrefix + "STATUS",
	envPrefix + "OPERATION", envPrefix + "TRIGGER", envPrefix + "RESULT", envPrefix + "ERROR",
	envPrefix + "SOURCE_NAMES", envPrefix + "RELOAD", envPrefix + "STORED_BYTES",
}

// readEnvironment reads variables as a layer. Foreign variables are ignored;
// an unknown one that begins with HOLDFAST_ is a mistake. An empty variable
// counts as unset, as compose files leave them.
func readEnvironment(vars map[string]string, from Layer) *layer {
	l := newLayer()
	names := make([]string, 0, len(vars))
	for name, v := range vars {
		if v != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	where := func(name string) string {
		if from == FromDotEnv {
			return DotEnv + " " + name
		}
		return name
	}
	known := map[string]Key{}
	for _, k := range Keys() {
		known[k.Env()] = k
		for _, m := range k.Manual {
			known[m] = k
		}
	}
	for _, name := range names {
		switch {
		case name == envConfig, slices.Contains(forHooks, name):
		case name == sourcesEnv:
			l.parse([]byte(vars[name]), where(name), from, sourcesKey)
		case name == replicasEnv:
			l.parse([]byte(vars[name]), where(name), from, replicasKey)
		case known[name].Name != "":
			l.take(known[name], name, setting{raw: vars[name], origin: Origin{Layer: from, Where: name}, secret: known[name].EnvOnly}, where(name))
		case strings.HasPrefix(name, envPrefix):
			base, isFile := strings.CutSuffix(name, fileSuffix)
			k, ok := known[base]
			switch {
			case isFile && ok:
				if raw, ok := l.readValue(where(name), vars[name]); ok {
					l.take(k, name, setting{raw: raw, origin: Origin{Layer: from, Where: name}, secret: true}, where(name))
				}
			default:
				l.unknownVariable(name, where(name))
			}
		}
	}
	return l
}

// take notes a variable's value. Two names of one key must agree.
func (l *layer) take(k Key, name string, s setting, where string) {
	old, taken := l.values[k.Name]
	if !taken || old.raw == s.raw {
		l.values[k.Name] = s
		return
	}
	if k.Name == "retention.days" && !strings.HasPrefix(name, envPrefix) && !strings.HasPrefix(old.origin.Where, envPrefix) {
		l.values[k.Name] = longer(old, s)
		return
	}
	l.fault(where, "keep one of them", "it says %s, but %s says %s", quoted(s), old.origin.Where, quoted(old))
}

func quoted(s setting) string {
	if s.secret {
		return "another value"
	}
	return fmt.Sprintf("%q", s.raw)
}

// longer joins the manual's two names of the retention time: the longer one
// holds, since it loses nothing. Values that are no numbers are judged later.
func longer(a, b setting) setting {
	var x, y Config
	parse := days(func(c *Config) *int { return &c.Retention.Days })
	if parse(&x, a.raw) != nil {
		return a
	}
	if parse(&y, b.raw) != nil {
		return b
	}
	// Zero keeps everything, which is longest.
	if y.Retention.Days == 0 || (x.Retention.Days != 0 && y.Retention.Days > x.Retention.Days) {
		a, b = b, a
	}
	a.note = fmt.Sprintf("%s says %s days and %s says %s; the longer time holds", a.origin.Where, a.raw, b.origin.Where, b.raw)
	return a
}

// readValue reads the file that a …_FILE variable names.
func (l *layer) readValue(where, path string) (string, bool) {
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxFile) {
		err = errors.New("not a small regular file")
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		l.fault(where, "", "cannot read %s: %v", path, cause(err))
		return "", false
	}
	return strings.TrimRight(string(data), "\r\n"), true
}

// unknownVariable notes a HOLDFAST_ variable that means nothing.
func (l *layer) unknownVariable(name, where string) {
	names := []string{envConfig, sourcesEnv, replicasEnv}
	for _, k := range Keys() {
		names = append(names, k.Env())
	}
	hint := "`holdfast config show` lists the known names"
	if near := Nearest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	}
	l.fault(where, hint, "unknown variable")
}

// readDotEnv reads .env in the working directory, never into the process.
func readDotEnv() (map[string]string, error) {
	data, err := os.ReadFile(DotEnv)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, &holdfast.Error{Op: "configuration", Object: DotEnv, Err: holdfast.Kindf(holdfast.ErrUsage, "cannot read it: %v", cause(err))}
	}
	data = bytes.TrimPrefix(data, byteOrderMark)
	vars, err := godotenv.UnmarshalBytes(data)
	if err != nil {
		// The parser's message quotes the file, which may hold secrets.
		return nil, &holdfast.Error{
			Op: "configuration", Object: fmt.Sprintf("%s:%d", DotEnv, firstBadLine(data)),
			Err:  holdfast.Kindf(holdfast.ErrUsage, "is not NAME=value"),
			Hint: "lines are NAME=value; comments begin with #",
		}
	}
	return vars, nil
}

// firstBadLine finds the line after the longest beginning that parses.
func firstBadLine(data []byte) int {
	good, end := 0, 0
	for n, line := range bytes.SplitAfter(data, []byte("\n")) {
		end += len(line)
		if _, err := godotenv.UnmarshalBytes(data[:end]); err == nil {
			good = n + 1
		}
	}
	return good + 1
}

// environMap reads the form of os.Environ.
func environMap(environ []string) map[string]string {
	vars := make(map[string]string, len(environ))
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok {
			vars[name] = value
		}
	}
	return vars
}
