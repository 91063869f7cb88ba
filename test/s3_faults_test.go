//go:build linux

package test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// A service that answers a fifth of all requests with an error, a cut, twice,
// late or not at all is slow, and nothing else: every command ends well.
func TestS3Faults_AnUnreliableServiceIsOnlySlow(t *testing.T) {
	t.Parallel()
	s, r := newStore(t), seeded(t)
	m := newUser(t, s.at("backups"))
	m.with("HOLDFAST_RETENTION_DAYS=0", "HOLDFAST_RETENTION_KEEP_LAST=3")
	m.grow("bot.db", 1200)
	kept := ledger{}
	s.proxy.Random(r.Uint64(), 0.2)
	for range 2 {
		m.touch("bot.db")
		m.must(0, "backup")
		kept.note(m)
		m.touch("bot.db")
		m.must(0, "backup", "--trigger", "scheduled")
		kept.note(m)
		m.must(0, "verify")
		kept.restores(m, m.list().names()[0])
	}
	m.must(0, "prune")
	m.must(0, "compact")
	met := s.proxy.Met()
	s.proxy.Heal()
	kept.check(m)
	m.must(0, "verify", "--all")
	if len(met) < len(s3test.Survivable())/2 {
		t.Errorf("only these faults were met: %v", met)
	}
	t.Logf("%v", met)
}

// Each kind of trouble, on whatever it hurts most, and then it is over: the
// command that met it ends well.
func TestS3Faults_OneByOne(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m := newUser(t, s.at("backups"))
	m.grow("bot.db", 1500)
	kept := ledger{}
	payload := func(method string) func(*http.Request) bool { return s3test.Is(method, "bot.db.zst") }
	for _, tt := range []struct {
		name    string
		rule    s3test.Rule
		command []string
	}{
		{"an upload is cut in the middle", s3test.Rule{When: payload("PUT"), Fault: s3test.CutUpload(300 << 10), Times: 3}, []string{"backup"}},
		{"an upload loses its answer", s3test.Rule{When: payload("PUT"), Fault: s3test.LoseAnswer(), Times: 2}, []string{"backup"}},
		{"the commit loses its answer", s3test.Rule{When: s3test.Is("PUT", "/backup_metadata.json"), Fault: s3test.LoseAnswer(), Times: 3}, []string{"backup"}},
		{"the commit arrives twice", s3test.Rule{When: s3test.Is("PUT", "/backup_metadata.json"), Fault: s3test.Duplicate()}, []string{"backup"}},
		{"the lease loses its answer", s3test.Rule{When: s3test.Is("PUT", "/lease.json"), Fault: s3test.LoseAnswer(), Times: 3}, []string{"backup"}},
		{"a burst of 503", s3test.Rule{Fault: s3test.Refuse(503), Times: 5}, []string{"backup"}},
		{"a burst of 500", s3test.Rule{Fault: s3test.Refuse(500), Times: 5}, []string{"backup"}},
		{"everything late", s3test.Rule{Fault: s3test.Delay(20 * time.Millisecond)}, []string{"backup"}},
		{"a range is cut in the middle", s3test.Rule{When: payload("GET"), Fault: s3test.CutAnswer(100 << 10), Times: 5}, []string{"verify"}},
		{"ranges come slowly", s3test.Rule{When: payload("GET"), Fault: s3test.Slow(4 << 20)}, []string{"verify"}},
		{"a burst of 503 while restoring", s3test.Rule{When: payload("GET"), Fault: s3test.Refuse(503), Times: 4}, []string{"--yes", "restore", "latest", "--no-emergency"}},
		{"deletions lose their answers", s3test.Rule{When: isRemoval, Fault: s3test.LoseAnswer(), Times: 4}, []string{"--yes", "delete", "first"}},
	} {
		if len(kept) == 0 {
			m.must(0, "backup", "--name", "first")
			kept.note(m)
		}
		s.proxy.Inject(tt.rule)
		if code, _, stderr := m.run(tt.command...); code != 0 {
			t.Errorf("%s: exit %d\n%s", tt.name, code, stderr)
		}
		s.proxy.Heal()
		kept.note(m)
		m.touch("bot.db")
	}
	kept.check(m)
	if slices.Contains(m.list().names(), "first") {
		t.Error("the deleted backup is still there")
	}
}

// isRemoval tells whether a request removes objects.
func isRemoval(r *http.Request) bool {
	return r.Method == http.MethodDelete || r.Method == http.MethodPost && r.URL.Query().Has("delete")
}

// refuseAfter refuses for good, from the n-th request of a kind on.
func refuseAfter(n int, when func(*http.Request) bool) s3test.Rule {
	var seen atomic.Int64
	return s3test.Rule{
		When:  func(r *http.Request) bool { return when(r) && seen.Add(1) > int64(n) },
		Fault: s3test.Refuse(http.StatusForbidden),
	}
}

// isWrite tells whether a request changes something. The lease goes on: without it
// everybody would wait until it has run out.
func isWrite(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && !strings.HasSuffix(r.URL.Path, "/lease.json")
}

// A service that carries out the first n changes of a command and no further one
// leaves every backup whole that was there, and what it left is no hindrance.
func TestS3Faults_CutAfterEveryChange(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m := newUser(t, s.at("backups"))
	m.with("HOLDFAST_RETENTION_DAYS=0", "HOLDFAST_RETENTION_KEEP_LAST=2")
	m.grow("bot.db", 1000)
	kept := ledger{}
	prepare := func() {
		for _, args := range [][]string{{"--full", "--name", "base"}, {"--trigger", "scheduled"}, {"--trigger", "scheduled"}} {
			m.touch("bot.db")
			m.must(0, append([]string{"backup", "--no-prune"}, args...)...)
			kept.note(m)
		}
	}
	for _, tt := range []struct {
		command []string
		before  func()
	}{
		{[]string{"backup", "--no-prune"}, func() {}},
		{[]string{"prune"}, prepare},
		{[]string{"compact"}, func() { prepare(); m.must(0, "--yes", "delete", "base") }},
	} {
		t.Logf("%s", tt.command[0])
		m.must(0, "backup", "--name", "first")
		kept.note(m)
		tt.before()
		ended := false
		for n := 1; !ended && n < 200; n += 1 + n/2 {
			s.proxy.Inject(refuseAfter(n, isWrite))
			code, _, stderr := m.run(tt.command...)
			s.proxy.Heal()
			if ended = code == 0; !ended {
				contains(t, tt.command[0], stderr, "hint: ")
			}
			kept.note(m)
			m.must(0, "verify", "--all", "--quiet")
		}
		if !ended {
			t.Errorf("%s was cut every time", tt.command[0])
		}
		kept.check(m)
		m.must(0, tt.command...)
		kept.note(m)
		m.must(0, append([]string{"--yes", "delete"}, m.list().names()...)...) // the names are taken again
		clear(kept)
		m.must(0, "compact")
	}
	if left := s.objects("backups/base/"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Listings that show what was a while ago hide no backup for longer than that,
// and lose none.
func TestS3Faults_ListingsLag(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m := newUser(t, s.at("backups"))
	m.grow("bot.db", 300)
	kept := ledger{}
	s.proxy.Inject(s3test.Rule{When: s3test.IsList, Fault: s3test.StaleList(700 * time.Millisecond)})
	var made []string
	for i := range 5 {
		m.touch("bot.db")
		args := []string{"--name", fmt.Sprintf("b%d", i)}
		if i%2 == 1 {
			args = append(args, "--trigger", "scheduled")
		}
		name := m.backup(args...).Name
		made, kept[name] = append(made, name), m.sum("bot.db")
		kept.restores(m, name)
	}
	m.must(0, "--yes", "delete", made[0])
	m.run("compact") // may be refused: it cannot know all that there is
	time.Sleep(time.Second)
	m.must(0, "compact")
	s.proxy.Heal()
	want := slices.Clone(made[1:])
	if got := m.list().names(); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		t.Errorf("there are %q, want %q", got, want)
	}
	kept.check(m)
	m.must(0, "verify", "--all")
}

// inFlight is how many objects may have arrived whose sender was not told so any
// more.
const inFlight = 3

// A copy that was cut goes on where it stopped: what the replica has completely
// is not sent again, whether the command was refused or killed.
func TestS3Faults_ReplicateGoesOn(t *testing.T) {
	t.Parallel()
	refused := func(s *store, m *machine) {
		s.proxy.Inject(refuseAfter(9, func(r *http.Request) bool {
			return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/notes/")
		}))
		_, stderr := m.must(3, "replicate")
		contains(s.t, "replicate", stderr, "monday", "hint: ")
		s.proxy.Heal()
	}
	killed := func(s *store, m *machine) {
		var sent atomic.Int64
		reached, late, arrived := make(chan struct{}, 64), make(chan struct{}), make(chan int, 64)
		defer close(late)
		s.proxy.Inject(s3test.Rule{
			When: func(r *http.Request) bool {
				return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/notes/") && sent.Add(1) > 9
			},
			Fault: s3test.Hold(reached, late, arrived),
		})
		c := m.command("replicate")
		if err := c.Start(); err != nil {
			s.t.Fatal(err)
		}
		<-reached
		_ = c.Process.Kill()
		_ = c.Wait()
		s.proxy.Heal()
		m.afterLease("--repo", s.at("vault"), "compact")
	}
	for _, tt := range []struct {
		name, encryption string
		cut              func(s *store, m *machine)
	}{
		{"refused", "", refused},
		{"killed", "", killed},
		{"refused, with an encryption of its own", ", passphrase_file: passphrase", refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			m := newMachine(t)
			m.with(s3test.Environment()...)
			m.file("holdfast.yaml", fmt.Sprintf(`repository: backups
sources: {notes: {type: files, path: notes}, bot: {type: sqlite, path: bot.db}}
replicas: [{name: offsite, url: %q%s}]
`, s.at("vault"), tt.encryption))
			m.file("passphrase", passphrase+"\n")
			m.grow("bot.db", 300)
			for i := range 24 {
				m.file(fmt.Sprintf("notes/%02d.txt", i), strings.Repeat(fmt.Sprintf("note %d ", i), 400))
			}
			m.must(0, "backup", "--name", "monday", "--no-replicate")
			m.touch("bot.db")
			m.must(0, "backup", "--name", "tuesday", "--trigger", "scheduled", "--no-replicate")
			s.proxy.Forget()
			tt.cut(s, m)
			first := s.sent("PUT", "vault/monday/notes/")
			if len(first) < 5 {
				t.Fatalf("only %v came through before the cut", first)
			}
			if l := m.list("--repo", s.at("vault")); len(l.Backups) != 0 {
				t.Errorf("half a copy is shown: %v", l.names())
			}

			s.proxy.Forget()
			stdout, _ := m.must(0, "replicate")
			contains(t, "replicate", stdout, "2 backups to offsite")
			second := s.sent("PUT", "vault/monday/notes/")
			var again []string
			for key := range first {
				if second[key] != 0 {
					again = append(again, key)
				}
			}
			if len(again) > inFlight {
				t.Errorf("%q were sent again", again)
			}
			if len(first)+len(second) < 24 {
				t.Errorf("24 notes are %d before the cut and %d after it", len(first), len(second))
			}

			// A third run has nothing to send.
			s.proxy.Forget()
			m.must(0, "replicate")
			if more := s.sent("PUT", "vault/"); slices.ContainsFunc(slices.Collect(maps.Keys(more)), func(k string) bool { return !strings.HasPrefix(k, ".holdfast/") }) {
				t.Errorf("a replica that is up to date is sent %v", more)
			}
			m.must(0, "verify", "--replica", "all", "--all")
			if err := os.RemoveAll(m.path("backups")); err != nil {
				t.Fatal(err)
			}
			m.must(0, "restore", "tuesday", "--to", "copy")
			if m.sum("copy/bot/bot.db") != m.sum("bot.db") || m.read("copy/notes/07.txt") != m.read("notes/07.txt") {
				t.Error("the copy is not what was copied")
			}
		})
	}
}

// What is needed by a backup that a lagging listing does not show yet is not
// freed.
func TestS3Faults_LagFreesNothingThatIsNeeded(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m := newUser(t, s.at("backups"))
	m.grow("bot.db", 1000)
	kept := ledger{}
	m.must(0, "backup", "--name", "base")
	kept.note(m)
	s.proxy.Inject(s3test.Rule{When: s3test.IsList, Fault: s3test.StaleList(30 * time.Second)})
	m.must(0, "list")
	m.touch("bot.db")
	delta := m.backup("--trigger", "scheduled")
	kept[delta.Name] = m.sum("bot.db")
	m.must(0, "--yes", "delete", "base")
	delete(kept, "base")
	s.proxy.Heal()
	kept.check(m)
}
