package cli

import (
	"errors"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/holdfast-backup/holdfast/internal/config"
)

// rewordings turn kong's messages into ours: its suggestions, since ours know
// more, its way to write arguments, and the empty choice that means "not given".
var rewordings = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`, did you mean .*$`), ""},
	{regexp.MustCompile(`"",`), ""},
	{regexp.MustCompile(`^expected one of .*$`), "a command is missing"},
	{regexp.MustCompile(`^expected "?([a-z]+)"?$`), "the command $1 is missing"},
	{regexp.MustCompile(`^expected "<([^>" ]*).*$`), "an argument is missing: $1"},
	{regexp.MustCompile(`^missing flags: `), "still missing: "},
	{regexp.MustCompile(`^(.*): expected \w+ value but got "EOL" .*$`), "$1 has no value"},
	{regexp.MustCompile(`^(.*): expected \w+ value but got "(.*)" \(.*$`), `$1 has no value; one that begins with - is written $1="$2"`},
	{regexp.MustCompile(`^(.*): expected a valid \d+ bit int but got ("-?\d+")$`), "$1: $2 is too large a number"},
	{regexp.MustCompile(`^(.*): expected a valid \d+ bit int but got (".*")$`), "$1 takes a whole number, which $2 is not"},
	{regexp.MustCompile(`: bool value must be (.*) but got (".*")$`), ": $2 is none of $1"},
	{regexp.MustCompile(`^unexpected argument (.*)$`), "$1 is not known here"},
}

// plain is what kong says in our words.
func plain(err error) error {
	text := err.Error()
	for _, r := range rewordings {
		text = r.pattern.ReplaceAllString(text, r.by)
	}
	return errors.New(text)
}

// suggestion names the command or flag that was meant, or gives the fallback.
func suggestion(args []string, m *kong.Application, fallback string) string {
	node := m.Node
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if strings.HasPrefix(arg, "-") {
			if near := nearestFlag(arg, node); near != "" {
				return "did you mean " + near + "?"
			}
			continue
		}
		if len(node.Children) == 0 || (i > 0 && takesValue(args[i-1], node)) {
			continue
		}
		names, next := childNames(node), childNamed(node, arg)
		if next == nil {
			if near := config.Nearest(arg, names); near != "" {
				return "did you mean `holdfast " + strings.TrimSpace(pathBelow(node)+" "+near) + "`?"
			}
			return fallback
		}
		node = next
	}
	return fallback
}

func pathBelow(n *kong.Node) string {
	if n.Type == kong.ApplicationNode {
		return ""
	}
	return nodePath(n)
}

func childNames(n *kong.Node) []string {
	var names []string
	for _, c := range n.Children {
		names = append(names, c.Name)
	}
	return names
}

func childNamed(n *kong.Node, name string) *kong.Node {
	for _, c := range n.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// flagsOf gives the flags that can be used at n.
func flagsOf(n *kong.Node) []*kong.Flag {
	var flags []*kong.Flag
	for ; n != nil; n = n.Parent {
		flags = append(flags, n.Flags...)
	}
	return flags
}

// nearestFlag gives the flag that arg was meant to be, empty if it is one.
func nearestFlag(arg string, n *kong.Node) string {
	name, _, _ := strings.Cut(arg, "=")
	var names []string
	for _, f := range flagsOf(n) {
		if name == "--"+f.Name || (f.Short != 0 && name == "-"+string(f.Short)) {
			return ""
		}
		names = append(names, "--"+f.Name)
	}
	if !strings.HasPrefix(name, "--") {
		return ""
	}
	return config.Nearest(name, names)
}

// takesValue tells whether arg is a flag whose value is the next argument.
func takesValue(arg string, n *kong.Node) bool {
	for _, f := range flagsOf(n) {
		if arg == "--"+f.Name {
			return !f.IsBool()
		}
	}
	return false
}
