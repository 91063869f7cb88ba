//go:build unix

package child

import (
	"bytes"
	"testing"
)

func TestStart_RunsAndTellsTheCode(t *testing.T) {
	var out bytes.Buffer
	c, err := Start(Command{Args: []string{"/bin/sh", "-c", `printf '%s' "$WORD"; exit 7`}, Env: []string{"WORD=سلام"}, Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	if exit := c.Exit(); exit.Code != 7 || exit.Signal != nil || out.String() != "سلام" {
		t.Errorf("%+v, %q", exit, out.String())
	}
}
