package operation

import (
	"testing"

	"github.com/holdfast-backup/holdfast"
)

func TestTestHook_OneAtATimeAndNeverBesideARestore(t *testing.T) {
	w := newWorld(t, map[string]string{"hooks.stop": "echo stopped", "hooks.start": "echo started"})
	if got := w.Hooks(); len(got) != 1 || got[0].Hook != "stop_start" {
		t.Fatalf("%+v", got)
	}
	test := func() error {
		out, err := w.TestHook(t.Context(), HookTestRequest{Hook: "stop_start"})
		if err == nil && (!out.OK || len(out.Runs) != 2) {
			t.Errorf("%+v", out)
		}
		return err
	}
	if err := test(); err != nil {
		t.Error(err)
	}
	w.testing <- struct{}{}
	if err := test(); holdfast.ExitCode(err) != holdfast.ExitLocked {
		t.Errorf("beside another test: %v", err)
	}
	<-w.testing

	letGo := make(chan struct{})
	j, err := w.busy(KindRestore, letGo)
	if err != nil {
		t.Fatal(err)
	}
	if err := test(); holdfast.ExitCode(err) != holdfast.ExitLocked {
		t.Errorf("beside a restore: %v", err)
	}
	close(letGo)
	w.end(j, nil)
	if err := test(); err != nil {
		t.Errorf("after the restore: %v", err)
	}
	if _, err := w.TestHook(t.Context(), HookTestRequest{Hook: "before_backup"}); holdfast.ExitCode(err) != holdfast.ExitNotFound {
		t.Errorf("what is not configured: %v", err)
	}
}
