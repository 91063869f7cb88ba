package chroma

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// result tells what was captured and what is wrong with it.
func (c *capture) result() (holdfast.Captured, error) {
	out := holdfast.Captured{Stall: c.live.Held(), Method: c.method()}
	problem := func(severity holdfast.Severity, object, message, hint string) {
		out.Problems = append(out.Problems, holdfast.Problem{Source: c.name, Object: object, Severity: severity, Message: message, Hint: hint})
	}
	if c.corrupt {
		problem(holdfast.Damaged, databaseFile, "its list of index folders cannot be read; it was captured as it is, with every folder", "the source itself is damaged: an older backup may hold it whole")
	}
	for _, g := range c.segments {
		f := c.folders[g.id]
		if f == nil {
			problem(holdfast.Damaged, g.object(), "the database names an index folder that no folder can be called", "the database was changed by something other than Chroma")
			continue
		}
		if f.damaged() {
			p := f.state.Problem(g.collection, g.id)
			p.Source = c.name
			out.Problems = append(out.Problems, p)
		}
		if left := f.leftOut(); len(left) > 0 {
			problem(holdfast.Warning, g.object(), "left out, because they are not files: "+strings.Join(left, ", "), "")
		}
	}
	if c.live.Recovered() {
		problem(holdfast.Warning, databaseFile, "a crashed process left a transaction half-done; it was rolled back", "")
	}
	orphans, foreign, err := c.unnamed()
	if err != nil {
		return out, &holdfast.Error{Op: "capture", Object: c.Source.dir, Err: err}
	}
	if len(foreign) > 0 {
		problem(holdfast.Warning, "", "left out, because they are not Chroma's: "+strings.Join(foreign, ", "), "back them up as a source of type files if they matter")
	}
	out.Facts.Chroma = &holdfast.ChromaFacts{JournalMode: c.live.Mode(), OrphanFolders: orphans, QuickCheck: holdfast.CheckUnchecked}
	return out, nil
}

// method tells in a few words how it went.
func (c *capture) method() string {
	how := "shared lock"
	switch {
	case c.database == nil && !slices.ContainsFunc(c.named(), func(f *folder) bool { return f.read }):
		return "unchanged"
	case c.kept:
		how = "writers kept out"
	case c.live.Mode() == sqlite.ModeWAL:
		how = "wal snapshot"
	case c.current:
		how = "optimistic"
	}
	if c.rounds == 1 {
		return how + ", 1 round"
	}
	return fmt.Sprintf("%s, %d rounds", how, c.rounds)
}

// isDatabase tells whether a name is the database or one of the files that
// SQLite keeps beside it for as long as it needs them.
func isDatabase(name string) bool {
	suffix, ok := strings.CutPrefix(name, databaseFile)
	return ok && slices.Contains([]string{"", "-journal", "-wal", "-shm"}, suffix)
}

// unnamed counts the folders that deleted collections left behind and lists
// what is not Chroma's at all.
func (c *capture) unnamed() (orphans int, foreign []string, err error) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return 0, nil, err
	}
	named := map[string]bool{}
	for _, g := range c.segments {
		named[g.id] = true
	}
	for _, e := range entries {
		name := e.Name()
		switch {
		case named[name], isDatabase(name):
		case e.Type()&fs.ModeType == fs.ModeDir && isUUID(name):
			orphans++
		default:
			foreign = append(foreign, name)
		}
	}
	return orphans, foreign, nil
}
