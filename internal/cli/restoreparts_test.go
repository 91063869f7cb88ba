package cli

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// The command that is shown beside a row names that row, whatever it and its table are
// called.
func TestRestore_TheShownCommandMeansItsRow(t *testing.T) {
	for _, c := range []struct{ table, key string }{
		{"notes", "doc-1"}, {"a=b", "k"}, {"a==b=", "k"}, {"=", "k"}, {"-t", "-k"}, {"notes", "-"},
	} {
		for kind, of := range map[holdfast.TableKind]holdfast.Kind{holdfast.KindCollection: holdfast.KindChroma, holdfast.KindTable: holdfast.KindSQLite} {
			command := report.RestoreRow("monday", "bot", kind, c.table, c.key)
			said, command, piped := strings.Cut(command, " | ")
			if !piped {
				said, command = "", said
			}
			var r root
			parser, err := newParser(&r, io.Discard, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.Parse(strings.Fields(command)[1:]); err != nil {
				t.Fatalf("%s: %v", command, err)
			}
			input := strings.NewReader(strings.TrimPrefix(said, "echo ") + "\n")
			parts, got, err := r.Restore.wanted(&app{sys: System{Stdin: input}})
			if err != nil || got != of || len(parts) != 1 || parts[0].Table != c.table || parts[0].As != "" || !slices.Equal(parts[0].Keys, []string{c.key}) {
				t.Errorf("%s means %+v of a source of kind %s, %v; want row %q of %q", command, parts, got, err, c.key, c.table)
			}
		}
	}
}

// A new name that is empty is a mistake: it must not be taken for none.
func TestRestore_AnEmptyNewNameReplacesNothing(t *testing.T) {
	for word, ok := range map[string]bool{"notes": true, "notes=new": true, "notes=": false, "a==": true, "a===": false, "a==b=": false} {
		for _, f := range []partFlags{{Collection: []string{word}}, {Table: []string{word}}} {
			if parts, _, err := f.wanted(&app{}); (err == nil) != ok || ok != (len(parts) == 1) {
				t.Errorf("%s: %+v, %v", word, parts, err)
			}
		}
	}
}

func TestRenamed(t *testing.T) {
	for word, want := range map[string][2]string{
		"notes": {"notes", ""}, "notes=new": {"notes", "new"}, "a==b=c": {"a=b", "c"}, "a=b=c": {"a", "b=c"}, "a==": {"a=", ""}, "=b": {"", "b"},
	} {
		if name, to := renamed(word); name != want[0] || to != want[1] {
			t.Errorf("%s is %q as %q, want %q", word, name, to, want)
		}
	}
}
