package keeper

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// A wall is a wall clock that can be set, beside package time.
type wall struct{ off atomic.Int64 }

func (w *wall) now() time.Time        { return time.Now().Add(time.Duration(w.off.Load())) }
func (w *wall) jump(by time.Duration) { w.off.Add(int64(by)) }

// blind is a source whose changes cannot be seen.
type blind struct {
	holdfast.Source
	name string

	mu     sync.Mutex
	writes []time.Time
}

func (s *blind) Name() string            { return s.name }
func (s *blind) Kind() holdfast.Kind     { return holdfast.KindSQLite }
func (s *blind) Target() holdfast.Target { return holdfast.Target{Path: "/data/" + s.name} }

// write writes to the source.
func (s *blind) write() {
	s.mu.Lock()
	s.writes = append(s.writes, time.Now())
	s.mu.Unlock()
}

// version is what it holds: the writes up to now.
func (s *blind) version() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.writes)
}

// seen is a source on a file system that counts time in whole seconds: a second
// write in one second cannot be seen.
type seen struct{ blind }

func newSeen(name string) *seen {
	s := &seen{blind{name: name}}
	s.writes = []time.Time{time.Now().Add(-time.Hour)}
	return s
}

func (s *seen) Peek() (state string, settled bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.writes) == 0 {
		return "", true, nil // it does not exist
	}
	last := s.writes[len(s.writes)-1]
	return last.Truncate(time.Second).String(), time.Since(last) >= 2*time.Second, nil
}

// A made is a backup that a fake engine made.
type made struct {
	name    holdfast.BackupName
	request engine.BackupRequest
	begun   time.Time
	done    time.Time
	version int
}

// fake is an engine over sources that only count. Its fields may be changed while
// nothing runs.
type fake struct {
	k *Keeper

	mu         sync.Mutex
	takes      time.Duration // a backup
	fail       error         // of backups
	locked     int           // how often the repository is in use first
	backups    []made
	unchanged  []made
	replicate  func(context.Context) (*engine.ReplicateResult, error)
	replicated int
	pruned     int
	verified   []string
	damaged    bool // the next verification finds damage
	rotten     bool // each one does
	tries      int
	hidden     error         // why nobody can tell which backup is the newest
	size       int64         // of a backup; zero: 1 MiB
	verifies   time.Duration // a proof
	spoiled    bool          // the newest backup was found to be damaged
}

func (f *fake) total() (n int) {
	f.k.mu.Lock()
	defer f.k.mu.Unlock()
	for _, s := range f.k.sources {
		switch s := s.(type) {
		case *seen:
			n += s.version()
		case *blind:
			n += s.version()
		}
	}
	return n
}

func (f *fake) open(ctx context.Context, _ engine.BackupRequest) (worker, error) {
	return f, ctx.Err()
}

// serve makes the fake the engine of a keeper.
func (f *fake) serve(k *Keeper) {
	f.k, k.opener, k.newest = k, f.open, f.newest
	k.reader = func(ctx context.Context) (worker, error) { return f, ctx.Err() }
}

func (f *fake) newest(context.Context) (repo.Info, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hidden != nil {
		return repo.Info{}, f.hidden
	}
	if len(f.backups) == 0 {
		return repo.Info{}, holdfast.Kindf(holdfast.ErrNotFound, "there is no backup")
	}
	info := f.info(f.backups[len(f.backups)-1])
	if f.spoiled {
		info.Proofs = append(info.Proofs, holdfast.Proof{Kind: holdfast.ProofVerify})
	}
	return info, nil
}

func (f *fake) Backup(ctx context.Context, req engine.BackupRequest) (*engine.BackupResult, error) {
	f.mu.Lock()
	takes, fail := f.takes, f.fail
	f.tries++
	if f.locked > 0 {
		f.locked--
		fail = &holdfast.LockedError{Object: "the repository", Owner: holdfast.Owner{PID: 7, Since: time.Now()}}
	}
	f.mu.Unlock()
	if fail != nil {
		return nil, fail
	}
	m := made{request: req, begun: time.Now(), version: f.total()}
	if sleep(ctx, takes) != nil {
		return nil, context.Cause(ctx)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	m.done = time.Now()
	if n := len(f.backups); req.IfChanged && n > 0 && f.backups[n-1].version == m.version {
		m.name = f.backups[n-1].name
		f.unchanged = append(f.unchanged, m)
		return &engine.BackupResult{Backup: f.info(f.backups[n-1]), Unchanged: true}, nil
	}
	m.name = holdfast.BackupName(fmt.Sprintf("backup_%d", len(f.backups)+1))
	f.backups = append(f.backups, m)
	return &engine.BackupResult{Backup: f.info(m)}, nil
}

func (f *fake) info(m made) repo.Info {
	info := repo.Info{Name: m.name, Metadata: &holdfast.Metadata{BackupName: m.name, Trigger: m.request.Trigger, CreatedAt: holdfast.At(m.begun), LogicalBytes: cmp.Or(f.size, 1<<20)}}
	if slices.Contains(f.verified, string(m.name)) {
		info.Proofs = []holdfast.Proof{{Kind: holdfast.ProofVerify, OK: true}}
	}
	return info
}

func (f *fake) Replicate(ctx context.Context, _ engine.ReplicateRequest) (*engine.ReplicateResult, error) {
	f.mu.Lock()
	f.replicated++
	replicate := f.replicate
	f.mu.Unlock()
	if replicate != nil {
		return replicate(ctx)
	}
	return &engine.ReplicateResult{}, nil
}

func (f *fake) Prune(context.Context) ([]retention.Decision, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pruned++
	return nil, nil
}

func (f *fake) Verify(ctx context.Context, req engine.VerifyRequest) (*engine.VerifyResult, error) {
	f.mu.Lock()
	takes := f.verifies
	f.mu.Unlock()
	if takes > 0 && sleep(ctx, takes) != nil {
		return nil, context.Cause(ctx)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.verified = append(f.verified, req.Name)
	if f.damaged || f.rotten {
		f.damaged = false
		return nil, &holdfast.DamagedError{Backup: holdfast.BackupName(req.Name)}
	}
	return &engine.VerifyResult{Proof: holdfast.Proof{Kind: holdfast.ProofVerify, OK: true}}, nil
}

// set changes the fake while it is at work.
func (f *fake) set(change func(*fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// count reads one of the fake's counters.
func (f *fake) count(of *int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *of
}

// proven gives the backups that were verified.
func (f *fake) proven() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.verified)
}

// all gives the backups that were made.
func (f *fake) all() []made {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.backups)
}

// looks counts the backups that found nothing new.
func (f *fake) looks() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.unchanged)
}

// scheduleOf is a configuration with these times, one replica and retention.
func scheduleOf(every, onChange time.Duration) *config.Config {
	return &config.Config{
		Repository: "/backups", State: "/state", ReplicateAfterBackup: true,
		Replicas:  []config.Replica{{Name: "copy", URL: "/copy"}},
		Retention: config.Retention{Days: 7},
		Schedule:  config.Schedule{Every: every, OnChange: onChange},
	}
}

// newFake gives a keeper over a fake engine.
func newFake(t *testing.T, o Options) (*Keeper, *fake) {
	t.Helper()
	k, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{k: k}
	f.serve(k)
	return k, f
}

// run runs a keeper in a bubble until stop, and waits until it is idle.
func run(t *testing.T, k *Keeper) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// sleep is the time that something takes, or the reason why it was cut.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
