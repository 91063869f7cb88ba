package cli

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/holdfast-backup/holdfast/internal/config"
)

// reference writes docs/cli.md from the model that reads the arguments, so
// that the two cannot differ.
func reference(m *kong.Application) string {
	var b strings.Builder
	b.WriteString("# Command line\n\nGenerated from the program; `go test ./internal/cli -run TestReference -update` writes it anew.\n\n")
	b.WriteString("A backup can be named by its name or as `latest`, the newest that is not an emergency backup (with `restore --only`, the newest of those that have what is named). Data goes to\nstandard output, everything else to standard error; [json.md](json.md) describes `--json`.\n\n## Flags of every command\n\n")
	flagLines(&b, m.Flags)
	b.WriteString("\n## Exit status\n\n| code | meaning |\n|---|---|\n")
	for _, code := range sortedCodes() {
		fmt.Fprintf(&b, "| %d | %s |\n", code, exitMeanings[code])
	}
	b.WriteString("\n## Commands\n")
	for _, g := range groups {
		fmt.Fprintf(&b, "\n### %s\n", g.title)
		for _, n := range leaves(m) {
			if group := n.ClosestGroup(); group != nil && group.Key == g.key {
				commandReference(&b, n)
			}
		}
	}
	settingReference(&b)
	return b.String()
}

// commandReference describes one command.
func commandReference(b *strings.Builder, n *kong.Node) {
	d := aboutOf(n)
	fmt.Fprintf(b, "\n#### holdfast %s\n\n%s\n\n```\n%s\n```\n", nodePath(n), n.Help, usageLine(n))
	if d.text != "" {
		fmt.Fprintf(b, "\n%s\n", d.text)
	}
	if len(n.Positional)+len(n.Flags) > 0 {
		b.WriteString("\n")
	}
	for _, p := range n.Positional {
		fmt.Fprintf(b, "- `%s`: %s\n", strings.ToUpper(p.Name), p.Help)
	}
	flagLines(b, n.Flags)
	b.WriteString("\n```sh\n")
	for _, e := range d.examples {
		fmt.Fprintf(b, "%s   # %s\n", e.line, e.does)
	}
	var codes []string
	for _, code := range exitsOf(d) {
		codes = append(codes, fmt.Sprint(code))
	}
	fmt.Fprintf(b, "```\n\nExit status: %s\n", strings.Join(codes, ", "))
}

func flagLines(b *strings.Builder, flags []*kong.Flag) {
	for _, f := range flags {
		fmt.Fprintf(b, "- `%s`: %s\n", strings.TrimSpace(flagForm(f)), f.Help)
	}
}

// settingReference lists the keys of the configuration.
func settingReference(b *strings.Builder) {
	b.WriteString("\n## Settings\n\nA flag wins over the environment, the environment over `.env`, `.env` over the configuration file (`--config`,\n" +
		"`HOLDFAST_CONFIG`, `./holdfast.yaml`, `./holdfast.yml`), the file over the default. An empty variable counts as unset. A\n" +
		"`HOLDFAST_` name followed by `_FILE` names a file that holds the value. Relative paths in the file are meant from the\n" +
		"file's folder, elsewhere from the working directory. Unknown keys and unknown `HOLDFAST_` names are errors.\n\n" +
		"| key | environment | manuals' name | default | meaning |\n|---|---|---|---|---|\n")
	for _, k := range config.Keys() {
		manual, value := "", ""
		if len(k.Manual) > 0 {
			manual = "`" + strings.Join(k.Manual, "`, `") + "`"
		}
		if k.Default != "" {
			value = "`" + k.Default + "`"
		}
		name := "`" + k.Name + "`"
		if k.EnvOnly {
			name = "none"
		}
		fmt.Fprintf(b, "| %s | `%s` | %s | %s | %s |\n", name, k.Env(), manual, value, k.Doc)
	}
	b.WriteString("| `sources` | `HOLDFAST_SOURCES` (as YAML) | | `./data/chromadb`, if it exists | What is protected: a map from a name to `type` (chroma, sqlite, files), `path`, and for Chroma `memory: {collection: …}` and `rag_mode` (enhanced, standard), for files `exclude` (patterns). |\n")
}
