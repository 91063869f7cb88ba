package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/holdfast-backup/holdfast"
)

// about is the long help of a command.
type about struct {
	text     string // paragraphs
	examples []example
	// exits are the exit codes that the command can end with, beside 0, 1, 2
	// and 130.
	exits []int
}

type example struct{ line, does string }

// described is a command with help of its own.
type described interface{ about() about }

// errHelpShown ends parsing once help was printed.
var errHelpShown = errors.New("help was shown")

// helpFlag prints help as soon as it is met, whatever else is missing.
type helpFlag bool

// IsBool implements kong.BoolMapperExt's question for flags without a value.
func (helpFlag) IsBool() bool { return true }

// BeforeReset is called by kong when the flag is on the command line.
func (helpFlag) BeforeReset(ctx *kong.Context, app *kong.Kong) error {
	if node := ctx.Selected(); node != nil {
		helpFor(app.Stdout, node)
	} else {
		overview(app.Stdout, app.Model)
	}
	return errHelpShown
}

// exitMeanings are the exit codes in words.
var exitMeanings = map[int]string{
	holdfast.ExitDone:        "done",
	holdfast.ExitFailed:      "failed",
	holdfast.ExitUsage:       "wrong usage or configuration; nothing was changed",
	holdfast.ExitIncomplete:  "done, but something is incomplete or needs attention",
	holdfast.ExitNotFound:    "no repository, no such backup, or a source that is not there",
	holdfast.ExitLocked:      "another process holds the repository or the data",
	holdfast.ExitDamaged:     "damage was found; it is named by file",
	holdfast.ExitRefused:     "refused: space, size limit, a newer format, or data in use",
	holdfast.ExitInterrupted: "interrupted; nothing half-done is left",
}

func holdfastExit(code int) string { return fmt.Sprintf("%d %s", code, exitMeanings[code]) }

// overview prints all commands by group.
func overview(w io.Writer, m *kong.Application) {
	fmt.Fprintf(w, "holdfast keeps the state of small AI applications and bots safe: Chroma\ndirectories and servers, the memory of RAG assistants, SQLite databases and files.\n\nUsage: holdfast COMMAND [flags]\n")
	for _, g := range groups {
		fmt.Fprintf(w, "\n%s\n", g.title)
		for _, n := range m.Children {
			if n.Group != nil && n.Group.Key == g.key {
				fmt.Fprintf(w, "  %-11s %s\n", n.Name, n.Help)
			}
		}
	}
	fmt.Fprint(w, "\nFlags of every command\n")
	flagTable(w, m.Flags)
	fmt.Fprint(w, `
Without a configuration file and source flags, ./data/chromadb is protected, or
else the database that DATABASE_PATH names.
`+"`holdfast COMMAND --help` shows examples and exit status; a backup can be named\nby its name or as \"latest\", the newest that is not an emergency backup.\n")
}

// helpFor prints the help of one command.
func helpFor(w io.Writer, n *kong.Node) {
	fmt.Fprintf(w, "%s\n\nUsage: %s\n", n.Help, usageLine(n))
	if len(n.Children) > 0 {
		fmt.Fprint(w, "\nCommands\n")
		for _, c := range n.Children {
			fmt.Fprintf(w, "  %-11s %s\n", c.Name, c.Help)
		}
		var all []example
		for _, c := range n.Children {
			all = append(all, aboutOf(c).examples...)
		}
		examples(w, all)
		fmt.Fprintf(w, "\n`holdfast %s COMMAND --help` tells more.\n", nodePath(n))
		return
	}
	d := aboutOf(n)
	if d.text != "" {
		fmt.Fprintf(w, "\n%s\n", d.text)
	}
	if len(n.Positional) > 0 {
		fmt.Fprint(w, "\nArguments\n")
		for _, p := range n.Positional {
			fmt.Fprintf(w, "  %-24s %s\n", strings.ToUpper(p.Name), p.Help)
		}
	}
	if len(n.Flags) > 0 {
		fmt.Fprint(w, "\nFlags\n")
		flagTable(w, n.Flags)
	}
	fmt.Fprint(w, "\nThe flags of every command are listed by `holdfast --help`.\n")
	examples(w, d.examples)
	fmt.Fprint(w, "\nExit status\n")
	for _, code := range exitsOf(d) {
		fmt.Fprintf(w, "  %-4d %s\n", code, exitMeanings[code])
	}
}

// examples prints what a command may look like.
func examples(w io.Writer, all []example) {
	if len(all) == 0 {
		return
	}
	fmt.Fprint(w, "\nExamples\n")
	for _, e := range all {
		fmt.Fprintf(w, "  %s\n      %s\n", e.line, e.does)
	}
}

// aboutOf finds the help that a command's struct carries.
func aboutOf(n *kong.Node) about {
	if !n.Target.IsValid() || !n.Target.CanAddr() {
		return about{}
	}
	if d, ok := n.Target.Addr().Interface().(described); ok {
		return d.about()
	}
	return about{}
}

// exitsOf lists a command's exit codes in order.
func exitsOf(d about) []int {
	codes := []int{holdfast.ExitDone, holdfast.ExitFailed, holdfast.ExitUsage}
	codes = append(codes, d.exits...)
	return append(codes, holdfast.ExitInterrupted)
}

func usageLine(n *kong.Node) string {
	var b strings.Builder
	b.WriteString("holdfast " + nodePath(n))
	if len(n.Children) > 0 {
		b.WriteString(" COMMAND")
	}
	for _, p := range n.Positional {
		if p.Passthrough { // a command of its own: flags after it are not ours
			return b.String() + " [flags] -- " + strings.ToUpper(p.Name) + "…"
		}
		b.WriteByte(' ')
		text := strings.ToUpper(p.Name)
		if p.IsCumulative() {
			text += "…"
		}
		if !p.Required {
			text = "[" + text + "]"
		}
		b.WriteString(text)
	}
	b.WriteString(" [flags]")
	return b.String()
}

// flagTable prints flags with their help beside them.
func flagTable(w io.Writer, flags []*kong.Flag) {
	for _, f := range flags {
		if f.Hidden {
			continue
		}
		fmt.Fprintf(w, "  %-34s %s\n", flagForm(f), f.Help)
	}
}

// flagForm is how a flag is written.
func flagForm(f *kong.Flag) string {
	short := "    "
	if f.Short != 0 {
		short = "-" + string(f.Short) + ", "
	}
	form := short + "--" + f.Name
	if value := flagValue(f); value != "" {
		form += "=" + value
	}
	return form
}

// flagValue is what stands after the flag, empty for a switch.
func flagValue(f *kong.Flag) string {
	if value := f.Tag.Get("value"); value != "" || f.IsBool() {
		return value
	}
	return strings.ToUpper(f.Name)
}

// sortedCodes lists every exit code.
func sortedCodes() []int { return slices.Sorted(maps.Keys(exitMeanings)) }
