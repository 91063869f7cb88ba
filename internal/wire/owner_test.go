package wire

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/control"
)

// asked is a program that notes what it is asked.
type asked struct{ of []string }

func (a *asked) Stop(_ context.Context, sources []string) error {
	a.of = append(append(a.of, "stop"), sources...)
	return nil
}
func (a *asked) Start(context.Context) error { a.of = append(a.of, "start"); return nil }
func (a *asked) Abandoned(context.Context)   { a.of = append(a.of, "abandoned") }
func (a *asked) Standing() holdfast.Standing { return holdfast.Standing{} }

// A restore asks the programs that hold the data, and only those: without one the
// engine has no owner.
func TestEngine_ProgramsThatHoldTheDataAreAskedByDefault(t *testing.T) {
	root := t.TempDir()
	docs := filepath.Join(root, "docs")
	if err := os.Mkdir(docs, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(docs, "a.txt"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &config.Config{
		Repository: filepath.Join(root, "repository"),
		Sources:    []config.Source{{Name: "docs", Kind: holdfast.KindFiles, Path: docs}},
		Emergency:  config.Emergency{Prefix: "emergency_restore"},
	}
	r, _, err := CreateRepository(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	restore := func() {
		t.Helper()
		e, err := Engine(c, Options{Repository: r})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Restore(t.Context(), engine.RestoreRequest{Name: "monday", NoEmergency: true}); err != nil {
			t.Fatal(err)
		}
	}
	e, err := Engine(c, Options{Repository: r})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Backup(t.Context(), engine.BackupRequest{Name: "monday", Trigger: holdfast.TriggerManual}); err != nil {
		t.Fatal(err)
	}
	state, err := StateDir(c)
	if err != nil {
		t.Fatal(err)
	}
	sources, err := Sources(c)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := Source(config.Source{Name: "docs", Kind: holdfast.KindFiles, Path: filepath.Join(root, "other")})
	if err != nil {
		t.Fatal(err)
	}
	holder, other := &asked{}, &asked{}
	for _, p := range []struct {
		program *asked
		sources []holdfast.Source
	}{{holder, sources}, {other, []holdfast.Source{elsewhere}}} {
		s, err := control.Serve(state, p.sources, p.program, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
	}
	restore()
	if !slices.Equal(holder.of, []string{"stop", "docs", "start"}) || other.of != nil {
		t.Errorf("the holder was asked %q, another one %q", holder.of, other.of)
	}
}
