package wire

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
)

func TestSources_BuildsEveryKind(t *testing.T) {
	dir := t.TempDir()
	c := &config.Config{Sources: []config.Source{
		{Name: "chromadb", Kind: holdfast.KindChroma, Path: dir, Memory: []string{"m"}, RAGMode: config.RAGEnhanced},
		{Name: "bot", Kind: holdfast.KindSQLite, Path: filepath.Join(dir, "bot.db")},
		{Name: "docs", Kind: holdfast.KindFiles, Path: dir, Exclude: []string{"*.tmp"}},
	}}
	got, err := Sources(c)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range got {
		if want := c.Sources[i]; s.Name() != want.Name || s.Kind() != want.Kind {
			t.Errorf("source %d is %s %q, want %s %q", i, s.Kind(), s.Name(), want.Kind, want.Name)
		}
	}
	m, ok := got[0].(holdfast.MemorySource)
	if !ok || m.RAGMode() != config.RAGEnhanced || len(m.MemoryCollections()) != 1 {
		t.Errorf("the Chroma source lost its memory: %+v", got[0])
	}
}

func TestSources_TellsEverythingThatIsWrong(t *testing.T) {
	_, err := Sources(&config.Config{Sources: []config.Source{{Name: "a", Kind: "tape"}, {Name: "b", Kind: "drum"}}})
	if !errors.Is(err, holdfast.ErrUsage) || !strings.Contains(err.Error(), "tape") || !strings.Contains(err.Error(), "drum") {
		t.Errorf("error %v", err)
	}
}

func TestRepository_URLIsRefusedWithoutTellingSecrets(t *testing.T) {
	c := &config.Config{Repository: "s3://key:hunter2@host/bucket"}
	_, err := OpenRepository(t.Context(), c)
	if !errors.Is(err, holdfast.ErrUsage) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("OpenRepository: %v", err)
	}
	if _, _, err := CreateRepository(t.Context(), c); !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("CreateRepository: %v", err)
	}
}

func TestRepository_OnlyCreateMakesOne(t *testing.T) {
	c := &config.Config{Repository: filepath.Join(t.TempDir(), "r")}
	if _, err := OpenRepository(t.Context(), c); !errors.Is(err, holdfast.ErrNotFound) || holdfast.HintOf(err) == "" {
		t.Errorf("OpenRepository of nothing: %v, hint %q", err, holdfast.HintOf(err))
	}
	first, made, err := CreateRepository(t.Context(), c)
	if err != nil || !made {
		t.Fatalf("CreateRepository: made %t, %v", made, err)
	}
	second, made, err := CreateRepository(t.Context(), c)
	if err != nil || made || second.ID() != first.ID() {
		t.Errorf("CreateRepository again: made %t, %v", made, err)
	}
}

func TestStateDir(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/var/state")
	state := func(repository, state string) string {
		t.Helper()
		dir, err := StateDir(&config.Config{Repository: repository, State: state})
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	if got := state("/backups", ""); got != filepath.Join("/backups", ".holdfast") {
		t.Errorf("that of a directory is %s", got)
	}
	if got := state("/backups", "elsewhere"); got != "elsewhere" {
		t.Errorf("the configured one is %s", got)
	}
	one, other := state("s3://vault/one", ""), state("s3://vault/other", "")
	if filepath.Dir(one) != filepath.Join("/var/state", "holdfast") || one == other || one != state("s3://vault/one/", "") {
		t.Errorf("those of buckets are %s and %s", one, other)
	}
}

func TestBucketAt_RefusesWhatItDoesNotKnow(t *testing.T) {
	if _, err := bucketAt(&config.Config{}, "ftp://host/x", nil); !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("ftp: %v", err)
	}
	if _, err := bucketAt(&config.Config{}, "s3://key:secret@bucket/x", nil); !errors.Is(err, holdfast.ErrUsage) || strings.Contains(err.Error(), "secret@") {
		t.Errorf("a secret in a URL: %v", err)
	}
	b, err := bucketAt(&config.Config{}, "s3://bucket/x?endpoint=https://host:9000&region=eu", nil)
	if err != nil || !strings.HasPrefix(b.Location(), "s3://bucket/x") {
		t.Errorf("s3: %v, %v", b, err)
	}
}

// A backup may hold a source that is not configured here. What checks its copy
// must know how the file in it is called.
func TestChecker_KnowsTheFileInTheCopy(t *testing.T) {
	s := checker(holdfast.SourceMetadata{Name: "bot", Kind: holdfast.KindSQLite, Path: "/elsewhere/bot_database.db"})
	if s == nil || s.Target().File != "bot_database.db" {
		t.Errorf("checker %+v", s)
	}
	if s := checker(holdfast.SourceMetadata{Name: "x", Kind: "tape"}); s != nil {
		t.Errorf("a checker of an unknown kind: %+v", s)
	}
}

func TestStateDir_OfABucketDependsOnItsNameAlone(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	of := func(repository string) string {
		t.Helper()
		dir, err := StateDir(&config.Config{Repository: repository})
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	first := of("s3://bucket/bot?endpoint=http://127.0.0.1:1")
	if again := of("s3://bucket/bot?endpoint=http://127.0.0.1:1&lease=5s&region=eu&part_size=16MiB"); again != first {
		t.Errorf("other options have moved it from %s to %s", first, again)
	}
	for _, other := range []string{"s3://bucket/other?endpoint=http://127.0.0.1:1", "s3://buckets/bot?endpoint=http://127.0.0.1:1", "s3://bucket/bot?endpoint=http://127.0.0.1:2"} {
		if of(other) == first {
			t.Errorf("%s shares the folder of another repository", other)
		}
	}
}

// Hooks are run wherever an engine is made of the configuration.
func TestEngine_TellsWhomTheConfigurationNames(t *testing.T) {
	dir := t.TempDir()
	docs := filepath.Join(dir, "docs")
	if err := os.Mkdir(docs, 0o755); err != nil {
		t.Fatal(err)
	}
	c := &config.Config{
		Repository: filepath.Join(dir, "backups"), State: filepath.Join(dir, "state"),
		Sources: []config.Source{{Name: "docs", Kind: holdfast.KindFiles, Path: docs}},
		Hooks:   config.Hooks{BeforeBackup: "exit 3"},
	}
	r, _, err := CreateRepository(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]struct {
		around engine.Around
		want   error
	}{
		"of the configuration": {nil, holdfast.ErrRefused},
		"another":              {silent{}, nil},
	} {
		e, err := Engine(c, Options{Repository: r, Around: o.around})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Backup(t.Context(), engine.BackupRequest{}); !errors.Is(err, o.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := Around(&config.Config{}, nil, ""); got != nil {
		t.Errorf("nobody is to be told, but %v", got)
	}
}

// silent is told, and says nothing.
type silent struct{}

func (silent) Before(context.Context, engine.Verb) error             { return nil }
func (silent) After(context.Context, engine.Verb) []holdfast.Problem { return nil }
