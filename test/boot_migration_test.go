//go:build linux

package test

import (
	"maps"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// A new version of a bot whose migration fails does not start, and leaves
// everything as it was, so that the old version goes on.
func TestBoot_AVersionWhoseMigrationFails(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	deploy := func(version, run string, more ...string) *deployed {
		return m.deploy(append([]string{"-database", "data/bot.db", "-repository", "backups", "-migrations", version, "-run", run}, more...)...)
	}
	d := deploy("one", "1", "-writers", "2").up()
	d.more(60)
	d.close()
	before := m.onDisk("data/bot.db")
	// What a crash leaves in the log counts, too.
	d = deploy("one", "2", "-writers", "2").up()
	d.more(60)
	d.kill()
	before = before.with(d.acknowledged())

	d = deploy("broken", "3")
	if d.started() {
		t.Fatal("it started with a migration that fails")
	}
	if code := d.end(); code != 1 {
		t.Errorf("it ended with %d", code)
	}
	for _, want := range []string{"00002_marks.sql", "nowhere", "the state before the migrations is in place"} {
		if said := d.stderr.String(); !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
	after := m.onDisk("data/bot.db")
	if lost := after.lacks(before); lost != "" {
		t.Errorf("after the failed migration: %s", lost)
	}

	d = deploy("one", "4", "-writers", "1").up()
	if now := d.rows(); now.lacks(after) != "" {
		t.Errorf("the old version finds %v, want %v", now, after)
	}
	if got := d.last().Sources[0].Start.Action; got != holdfast.StartKept {
		t.Errorf("the old version %s the database", got)
	}
	d.more(10)
	d.close()

	// A version that works brings it up to date, with a backup from before.
	d = deploy("two", "5").up()
	migration := d.last().Sources[0].Migration
	if migration == nil || migration.From != 1 || migration.To != 2 || migration.Backup == "" {
		t.Fatalf("the migration: %+v", migration)
	}
	if got := d.rows(); got.lacks(after) != "" {
		t.Errorf("after the migration: %v, want %v", got, after)
	}
	d.close()
	if got := m.sqlite("data/bot.db", "SELECT count(*) > 0 FROM entries WHERE mark = 'before';"); got != "1" {
		t.Errorf("the column of the new version: %q", got)
	}
	if held := m.heldBy("backups", string(migration.Backup)); !maps.Equal(held, m.onDisk("data/bot.db")) {
		t.Errorf("the backup before the migration holds %v", held)
	}
}
