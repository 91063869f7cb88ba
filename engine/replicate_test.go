package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/bucket/mem"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// remembering gives the world a repository of which it remembers the last
// backup, so that there are deltas.
func (w *world) remembering() *world {
	w.t.Helper()
	r, err := repo.Open(w.t.Context(), w.bucket, repo.Options{Cache: filepath.Join(w.dir, "cache")})
	if err != nil {
		w.t.Fatal(err)
	}
	w.repo, w.opts.Repository = r, r
	w.opts.Settings.Deltas = engine.DeltasAlways
	return w
}

// replica adds a replica in b.
func (w *world) replica(name string, b bucket.Bucket, p retention.Policy) {
	w.opts.Replicas = append(w.opts.Replicas, engine.Replica{
		Name: name, Location: name + "://" + w.t.Name(), Retention: p,
		Open: func(ctx context.Context) (*repo.Repository, error) { return repo.Open(ctx, b, repo.Options{}) },
		Make: func(ctx context.Context, id string) (*repo.Repository, error) {
			return repo.InitReplica(ctx, b, id, repo.Options{})
		},
	})
}

// unreachable adds a replica that cannot be reached.
func (w *world) unreachable(name string) {
	gone := errors.New("no route to host")
	w.opts.Replicas = append(w.opts.Replicas, engine.Replica{
		Name: name, Location: name + "://nowhere",
		Open: func(context.Context) (*repo.Repository, error) { return nil, gone },
		Make: func(context.Context, string) (*repo.Repository, error) { return nil, gone },
	})
}

// held lists the backups in a bucket, sorted.
func held(t *testing.T, b bucket.Bucket) []string {
	t.Helper()
	r, err := repo.Open(t.Context(), b, repo.Options{})
	if errors.Is(err, holdfast.ErrNotFound) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	infos, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range infos {
		names = append(names, string(i.Name))
	}
	slices.Sort(names)
	return names
}

// intact fails the test unless every backup in a bucket is perfect.
func intact(t *testing.T, b bucket.Bucket) {
	t.Helper()
	r, err := repo.Open(t.Context(), b, repo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range held(t, b) {
		backup, err := r.Backup(t.Context(), holdfast.BackupName(name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if problems, err := backup.Verify(t.Context(), nil); err != nil || len(problems) > 0 {
			t.Errorf("%s: %v, %+v", name, err, problems)
		}
		backup.Close()
	}
}

func wantHeld(t *testing.T, b bucket.Bucket, want ...string) {
	t.Helper()
	if got := held(t, b); !slices.Equal(got, want) {
		t.Errorf("the replica holds %v, want %v", got, want)
	}
}

// grow makes the sources larger, so that a delta refers to blocks before it.
func (w *world) grow(state string) {
	w.t.Helper()
	w.set(state)
	write(w.t, filepath.Join(w.rag.path, "segment", "old"), strings.Repeat("0123456789abcdef", 4096))
	write(w.t, filepath.Join(w.rag.path, "segment", "new"), state)
}

func TestReplicate_CopiesWhatIsMissingAfterWhatItNeeds(t *testing.T) {
	w := newWorld(t).remembering()
	to := mem.New()
	w.replica("offsite", to, retention.Policy{})
	for _, name := range []string{"monday", "tuesday", "wednesday"} {
		w.grow(name)
		w.backup(name)
	}
	result, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{Names: []string{"wednesday"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := result.Replicas[0].Copied; len(got) < 2 || string(got[len(got)-1].Backup.Name) != "wednesday" || !got[0].Hidden {
		t.Errorf("copied %+v", got)
	}
	wantHeld(t, to, "wednesday") // what it needs is there, but hidden
	intact(t, to)
	w.replica("second", mem.New(), retention.Policy{})
	if result, err = w.engine().Replicate(t.Context(), engine.ReplicateRequest{To: []string{"second"}}); err != nil {
		t.Fatal(err)
	}
	if r := result.Replicas[0]; len(r.Copied) != 3 || r.Present != 0 {
		t.Errorf("the second got %+v", r)
	}
	if result, err = w.engine().Replicate(t.Context(), engine.ReplicateRequest{To: []string{"second"}}); err != nil {
		t.Fatal(err)
	}
	if r := result.Replicas[0]; len(r.Copied) != 0 || r.Present != 3 {
		t.Errorf("again the second got %+v", r)
	}
}

func TestReplicate_HiddenOnesAreCopiedAndStayHidden(t *testing.T) {
	w := newWorld(t).remembering()
	to := mem.New()
	w.replica("offsite", to, retention.Policy{})
	w.grow("monday")
	w.backup("monday")
	w.grow("tuesday")
	w.backup("tuesday")
	if _, err := w.engine().Delete(t.Context(), "monday"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{}); err != nil {
		t.Fatal(err)
	}
	wantHeld(t, to, "tuesday")
	intact(t, to)
}

func TestReplicate_LeavesEmergencyBackupsAndWhatWouldGoAtOnce(t *testing.T) {
	w := newWorld(t)
	to := mem.New()
	w.replica("offsite", to, retention.Policy{KeepLast: 1})
	w.backup("old")
	w.set("two")
	w.backup("new")
	w.restore(engine.RestoreRequest{Name: "old"})
	result, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{})
	if err != nil {
		t.Fatal(err)
	}
	wantHeld(t, to, "new")
	if left := result.Replicas[0].Left; len(left) != 1 || left[0].Backup != "old" || left[0].Reason == "" {
		t.Errorf("left %+v", left)
	}
}

func TestReplicate_AppliesTheReplicasOwnRetention(t *testing.T) {
	w := newWorld(t)
	long, short := mem.New(), mem.New()
	w.replica("long", long, retention.Policy{KeepLast: 9})
	w.replica("short", short, retention.Policy{KeepLast: 2})
	w.backup("old")
	for _, name := range []string{"new", "newer"} {
		if _, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{}); err != nil {
			t.Fatal(err)
		}
		w.backup(name)
	}
	result, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{})
	if err != nil {
		t.Fatal(err)
	}
	wantHeld(t, long, "new", "newer", "old")
	wantHeld(t, short, "new", "newer")
	if p := result.Replicas[1].Pruned; len(p) != 1 || p[0].Name != "old" {
		t.Errorf("pruned %+v", p)
	}
}

func TestReplicate_OneThatFailsDoesNotStopTheOthers(t *testing.T) {
	w := newWorld(t)
	other, to := mem.New(), mem.New()
	w.unreachable("gone")
	if _, err := repo.Init(t.Context(), other, repo.Options{}); err != nil {
		t.Fatal(err)
	}
	w.replica("foreign", other, retention.Policy{})
	w.replica("offsite", to, retention.Policy{})
	w.backup("monday")
	result, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{})
	if !errors.Is(err, holdfast.ErrIncomplete) || holdfast.ExitCode(err) != holdfast.ExitIncomplete {
		t.Fatalf("got %v, exit %d", err, holdfast.ExitCode(err))
	}
	for _, part := range []string{"gone: no route to host", "foreign", "another repository"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not tell %q", err, part)
		}
	}
	if len(result.Replicas) != 3 || len(result.Replicas[2].Copied) != 1 {
		t.Errorf("results %+v", result.Replicas)
	}
	wantHeld(t, other)
	wantHeld(t, to, "monday")
}

func TestReplicate_ADamagedBackupIsNamedAndTheOthersAreCopied(t *testing.T) {
	w := newWorld(t)
	to := mem.New()
	w.replica("offsite", to, retention.Policy{})
	w.backup("monday")
	w.backup("tuesday")
	if err := w.bucket.Put(t.Context(), "monday/bot/bot_database.db", []byte("rot"), bucket.Replace); err != nil {
		t.Fatal(err)
	}
	_, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{})
	if holdfast.ExitCode(err) != holdfast.ExitIncomplete || !strings.Contains(err.Error(), "monday") || !strings.Contains(err.Error(), "bot/bot_database.db") {
		t.Errorf("got %v", err)
	}
	wantHeld(t, to, "tuesday")
}

func TestReplicate_AnotherBackupOfTheSameNameIsAnError(t *testing.T) {
	w := newWorld(t)
	to := mem.New()
	w.replica("offsite", to, retention.Policy{})
	w.backup("monday")
	if _, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine().Delete(t.Context(), "monday"); err != nil {
		t.Fatal(err)
	}
	w.set("two")
	w.backup("monday")
	if _, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{}); !errors.Is(err, holdfast.ErrIncomplete) || !strings.Contains(err.Error(), "a different backup of this name") {
		t.Errorf("got %v", err)
	}
}

// cutting is a bucket whose line is cut after a number of changes.
type cutting struct {
	bucket.Bucket
	left *atomic.Int64
}

var errLine = errors.New("the line was cut")

func (b cutting) cut() error {
	if b.left.Add(-1) < 0 {
		return errLine
	}
	return nil
}

func (b cutting) Put(ctx context.Context, key string, data []byte, mode bucket.PutMode) error {
	if err := b.cut(); err != nil {
		return err
	}
	return b.Bucket.Put(ctx, key, data, mode)
}

func (b cutting) Stage(ctx context.Context, prefix string, o bucket.StageOptions) (bucket.Stage, error) {
	if err := b.cut(); err != nil {
		return nil, err
	}
	s, err := b.Bucket.Stage(ctx, prefix, o)
	return cuttingStage{s, b}, err
}

type cuttingStage struct {
	bucket.Stage
	b cutting
}

func (s cuttingStage) Create(ctx context.Context, key string) (bucket.Writer, error) {
	if err := s.b.cut(); err != nil {
		return nil, err
	}
	return s.Stage.Create(ctx, key)
}

func (s cuttingStage) Commit(ctx context.Context, data []byte) error {
	if err := s.b.cut(); err != nil {
		return err
	}
	return s.Stage.Commit(ctx, data)
}

func TestReplicate_RandomCutsThenAllIsThere(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t).remembering()
			w.replicateThroughCuts(seed, func(b bucket.Bucket) { w.replica("offsite", b, retention.Policy{}) }, intact)
		})
	}
}

// replicateThroughCuts copies a chain of backups, of which one is hidden, into a
// replica in a directory whose line is cut at random, until all is there. After
// each cut what is there must be intact.
func (w *world) replicateThroughCuts(seed uint64, add func(bucket.Bucket), intact func(*testing.T, bucket.Bucket)) {
	t := w.t
	t.Helper()
	target, err := dir.New(filepath.Join(w.dir, "replica"), dir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var left atomic.Int64
	add(cutting{target, &left})
	for _, name := range []string{"a", "b", "c", "d"} {
		w.grow(name)
		w.backup(name)
	}
	if _, err := w.engine().Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(seed, 7))
	for tries := 0; ; tries++ {
		left.Store(rnd.Int64N(int64(20 + 2*tries)))
		_, err := w.engine().Replicate(t.Context(), engine.ReplicateRequest{})
		left.Store(1 << 20)
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), errLine.Error()) || tries > 100 {
			t.Fatalf("try %d: %v", tries, err)
		}
		if r, err := repo.Open(t.Context(), target, repo.Options{}); err == nil && r.ID() == w.repo.ID() {
			intact(t, target)
		}
	}
	wantHeld(t, target, "b", "c", "d")
	intact(t, target)
}

func TestBackup_AReplicaInsideASourceIsRefused(t *testing.T) {
	w := newWorld(t)
	w.opts.Replicas = []engine.Replica{{Name: "inside", Location: filepath.Join(w.rag.path, "copies")}}
	_, err := w.engine().Backup(t.Context(), engine.BackupRequest{})
	if !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), "the replica inside lies inside") {
		t.Errorf("got %v", err)
	}
}
