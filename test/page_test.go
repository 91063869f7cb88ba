//go:build linux

package test

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A page is a document whose words are held to what the program does.
type page struct {
	t     *testing.T
	paths []string // of the document and its translations, which have the same blocks
	text  string
}

func openPage(t *testing.T, path string, translations ...string) *page {
	t.Helper()
	return &page{t: t, paths: append([]string{path}, translations...), text: readText(t, path)}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fence matches one fenced block: what it is, and what it holds.
var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

// fenced gives the blocks of one kind, in their order.
func (p *page) fenced(kind string) []string {
	var out []string
	for _, b := range fence.FindAllStringSubmatch(p.text, -1) {
		if b[1] == kind {
			out = append(out, b[2])
		}
	}
	return out
}

// file gives the block below a line with the file's name: "`bot.py`:".
func (p *page) file(name string) string {
	p.t.Helper()
	_, after, ok := strings.Cut(p.text, "\n`"+name+"`")
	b := fence.FindStringSubmatch(after)
	if !ok || b == nil {
		p.t.Fatalf("%s shows no %s", p.paths[0], name)
	}
	return b[2]
}

// moving is what is another in every run: times, sizes, names of operations and
// backups, and which of the backups that are due at once is the one that is made.
var moving = regexp.MustCompile(`just now|\d+ (second|minute)s? ago|\w+_(backup|restore)_[\d_]+|trigger=\w+|"last_trigger": "\w+"|form="[^"]*"|\d+(\.\d+)?( ?(KiB|MiB|GiB|ms|µs|s|B)\b)?|op_id=\w+| {2,}`)

// A machine under load is some seconds or minutes later; what it prints is the same.
func TestAlike_AgesAreAlike(t *testing.T) {
	t.Parallel()
	const soon = "NAME    AGE       TYPE\nmonday  just now  enhanced  51  just now\n"
	for _, late := range []string{
		"NAME    AGE           TYPE\nmonday  1 second ago  enhanced  51  just now\n",
		"NAME    AGE             TYPE\nmonday  14 seconds ago  enhanced  51  2 seconds ago\n",
		"NAME    AGE            TYPE\nmonday  2 minutes ago  enhanced  51  1 minute ago\n",
	} {
		if got, want := alike(late), alike(soon); !slices.Equal(got, want) {
			t.Errorf("%q is not like %q", got, want)
		}
	}
	if slices.Equal(alike(soon), alike(strings.ReplaceAll(soon, "enhanced", "standard"))) {
		t.Error("another type is alike")
	}
}

// machineLine matches what a start says of the disk that a test runs on.
var machineLine = regexp.MustCompile(`finding=(overlay|memory|network|low_space)`)

// alike gives the different lines without what moves, in an order of their own:
// what happens in the background has none.
func alike(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if machineLine.MatchString(line) {
			continue
		}
		out = append(out, strings.TrimRight(moving.ReplaceAllString(strings.TrimRight(line, "\n"), "#"), " #"))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// shows wants the console block of this name to be what was really printed, and
// with -update writes it, in the translations too.
func (p *page) shows(name, printed string) { p.t.Helper(); p.showsAs("console", name, printed) }

// showsAs is shows for a block of another kind.
func (p *page) showsAs(kind, name, printed string) {
	p.t.Helper()
	begin, end := "<!-- log: "+name+" -->\n```"+kind+"\n", "```\n<!-- log: end -->\n"
	for _, path := range p.paths {
		text := readText(p.t, path)
		before, rest, ok := strings.Cut(text, begin)
		shown, after, ended := strings.Cut(rest, end)
		if !ok || !ended {
			p.t.Fatalf("%s has no block %q", path, begin)
		}
		if *update {
			if err := os.WriteFile(path, []byte(before+begin+printed+end+after), 0o644); err != nil {
				p.t.Fatal(err)
			}
			continue
		}
		if got, want := alike(printed), alike(shown); !slices.Equal(got, want) {
			p.t.Errorf("%s: the block %q is not what is printed; go test ./test -run Page -update writes it anew.\ngot:\n%s\nwant:\n%s", path, name, printed, shown)
		}
	}
}

// A served is a program that serves on a port, with everything that it prints.
type served struct {
	m    *machine
	cmd  *exec.Cmd
	log  string // the file that holds it
	port string
}

// serve starts a program in the machine's directory.
func (m *machine) serve(port string, args ...string) *served {
	m.t.Helper()
	log, err := os.CreateTemp(m.t.TempDir(), "log")
	if err != nil {
		m.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = m.dir, log, log
	cmd.Env = append([]string{"PATH=" + filepath.Dir(binary) + ":" + os.Getenv("PATH"), "HOME=" + m.dir, "TMPDIR=" + os.TempDir(), "PORT=" + port}, m.env...)
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	s := &served{m: m, cmd: cmd, log: log.Name(), port: port}
	m.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return s
}

// printed is what it has printed so far.
func (s *served) printed() string {
	s.m.t.Helper()
	return strings.ReplaceAll(readText(s.m.t, s.log), s.m.dir, "/srv/bot")
}

// until waits for something, and gives up loudly.
func (s *served) until(what string, is func() bool) {
	s.m.t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.m.t.Fatalf("%s did not happen within a minute:\n%s", what, s.printed())
		}
	}
}

// says waits until it has printed these words.
func (s *served) says(words ...string) {
	s.m.t.Helper()
	for _, w := range words {
		s.until("the line "+w, func() bool { return strings.Contains(s.printed(), w) })
	}
}

// message sends a message of a user as Telegram does, and gives the answer.
func (s *served) message(id, name string) string {
	s.m.t.Helper()
	var answer string
	s.until("an answer", func() bool {
		body := `{"message": {"text": "hello", "from": {"id": ` + id + `, "first_name": "` + name + `"}}}`
		resp, err := http.Post("http://127.0.0.1:"+s.port+"/", "application/json", strings.NewReader(body))
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		var text bytes.Buffer
		if _, err := text.ReadFrom(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			return false
		}
		answer = text.String()
		return true
	})
	return answer
}

// end asks it to end, as a platform does, and gives its exit code.
func (s *served) end() int {
	s.m.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.m.t.Fatal(err)
	}
	return s.wait()
}

// wait waits for its end and gives its exit code.
func (s *served) wait() int {
	s.m.t.Helper()
	timer := time.AfterFunc(time.Minute, func() { _ = s.cmd.Process.Kill() })
	defer timer.Stop()
	if err := s.cmd.Wait(); err != nil && s.cmd.ProcessState == nil {
		s.m.t.Fatal(err)
	}
	return s.cmd.ProcessState.ExitCode()
}

// freePort names a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// variable matches the name of a variable of holdfast's.
var variable = regexp.MustCompile(`HOLDFAST_[A-Z_]*[A-Z]`)
