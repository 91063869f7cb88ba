package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/holdfast-backup/holdfast"
)

// shownFindings is how many findings of a database's own check are reported
// one by one.
const shownFindings = 5

// Check opens the copy of the database as its owner would, without changing
// it: facts from its header, rows counted, and SQLite's own check of every
// page. What cannot be checked here, because the database uses a module, a
// function or a collation of its application, is said and is no damage.
func (s *Source) Check(ctx context.Context, copy fs.FS, opts holdfast.CheckOptions) (holdfast.Report, error) {
	return CheckDatabase(ctx, copy, s.file(), opts)
}

// CheckFile refuses a database, which nobody has open, that does not pass its own
// check.
func CheckFile(ctx context.Context, path string) error {
	report, err := CheckDatabase(ctx, os.DirFS(filepath.Dir(path)), filepath.Base(path), holdfast.CheckOptions{})
	if err != nil {
		return err
	}
	for _, p := range report.Problems {
		if p.Severity == holdfast.Damaged {
			return holdfast.Kindf(holdfast.ErrDamaged, "%s", p.Message)
		}
	}
	return nil
}

// CheckDatabase is Check for the database at name in copy; other sources that
// contain a SQLite database use it.
func CheckDatabase(ctx context.Context, copy fs.FS, name string, opts holdfast.CheckOptions) (holdfast.Report, error) {
	facts := &holdfast.SQLiteFacts{QuickCheck: holdfast.CheckUnchecked}
	report := holdfast.Report{Facts: holdfast.Facts{SQLite: facts}}
	if err := ctx.Err(); err != nil {
		return report, context.Cause(ctx)
	}
	size, err := glance(copy, name, facts, &report)
	if err != nil || size == 0 || facts.QuickCheck == holdfast.CheckFailed {
		return report, err
	}
	db, err := OpenFS(copy, name)
	if err != nil {
		return report, err
	}
	c := &checker{file: name, facts: facts, report: &report, db: db, opts: opts}
	err = errors.Join(c.run(ctx), db.Close())
	if ctx.Err() != nil {
		return report, context.Cause(ctx)
	}
	return report, err
}

// glance looks at the file without SQLite.
func glance(copy fs.FS, name string, facts *holdfast.SQLiteFacts, report *holdfast.Report) (size int64, err error) {
	file, err := (&oneFile{fsys: copy, name: name}).open()
	if errors.Is(err, fs.ErrNotExist) {
		facts.QuickCheck = holdfast.CheckFailed
		report.Problems = append(report.Problems, holdfast.Problem{
			Object: name, Severity: holdfast.Damaged, Message: "the database is missing from the copy",
		})
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if file.size == 0 {
		facts.QuickCheck = holdfast.CheckOK
		facts.JournalMode = ModeRollback
		facts.Tables, facts.Rows = map[string]int64{}, new(int64)
		report.Problems = append(report.Problems, emptyProblem(name))
		return 0, nil
	}
	if err := identify(file, file.size); err != nil {
		if _, ok := errors.AsType[*holdfast.Error](err); !ok {
			return 0, err
		}
		facts.QuickCheck = holdfast.CheckFailed
		report.Problems = append(report.Problems, holdfast.Problem{
			Object: name, Severity: holdfast.Damaged, Message: err.Error(), Hint: holdfast.HintOf(err),
		})
		return file.size, nil
	}
	head, err := readHeader(file)
	if err != nil {
		return 0, err
	}
	head.fill(facts, file.size)
	report.Problems = append(report.Problems, shapeProblems(name, head, file.size)...)
	return file.size, nil
}

// checker runs the checks that need SQLite, on one connection.
type checker struct {
	file   string
	facts  *holdfast.SQLiteFacts
	report *holdfast.Report
	db     *DB
	conn   *sql.Conn
	opts   holdfast.CheckOptions
}

func (c *checker) run(ctx context.Context) error {
	within := ctx
	if c.opts.Budget > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, c.opts.Budget)
		defer cancel()
	}
	var err error
	if c.conn, err = c.db.Conn(ctx); err != nil {
		return err
	}
	defer c.conn.Close()
	if err := countTables(within, c.conn, c.facts); err != nil && c.unreadable() != nil {
		return c.unreadable()
	}
	if err := c.checkPages(ctx, within); err != nil {
		return err
	}
	if c.opts.Full {
		return c.checkForeignKeys(ctx, within)
	}
	return nil
}

// unreadable is the error of a copy whose bytes could not be read: that is no
// finding about the database.
func (c *checker) unreadable() error {
	if c.db == nil {
		return nil // a live database, which SQLite reads by itself
	}
	if err := c.db.ReadError(); err != nil {
		return fmt.Errorf("read %s: %w", c.file, err)
	}
	return nil
}

// add reports one problem of the database.
func (c *checker) add(severity holdfast.Severity, message, hint string) {
	c.report.Problems = append(c.report.Problems, holdfast.Problem{
		Object: c.file, Severity: severity, Message: message, Hint: hint,
	})
}

// checkPages runs SQLite's own check of the whole database.
func (c *checker) checkPages(ctx, within context.Context) error {
	name := "quick_check"
	if c.opts.Full {
		name = "integrity_check"
	}
	if c.opts.Hopeless(int64(c.facts.PageSize) * c.facts.PageCount) {
		c.facts.QuickCheck = holdfast.CheckUnfinished
		return nil
	}
	findings, err := column(within, c.conn, "PRAGMA "+name)
	if err := c.unreadable(); err != nil {
		return err
	}
	if err != nil {
		return c.checkFailed(ctx, within, name, err)
	}
	c.facts.QuickCheck = holdfast.CheckOK
	if len(findings) == 1 && findings[0] == "ok" {
		return nil
	}
	var damage, violations []string
	for _, f := range findings {
		if strings.HasPrefix(f, "NULL value in ") || strings.HasPrefix(f, "CHECK constraint failed in ") {
			violations = append(violations, f)
		} else {
			damage = append(damage, f)
		}
	}
	if len(damage) > 0 {
		c.facts.QuickCheck = holdfast.CheckFailed
		c.list(holdfast.Damaged, name, damage, "restore an older backup, or save what can be read with sqlite3's .recover")
	}
	if len(violations) > 0 {
		c.list(holdfast.Warning, name, violations, "rows violate constraints of their own tables; nothing is lost, the application should look at them")
	}
	return nil
}

// list reports findings one by one, and how many more there are.
func (c *checker) list(severity holdfast.Severity, name string, findings []string, hint string) {
	for _, f := range findings[:min(len(findings), shownFindings)] {
		c.add(severity, name+": "+strings.Join(strings.Fields(f), " "), hint)
	}
	if more := len(findings) - shownFindings; more > 0 {
		c.add(severity, fmt.Sprintf("%s: %d more findings", name, more), hint)
	}
}

// checkFailed tells what it means that the check itself ended with an error.
func (c *checker) checkFailed(ctx, within context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if within.Err() != nil {
		c.facts.QuickCheck = holdfast.CheckUnfinished
		return nil
	}
	switch primary, _ := code(err); primary {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		c.facts.QuickCheck = holdfast.CheckFailed
		c.add(holdfast.Damaged, fmt.Sprintf("%s: %v", name, err), "restore an older backup, or save what can be read with sqlite3's .recover")
		return nil
	case sqlite3.SQLITE_ERROR:
		c.facts.QuickCheck = holdfast.CheckUnchecked
		c.add(holdfast.Warning, fmt.Sprintf("%s cannot be made here: %v", name, err),
			"the database uses something that only its application has; the bytes are backed up all the same")
		return nil
	}
	return fmt.Errorf("%s of %s: %w", name, c.file, err)
}

// checkForeignKeys counts rows that refer to rows that are not there. SQLite
// enforces foreign keys only for applications that ask for it, so these are
// worth knowing, not damage.
func (c *checker) checkForeignKeys(ctx, within context.Context) error {
	var broken int64
	err := c.conn.QueryRowContext(within, "SELECT count(*) FROM pragma_foreign_key_check").Scan(&broken)
	if err := c.unreadable(); err != nil {
		return err
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case within.Err() != nil:
		c.add(holdfast.Warning, "foreign keys were not checked: the time for checks was over", "allow more time, or verify the backup")
	case err != nil && c.facts.QuickCheck == holdfast.CheckOK:
		c.add(holdfast.Warning, fmt.Sprintf("foreign keys cannot be checked here: %v", err), "")
	case broken > 0:
		c.add(holdfast.Warning, fmt.Sprintf("%d rows refer to rows that do not exist (foreign keys)", broken),
			"SQLite allows it unless the application switches foreign_keys on; the application should look at them")
	}
	return nil
}

// countTables counts the rows of every table for as long as ctx allows. A
// table that cannot be counted leaves only itself out.
func countTables(ctx context.Context, conn *sql.Conn, facts *holdfast.SQLiteFacts) error {
	tables, err := column(ctx, conn, `SELECT name FROM pragma_table_list
		WHERE schema='main' AND type='table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name`)
	if err != nil {
		return err
	}
	facts.Tables = make(map[string]int64, len(tables))
	var sum int64
	for _, table := range tables {
		var rows int64
		query := `SELECT count(*) FROM "` + strings.ReplaceAll(table, `"`, `""`) + `"`
		if e := conn.QueryRowContext(ctx, query).Scan(&rows); e != nil {
			err = e
			continue
		}
		facts.Tables[table] = rows
		sum += rows
	}
	if len(facts.Tables) == len(tables) {
		facts.Rows = &sum
	}
	return err
}

// column gives the first column of a query as texts. What SQLite finds in a
// database is bounded by SQLite to 100 findings; names of tables by the schema,
// which SQLite holds in memory as well.
func column(ctx context.Context, conn *sql.Conn, query string) (_ []string, err error) {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var texts []string
	for rows.Next() {
		var text sql.NullString
		if err := rows.Scan(&text); err != nil {
			return texts, err
		}
		texts = append(texts, text.String)
	}
	return texts, rows.Err()
}
