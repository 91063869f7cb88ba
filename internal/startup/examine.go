package startup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/planted"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// State is the state that data can be in before its owner opens it.
type State string

// The states of data.
const (
	Healthy      State = "healthy"
	Missing      State = "missing"
	Empty        State = "empty"          // there, without a byte or an entry
	NotADatabase State = "not a database" // something else has its place
	DamagedData  State = "damaged"        // a database that fails its check
	Unreadable   State = "unreadable"     // nobody can tell: permissions, a failing disk
	Locked       State = "locked"         // somebody works with it
)

// A Condition is what was found where the data belongs.
type Condition struct {
	State State
	// Words say it in a sentence for people, without the path.
	Words string
	// Sound tells that the whole data was checked, now or when it was trusted.
	Sound bool
	// Problems are what is wrong with data that is kept all the same.
	Problems []holdfast.Problem
	// Err says why data is unreadable, or what has the place of a database
	// and cannot be replaced.
	Err error
}

// Usable tells that the data is to be left to its owner.
func (c Condition) Usable() bool { return c.State == Healthy || c.State == Locked }

// holdsNothing tells that nothing would be lost by beginning anew.
func (c Condition) holdsNothing() bool { return c.State == Missing || c.State == Empty }

// ExamineOptions are the options of Examine; the zero value is good.
type ExamineOptions struct {
	// Trusted is the state (see holdfast.Peeker) at which the data was known
	// to be sound: data in that state is not read.
	Trusted string
	// Budget bounds the check; zero is DefaultBudget. What has not failed by
	// then counts as healthy.
	Budget time.Duration
	// Doubtful asks for the deepest check of a database, since its log may have been cut.
	Doubtful bool
}

// DefaultBudget bounds the check of data at a start.
const DefaultBudget = 10 * time.Second

// lockWait is how long a lock on the data is waited for: somebody who holds it
// for longer works with the data, which is all that there is to know.
const lockWait = time.Second

// Examine looks at the data of a source as its owner would find it, and changes
// nothing beyond what any reader of a SQLite database would after a crash.
//
// A tree of files has no inner structure: it is missing, empty or healthy. A
// Chroma directory is lost with its database; damaged index folders beside a
// sound database are told as problems and are no reason to replace it, because
// documents and metadata that are newer than the backup would go with them.
func Examine(ctx context.Context, s holdfast.Source, o ExamineOptions) Condition {
	if o.Budget <= 0 {
		o.Budget = DefaultBudget
	}
	c := examine(ctx, s, o)
	if path := s.Target().Path; c.Usable() {
		if err := planted.Check(path); errors.Is(err, holdfast.ErrRefused) {
			c.Problems = append(c.Problems, holdfast.Problem{
				Source: s.Name(), Object: path, Severity: holdfast.Warning,
				Message: "another user may have put it there: " + cause(err), Hint: "keep the data in a directory of its own",
			})
		}
	}
	return c
}

func examine(ctx context.Context, s holdfast.Source, o ExamineOptions) Condition {
	if p, ok := s.(holdfast.Peeker); ok && o.Trusted != "" {
		if state, settled, err := p.Peek(); err == nil && settled && state == o.Trusted {
			return Condition{State: Healthy, Words: "it is as it was when it was known to be sound", Sound: true}
		}
	}
	switch s.Kind() {
	case holdfast.KindSQLite:
		return examineDatabase(ctx, s.Target().Path, o)
	case holdfast.KindChroma:
		return examineChroma(ctx, s, o)
	}
	return examineFiles(s.Target().Path)
}

// examineDatabase looks at one SQLite database.
func examineDatabase(ctx context.Context, path string, o ExamineOptions) Condition {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing(path)
	case err != nil:
		return unreadable(path, err)
	case !info.Mode().IsRegular():
		return inTheWay(path, info)
	case info.Size() == 0:
		return empty(path)
	}
	report, err := sqlite.CheckLive(ctx, path, sqlite.CheckLiveOptions{Wait: lockWait, Budget: o.Budget, Full: o.Doubtful})
	switch {
	case err == nil:
		return judge(report)
	case errors.Is(err, fs.ErrNotExist):
		return missing(path)
	case errors.Is(err, holdfast.ErrLocked):
		return Condition{State: Locked, Words: "somebody works with it: " + err.Error()}
	case errors.Is(err, holdfast.ErrRefused):
		return Condition{State: NotADatabase, Words: cause(err)}
	case errors.Is(err, holdfast.ErrDamaged):
		return Condition{State: DamagedData, Words: cause(err)}
	}
	return unreadable(path, err)
}

// judge tells what the check of a database means.
func judge(report holdfast.Report) Condition {
	var warnings []holdfast.Problem
	for _, p := range report.Problems {
		if p.Severity == holdfast.Damaged {
			return Condition{State: DamagedData, Words: "it fails its check: " + p.Message}
		}
		warnings = append(warnings, p)
	}
	c := Condition{State: Healthy, Words: "it passes its check", Sound: true, Problems: warnings}
	switch report.Facts.SQLite.QuickCheck {
	case holdfast.CheckOK:
	case holdfast.CheckUnfinished:
		c.Sound, c.Words = false, "no damage was found, but it is too large to be checked at a start"
	default:
		c.Sound, c.Words = false, "no damage was found, but it uses what only its application has, so it cannot be checked here"
	}
	return c
}

// examineFiles looks at a tree of files, or a single one.
func examineFiles(path string) Condition {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Condition{State: Missing, Words: "it does not exist"}
	case err != nil:
		return unreadable(path, err)
	case !info.IsDir():
		return Condition{State: Healthy, Words: "it is there"}
	}
	names, err := entries(path)
	switch {
	case err != nil:
		return unreadable(path, err)
	case len(names) == 0:
		return Condition{State: Empty, Words: "the directory is empty"}
	}
	return Condition{State: Healthy, Words: "it is there"}
}

// entries lists what lies in a directory, without what file systems and
// holdfast itself keep there.
func entries(dir string) ([]string, error) {
	list, err := os.ReadDir(dir)
	var names []string
	for _, e := range list {
		if name := e.Name(); name != "lost+found" && !strings.HasPrefix(name, ".holdfast-") {
			names = append(names, name)
		}
	}
	return names, err
}

// missing tells of a database that does not exist. A log without its database
// is worth a word.
func missing(path string) Condition {
	if size := sizeOf(path + "-wal"); size > 0 {
		return Condition{State: Missing, Words: fmt.Sprintf("it does not exist, only its -wal does (%d bytes)", size)}
	}
	return Condition{State: Missing, Words: "it does not exist"}
}

// empty tells of a file without a byte. SQLite makes one before the first
// write, but with a log beside it the database itself was lost: SQLite would drop
// the log at the first look.
func empty(path string) Condition {
	if size := sizeOf(path + "-wal"); size > 0 {
		return Condition{State: DamagedData, Words: fmt.Sprintf("the file is empty, but its -wal is not (%d bytes): the database was cut off", size)}
	}
	return Condition{State: Empty, Words: "the file is empty"}
}

// sizeOf is the size of a file, zero if there is none. It is not opened.
func sizeOf(path string) int64 {
	info, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// inTheWay tells of something that has the place of a database and that no
// restore may replace: perhaps a mount gone wrong.
func inTheWay(path string, info fs.FileInfo) Condition {
	what := "neither a file nor a directory"
	if info.IsDir() {
		what = "a directory"
	}
	return Condition{State: NotADatabase, Words: "it is " + what, Err: &holdfast.Error{
		Op: "open database", Object: path, Err: holdfast.Kindf(holdfast.ErrRefused, "it is %s", what),
		Hint: "move it away, or correct the path; container runtimes make a directory where a file to be mounted does not exist",
	}}
}

// unreadable tells of data that nobody can judge.
func unreadable(path string, err error) Condition {
	if _, named := errors.AsType[*holdfast.Error](err); !named {
		err = explain("look at", path, err)
	}
	return Condition{State: Unreadable, Words: "it cannot be read: " + cause(err), Err: err}
}

// cause is the text of an error without operation and path, which whoever shows
// it has named.
func cause(err error) string {
	if e, ok := errors.AsType[*holdfast.Error](err); ok && e.Err != nil {
		err = e.Err
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	return err.Error()
}
