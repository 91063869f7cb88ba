package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// ui decides what goes where: data to standard output, news to standard
// error, as text or as JSON.
type ui struct {
	mu       sync.Mutex // events may come from several goroutines
	out      *sticky
	err      io.Writer
	in       io.Reader
	json     bool
	quiet    bool
	terminal bool // news can be animated
	narrow   bool // a person reads the data on a terminal
	outPaint painter
	errPaint painter
	now      func() time.Time
	// words are those of the command for some steps, where others fit better.
	words map[holdfast.Step]string
}

func newUI(sys System, g *globals) *ui {
	outTTY, errTTY := isTerminal(sys.Stdout), isTerminal(sys.Stderr)
	colour := !hasVariable(sys.Environ, "NO_COLOR") && !g.JSON
	return &ui{
		out: &sticky{w: sys.Stdout}, err: sys.Stderr, in: sys.Stdin, now: sys.Now,
		json: g.JSON, quiet: g.Quiet,
		terminal: errTTY && !g.JSON, narrow: outTTY,
		outPaint: painter(outTTY && colour),
		errPaint: painter(errTTY && colour),
	}
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// hasVariable tells whether a variable is set to anything but nothing.
func hasVariable(environ []string, name string) bool {
	for _, e := range environ {
		if v, ok := strings.CutPrefix(e, name+"="); ok && v != "" {
			return true
		}
	}
	return false
}

// print writes data for people; with --json there is only the object.
func (u *ui) print(format string, args ...any) {
	if !u.json {
		u.write(fmt.Sprintf(format, args...))
	}
}

// write writes data; finish tells whether that went well.
func (u *ui) write(s string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, _ = io.WriteString(u.out, s)
}

// object writes one line of JSON.
func (u *ui) object(v any) {
	line, err := json.Marshal(v)
	if err != nil {
		u.mu.Lock()
		u.out.err = errors.Join(u.out.err, err)
		u.mu.Unlock()
		return
	}
	u.write(string(line) + "\n")
}

// finish gives the first failure to write data: a full disk or a closed pipe
// must not look like success.
func (u *ui) finish() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.out.err != nil {
		return &holdfast.Error{Op: "write", Object: "standard output", Err: u.out.err}
	}
	return nil
}

// note tells news that a script does not need.
func (u *ui) note(format string, args ...any) {
	if u.quiet || u.json {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	fmt.Fprintf(u.err, format+"\n", args...)
}

// warn tells a problem, always.
func (u *ui) warn(p holdfast.Problem) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.json {
		u.errLine(report.NewWarning(p))
		return
	}
	label := u.errPaint.yellow("warning:")
	switch p.Severity {
	case holdfast.Damaged:
		label = u.errPaint.red("damaged:")
	case holdfast.Incomplete:
		label = u.errPaint.red("incomplete:")
	}
	fmt.Fprintf(u.err, "%s %s\n", label, problemText(p))
	if p.Hint != "" {
		fmt.Fprintf(u.err, "%s %s\n", u.errPaint.bold("hint:"), clean(p.Hint))
	}
}

func (u *ui) errLine(v any) {
	if line, err := json.Marshal(v); err == nil {
		fmt.Fprintf(u.err, "%s\n", line)
	}
}

// problemText is one problem in a line.
func problemText(p holdfast.Problem) string {
	parts := make([]string, 0, 3)
	if p.Source != "" {
		parts = append(parts, clean(p.Source))
	}
	if p.Object != "" && p.Object != p.Source {
		parts = append(parts, clean(p.Object))
	}
	return strings.Join(append(parts, clean(p.Message)), ": ")
}

// fail tells why a command ended and gives its exit code. Joined errors are
// told one by one.
func (u *ui) fail(command string, err error) int {
	if err == nil {
		return holdfast.ExitDone
	}
	code := holdfast.ExitCode(err)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.json {
		u.errLine(report.NewError(command, code, err))
		return code
	}
	for _, part := range holdfast.Parts(err) {
		fmt.Fprintf(u.err, "%s %s\n", u.errPaint.red("error:"), clean(report.Text(part)))
		if hint := report.Hint(part); hint != "" {
			fmt.Fprintf(u.err, "%s %s\n", u.errPaint.bold("hint:"), clean(hint))
		}
	}
	return code
}

// errNoTerminal is what confirm gives where nobody can be asked.
var errNoTerminal = usagef("pass --yes to go on without being asked", "this needs a confirmation, and there is no terminal to ask on")

// errDeclined is what confirm gives when a person says no.
var errDeclined = &holdfast.Error{Err: holdfast.Kindf(holdfast.ErrRefused, "not confirmed; nothing was changed")}

// confirm asks a yes-or-no question on the terminal, after telling what it is
// about; anything but yes is no. Where nobody can be asked, the answer has to
// be given with --yes. An interruption ends the question.
func (u *ui) confirm(ctx context.Context, yes bool, about func(), question string) error {
	if yes {
		return nil
	}
	if u.json || !isTerminal(u.in) {
		return errNoTerminal
	}
	terminal, err := openTerminal()
	if err != nil {
		return errNoTerminal
	}
	defer terminal.Close()
	about()
	return ask(ctx, terminal, question)
}

// A conversation is what ask needs of a terminal.
type conversation interface {
	io.ReadWriter
	SetReadDeadline(time.Time) error
}

// ask asks a question. It is nil for yes, errDeclined for any other answer, and
// the reason of ctx if that ends first.
func ask(ctx context.Context, terminal conversation, question string) error {
	// Where the system cannot end a read, the second signal leaves anyway.
	defer context.AfterFunc(ctx, func() { _ = terminal.SetReadDeadline(time.Unix(1, 0)) })()
	fmt.Fprintf(terminal, "%s [y/N] ", question)
	answer, err := bufio.NewReader(terminal).ReadString('\n')
	if ctx.Err() != nil {
		fmt.Fprintln(terminal)
		return ctx.Err()
	}
	if err != nil && answer == "" {
		return errDeclined
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errDeclined
}

// news is a ui whose data goes to standard error, for a command whose standard
// output is that of another program.
func (u *ui) news() *ui {
	return &ui{out: &sticky{w: u.err}, err: u.err, in: u.in, now: u.now, json: u.json, quiet: u.quiet, terminal: u.terminal, narrow: u.terminal, outPaint: u.errPaint, errPaint: u.errPaint}
}

// tell gives the outcome of a command: the object with --json, else what
// people shows.
func (u *ui) tell(object any, people func()) {
	if u.json {
		u.object(object)
		return
	}
	people()
}
