//go:build unix

package around

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
)

// noted makes a command that writes its name and what it was told into a file.
func noted(file, name string) string {
	return `printf '%s|' ` + name + ` "$HOLDFAST_OP" "$HOLDFAST_OPERATION" "$HOLDFAST_TRIGGER" "$HOLDFAST_BACKUP" "$HOLDFAST_RESULT" "$HOLDFAST_ERROR" "$HOLDFAST_SOURCE_NAMES" "$HOLDFAST_STORED_BYTES" >> ` + file
}

func TestCommand_WhatIsRunAndTold(t *testing.T) {
	lacking, unchanged, restored := done(), done(), done()
	lacking.Problems = []holdfast.Problem{{Severity: holdfast.Damaged, Message: "a page"}}
	unchanged.Unchanged = true
	restored.Op, restored.Trigger, restored.Stored = "rollback", "", 0
	broken := failed(errors.New("two\nlines \x00 at http://u:secretpw@h/"))
	const begins = "before_backup|backup|op-1|scheduled||||chromadb,bot||"
	const name = "scheduled_backup_20260304_050607"
	for what, c := range map[string]struct {
		end  engine.Verb
		want string
	}{
		"made":       {done(), begins + "after_backup|backup|op-1|scheduled|" + name + "|ok||chromadb,bot|4096|"},
		"unchanged":  {unchanged, begins},
		"incomplete": {lacking, begins + "after_backup|backup|op-1|scheduled|" + name + "|incomplete||chromadb,bot|4096|"},
		"failed":     {broken, begins + "on_failure|backup|op-1|scheduled||failed|two lines   at http://u:[hidden]@h/|chromadb,bot|0|"},
		"rolled back": {restored, "before_restore|rollback|op-1|||||chromadb,bot||" +
			"after_restore|rollback|op-1||" + name + "|ok||chromadb,bot|0|"},
	} {
		t.Run(what, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "told")
			a := made(t, &config.Config{Hooks: config.Hooks{
				BeforeBackup: noted(file, "before_backup"), AfterBackup: noted(file, "after_backup"),
				BeforeRestore: noted(file, "before_restore"), AfterRestore: noted(file, "after_restore"),
				OnFailure: noted(file, "on_failure"),
			}})
			first := begun()
			first.Op, first.Trigger = c.end.Op, c.end.Trigger
			if err := a.Before(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			if problems := a.After(t.Context(), c.end); problems != nil {
				t.Fatalf("got %v", problems)
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestCommand_BeforeRefuses(t *testing.T) {
	a := made(t, &config.Config{Hooks: config.Hooks{BeforeBackup: "echo not now; exit 7"}})
	err := a.Before(t.Context(), begun())
	if !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), "hook before_backup") || !strings.Contains(err.Error(), "not now") {
		t.Errorf("got %v", err)
	}
	if holdfast.HintOf(err) == "" {
		t.Error("nothing says what to do")
	}
}

func TestCommand_AfterThatFailsIsAWarning(t *testing.T) {
	a := made(t, &config.Config{Hooks: config.Hooks{AfterBackup: "echo broken; exit 7", Timeout: time.Minute}})
	problems := a.After(t.Context(), done())
	if len(problems) != 1 || problems[0].Severity != holdfast.Warning || problems[0].Object != "hook after_backup" || !strings.Contains(problems[0].Message, "broken") {
		t.Errorf("got %v", problems)
	}
}

func TestCommand_TakesNoLongerThanItMay(t *testing.T) {
	a := made(t, &config.Config{Hooks: config.Hooks{BeforeBackup: "sleep 600", Timeout: 50 * time.Millisecond}})
	if err := a.Before(t.Context(), begun()); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), "not done after 50ms") {
		t.Errorf("got %v", err)
	}
}

func TestCommand_CalledByAHookRunsNone(t *testing.T) {
	c := &config.Config{Hooks: config.Hooks{BeforeBackup: "exit 1"}}
	if a := New(c, Options{Environ: []string{"HOLDFAST_OPERATION=op-1"}}); a != nil {
		t.Error("a hook of a hook is run")
	}
}

func TestCommand_VariablesAreKnownToTheConfiguration(t *testing.T) {
	a := made(t, &config.Config{Hooks: config.Hooks{BeforeBackup: "true"}}).(*around)
	v := failed(errors.New("x"))
	v.Backup = "b"
	vars := a.environment(v, resultFailed)
	environ := append([]string{"HOLDFAST_REPOSITORY=" + filepath.Join(t.TempDir(), "r")}, vars...)
	if _, err := config.Load(config.Flags{}, environ); err != nil {
		t.Errorf("a holdfast that a hook calls is refused: %v", err)
	}
}
