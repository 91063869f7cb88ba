package startup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// chromaDatabase is the file without which a Chroma directory holds nothing.
const chromaDatabase = "chroma.sqlite3"

// examineChroma looks at a Chroma directory: its database first, without which
// the rest is worth nothing, then whether the index folders belong to it.
func examineChroma(ctx context.Context, s holdfast.Source, o ExamineOptions) Condition {
	dir := s.Target().Path
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Condition{State: Missing, Words: "it does not exist"}
	case err != nil:
		return unreadable(dir, err)
	case !info.IsDir():
		return Condition{State: NotADatabase, Words: "it is a file", Err: &holdfast.Error{
			Op: "open Chroma directory", Object: dir, Err: holdfast.Kindf(holdfast.ErrRefused, "it is a file, not a directory"),
			Hint: "move it away, or correct the path of the source",
		}}
	}
	names, err := entries(dir)
	switch {
	case err != nil:
		return unreadable(dir, err)
	case len(names) == 0:
		return Condition{State: Empty, Words: "the directory is empty"}
	}
	c := examineDatabase(ctx, filepath.Join(dir, chromaDatabase), o)
	switch {
	case c.State == Missing:
		return Condition{State: DamagedData, Words: chromaDatabase + " is missing, other files are there"}
	case c.State == Empty && len(names) == 1:
		return Condition{State: Empty, Words: chromaDatabase + " is empty"}
	case c.State == Empty:
		return Condition{State: DamagedData, Words: chromaDatabase + " is empty, other files are there"}
	case c.State != Healthy:
		c.Words = chromaDatabase + ": " + c.Words
		return c
	}
	return c.withIndexes(ctx, s, dir, o)
}

// indexBudget bounds the look at index folders, which changes no decision.
const indexBudget = 3 * time.Second

// withIndexes adds what is wrong with the index folders. It takes files that
// nobody writes: where there is a log, or where the database must not be opened
// beside SQLite, the folders are left to the next backup's check.
func (c Condition) withIndexes(ctx context.Context, s holdfast.Source, dir string, o ExamineOptions) Condition {
	if !sqlite.ReadsBesideSQLite() || sizeOf(filepath.Join(dir, chromaDatabase+"-wal")) > 0 {
		c.Sound = false
		c.Words += "; its index folders were not checked"
		return c
	}
	budget := min(o.Budget, indexBudget)
	bounded, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	report, err := s.Check(bounded, os.DirFS(dir), holdfast.CheckOptions{Budget: budget})
	if err != nil {
		c.Sound = false
		c.Words += "; its index folders were not checked: " + cause(err)
		return c
	}
	for _, p := range report.Problems {
		if p.Severity == holdfast.Damaged {
			c.Sound = false
			p.Hint = "it was kept, because a restore would also take back documents that are newer than the backup; `holdfast restore latest --only " + s.Name() + "` brings the index back"
		}
		c.Problems = append(c.Problems, p)
	}
	if len(report.Problems) > 0 && !c.Sound {
		c.Words = "its database is sound, but " + report.Problems[0].Message
	}
	return c
}
