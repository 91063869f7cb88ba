package access

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/planted"
	"github.com/holdfast-backup/holdfast/internal/redact"
)

// The outcomes of an entry.
const (
	Done    = "done"
	Refused = "refused"
	Failed  = "failed"
)

// CommandLine is the caller of what is done on the command line.
const CommandLine = "command line"

// An Entry is one line of the audit: a change, or an attempt that was refused.
// It names the pattern of the route and not the path, and never what a caller
// presented as his secret.
type Entry struct {
	ID        string        `json:"id"`
	Time      holdfast.Time `json:"time"`
	Caller    string        `json:"caller,omitempty"` // empty: nobody knows
	Remote    string        `json:"remote,omitempty"`
	Method    string        `json:"method,omitempty"`
	Route     string        `json:"route"` // or the command
	Backup    string        `json:"backup,omitempty"`
	Job       string        `json:"job,omitempty"`
	Object    string        `json:"object,omitempty"` // what else it was about
	Operation string        `json:"operation,omitempty"`
	Status    int           `json:"status,omitempty"`
	Outcome   string        `json:"outcome"`
	Why       string        `json:"why,omitempty"`
	// Omitted counts refusals before this entry that are not written down
	// since there were too many.
	Omitted int64 `json:"omitted,omitempty"`
}

const (
	auditSize  = 10 << 20 // of a file before it is rotated
	auditKept  = 5        // rotated files
	fieldLimit = 512      // bytes of a field
	// Refusals that are written down in a minute: of one client, and of all.
	refusalsPerClient = 10
	refusalsOfAll     = 120
)

// Audit is an append-only file of entries, a line of JSON each. Several
// processes may write it.
type Audit struct {
	file string
	now  func() time.Time
	log  *slog.Logger
	size int64 // of a file before it is rotated

	mu      sync.Mutex
	omitted int64
	clients *buckets
	all     *buckets
}

func newAudit(file string, now func() time.Time, log *slog.Logger) *Audit {
	u := &Audit{file: file, now: now, log: log, size: auditSize, clients: newBuckets(now), all: newBuckets(now)}
	u.clients.set(refusalsPerClient)
	u.all.set(refusalsOfAll)
	return u
}

// Record writes an entry down; ID and time are given here. It is durable on
// return. A failure is told in the log: what was done is done.
func (u *Audit) Record(e Entry) {
	if err := u.record(e); err != nil {
		u.log.Error("the audit could not be written", "error", err, "caller", e.Caller, "route", e.Route, "outcome", e.Outcome)
	}
}

// refused records a refusal unless there are too many.
func (u *Audit) refused(client string, e Entry) {
	_, one := u.clients.take(client)
	if one {
		_, one = u.all.take("")
	}
	if !one {
		u.mu.Lock()
		u.omitted++
		u.mu.Unlock()
		return
	}
	u.Record(e)
}

// command records what was done on the command line.
func (u *Audit) command(command, object string, err error) {
	e := Entry{Caller: CommandLine, Route: command, Object: object, Outcome: Done}
	if err != nil {
		e.Outcome, e.Why = Failed, err.Error()
	}
	u.Record(e)
}

func (u *Audit) record(e Entry) (err error) {
	u.mu.Lock() // before the lock of the file, for which others only look now and then
	defer u.mu.Unlock()
	release, err := lockFile(u.file+".lock", lockPatience)
	if err != nil {
		return err
	}
	defer release()
	now := u.now()
	e.ID = strconv.FormatInt(now.UnixMilli(), 16) + "-" + strings.ToLower(rand.Text()[:10])
	e.Time, e.Omitted = holdfast.At(now), u.omitted
	e.Why, e.Object = redact.Text(e.Why), redact.Text(e.Object)
	for _, field := range []*string{&e.Caller, &e.Remote, &e.Method, &e.Route, &e.Backup, &e.Job, &e.Object, &e.Operation, &e.Why} {
		*field = short(*field)
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := u.rotate(int64(len(line)) + 1); err != nil {
		return err
	}
	if err := planted.Check(u.file); err != nil {
		return err
	}
	f, err := os.OpenFile(u.file, os.O_CREATE|os.O_RDWR|os.O_APPEND|planted.NoFollow, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if torn, err := endsTorn(f); err != nil {
		return err
	} else if torn {
		line = append([]byte{'\n'}, line...)
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		return err
	}
	u.omitted = 0
	return f.Sync()
}

// endsTorn tells whether a crash or a full disk cut the last line.
func endsTorn(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return last[0] != '\n', err
}

// rotate makes room for a line; the oldest file goes.
func (u *Audit) rotate(n int64) error {
	info, err := os.Lstat(u.file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size()+n <= u.size {
		return nil
	}
	if err != nil {
		return err
	}
	for i := auditKept - 1; i >= 0; i-- {
		if err := os.Rename(u.rotated(i), u.rotated(i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// rotated names the files, the present one first.
func (u *Audit) rotated(i int) string {
	if i == 0 {
		return u.file
	}
	return u.file + "." + strconv.Itoa(i)
}

// short cuts a field between two characters.
func short(s string) string { return shortTo(s, fieldLimit) }

func shortTo(s string, limit int) string {
	if len(s) <= limit {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strings.ToValidUTF8(s[:cut], "\ufffd") + "…"
}
