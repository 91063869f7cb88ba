//go:build linux

package test

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// Whatever a bot was told is committed when it was told to end is in the last
// backup, whether its author closes the store or not.
func TestBoot_SIGTERMUnderLoad(t *testing.T) {
	t.Parallel()
	for _, stays := range []bool{false, true} {
		t.Run(fmt.Sprint("stays ", stays), func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			d := m.deploy("-database", "data/bot.db", "-repository", "backups", "-on-change", "1h",
				"-shutdown-timeout", "6s", "-writers", "4", fmt.Sprintf("-stays=%v", stays)).up()
			d.more(200)
			d.signal(syscall.SIGTERM)
			code := d.end()
			if stays {
				if sig := d.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(); code != -1 || sig != syscall.SIGTERM {
					t.Errorf("it ended with %d by %v, want the signal that it was sent", code, sig)
				}
			} else if code != 0 {
				t.Errorf("it ended with %d:\n%s", code, &d.stderr)
			}
			acknowledged := d.acknowledged()
			if lost := m.onDisk("data/bot.db").lacks(acknowledged); lost != "" {
				t.Errorf("on disk: %s", lost)
			}
			m.remove("data")
			if lost := m.heldBy("backups", "latest").lacks(acknowledged); lost != "" {
				t.Errorf("the last backup: %s", lost)
			}
			if n := len(d.refused()); !stays && n > 0 {
				t.Errorf("%d rows were refused, the first: %s", n, d.refused()[0])
			}
		})
	}
}

// An object storage that hangs, or is gone, does not keep a bot from ending
// within its limit, and the error says what is saved and what is not.
func TestBoot_EndsWithinTheLimitWithoutObjectStorage(t *testing.T) {
	t.Parallel()
	const limit = 4 * time.Second
	for name, fault := range map[string]s3test.Fault{
		"refuses": s3test.Refuse(http.StatusServiceUnavailable),
		"hangs":   s3test.Delay(time.Hour),
		"slow":    s3test.Delay(3 * time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			m := newMachine(t)
			m.with(s3test.Environment()...)
			d := m.deploy("-database", "data/bot.db", "-repository", s.at("backups"), "-on-change", "1h",
				"-shutdown-timeout", limit.String(), "-writers", "2").up()
			d.more(50)
			d.when("a backup", func(st *holdfast.Standing) bool { return st.Backups.Last != "" })
			d.more(50)
			s.proxy.Inject(s3test.Rule{When: func(*http.Request) bool { return true }, Fault: fault})
			d.signal(syscall.SIGTERM)
			begun := time.Now()
			code := d.end()
			took := time.Since(begun)
			s.proxy.Heal()
			// The platform kills at its own limit, which is never so close.
			if took > limit+5*time.Second {
				t.Errorf("the end took %v, the limit is %v", took, limit)
			}
			if code != 1 { // neither as if all were saved, nor by the signal: it closes its store
				t.Fatalf("it ended with %s", d.cmd.ProcessState)
			}
			for _, want := range []string{"last backup", "is not saved"} {
				if said := d.stderr.String(); !strings.Contains(said, want) {
					t.Errorf("it does not say %q:\n%s", want, said)
				}
			}
			// The disk has it all, and the next start saves it.
			acknowledged := d.acknowledged()
			d = m.deploy("-database", "data/bot.db", "-repository", s.at("backups"), "-run", "2").up()
			d.when("the backup of the next start", func(st *holdfast.Standing) bool {
				return st.Backups.LastTrigger == holdfast.TriggerStartup && st.Backups.LastAt.After(st.Started.Time)
			})
			if lost := d.rows().lacks(acknowledged); lost != "" {
				t.Error(lost)
			}
			d.close()
			m.remove("data")
			if lost := m.heldBy(s.at("backups"), "latest").lacks(acknowledged); lost != "" {
				t.Errorf("the backup of the next start: %s", lost)
			}
		})
	}
}
