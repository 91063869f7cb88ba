package cli

import (
	"bufio"
	"io"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// partFlags choose parts of a source, and what takes them.
type partFlags struct {
	Collection    []string `sep:"none" value:"[T/D/]NAME[=NEW]" help:"Only this collection, under a new name if one is given; a = of a name is written ==; repeatable."`
	Table         []string `sep:"none" value:"NAME[=NEW]" help:"Only this table of a SQLite database; repeatable."`
	Database      []string `sep:"none" value:"[TENANT/]NAME" help:"Only this database of a Chroma server; repeatable."`
	ID            []string `name:"id" sep:"none" value:"ID" help:"Only this record or row of the one collection or table; repeatable. - reads one ID a line from standard input."`
	Exact         bool     `help:"Remove what the backup does not have: of the records named, or of the database named its other collections."`
	Into          string   `value:"URL" help:"Into this running Chroma server, in place of the configured source. Its token: HOLDFAST_CHROMA_HEADERS."`
	AcceptLosses  bool     `help:"Go on although the server cannot keep all of it; --dry-run lists what would be lost."`
	KeepReplaced  bool     `help:"Keep what is replaced in the server, under another name."`
	ChromaCommand string   `value:"COMMAND" help:"Shell command that starts a Chroma server, to make a directory of the records of a server (default: drill.chroma_command)."`
}

// settings are the keys that the flags set.
func (f *partFlags) settings() map[string]config.FlagValue {
	if f.ChromaCommand == "" {
		return nil
	}
	return map[string]config.FlagValue{"drill.chroma_command": {Flag: "--chroma-command", Value: f.ChromaCommand}}
}

// wanted gives the parts that the flags name, and of what kind of source; none is all.
func (f *partFlags) wanted(a *app) ([]holdfast.Part, holdfast.Kind, error) {
	kind := holdfast.KindChroma
	var parts []holdfast.Part
	// A variable of a shell that is empty must not make what was to come beside replace.
	for _, word := range slices.Concat(f.Collection, f.Table) {
		if name, as := renamed(word); as == "" && strings.ReplaceAll(name, "=", "==") != word {
			return nil, "", usagef("give it after the =, or leave that out to replace what is there", "%s names nothing new", clean(word))
		}
	}
	for _, name := range f.Collection {
		table, as := renamed(name)
		parts = append(parts, holdfast.Part{Table: table, As: as})
	}
	for _, name := range f.Database {
		if !strings.Contains(name, "/") {
			name = defaultTenant + "/" + name
		}
		parts = append(parts, holdfast.Part{Table: name + "/*"})
	}
	if len(f.Table) > 0 {
		if len(parts) > 0 {
			return nil, "", usagef("restore one after the other", "--table is of a SQLite database, --collection and --database of a Chroma source")
		}
		kind = holdfast.KindSQLite
		for _, name := range f.Table {
			table, as := renamed(name)
			parts = append(parts, holdfast.Part{Table: table, As: as})
		}
	}
	if slices.ContainsFunc(parts, func(p holdfast.Part) bool { return p.Table == "" || p.Table == "/*" }) {
		return nil, "", usagef("`holdfast browse NAME` lists them", "a collection, table or database has an empty name")
	}
	ids, err := f.ids(a)
	if err != nil {
		return nil, "", err
	}
	if len(ids) > 0 {
		if len(parts) != 1 || len(f.Database) > 0 {
			return nil, "", usagef("name it with --collection NAME or --table NAME", "--id goes with one collection or table")
		}
		parts[0].Keys = ids
	}
	if f.Exact && len(parts) == 0 {
		parts = []holdfast.Part{{}}
	}
	for i := range parts {
		parts[i].Exact = f.Exact
	}
	return parts, kind, nil
}

// renamed takes NAME=NEW apart. A sign that belongs to the name itself is doubled.
func renamed(word string) (name, to string) {
	for rest := word; ; {
		before, after, found := strings.Cut(rest, "=")
		name += before
		if !found {
			return name, ""
		}
		if !strings.HasPrefix(after, "=") {
			return name, after
		}
		name, rest = name+"=", after[1:]
	}
}

// defaultTenant is whose database one is that names no tenant.
const defaultTenant = "default_tenant"

// ids gives the keys of the flags, and those of standard input where - asks for them.
func (f *partFlags) ids(a *app) (ids []string, err error) {
	for _, id := range f.ID {
		if id != "-" {
			ids = append(ids, id)
			continue
		}
		lines := bufio.NewReader(a.sys.Stdin)
		for {
			line, err := lines.ReadString('\n')
			if line = strings.TrimRight(line, "\r\n"); line != "" {
				ids = append(ids, line)
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, &holdfast.Error{Op: "read", Object: "standard input", Err: err}
			}
		}
		if len(ids) == 0 {
			return nil, usagef("write one ID a line", "standard input names no ID")
		}
	}
	return ids, nil
}

// storeName is what a server is called that no source names.
const storeName = "chromadb"

// store gives a server by its URL, as a source that requests restore into; nil without
// one.
func (a *app) store(url string) (holdfast.PartRestorer, error) {
	if url == "" {
		return nil, nil
	}
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	s, err := wire.ChromaServer(cfg, storeName, url)
	if err != nil {
		return nil, err
	}
	store, ok := s.(holdfast.PartRestorer)
	if !ok {
		return nil, usagef("give the URL of a Chroma server", "nothing can be restored into %s", url)
	}
	return store, nil
}

// knowStore lets the engine settle or undo what was done in a server that is not
// configured.
func (a *app) knowStore(url string) error {
	s, err := a.store(url)
	if s != nil {
		a.stores = append(a.stores, s)
	}
	return err
}

// changes shows what becomes, or became, of tables.
func changes(u *ui, parts []holdfast.PartChange) {
	const most = 20
	for i, c := range parts {
		if i == most {
			u.print("  … and %s more\n", number(int64(len(parts)-most)))
			break
		}
		u.print("  %s\n", changeWords(c))
	}
}

// changeWords says in a line what becomes of one table.
func changeWords(c holdfast.PartChange) string {
	words := clean(c.Table) + ": " + c.Action
	if c.Then != nil && c.Action != holdfast.PartRemove {
		words += ", " + number(*c.Then)
		if c.Now != nil && c.Action != holdfast.PartCreate {
			words += " in place of " + number(*c.Now)
		}
	} else if c.Now != nil {
		words += " of " + number(*c.Now)
	}
	if c.From != "" && c.From != c.Table {
		words += " (from " + clean(c.From) + ")"
	}
	return words
}

// printPartsPlan shows what a restore by requests would change.
func printPartsPlan(u *ui, t engine.TargetPlan) {
	if t.Parts == nil {
		return
	}
	u.print("in %s:\n", clean(t.Path))
	changes(u, t.Parts.Changes)
	for _, l := range t.Parts.Losses {
		u.print("%s %s\n", u.outPaint.yellow("would be lost:"), problemText(l))
	}
	if n := len(t.Parts.Stays); n > 0 {
		shown := t.Parts.Stays[:min(n, 5)]
		u.print("left alone: %s", clean(strings.Join(shown, ", ")))
		if n > len(shown) {
			u.print(" and %s more", number(int64(n-len(shown))))
		}
		u.print("\n")
	}
}

// printParts tells what became of the tables of stores that were changed by requests.
func printParts(u *ui, o report.Restore) {
	for _, p := range o.Parts {
		changes(u, p.Changes)
	}
	if len(o.Reload) > 0 {
		u.print("  clients that are connected have to look these up again: %s\n", clean(strings.Join(o.Reload[:min(len(o.Reload), 10)], ", ")))
	}
}

// changesSomething tells whether a plan by requests takes the place of anything.
func changesSomething(p *holdfast.PartPlan) bool {
	return slices.ContainsFunc(p.Changes, func(c holdfast.PartChange) bool {
		return c.Action != holdfast.PartCreate && (c.Now == nil || *c.Now > 0)
	})
}
