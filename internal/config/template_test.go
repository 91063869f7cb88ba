package config

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// What init writes must be read back as what it was made from, whatever the
// names and paths look like.
func TestTemplate_ReadsBackAsItWasMade(t *testing.T) {
	at(t, nil)
	made := load(t, Flags{Repository: "the backups: all, of {them}", Sources: []Source{
		{Name: "chromadb", Kind: holdfast.KindChroma, Path: "data/#1", Memory: []string{"a: b", "c, d", "true"}},
		{Name: "ربات", Kind: holdfast.KindSQLite, Path: `it's "quoted"\.db`},
		{Name: "123", Kind: holdfast.KindFiles, Path: "- dash"},
		{Name: "yes", Kind: holdfast.KindFiles, Path: "*star"},
	}})
	text, err := Template(made, FileName)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(FileName, text, 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := Load(Flags{}, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if read.Repository != made.Repository || len(read.Sources) != len(made.Sources) {
		t.Fatalf("read back %+v\n%s", read, text)
	}
	for i, s := range made.Sources {
		got := read.Sources[i]
		if got.Name != s.Name || got.Kind != s.Kind || got.Path != s.Path || len(got.Memory) != len(s.Memory) || got.RAGMode != s.RAGMode {
			t.Errorf("source %+v is read back as %+v", s, got)
		}
		for j, m := range s.Memory {
			if got.Memory[j] != m {
				t.Errorf("collection %q is read back as %q", m, got.Memory[j])
			}
		}
	}
}

// Every setting is in the file, commented out, under its right key: with the
// comment signs taken away it still loads.
func TestTemplate_CommentedSettingsAreRight(t *testing.T) {
	at(t, nil)
	text, err := Template(load(t, Flags{}), FileName)
	if err != nil {
		t.Fatal(err)
	}
	l := newLayer()
	l.parse(uncomment(text), FileName, FromFile, "")
	for _, err := range l.errs {
		t.Errorf("%v", err)
	}
	for _, k := range Keys()[1:] { // the repository is set in the file itself
		if _, ok := l.values[k.Name]; !ok && k.Default != "" {
			t.Errorf("%s is not in the file", k.Name)
		}
	}
}

// settingLine is a line of the file that sets something, below its comment sign.
var settingLine = regexp.MustCompile(`(?m)^# ?((?:  )?[a-z_]+:(?: \S+)?)$`)

// uncomment gives the lines that set something and have a value, or begin a
// group.
func uncomment(text []byte) []byte {
	var out []byte
	for _, m := range settingLine.FindAllSubmatch(text, -1) {
		line := string(m[1])
		if name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); value == "" && !isGroup(name) {
			continue
		}
		out = append(out, line+"\n"...)
	}
	return out
}
