//go:build linux

package test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// A store is a real S3 server with a bucket, and a proxy before it.
type store struct {
	t      *testing.T
	server *s3test.Server
	proxy  *s3test.Proxy
	bucket string
}

func newStore(t *testing.T) *store {
	t.Helper()
	s := &store{t: t, server: s3test.Serve(t)}
	s.proxy = s3test.NewProxy(t, s.server)
	s.bucket = s.server.NewBucket(t)
	return s
}

// leaseEnds is how long the lease of a dead owner keeps others out here.
const leaseEnds = 3 * time.Second

// at gives the URL of a prefix, behind the proxy.
func (s *store) at(prefix string, more ...string) string {
	return s3test.URL(s.proxy.Addr(), s.bucket, prefix, append([]string{"lease=" + leaseEnds.String()}, more...)...)
}

// objects gives the sizes of everything below a prefix, past the proxy.
func (s *store) objects(prefix string) map[string]int64 {
	s.t.Helper()
	out := map[string]int64{}
	for o := range s.server.Client(s.t).Client.ListObjects(s.t.Context(), s.bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if o.Err != nil {
			s.t.Fatal(o.Err)
		}
		out[o.Key] = o.Size
	}
	return out
}

// download copies everything below a prefix into a directory, as any program
// for object storage does.
func (s *store) download(prefix, dir string) {
	s.t.Helper()
	client := s.server.Client(s.t).Client
	for key := range s.objects(prefix) {
		path := filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(key, prefix)))
		if err := client.FGetObject(s.t.Context(), s.bucket, key, path, minio.GetObjectOptions{}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// sent counts the requests of a method for objects below a prefix that the
// server carried out.
func (s *store) sent(method, prefix string) map[string]int {
	out := map[string]int{}
	for _, r := range s.proxy.Seen() {
		key, ok := strings.CutPrefix(r.Path, "/"+s.bucket+"/"+prefix)
		if ok && r.Method == method && r.Status/100 == 2 {
			out[key]++
		}
	}
	return out
}

// with adds variables to the environment of what the machine runs.
func (m *machine) with(env ...string) *machine {
	m.env = append(m.env, env...)
	return m
}

// file writes a file of the machine.
func (m *machine) file(name, content string) {
	m.t.Helper()
	err := os.MkdirAll(filepath.Dir(m.path(name)), 0o700)
	if err == nil {
		err = os.WriteFile(m.path(name), []byte(content), 0o600)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// newUser is a machine whose one source is bot.db and whose repository, and
// credentials, are given.
func newUser(t *testing.T, repository string) *machine {
	t.Helper()
	m := newMachine(t)
	m.with(s3test.Environment()...)
	m.file("holdfast.yaml", fmt.Sprintf("repository: %q\nsources: {bot: {type: sqlite, path: bot.db}}\n", repository))
	return m
}

// grow adds rows that cannot be compressed, of about a KiB each.
func (m *machine) grow(db string, rows int) {
	m.t.Helper()
	m.sqlite(db, fmt.Sprintf("create table if not exists t(id integer primary key, x blob); with recursive n(i) as (select 1 union all select i+1 from n where i<%d) insert into t(x) select randomblob(900) from n;", rows))
}

// touch changes a few rows.
func (m *machine) touch(db string) {
	m.t.Helper()
	m.sqlite(db, "update t set x=randomblob(900) where id%400=1;")
}

// What holdfast says of a backup.
type told struct {
	Name   string
	Form   string
	Parent string
	Needs  []string
	Stored int64 `json:"stored_bytes"`
	Copies []string
}

// backup makes a backup and tells of it.
func (m *machine) backup(args ...string) told {
	m.t.Helper()
	stdout, _ := m.must(0, append([]string{"--json", "backup"}, args...)...)
	var made struct{ Backup told }
	if err := json.Unmarshal([]byte(stdout), &made); err != nil || made.Backup.Name == "" {
		m.t.Fatalf("%v: %s", err, stdout)
	}
	return made.Backup
}

// A listing is what list --json prints.
type listing struct {
	Backups  []told
	Hidden   []struct{ Name string }
	Replicas []replicaTold
}

type replicaTold struct {
	Name    string
	Exists  bool
	Backups int
	Behind  []string
	Error   string
}

func (l listing) names() []string {
	var out []string
	for _, b := range l.Backups {
		out = append(out, b.Name)
	}
	return out
}

func (m *machine) list(args ...string) listing {
	m.t.Helper()
	stdout, _ := m.must(0, append([]string{"--json", "list"}, args...)...)
	var out listing
	if err := json.Unmarshal([]byte(stdout), &out); err != nil {
		m.t.Fatalf("%v: %s", err, stdout)
	}
	return out
}

// afterLease runs a command as soon as the lease of a dead owner has run out:
// until then it is told who holds it.
func (m *machine) afterLease(args ...string) {
	m.t.Helper()
	for deadline := time.Now().Add(leaseEnds + 10*time.Second); ; time.Sleep(100 * time.Millisecond) {
		code, stdout, stderr := m.run(args...)
		switch {
		case code == 0:
			return
		case code != holdfast.ExitLocked || time.Now().After(deadline):
			m.t.Fatalf("holdfast %q: exit %d\n%s%s", args, code, stdout, stderr)
		}
	}
}

// A ledger knows the database of each backup, as a digest, and so whether every
// one still restores to just that.
type ledger map[string]string

// note takes the backups that the ledger does not know for ones of the present
// database, which must not have changed since they were begun.
func (l ledger) note(m *machine) {
	m.t.Helper()
	now := m.sum("bot.db")
	for _, name := range m.list().names() {
		if _, ok := l[name]; !ok {
			l[name] = now
		}
	}
}

// check restores every backup of a listing and compares it, bit for bit.
func (l ledger) check(m *machine, args ...string) {
	m.t.Helper()
	for _, name := range m.list(args...).names() {
		l.restores(m, name, args...)
	}
}

// restores restores one backup and compares it, bit for bit.
func (l ledger) restores(m *machine, name string, args ...string) {
	m.t.Helper()
	m.must(0, append([]string{"restore", name, "--to", "copy"}, args...)...)
	if got, want := m.sum("copy/bot/bot.db"), l[name]; got != want {
		m.t.Errorf("%s restores to another database than was backed up", name)
	}
	if err := os.RemoveAll(m.path("copy")); err != nil {
		m.t.Fatal(err)
	}
}

// A writer is a sqlite3 process that keeps changing a database: it moves money
// between accounts and adds to a journal, in transactions.
type writer struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	done  atomic.Int64 // transactions that were sent
	quit  chan struct{}
	ended chan struct{}
	once  atomic.Bool
}

const (
	accounts = 200
	balance  = 1000
)

// newWriter makes the tables and starts to write.
func (m *machine) newWriter(db string) *writer {
	m.t.Helper()
	m.sqlite(db, fmt.Sprintf(`pragma journal_mode=wal;
		create table account(id integer primary key, n integer);
		create table journal(id integer primary key, x blob);
		with recursive n(i) as (select 1 union all select i+1 from n where i<%d) insert into account select i, %d from n;`, accounts, balance))
	w := &writer{t: m.t, cmd: exec.Command("sqlite3", m.path(db)), quit: make(chan struct{}), ended: make(chan struct{})}
	var err error
	if w.in, err = w.cmd.StdinPipe(); err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		m.t.Fatal(err)
	}
	go w.run()
	m.t.Cleanup(w.stop)
	return w
}

func (w *writer) run() {
	defer close(w.ended)
	_, _ = io.WriteString(w.in, ".timeout 5000\n")
	for i := 0; ; i++ {
		select {
		case <-w.quit:
			return
		case <-time.After(2 * time.Millisecond):
		}
		_, err := fmt.Fprintf(w.in, "begin immediate; update account set n=n-7 where id=%d; insert into journal(x) values(randomblob(500)); update account set n=n+7 where id=%d; commit;\n", 1+i%accounts, 1+i*13%accounts)
		if err != nil {
			return // stop finds out how it ended
		}
		w.done.Add(1)
	}
}

// await waits until so many more transactions were sent.
func (w *writer) await(n int64) {
	w.t.Helper()
	for want, deadline := w.done.Load()+n, time.Now().Add(time.Minute); w.done.Load() < want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatal("sqlite3 does not write any more")
		}
	}
}

// stop ends the writer; the database is whole in its file then.
func (w *writer) stop() {
	if w.once.Swap(true) {
		return
	}
	close(w.quit)
	<-w.ended
	_ = w.in.Close() // ends sqlite3
	if err := w.cmd.Wait(); err != nil {
		w.t.Errorf("sqlite3: %v", err)
	}
}

// sound checks a copy of the writer's database: nobody lost money, whatever
// moment it caught.
func (m *machine) sound(db string) {
	m.t.Helper()
	if got, want := m.sqlite(db, "pragma integrity_check; select sum(n) from account;"), fmt.Sprintf("ok\n%d", accounts*balance); got != want {
		m.t.Errorf("%s: %q, want %q", db, got, want)
	}
}

// exists tells whether there is such a file.
func (m *machine) exists(name string) bool {
	_, err := os.Stat(m.path(name))
	return err == nil
}
