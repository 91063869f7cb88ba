package autoswitch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

func TestSwitch_StaysAsItWasTurned(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	if p, err := Read(dir); err != nil || !p.On || p.At != nil {
		t.Fatalf("nobody has turned it: %+v, %v", p, err)
	}
	at := holdfast.At(time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC))
	for _, on := range []bool{false, true, false} {
		if err := Set(dir, Position{On: on, By: "สมชาย", At: &at}); err != nil {
			t.Fatal(err)
		}
		p, err := Read(dir)
		if err != nil || p.On != on || p.By != "สมชาย" || !p.At.Equal(at.Time) {
			t.Errorf("turned to %v it is %+v, %v", on, p, err)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read it: %v, %v", info.Mode(), err)
	}
}

// A switch that cannot be read is on, and says so.
func TestRead_DamagedIsOn(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty": "", "torn": `{"on":fal`, "foreign": `{"off":true}`, "without a time": `{"on":false}`,
		"long": `{"on":false,"at":"2026-11-22T09:30:00.000Z","by":"` + strings.Repeat("a", mostBytes) + `"}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := Read(dir)
		if !p.On || !errors.Is(err, holdfast.ErrDamaged) || holdfast.HintOf(err) == "" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, file), 0o700); err != nil {
		t.Fatal(err)
	}
	if p, err := Read(dir); !p.On || err == nil {
		t.Errorf("a folder: %+v, %v", p, err)
	}
	if err := Set(dir, Position{}); err == nil {
		t.Error("a folder was replaced")
	}
}
