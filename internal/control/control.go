// Package control lets a restore in one process reach a program in another that
// holds the data: it asks the program to let go, and to go on afterwards.
//
// A program calls [Serve]: it then has a record below the state directory that
// the programs and the restores of one repository share, and listens on a Unix
// socket. A restore calls [Owners], which gives it the engine's Owner: every
// program that lives and has the data is asked. [Standings] tells how the
// programs are, from what they [Server.Publish].
//
// # Records
//
// programs/<id>.json in the state directory holds process, host, socket, sources
// and a token (0600 in a folder of 0700). A program holds a lock on
// programs/<id>.lock as long as it lives, and the system lets go of it with the
// process, however that ends: a record whose lock is free is of a dead program,
// whoever has its process id by now, and is removed by whoever finds it.
// programs/<id>.status.json is its standing. Records of another host are left to
// it, for what has the same path there is other data, and forgotten when nothing was
// heard of it for a month.
//
// The socket lies in a private temporary directory, since the path of a socket
// is bound to about a hundred bytes. On Windows a socket's mode guards nothing, and
// the user's own temporary directory does.
//
// # Protocol
//
// Client and server write lines of JSON. The client asks and waits for the
// answer before it asks again:
//
//	{"op":"hello","version":1,"token":"…","who":{…}}  → {"state":"hello"}
//	{"op":"stop","sources":["bot"]}                   → {"state":"stopped"}
//	{"op":"start"}                                    → {"state":"started"}
//	{"op":"standing"}                                 → {"state":"standing","standing":{…}}
//
// or {"error":{"kind":"locked","message":"…","hint":"…"}}, where kind is one of
// the vocabulary of holdfast's errors or empty. While an answer takes time, the
// server says {"state":"working"} every second, so that silence is a sign of a
// program that hangs. A wrong token, a line that is too long and one that comes
// before its turn end the connection without a word.
//
// The connection is the lease. What a client stopped is its own until it says
// start; a connection that ends before that, because the client was killed, makes
// the server call [Handler.Abandoned], which recovers and starts again. Nobody
// else can stop or start meanwhile. A client that is merely slow keeps its lease
// for as long as it lives: to start a program under a swap that goes on would harm
// the data.
//
// Nothing in a request names a file: sources go by names that the program knows.
package control

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// A Handler is the program that holds the data.
type Handler interface {
	// Stop lets go of the sources, as engine.Owner has it.
	Stop(ctx context.Context, sources []string) error
	// Start goes on with the data that is there now.
	Start(ctx context.Context) error
	// Abandoned is called instead of Start when whoever asked to stop is gone:
	// a restore may have been cut. It settles that, and starts again.
	Abandoned(ctx context.Context)
	// Standing tells how the program is.
	Standing() holdfast.Standing
}

const version = 1

// maxLine bounds a line of the protocol.
const maxLine = 1 << 20

// limits bound how long each side waits for the other.
type limits struct {
	beat   time.Duration // how often a server that works says so
	line   time.Duration // silence, or a line that is not taken, until the peer is given up
	idle   time.Duration // a client that holds nothing and says nothing
	work   time.Duration // what a handler may take
	answer time.Duration // what a client waits for an answer in all
}

var usual = limits{beat: time.Second, line: 10 * time.Second, idle: time.Minute, work: 3 * time.Minute, answer: 4 * time.Minute}

// request is what a client says.
type request struct {
	Op      string          `json:"op"` // hello, stop, start, standing
	Version int             `json:"version,omitempty"`
	Token   string          `json:"token,omitempty"`
	Who     *holdfast.Owner `json:"who,omitempty"`
	Sources []string        `json:"sources,omitempty"`
}

// answer is what a server says.
type answer struct {
	State    string             `json:"state,omitempty"` // hello, working, stopped, started, standing
	Standing *holdfast.Standing `json:"standing,omitempty"`
	Error    *failure           `json:"error,omitempty"`
}

// failure is an error on its way to the client.
type failure struct {
	Kind    string `json:"kind,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// kinds are the errors that a client can tell apart.
var kinds = []struct {
	name string
	err  error
}{
	{"usage", holdfast.ErrUsage},
	{"refused", holdfast.ErrRefused},
	{"damaged", holdfast.ErrDamaged},
	{"locked", holdfast.ErrLocked},
	{"not_found", holdfast.ErrNotFound},
	{"incomplete", holdfast.ErrIncomplete},
}

func newFailure(err error) *failure {
	f := &failure{Message: err.Error(), Hint: holdfast.HintOf(err)}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			f.Kind = k.name
			break
		}
	}
	return f
}

// error is what the client makes of it.
func (f *failure) error() error {
	err := errors.New(f.Message)
	for _, k := range kinds {
		if f.Kind == k.name {
			err = holdfast.Kindf(k.err, "%s", f.Message)
		}
	}
	return &holdfast.Error{Err: err, Hint: f.Hint}
}

// A place is a source as others can find it again.
type place struct {
	Name string `json:"name"`
	Path string `json:"path"` // absolute, without links
}

func newPlace(s holdfast.Source) place {
	t := s.Target()
	if !t.Remote {
		t.Path = canonical(t.Path)
	}
	return place{Name: s.Name(), Path: t.Path}
}

// touches tells whether two places share data: one lies in the other.
func (p place) touches(q place) bool { return within(p.Path, q.Path) || within(q.Path, p.Path) }

func within(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && (rest == "" || os.IsPathSeparator(rest[0]) || os.IsPathSeparator(dir[len(dir)-1]))
}

// canonical is a path in the one form in which paths are compared. The last
// element need not exist.
func canonical(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		return filepath.Join(dir, filepath.Base(abs))
	}
	return abs
}
