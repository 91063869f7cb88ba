//go:build unix

package survival

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// What another user puts beside data in a directory such as /tmp is not trusted,
// not followed, and not waited for.
func TestOpen_PlantedByAnotherUser(t *testing.T) {
	type plant struct {
		name string
		make func(t *testing.T, data, victim string) error
	}
	plants := []plant{
		{"marker that is a pipe", func(_ *testing.T, data, _ string) error { return syscall.Mkfifo(MarkerPath(data), 0o666) }},
		{"marker that is a link", func(_ *testing.T, data, victim string) error { return os.Symlink(victim, MarkerPath(data)) }},
		{"lock that is a link to nothing", func(_ *testing.T, data, victim string) error { return os.Symlink(victim+"-new", LockPath(data)) }},
	}
	if os.Geteuid() == 0 { // giving files away takes root
		plants = append(plants, plant{"marker of somebody else", func(t *testing.T, data, _ string) error {
			m, err := Open(Options{Data: data, Source: "bot"})
			if err != nil {
				return err
			}
			if err := errors.Join(m.Trust("sound, believe me"), m.Close(t.Context(), nil), os.Remove(LockPath(data))); err != nil {
				return err
			}
			return os.Lchown(MarkerPath(data), 65534, 65534)
		}}, plant{"lock of somebody else", func(t *testing.T, data, _ string) error {
			f, err := os.OpenFile(LockPath(data), os.O_CREATE|os.O_RDWR, 0o666)
			if err != nil {
				return err
			}
			t.Cleanup(func() { f.Close() })
			return errors.Join(f.Chown(65534, 65534), syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
		}})
	}
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Chmod(dir, fs.ModeSticky|0o777); err != nil {
				t.Fatal(err)
			}
			data, victim := filepath.Join(dir, "bot.db"), filepath.Join(t.TempDir(), "victim")
			if err := os.WriteFile(victim, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := p.make(t, data, victim); err != nil {
				t.Fatal(err)
			}
			m, err := Open(Options{Data: data, Source: "bot"})
			switch s := m.Survival(); {
			case err == nil && s.State != holdfast.SurvivalFirst, err != nil && s.State != holdfast.SurvivalUnknown:
				t.Errorf("it counts: %+v, %v", s, err)
			case m.Trusted() != "":
				t.Errorf("it is trusted: %q", m.Trusted())
			}
			if mine, _ := m.Holds(); !mine {
				t.Errorf("it keeps this process from its work, as %s", m.Other())
			}
			end(t, m, nil)
			left, err := os.ReadDir(filepath.Dir(victim))
			if err != nil || len(left) != 1 {
				t.Errorf("a link was followed: %v, %v", left, err)
			}
			if content, err := os.ReadFile(victim); err != nil || string(content) != "mine" {
				t.Errorf("the victim holds %q, %v", content, err)
			}
		})
	}
}
