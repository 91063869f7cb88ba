package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (completionCmd) about() about {
	return about{
		text: `Prints a script that completes commands, flags, their values and the names of
backups.`,
		examples: []example{
			{"source <(holdfast completion bash)", "in ~/.bashrc"},
			{"holdfast completion zsh > \"${fpath[1]}/_holdfast\"", "once, for zsh"},
			{"holdfast completion fish > ~/.config/fish/completions/holdfast.fish", "once, for fish"},
		},
	}
}

// completionObject is the outcome of completion.
type completionObject struct {
	Type   string `json:"type"` // completion
	Shell  string `json:"shell"`
	Script string `json:"script"`
}

// Run prints the script, made from the same model that reads arguments.
func (c *completionCmd) Run(_ context.Context, a *app) error {
	script := map[string]func(*kong.Application) string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[c.Shell](a.model)
	a.ui.tell(completionObject{Type: "completion", Shell: c.Shell, Script: script}, func() { a.ui.print("%s", script) })
	return nil
}

// leaves lists the commands that do something, by path.
func leaves(m *kong.Application) []*kong.Node {
	var out []*kong.Node
	for _, n := range m.Children {
		if len(n.Children) == 0 {
			out = append(out, n)
		}
		out = append(out, n.Children...)
	}
	return out
}

// takesBackup tells whether a command's arguments name backups.
func takesBackup(n *kong.Node) bool {
	return len(n.Positional) > 0 && n.Positional[0].Name == "name"
}

// choices are the values that a flag or argument can have.
func choices(v *kong.Value) []string {
	if v.Enum == "" {
		return nil
	}
	return slices.DeleteFunc(v.EnumSlice(), func(s string) bool { return s == "" })
}

// names asks for the backups; a shell that completes must not see errors.
const listNames = "holdfast list --quiet 2>/dev/null"

// words are what can follow a command: flags and fixed arguments.
func words(n *kong.Node, common []*kong.Flag) []string {
	var out []string
	for _, f := range append(append([]*kong.Flag{}, n.Flags...), common...) {
		out = append(out, "--"+f.Name)
	}
	for _, p := range n.Positional {
		out = append(out, choices(p)...)
	}
	return out
}

func bashScript(m *kong.Application) string {
	var b strings.Builder
	b.WriteString(`# bash completion for holdfast
_holdfast() {
    local cur prev cmd word
    cur=${COMP_WORDS[COMP_CWORD]}
    prev=${COMP_WORDS[COMP_CWORD-1]}
    cmd=
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in -*) ;; *) cmd="$cmd${cmd:+ }$word" ;; esac
    done
    case $prev in
`)
	files := map[string]bool{}
	values := map[string][]string{}
	collect := func(flags []*kong.Flag) {
		for _, f := range flags {
			if c := choices(f.Value); len(c) > 0 {
				values["--"+f.Name] = c
			} else if p := flagValue(f); strings.Contains(p, "FILE") || strings.Contains(p, "DIR") {
				files["--"+f.Name] = true
			}
		}
	}
	collect(m.Flags)
	for _, n := range leaves(m) {
		collect(n.Flags)
	}
	for _, flag := range sortedKeys(values) {
		fmt.Fprintf(&b, "        %s) COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n", flag, strings.Join(values[flag], " "))
	}
	fmt.Fprintf(&b, "        %s) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n    esac\n    case $cmd in\n", strings.Join(sortedKeys(files), "|"))
	for _, n := range leaves(m) {
		list := strings.Join(words(n, m.Flags), " ")
		if takesBackup(n) {
			fmt.Fprintf(&b, "        \"%[1]s\"|\"%[1]s \"*) COMPREPLY=($(compgen -W '%[2]s latest '\"$(%[3]s)\" -- \"$cur\")) ;;\n", nodePath(n), list, listNames)
			continue
		}
		fmt.Fprintf(&b, "        \"%[1]s\"|\"%[1]s \"*) COMPREPLY=($(compgen -W '%[2]s' -- \"$cur\")) ;;\n", nodePath(n), list)
	}
	for _, n := range m.Children {
		if len(n.Children) > 0 {
			fmt.Fprintf(&b, "        \"%s\") COMPREPLY=($(compgen -W '%s' -- \"$cur\")) ;;\n", n.Name, strings.Join(childNames(n), " "))
		}
	}
	fmt.Fprintf(&b, "        *) COMPREPLY=($(compgen -W '%s' -- \"$cur\")) ;;\n    esac\n}\ncomplete -o default -F _holdfast holdfast\n",
		strings.Join(append(childNames(m.Node), words(&kong.Node{}, m.Flags)...), " "))
	return b.String()
}

func zshScript(m *kong.Application) string {
	var b strings.Builder
	b.WriteString("#compdef holdfast\n# zsh completion for holdfast\n_holdfast_backups() {\n    local -a names\n    names=(latest ${(f)\"$(" + listNames + ")\"})\n    compadd -a names\n}\n_holdfast() {\n    local -a commands\n    commands=(\n")
	for _, n := range m.Children {
		fmt.Fprintf(&b, "        %s\n", quote(n.Name+":"+n.Help))
	}
	b.WriteString("    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n        return\n    fi\n    case $words[2] in\n")
	for _, n := range m.Children {
		fmt.Fprintf(&b, "        %s) _arguments -S", n.Name)
		for _, f := range append(append([]*kong.Flag{}, n.Flags...), m.Flags...) {
			fmt.Fprintf(&b, " %s", quote(zshFlag(f)))
		}
		switch {
		case len(n.Children) > 0:
			fmt.Fprintf(&b, " %s", quote("2:command:("+strings.Join(childNames(n), " ")+")"))
		case takesBackup(n):
			fmt.Fprintf(&b, " %s", quote("*:backup:_holdfast_backups"))
		case len(n.Positional) > 0:
			fmt.Fprintf(&b, " %s", quote("2:"+n.Positional[0].Name+":("+strings.Join(choices(n.Positional[0]), " ")+")"))
		}
		b.WriteString(" ;;\n")
	}
	b.WriteString("    esac\n}\ncompdef _holdfast holdfast\n")
	return b.String()
}

// zshFlag describes a flag in the language of _arguments.
func zshFlag(f *kong.Flag) string {
	help := strings.NewReplacer("[", "(", "]", ")", ":", " -").Replace(f.Help)
	spec := "--" + f.Name
	if f.IsCumulative() {
		spec = "*" + spec
	}
	value := flagValue(f)
	if value == "" {
		return spec + "[" + help + "]"
	}
	action := ""
	if c := choices(f.Value); len(c) > 0 {
		action = "(" + strings.Join(c, " ") + ")"
	} else if strings.Contains(value, "FILE") || strings.Contains(value, "DIR") {
		action = "_files"
	}
	return spec + "=[" + help + "]:" + strings.ToLower(f.Name) + ":" + action
}

func fishScript(m *kong.Application) string {
	var b strings.Builder
	b.WriteString("# fish completion for holdfast\n")
	for _, n := range m.Children {
		fmt.Fprintf(&b, "complete -c holdfast -f -n __fish_use_subcommand -a %s -d %s\n", n.Name, quote(n.Help))
	}
	for _, f := range m.Flags {
		fmt.Fprintf(&b, "complete -c holdfast %s\n", fishFlag(f))
	}
	for _, n := range m.Children {
		seen := quote("__fish_seen_subcommand_from " + n.Name)
		for _, f := range n.Flags {
			fmt.Fprintf(&b, "complete -c holdfast -n %s %s\n", seen, fishFlag(f))
		}
		switch {
		case len(n.Children) > 0:
			fmt.Fprintf(&b, "complete -c holdfast -f -n %s -a %s\n", seen, quote(strings.Join(childNames(n), " ")))
		case takesBackup(n):
			fmt.Fprintf(&b, "complete -c holdfast -f -n %s -a %s\n", seen, quote("latest ("+listNames+")"))
		case len(n.Positional) > 0:
			fmt.Fprintf(&b, "complete -c holdfast -f -n %s -a %s\n", seen, quote(strings.Join(choices(n.Positional[0]), " ")))
		}
	}
	return b.String()
}

func fishFlag(f *kong.Flag) string {
	out := "-l " + f.Name
	if f.Short != 0 {
		out += " -s " + string(f.Short)
	}
	value := flagValue(f)
	switch c := choices(f.Value); {
	case len(c) > 0:
		out += " -x -a " + quote(strings.Join(c, " "))
	case strings.Contains(value, "FILE") || strings.Contains(value, "DIR"):
		out += " -r"
	case value != "":
		out += " -x"
	}
	return out + " -d " + quote(f.Help)
}

// quote makes one word of s for any of the shells.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
