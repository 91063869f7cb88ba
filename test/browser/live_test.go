package browser

import (
	"testing"

	"github.com/holdfast-backup/holdfast/internal/locale"
)

// A quick backup, and the whole way back: restore and rollback.
func TestLive_BackupRestoreRollback(t *testing.T) {
	for _, lang := range locale.Languages() {
		t.Run(string(lang), func(t *testing.T) {
			w := newWorld(t, sources)
			d := w.serve("")
			p := newPerson(t, d.url, lang)
			p.follow(link, p.says("frame.backups"))
			p.follow(button, p.says("backups.quick"))
			p.find(link, p.says("jobs.next_details"))
			w.sqlite("DELETE FROM guests")
			p.follow(link, p.says("jobs.next_restore"))
			name := p.confirmed()
			p.find(button, p.says("restore.show"))
			p.reads(p.l.N("restore.change.more", 3))
			p.confirms(name)
			p.follow(button, p.says("restore.begin"))
			p.reads(p.says("jobs.restore_good", "name", name))
			if n := w.guests(); n != "3" {
				t.Errorf("%s guests after the restore", n)
			}
			p.follow(link, p.says("jobs.next_rollback"))
			p.reads(p.says("restore.rollback.title"))
			p.confirms(p.confirmed())
			p.follow(button, p.says("restore.rollback.begin"))
			p.reads(p.says("jobs.rollback_good"))
			if n := w.guests(); n != "0" {
				t.Errorf("%s guests after the rollback", n)
			}
			p.content()
			d.stop()
		})
	}
}
