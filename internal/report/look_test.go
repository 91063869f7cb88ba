package report

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
)

// scene is a folder with a tree of files to protect, a repository and a replica.
type scene struct {
	t        *testing.T
	dir      string
	cfg      *config.Config
	now      time.Time
	programs []holdfast.Standing
}

func newScene(t *testing.T) *scene {
	s := &scene{t: t, dir: t.TempDir(), now: time.Date(2024, 10, 30, 14, 30, 0, 0, time.UTC)}
	s.write("docs/a.txt")
	docs, err := config.AdHoc(holdfast.KindFiles, "files", s.at("docs"))
	if err != nil {
		t.Fatal(err)
	}
	flags := config.Flags{NoFile: true, Repository: s.at("backups"), Sources: []config.Source{docs}, Replicas: []config.Replica{config.AdHocReplica("nas=" + s.at("copies"))}}
	if s.cfg, err = config.Load(flags, nil); err != nil {
		t.Fatal(err)
	}
	s.cfg.State = s.at("state")
	return s
}

func (s *scene) at(name string) string { return filepath.Join(s.dir, name) }

func (s *scene) write(name string) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(s.at(name)), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.at(name), []byte("precious"), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) engine(r *repo.Repository, unusable error) *engine.Engine {
	s.t.Helper()
	e, err := wire.Engine(s.cfg, wire.Options{Repository: r, Unusable: unusable, Now: func() time.Time { return s.now }})
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

// backUp makes a backup.
func (s *scene) backUp() *engine.Engine {
	s.t.Helper()
	r, _, err := wire.CreateRepository(s.t.Context(), s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	e := s.engine(r, nil)
	if _, err := e.Backup(s.t.Context(), engine.BackupRequest{}); err != nil {
		s.t.Fatal(err)
	}
	return e
}

// replicate copies what there is into the replica.
func (s *scene) replicate() {
	s.t.Helper()
	if _, err := s.backUp().Replicate(s.t.Context(), engine.ReplicateRequest{}); err != nil {
		s.t.Fatal(err)
	}
}

// verify proves the newest backup.
func (s *scene) verify() {
	s.t.Helper()
	if _, err := s.backUp().Verify(s.t.Context(), engine.VerifyRequest{Name: "latest"}); err != nil {
		s.t.Fatal(err)
	}
}

// look looks at the repository as it is.
func (s *scene) look() (Status, error) {
	s.t.Helper()
	return s.lookAt(wire.OpenRepository(s.t.Context(), s.cfg))
}

func (s *scene) lookAt(r *repo.Repository, err error) (Status, error) {
	s.t.Helper()
	return Look(s.t.Context(), LookOptions{
		Config: s.cfg, Engine: s.engine(r, err), Repository: r, Err: err, Now: s.now, Programs: s.programs, Counts: true,
	})
}

// moments are times of what the machine did meanwhile.
var moments = regexp.MustCompile(`(just now|\d+ seconds? (ago|from now)|now)`)

func TestLook_Verdicts(t *testing.T) {
	gone := func(s *scene, name string) {
		if err := os.RemoveAll(s.at(name)); err != nil {
			s.t.Fatal(err)
		}
	}
	running := func(p holdfast.Standing) func(*scene) {
		return func(s *scene) {
			s.verify()
			p.PID = 41
			s.programs = []holdfast.Standing{p}
		}
	}
	for _, c := range []struct {
		name    string
		arrange func(*scene)
		verdict string
		message string // a part of it
	}{
		{"nothing was backed up", func(*scene) {}, Never, "docs was never backed up"},
		{"nothing is there", func(s *scene) { gone(s, "docs") }, Never, "docs does not exist, and was never backed up"},
		{"no source is configured", func(s *scene) { s.cfg.Sources = nil }, Never, "no source is configured"},
		{"backed up", func(s *scene) { s.backUp() }, Unproven, "no backup has been proven yet"},
		{"proven", func(s *scene) { s.verify() }, Safe, "Your data is safe"},
		{"late", func(s *scene) { s.verify(); s.now = s.now.Add(DefaultMaxAge + time.Minute) }, Stale, "docs was last backed up 1 day ago"},
		{"data gone", func(s *scene) { s.verify(); gone(s, "docs") }, Missing, "docs is gone"},
		{"repository gone", func(s *scene) { s.replicate(); gone(s, "backups") }, Lost, "The repository is gone; only replicas have backups, the newest of docs"},
		{"repository and replicas gone", func(s *scene) { s.replicate(); gone(s, "backups"); gone(s, "copies") }, Never, "docs was never backed up"},
		{"in memory", running(holdfast.Standing{Sources: []holdfast.SourceStanding{{Name: "bot", Path: "/data/bot.db", DegradedSince: new(holdfast.At(time.Now())), Reason: "/data is full"}}}), Degraded, "the storage of bot cannot hold it"},
		{"backups fail", running(holdfast.Standing{Backups: holdfast.BackupStanding{Error: "no answer"}}), Failing, "the backups of process 41 fail: no answer"},
		{"backups are made by another", running(holdfast.Standing{Backups: holdfast.BackupStanding{Error: "locked", Standby: "process 40"}}), Safe, ""},
		{"two with data of their own", running(holdfast.Standing{Survival: &holdfast.Survival{State: holdfast.SurvivalTwo, Other: "process 7 on box", OtherUntil: new(holdfast.At(time.Now()))}}), Divided, "process 41 here, and process 7 on box"},
		{"two on one storage", running(holdfast.Standing{Survival: &holdfast.Survival{State: holdfast.SurvivalTwo, Other: "process 7 on box"}}), Safe, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			c.arrange(s)
			got, err := s.look()
			if err != nil {
				t.Fatal(err)
			}
			if got.Verdict != c.verdict || !strings.Contains(got.Message, c.message) || got.Fine() != (c.verdict == Safe || c.verdict == Unproven) {
				t.Errorf("got %s, %q; want %s, %q", got.Verdict, got.Message, c.verdict, c.message)
			}
			if !got.Fine() && got.Hint == "" {
				t.Error("nothing is said about what to do")
			}
		})
	}
}

// TestLook_ARepositoryThatCannotBeAsked is a verdict with the cause and with what
// the replicas have, and no error.
func TestLook_ARepositoryThatCannotBeAsked(t *testing.T) {
	cause := &holdfast.Error{Op: "open repository", Object: "s3://b", Err: errors.New("no answer"), Hint: "look whether it can be reached from here"}
	broken := &holdfast.Error{Op: "open repository", Object: "s3://b", Err: holdfast.Kindf(holdfast.ErrDamaged, "repository.json is damaged")}
	for _, c := range []struct {
		name       string
		replicated bool
		err        error
		verdict    string
		message    string
	}{
		{"the replica has backups", true, cause, Unreachable, "Your data may not be safe: the repository cannot be asked: open repository s3://b: no answer. Replicas have backups, the newest of docs made …."},
		{"the replica has none", false, cause, Unreachable, "Your data may not be safe: the repository cannot be asked: open repository s3://b: no answer. No replica tells of a backup either."},
		{"it is damaged", true, broken, Damaged, "Your data may not be safe: the repository is damaged: open repository s3://b: repository.json is damaged. Replicas have backups, the newest of docs made …."},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			if c.replicated {
				s.replicate()
			}
			got, err := s.lookAt(nil, c.err)
			if err != nil {
				t.Fatal(err)
			}
			if message := moments.ReplaceAllString(got.Message, "…"); got.Verdict != c.verdict || message != c.message || got.Hint == "" {
				t.Errorf("got %s, %q, %q\nwant %s, %q", got.Verdict, message, got.Hint, c.verdict, c.message)
			}
			if old := slices.ContainsFunc(got.Sources, func(s SourceStatus) bool { return s.Stale }); c.verdict == Stale && !old || c.verdict == Safe && old {
				t.Errorf("%s: a source counts as too old: %v", got.Verdict, old)
			}
			if got.Repository.Exists || got.Repository.Error != c.err.Error() || len(got.Replicas) != 1 {
				t.Errorf("got %+v and %+v", got.Repository, got.Replicas)
			}
		})
	}
	if _, err := newScene(t).lookAt(nil, holdfast.Kindf(holdfast.ErrUsage, "the region is missing")); !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("got %v, want the mistake in the configuration", err)
	}
}

// silent is a bucket that fell silent after it was opened.
type silent struct{ bucket.Bucket }

func (silent) List(context.Context, string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) { yield(bucket.Info{}, errors.New("connection reset")) }
}

func TestLook_ARepositoryThatFallsSilent(t *testing.T) {
	s := newScene(t)
	s.replicate()
	b, err := dir.New(s.at("backups"), dir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.lookAt(repo.Open(t.Context(), silent{b}, repo.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if got.Verdict != Unreachable || !got.Repository.Exists || !strings.Contains(got.Repository.Error, "connection reset") || !strings.Contains(got.Message, "Replicas have backups") {
		t.Errorf("got %s, %q and %+v", got.Verdict, got.Message, got.Repository)
	}
}

// TestLook_AListThatSomebodyHas is taken as it is, and so is why there is none.
func TestLook_AListThatSomebodyHas(t *testing.T) {
	s := newScene(t)
	s.replicate()
	b, err := dir.New(s.at("backups"), dir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := repo.Open(t.Context(), b, repo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		err     error
		backups int
	}{{nil, 2}, {errors.New("cable cut"), 0}} {
		got, err := Look(t.Context(), LookOptions{
			Config: s.cfg, Engine: s.engine(r, nil), Repository: r, Now: s.now,
			List: func(context.Context) ([]repo.Info, error) { return infosOf("b", "a"), c.err },
		})
		if err != nil {
			t.Fatal(err)
		}
		if got.Repository.Backups != c.backups || !got.Repository.Exists || c.err != nil && !strings.Contains(got.Repository.Error, c.err.Error()) {
			t.Errorf("with %v: %+v", c.err, got.Repository)
		}
	}
}

// mute is a bucket that does not answer any more.
type mute struct{ bucket.Bucket }

func (mute) List(ctx context.Context, _ string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) {
		<-ctx.Done()
		yield(bucket.Info{}, context.Cause(ctx))
	}
}

// TestLook_ARepositoryThatDoesNotAnswerInTime leaves time for the rest.
func TestLook_ARepositoryThatDoesNotAnswerInTime(t *testing.T) {
	s := newScene(t)
	s.replicate()
	b, err := dir.New(s.at("backups"), dir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := repo.Open(t.Context(), mute{b}, repo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	got, err := Look(ctx, LookOptions{Config: s.cfg, Engine: s.engine(r, nil), Repository: r, Now: s.now})
	if err != nil {
		t.Fatal(err)
	}
	if got.Verdict != Unreachable || !strings.Contains(got.Message, "no answer in time. Replicas have backups") {
		t.Errorf("got %s, %q", got.Verdict, got.Message)
	}
}

func TestLook_InterruptionIsAnError(t *testing.T) {
	s := newScene(t)
	e := s.backUp()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Look(ctx, LookOptions{Config: s.cfg, Engine: e, Repository: e.Repository()}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
