package control

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// Every container has a name of its own, so that what killed ones leave on a
// volume is of another host; it must not add up for ever.
func TestLiving_ForgetsWhatDiedElsewhereLongAgo(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name           string
		record, status time.Duration // their ages
		lives, stays   bool
	}{
		{"lately", time.Hour, time.Hour, false, true},
		{"long ago", 2 * forgetAge, 2 * forgetAge, false, false},
		{"it still says how it is", 2 * forgetAge, time.Hour, false, true},
		{"it holds its lock", 2 * forgetAge, 2 * forgetAge, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			state := t.TempDir()
			dir := filepath.Join(state, programsFolder)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			r := record{Version: version, Host: "another-" + hostname(), Socket: "/nowhere/holdfast-1/s"}
			if err := r.write(dir, "id"); err != nil {
				t.Fatal(err)
			}
			lock := flock.New(filepath.Join(dir, "id"+lockSuffix))
			if ok, err := lock.TryLock(); !ok || err != nil {
				t.Fatal(err)
			}
			defer lock.Close()
			if !c.lives {
				if err := lock.Unlock(); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, "id"+statusSuffix), []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
			for suffix, age := range map[string]time.Duration{recordSuffix: c.record, statusSuffix: c.status} {
				if err := os.Chtimes(filepath.Join(dir, "id"+suffix), now, now.Add(-age)); err != nil {
					t.Fatal(err)
				}
			}
			if programs, err := living(state); err != nil || len(programs) > 0 {
				t.Errorf("%v, %v", programs, err)
			}
			left, err := os.ReadDir(dir)
			if want := map[bool]int{true: 3, false: 0}[c.stays]; err != nil || len(left) != want {
				t.Errorf("%d files are left, want %d: %v", len(left), want, err)
			}
		})
	}
}
