package disk

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// Check opens a Chroma directory and checks it: [Open], then [Dir.Check]. A
// directory that SQLite cannot read is a problem, not an error.
func Check(ctx context.Context, fsys fs.FS, opts holdfast.CheckOptions) (holdfast.Report, error) {
	d, err := Open(ctx, fsys)
	if errors.Is(err, holdfast.ErrDamaged) {
		return unreadable(holdfast.ChromaFacts{}, err), nil
	}
	if err != nil {
		return holdfast.Report{}, err
	}
	defer d.Close()
	return d.Check(ctx, opts)
}

// unreadable reports a database that SQLite cannot read.
func unreadable(facts holdfast.ChromaFacts, err error) holdfast.Report {
	facts.QuickCheck = holdfast.CheckFailed
	return holdfast.Report{
		Facts: holdfast.Facts{Chroma: &facts},
		Problems: []holdfast.Problem{{
			Object: DatabaseFile, Severity: holdfast.Damaged,
			Message: err.Error() + "; Chroma cannot start on it, or loses collections",
			Hint:    hintOlderBackup,
		}},
	}
}

// What a person can do about damage.
const (
	hintOlderBackup = "restore an older backup that is proven"
	hintRebuild     = "restore an older backup, or add the records of this collection again with their embeddings"
)

// Check tells what the directory holds and every damage it finds. It verifies
// that the database is intact and has its full-text table, that each index
// folder agrees with itself (see CheckFolder), and that the ids of each index,
// with the log replayed on it, are the ids of the collection's records.
//
// Memory does not grow with the data: ids are compared by fingerprint. What
// grows are some 40 bytes for each log entry that is not in its index yet, and
// for an index that the Python implementation wrote, the ids while that index
// is read. The options' budget bounds SQLite's own check only: whether the
// parts of the directory belong together is always looked at.
func (d *Dir) Check(ctx context.Context, opts holdfast.CheckOptions) (holdfast.Report, error) {
	facts, err := d.Facts(ctx)
	if errors.Is(err, holdfast.ErrDamaged) {
		return unreadable(facts, err), nil
	}
	if err != nil {
		return holdfast.Report{}, fmt.Errorf("check Chroma directory: %w", err)
	}
	report := holdfast.Report{Facts: holdfast.Facts{Chroma: &facts}}
	add := func(p ...holdfast.Problem) { report.Problems = append(report.Problems, p...) }
	if d.layout.fulltext() == "" {
		add(holdfast.Problem{
			Object: DatabaseFile, Severity: holdfast.Damaged,
			Message: "the full-text table is missing: searches in documents and every write will fail",
			Hint:    hintOlderBackup,
		})
	}
	for _, c := range d.collections {
		problems, err := d.checkCollection(ctx, c)
		if damage := asDamage(err); errors.Is(damage, holdfast.ErrDamaged) {
			problems, err = append(problems, c.problem(damage.Error()+": the collection cannot be read completely", hintOlderBackup)), nil
		}
		if err != nil {
			return report, fmt.Errorf("check collection %s: %w", c.Name, err)
		}
		add(problems...)
	}
	var problems []holdfast.Problem
	facts.QuickCheck, problems, err = d.quickCheck(ctx, opts)
	add(problems...)
	return report, err
}

// problem makes a damage of a collection.
func (c Collection) problem(message, hint string) holdfast.Problem {
	return holdfast.Problem{Object: "collection " + c.Name, Severity: holdfast.Damaged, Message: message, Hint: hint}
}

// checkCollection looks at the rows, the folder and the ids of one collection.
func (d *Dir) checkCollection(ctx context.Context, c Collection) ([]holdfast.Problem, error) {
	var problems []holdfast.Problem
	for name, text := range map[string]string{"configuration": c.ConfigJSON, "schema": c.SchemaJSON} {
		if text != "" && !json.Valid([]byte(text)) {
			problems = append(problems, c.problem("its "+name+" is not JSON: Chroma cannot open the collection", hintOlderBackup))
		}
	}
	if c.Segment == "" || c.MetadataSegment == "" {
		return append(problems, c.problem("it has no vector or no metadata segment: Chroma cannot open it", hintOlderBackup)), nil
	}
	folder, ok := d.folder(c)
	if !ok {
		return append(problems, c.problem(fmt.Sprintf("its index folder has the impossible name %.80q", c.Segment), hintOlderBackup)), nil
	}
	ids, state, err := d.indexIDs(ctx, c, folder)
	if err != nil {
		return problems, err
	}
	if state.Status == FolderDamaged {
		return append(problems, state.Problem(c.Name, c.Segment)), nil
	}
	p, err := d.compareIDs(ctx, c, ids, state)
	return append(problems, p...), err
}

// quickCheck lets SQLite check its file, within the budget.
func (d *Dir) quickCheck(ctx context.Context, opts holdfast.CheckOptions) (holdfast.CheckState, []holdfast.Problem, error) {
	bounded := ctx
	if opts.Budget > 0 {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, opts.Budget)
		defer cancel()
	}
	if info, err := fs.Stat(d.fsys, DatabaseFile); err != nil {
		return holdfast.CheckUnfinished, nil, err
	} else if opts.Hopeless(info.Size()) {
		return holdfast.CheckUnfinished, nil, nil
	}
	pragma := "PRAGMA quick_check(10)"
	if opts.Full {
		pragma = "PRAGMA integrity_check(10)"
	}
	started := time.Now()
	messages, err := d.messages(bounded, pragma)
	switch {
	case ctx.Err() != nil:
		return holdfast.CheckUnfinished, nil, context.Cause(ctx)
	case bounded.Err() != nil:
		return holdfast.CheckUnfinished, nil, nil
	case err != nil:
		if damage := asDamage(err); errors.Is(damage, holdfast.ErrDamaged) {
			messages = append(messages, damage.Error())
			break
		}
		return holdfast.CheckUnfinished, nil, fmt.Errorf("check %s after %s: %w", DatabaseFile, time.Since(started).Round(time.Millisecond), err)
	case len(messages) == 1 && messages[0] == "ok":
		return holdfast.CheckOK, nil, nil
	}
	problems := make([]holdfast.Problem, 0, len(messages))
	for _, m := range messages {
		problems = append(problems, holdfast.Problem{
			Object: DatabaseFile, Severity: holdfast.Damaged,
			Message: "SQLite's own check: " + m, Hint: hintOlderBackup,
		})
	}
	return holdfast.CheckFailed, problems, nil
}

// messages reads the answers of a check.
func (d *Dir) messages(ctx context.Context, pragma string) ([]string, error) {
	rows, err := d.db.QueryContext(ctx, pragma)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var messages []string
	for rows.Next() {
		var m sql.NullString
		if err := rows.Scan(&m); err != nil {
			return messages, err
		}
		messages = append(messages, m.String)
	}
	return messages, rows.Err()
}
