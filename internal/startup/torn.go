package startup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/planted"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// A torn log is one that committed changes are missing from. SQLite takes it for
// one that ends earlier, and with the first look at the database every trace of
// the rest is gone. So the log is looked at before the database is opened, and
// what was found is noted beside it until the start has decided.
//
// What is left of such a database passes its check, but is not what its owner
// left. It is replaced if the newest backup holds more of it and nothing less;
// otherwise it stays, and that is told.

// tornNote names the file that keeps what was found of a log.
func tornNote(target string) string {
	return filepath.Join(filepath.Dir(target), ".holdfast-torn-"+filepath.Base(target))
}

// lookAtLog finds out whether the log is torn, before anything opens the database.
func (p *preparation) lookAtLog() {
	if !p.Unopened || p.Source.Kind() != holdfast.KindSQLite {
		return
	}
	p.bareLog = bareLog(p.target.Path)
	note := tornNote(p.target.Path)
	if _, err := os.Lstat(note); err == nil && planted.Check(note) == nil {
		p.torn = "a start found that changes are missing from its -wal, and was cut"
		return
	}
	pages, err := sqlite.Torn(p.target.Path)
	if err != nil {
		p.Logger.Debug("the log could not be looked at", "source", p.Source.Name(), "error", err)
	}
	if pages == 0 {
		return
	}
	p.torn = fmt.Sprintf("its -wal is torn: %d pages of committed changes are missing", pages)
	if err := durable.WriteFile(p.FS, note, []byte(p.torn+"\n"), 0o600); err != nil {
		p.Logger.Debug("a torn log could not be noted", "source", p.Source.Name(), "error", err)
	}
}

// bareLog tells that there is a log and no shared memory beside it, which alone says how
// much of it there was. A crash leaves both; what was copied, or died in the last moment of
// its end, has the log alone.
func bareLog(path string) bool {
	log, err := os.Stat(path + "-wal")
	if err != nil || log.Size() == 0 {
		return false
	}
	_, err = os.Stat(path + "-shm")
	return errors.Is(err, fs.ErrNotExist)
}

// forgetLog removes the note of a torn log once the start has decided.
func (p *preparation) forgetLog() {
	if p.torn == "" {
		return
	}
	if err := p.FS.Remove(tornNote(p.target.Path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.Logger.Warn("the note of a torn log could not be removed", "source", p.Source.Name(), "error", err)
	}
}

// weigh decides what a database is worth that is sound, but whose log was torn.
func (p *preparation) weigh(ctx context.Context, c Condition) Condition {
	if p.torn == "" || c.State != Healthy {
		return c
	}
	behind, by := p.behind(ctx)
	if behind {
		return Condition{State: DamagedData, Words: p.torn + ", and " + by}
	}
	c.Problems = append(slices.Clone(c.Problems), holdfast.Problem{
		Source: p.Source.Name(), Object: p.target.Path, Severity: holdfast.Damaged,
		Message: p.torn + "; what is left is sound, and " + by,
		Hint:    "look whether something is missed; `holdfast list` shows the backups",
	})
	return c
}

// behind tells whether the newest backup holds more than what is left, and
// nothing less, and says it in words.
func (p *preparation) behind(ctx context.Context) (bool, string) {
	f, err := p.survey(ctx)
	if err != nil {
		return false, "no backup could be compared with it: " + err.Error()
	}
	i := slices.IndexFunc(f.candidates, func(c candidate) bool { return c.facts.SQLite != nil && c.rank == 0 })
	switch {
	case i < 0 && len(f.outOfReach) > 0:
		return false, "no backup could be reached to compare it with"
	case i < 0:
		return false, "there is no backup to compare it with"
	}
	newest := f.candidates[i]
	now, err := p.Source.Inspect(ctx, holdfast.InspectOptions{Counts: true})
	if err != nil || now.Facts.SQLite == nil || now.Facts.SQLite.Rows == nil || newest.facts.SQLite.Rows == nil {
		return false, "its rows could not be compared with those of backup " + string(newest.name)
	}
	if len(newest.facts.SQLite.Tables) == 0 { // an encrypted backup tells the sum only
		there, here := *newest.facts.SQLite.Rows, *now.Facts.SQLite.Rows
		return there > here, fmt.Sprintf("backup %s holds %d rows, %d are here", newest.name, there, here)
	}
	more := ""
	for table, rows := range now.Facts.SQLite.Tables {
		if _, there := newest.facts.SQLite.Tables[table]; !there || newest.facts.SQLite.Tables[table] < rows {
			return false, "backup " + string(newest.name) + " does not hold all of it"
		}
	}
	for table, rows := range newest.facts.SQLite.Tables {
		if have := now.Facts.SQLite.Tables[table]; have < rows {
			more = fmt.Sprintf("backup %s holds more (table %s: %d rows there, %d here)", newest.name, table, rows, have)
		}
	}
	if more == "" {
		return false, "backup " + string(newest.name) + " holds no more rows"
	}
	return true, more
}
