package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// program is a handler that notes what it is asked.
type program struct {
	mu    sync.Mutex
	asked []string
	stop  func(context.Context) error
	start func(context.Context) error
}

func (p *program) note(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, what)
}

func (p *program) Stop(ctx context.Context, sources []string) error {
	p.note("stop " + strings.Join(sources, " "))
	if p.stop != nil {
		return p.stop(ctx)
	}
	return nil
}

func (p *program) Start(ctx context.Context) error {
	p.note("start")
	if p.start != nil {
		return p.start(ctx)
	}
	return nil
}

func (p *program) Abandoned(context.Context) { p.note("abandoned") }

func (p *program) Standing() holdfast.Standing {
	return holdfast.Standing{State: holdfast.StandingReady, Message: "all is well"}
}

func (p *program) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.asked, ", ")
}

// awaits waits until the program was asked exactly this.
func (p *program) awaits(t *testing.T, want string) {
	t.Helper()
	for p.log() != want {
		if t.Context().Err() != nil {
			t.Fatalf("it was asked %q, not %q", p.log(), want)
		}
		time.Sleep(time.Millisecond)
	}
}

func newDatabase(name, path string) (holdfast.Source, error) {
	return sqlite.New(name, path, sqlite.Options{})
}

func database(t *testing.T, name, path string) holdfast.Source {
	t.Helper()
	s, err := newDatabase(name, path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// quick are limits that a test can wait for.
var quick = limits{beat: 5 * time.Millisecond, line: 300 * time.Millisecond, idle: time.Minute, work: time.Minute, answer: time.Minute}

// world is a state directory and a database.
type world struct {
	t           *testing.T
	state, data string
}

func newWorld(t *testing.T) *world {
	return &world{t: t, state: t.TempDir(), data: filepath.Join(t.TempDir(), "bot.db")}
}

func (w *world) serve(p *program, l limits, sources ...holdfast.Source) *Server {
	w.t.Helper()
	if sources == nil {
		sources = []holdfast.Source{database(w.t, "bot", w.data)}
	}
	s, err := serve(w.state, sources, p, nil, l)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return s
}

func (w *world) client(l limits) *Client {
	c := Owners(w.state, []holdfast.Source{database(w.t, "bot", w.data)})
	c.limits = l
	return c
}

// Programs are found by their data, whatever they call it.
func TestOwners_AskWhoHasTheData(t *testing.T) {
	w := newWorld(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Dir(w.data), link); err != nil {
		t.Fatal(err)
	}
	same, linked, other := &program{}, &program{}, &program{}
	w.serve(same, usual, database(t, "users", w.data), database(t, "more", filepath.Join(t.TempDir(), "more.db")))
	w.serve(linked, usual, database(t, "linked", filepath.Join(link, "bot.db")))
	w.serve(other, usual, database(t, "bot", filepath.Join(t.TempDir(), "bot.db")))
	c := w.client(usual)
	if !c.Any() {
		t.Error("nobody is there")
	}
	if err := c.Stop(t.Context(), []string{"bot"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := []string{same.log(), linked.log(), other.log()}; !slices.Equal(got, []string{"stop users, start", "stop linked, start", ""}) {
		t.Errorf("asked were %q", got)
	}
	if err := c.Stop(t.Context(), []string{"nothing of ours"}); err != nil || same.log() != "stop users, start" {
		t.Errorf("for another source: %v, %s", err, same.log())
	}
	if stranger := Owners(w.state, []holdfast.Source{database(t, "bot", filepath.Join(t.TempDir(), "x.db"))}); stranger.Any() {
		t.Error("other data has an owner")
	}
}

func TestOwners_OneThatRefusesStartsTheOthersAgain(t *testing.T) {
	w := newWorld(t)
	refusal := &holdfast.Error{Op: "stop", Err: holdfast.Kindf(holdfast.ErrRefused, "a migration runs"), Hint: "wait for it"}
	var all []*program
	for i := range 4 {
		p := &program{}
		if i == 2 {
			p.stop = func(context.Context) error { return refusal }
		}
		all = append(all, p)
		w.serve(p, usual)
	}
	err := w.client(usual).Stop(t.Context(), []string{"bot"})
	if !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), "a migration runs") || holdfast.HintOf(err) != "wait for it" {
		t.Errorf("%v, hint %q", err, holdfast.HintOf(err))
	}
	for i, p := range all {
		log := p.log()
		if (i == 2 && log != "stop bot") || (i != 2 && log != "" && log != "stop bot, start") {
			t.Errorf("program %d was asked %q", i, log)
		}
	}
}

// A handler may take its time, as long as it lives.
func TestOwners_WaitForASlowProgram(t *testing.T) {
	w := newWorld(t)
	p := &program{stop: func(context.Context) error { time.Sleep(3 * quick.line); return nil }}
	w.serve(p, quick)
	c := w.client(quick)
	if err := c.Stop(t.Context(), []string{"bot"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOwners_AStartThatFailsIsTold(t *testing.T) {
	w := newWorld(t)
	p := &program{start: func(context.Context) error { return errors.New("port in use") }}
	w.serve(p, usual)
	c := w.client(usual)
	if err := c.Stop(t.Context(), []string{"bot"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "port in use") {
		t.Errorf("%v", err)
	}
	p.awaits(t, "stop bot, start")
	p.start = nil
	if err := c.Stop(t.Context(), []string{"bot"}); err != nil {
		t.Errorf("it cannot be asked again: %v", err)
	}
}

// Whoever gives up waiting has nothing stopped.
func TestOwners_GivingUpDuringAStop(t *testing.T) {
	for name, outcome := range map[string]error{"that ends well": nil, "that fails": context.Canceled} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ctx, cancel := context.WithCancel(t.Context())
			p := &program{stop: func(ctx context.Context) error {
				cancel()
				<-ctx.Done() // the connection is gone
				return outcome
			}}
			w.serve(p, usual)
			if err := w.client(usual).Stop(ctx, []string{"bot"}); !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			if outcome == nil {
				p.awaits(t, "stop bot, abandoned")
			} else {
				p.awaits(t, "stop bot")
			}
		})
	}
}

// A record whose program accepts and says nothing.
func TestOwners_AHangingProgramIsNamed(t *testing.T) {
	w := newWorld(t)
	s := w.serve(&program{}, usual)
	if err := s.listener.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", s.record.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = w.client(quick).Stop(t.Context(), []string{"bot"})
	if !errors.Is(err, holdfast.ErrLocked) || !strings.Contains(err.Error(), s.record.name()) || !strings.Contains(err.Error(), "hangs") || !strings.Contains(holdfast.HintOf(err), "kill ") {
		t.Errorf("%v, hint %q", err, holdfast.HintOf(err))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.client(quick).Stop(t.Context(), []string{"bot"}); !errors.Is(err, holdfast.ErrLocked) || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("nobody listens: %v", err)
	}
}

// A program that ends while it is stopped is not started again, and whoever stopped
// it is told.
func TestServer_CloseWhileStopped(t *testing.T) {
	w := newWorld(t)
	p := &program{}
	s := w.serve(p, usual)
	c := w.client(usual)
	if err := c.Stop(t.Context(), []string{"bot"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "it has ended") {
		t.Errorf("%v", err)
	}
	if p.log() != "stop bot" {
		t.Errorf("it was asked %q", p.log())
	}
	if err := s.Close(); err != nil {
		t.Errorf("a second close: %v", err)
	}
}

// talk says lines to a server and gives its answers, until it closes.
func talk(t *testing.T, s *Server, lines ...string) []string {
	t.Helper()
	conn, err := net.Dial("unix", s.record.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewScanner(conn)
	var out []string
	for _, line := range lines {
		if _, err := conn.Write([]byte(line + "\n")); err != nil || !in.Scan() {
			return append(out, "closed")
		}
		out = append(out, in.Text())
	}
	return out
}

func TestServer_Protocol(t *testing.T) {
	w := newWorld(t)
	p := &program{}
	s := w.serve(p, quick)
	hello := `{"op":"hello","version":1,"token":"` + s.record.Token + `"}`
	for name, c := range map[string]struct {
		lines []string
		last  string
	}{
		"no hello":         {[]string{`{"op":"stop","sources":["bot"]}`}, "closed"},
		"wrong token":      {[]string{`{"op":"hello","version":1,"token":"x"}`}, "closed"},
		"no token":         {[]string{`{"op":"hello","version":1}`}, "closed"},
		"no JSON":          {[]string{hello, "stop"}, "closed"},
		"long line":        {[]string{hello, strings.Repeat("x", maxLine+1)}, "closed"},
		"silence":          {[]string{""}, "closed"},
		"other version":    {[]string{strings.Replace(hello, ":1,", ":2,", 1)}, `{"error":{"kind":"refused","message":"the program speaks version 1 of this protocol"}}`},
		"unknown source":   {[]string{hello, `{"op":"stop","sources":["bot","../etc"]}`}, `{"error":{"kind":"usage","message":"the program has no source \"../etc\""}}`},
		"start of nothing": {[]string{hello, `{"op":"start"}`}, `{"error":{"kind":"usage","message":"\"start\" is not understood now"}}`},
		"unknown":          {[]string{hello, `{"op":"format"}`}, `{"error":{"kind":"usage","message":"\"format\" is not understood now"}}`},
		"hello":            {[]string{hello}, `{"state":"hello"}`},
	} {
		if got := talk(t, s, c.lines...); got[len(got)-1] != c.last {
			t.Errorf("%s: %q, want %q", name, got, c.last)
		}
	}
	if p.log() != "" {
		t.Errorf("the program was asked %q", p.log())
	}
	var a answer
	got := talk(t, s, hello, `{"op":"standing"}`)
	if err := json.Unmarshal([]byte(got[1]), &a); err != nil || a.Standing == nil || a.Standing.Message != "all is well" {
		t.Errorf("standing: %q, %v", got, err)
	}
	talk(t, s, hello, `{"op":"stop","sources":["bot"]}`, `{"op":"stop","sources":["bot"]}`)
	p.awaits(t, "stop bot, abandoned")
}

func TestServe_IsPrivate(t *testing.T) {
	w := newWorld(t)
	s := w.serve(&program{}, usual)
	if err := s.Publish(holdfast.Standing{}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{
		s.dir: 0o700, filepath.Join(s.dir, s.id+recordSuffix): 0o600, filepath.Join(s.dir, s.id+lockSuffix): 0o600,
		s.StatusFile(): 0o600, s.record.Socket: 0o600, filepath.Dir(s.record.Socket): 0o700,
	} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", path, info, err, want)
		}
	}
	if len(s.record.Socket) > maxSocketPath {
		t.Errorf("%s is too long", s.record.Socket)
	}
}

// A program whose state directory cannot be written runs on: with a status that it
// can read itself, and a clear word about what is missing.
func TestServe_WithoutAStateDirectory(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Serve(filepath.Join(blocked, "state"), nil, &program{}, nil)
	if err == nil || !strings.Contains(err.Error(), "make the program known in") || !strings.Contains(holdfast.HintOf(err), "HOLDFAST_STATE") {
		t.Errorf("%v, hint %q", err, holdfast.HintOf(err))
	}
	if err := s.Publish(holdfast.Standing{Message: "here"}); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(s.StatusFile()); err != nil || !strings.Contains(string(data), `"message": "here"`) {
		t.Errorf("%s, %v", data, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(s.StatusFile())); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its directory is left: %v", err)
	}
}

func TestServe_ALongTemporaryDirectory(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("long", 40))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	w := newWorld(t)
	w.serve(&program{}, usual)
	c := w.client(usual)
	if err := c.Stop(t.Context(), []string{"bot"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Error(err)
	}
}

// What another host wrote is left alone; what nobody can read stops a restore only
// if a program that lives has written it.
func TestLiving_RecordsThatAreNotOurs(t *testing.T) {
	w := newWorld(t)
	s := w.serve(&program{}, usual)
	foreign := s.record
	foreign.Host, foreign.Version = "elsewhere", version+1
	if err := foreign.write(s.dir, "foreign"); err != nil {
		t.Fatal(err)
	}
	torn := filepath.Join(s.dir, "torn"+recordSuffix)
	if err := os.WriteFile(torn, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	stray := filepath.Join(s.dir, "stray"+lockSuffix)
	fresh := filepath.Join(s.dir, "fresh"+lockSuffix)
	for _, name := range []string{stray, fresh} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(stray, time.Time{}, time.Now().Add(-2*strayAge)); err != nil {
		t.Fatal(err)
	}
	found, err := living(w.state)
	if err != nil || len(found) != 1 || found[0].Token != s.record.Token {
		t.Fatalf("%+v, %v", found, err)
	}
	for name, want := range map[string]bool{filepath.Join(s.dir, "foreign"+recordSuffix): true, torn: false, stray: false, fresh: true} {
		if _, err := os.Lstat(name); (err == nil) != want {
			t.Errorf("%s: %v, want there %v", name, err, want)
		}
	}
	if err := os.WriteFile(filepath.Join(s.dir, s.id+recordSuffix), []byte(`{"version":2,"host":"`+hostname()+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := living(w.state); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("a record of a newer version: %v", err)
	}
}

// What a program says itself is newer than what it has published; a program that
// does not answer is told by the latter, and that it is.
func TestStandings_AreAskedForAndOtherwiseRead(t *testing.T) {
	state := t.TempDir()
	for _, c := range []struct {
		name string
		lock func(*Server)
		want string
		fail bool
	}{
		{"it answers", func(*Server) {}, "asked", false},
		{"it cannot be reached", func(s *Server) { _ = s.listener.Close() }, "published", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Serve(state, nil, standingOnly{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Publish(holdfast.Standing{Message: "published", At: holdfast.At(time.Now())}); err != nil {
				t.Fatal(err)
			}
			c.lock(s)
			got, err := Standings(t.Context(), state)
			if len(got) != 1 || got[0].Message != c.want || (err != nil) != c.fail {
				t.Errorf("%+v, %v", got, err)
			}
			if c.fail && !strings.Contains(err.Error(), "is shown") {
				t.Errorf("the error does not say what is shown: %v", err)
			}
		})
	}
}

// standingOnly is a program that only says how it stands.
type standingOnly struct{ Handler }

func (standingOnly) Standing() holdfast.Standing { return holdfast.Standing{Message: "asked"} }
