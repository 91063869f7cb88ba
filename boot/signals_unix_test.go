//go:build unix

package boot

import (
	"os"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// Whether the bot closes its store or not, everything that it wrote is in a
// backup after SIGTERM, and the process ends as it would have without us.
func TestSignals_TheLastBackupHasEverything(t *testing.T) {
	for _, how := range []string{botCloses, botStays} {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			t.Run(how+" "+sig.String(), func(t *testing.T) {
				w := newWorld(t)
				p := w.spawn(how)
				p.acknowledged(20)
				if err := p.cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
				last, end := p.ended()
				status := end.Sys().(syscall.WaitStatus)
				if how == botCloses && status.ExitStatus() != 7 {
					t.Errorf("it ended with %v, want its own exit code 7", end)
				}
				if how == botStays && (!status.Signaled() || status.Signal() != sig) {
					t.Errorf("it ended with %v, want the signal", end)
				}
				if n := w.inBackup(); n != last {
					t.Errorf("%d rows were acknowledged, %d are in the backup", last, n)
				}
			})
		}
	}
}

// The process that holds the storage makes the backups. When it is killed, the
// other takes over.
func TestTwoProcesses_OneMakesTheBackups(t *testing.T) {
	w := newWorld(t)
	w.o.Migrations = migrations(first)
	holder := w.spawn(botCloses)
	holder.acknowledged(5)
	s := w.start()
	if n := rows(t, s); n < 5 {
		t.Errorf("%d rows, want those of the other process", n)
	}
	eventually(t, "standby", func() bool { return s.Status().Backups.Standby != "" })
	if err := holder.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	holder.ended()
	eventually(t, "takeover", func() bool { return s.Status().Backups.Standby == "" && s.Status().Backups.Last != "" })
	run(t, s.DB(), "DELETE FROM users")
	fill(t, s.DB(), 3)
	w.close(s)
	if n := w.inBackup(); n != 3 {
		t.Errorf("%d rows in the backup, want 3", n)
	}
}

// Of two that start at once on a storage that was wiped, one restores and
// migrates, and neither fails.
func TestTwoProcesses_StartAtOnce(t *testing.T) {
	w := newWorld(t)
	w.o.Migrations = migrations(first)
	s := w.start()
	fill(t, s.DB(), 9)
	w.close(s)
	if err := os.Remove(w.o.Database); err != nil {
		t.Fatal(err)
	}
	var all []*process
	for range 3 {
		all = append(all, w.spawn(botLeaves))
	}
	restored := 0
	for _, p := range all {
		if p.line() == string(holdfast.StartRestored) {
			restored++
		}
		if _, end := p.ended(); !end.Success() {
			t.Errorf("a start failed: %v", end)
		}
	}
	if restored != 1 {
		t.Errorf("%d of them restored, want 1", restored)
	}
}
