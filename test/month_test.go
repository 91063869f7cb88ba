//go:build linux

package test

import (
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/internal/s3test"
	"github.com/holdfast-backup/holdfast/internal/sinktest"
)

// A daemon lives through a month with a real Chroma server, a real S3 server, a real
// disk and real receivers; only the clock is the test's.
func TestMonth(t *testing.T) {
	t.Parallel()
	m := newMonth(t)
	m.write()
	m.begin()
	for _, event := range []struct {
		name string
		run  func(*month)
	}{
		{"quiet days", quietDays},
		{"the Chroma server is down", chromaIsDown},
		{"the object storage is down", storageIsDown},
		{"the disk is full", diskIsFull},
		{"mail is down", mailIsDown},
		{"nobody runs the daemon", nobodyRunsIt},
		{"the clock jumps", clockJumps},
		{"most records are deleted", mostIsDeleted},
		{"a backup is damaged", backupIsDamaged},
		{"an index is wrong", indexIsWrong},
		{"the configuration changes", configurationChanges},
	} {
		real := time.Now()
		event.run(m)
		t.Logf("%s: until %s, in %s", event.name, m.clock.Now().Format("Jan 02 15:04"), time.Since(real).Round(time.Millisecond))
	}
	m.checkBackups()
	m.ask(200, "POST", "/api/v1/verify", map[string]any{"wait": true}, nil)
	m.checkTold()
	m.end()
	m.checkPings()
	m.checkRestores()
	m.checkNothingRuns()
	if t.Failed() {
		t.Logf("mail:\n%s\nhook:\n%s\nthe log of the daemon:\n%s", strings.Join(m.mailed, "\n"), strings.Join(m.hooked, "\n"), m.log)
	}
}

// quietDays makes a backup every day, keeps one for good and proves them.
func quietDays(m *month) {
	m.until(1, 10)
	m.ask(201, "POST", "/api/v1/backups", map[string]any{"name": keepsake}, nil)
	m.ask(200, "PATCH", "/api/v1/backups/"+keepsake, map[string]any{"pinned": true}, nil)
	for day := 2; day <= 3; day++ {
		m.until(day, 8)
		m.write()
	}
}

// keepsake is the backup that is pinned.
const keepsake = "keepsake"

// chromaIsDown stops the Chroma server: its files are backed up all the same. Then the
// files are gone for half a day.
func chromaIsDown(m *month) {
	m.ok(m.chroma.Stop())
	for day := 4; day <= 5; day++ {
		m.until(day, 8)
		m.write()
	}
	m.ok(os.Rename(m.path(monthChroma), m.path("elsewhere")))
	m.until(5, 20)
	m.stands("failure", "missing chromadb")
	m.ok(os.Rename(m.path("elsewhere"), m.path(monthChroma)))
	m.chroma = chromatest.Start(m.t, chromatest.New, m.path(monthChroma))
	m.until(6, 8)
	m.write()
}

// storageIsDown takes the object storage away for 30 hours: it lets nobody in. One that
// does not answer is tried for minutes, which no test's clock makes shorter.
func storageIsDown(m *month) {
	m.until(7, 10)
	m.rest()
	m.far.Inject(s3test.Rule{Fault: s3test.Refuse(http.StatusForbidden)})
	m.until(8, 8)
	m.write()
	m.until(8, 16)
	m.far.Heal()
	m.until(8, 20)
	m.stands()
}

// diskIsFull fills the disk of the repository for eight hours.
func diskIsFull(m *month) {
	m.until(9, 6)
	m.write()
	m.ok(fill(m.path("disk/ballast")))
	m.until(9, 14)
	m.stands("failure", "space")
	m.ok(os.Remove(m.path("disk/ballast")))
	m.until(9, 20)
	m.stands()
}

// fill writes until the disk is full.
func fill(name string) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	for block := make([]byte, 1<<20); err == nil; {
		_, err = f.Write(block)
	}
	for block := make([]byte, 1<<10); ; {
		if _, err := f.Write(block); err != nil {
			break
		}
	}
	return f.Close()
}

// mailIsDown lets a source be missing while the mail server is down.
func mailIsDown(m *month) {
	m.until(10, 8)
	m.mail.Refuse(sinktest.Refusal{Command: "MAIL", Reply: "451 come back later"})
	m.ok(os.Rename(m.path(monthDatabase), m.path("elsewhere.db")))
	m.until(10, 12)
	m.ok(os.Rename(m.path("elsewhere.db"), m.path(monthDatabase)))
	m.until(10, 14)
	m.mail.Refuse(sinktest.Refusal{})
	m.until(10, 18)
}

// nobodyRunsIt stops the daemon for three days.
func nobodyRunsIt(m *month) {
	m.until(11, 9)
	m.end()
	heard := m.pings()
	m.write()
	m.clock.Leap(72 * time.Hour)
	if now := m.pings(); !maps.Equal(now, heard) {
		m.t.Errorf("pings while nobody runs: %v, then %v", heard, now)
	}
	before := m.made()
	m.begin()
	if caught := m.made() - before; caught != 1 {
		m.t.Errorf("what was missed is caught up with by %d backups", caught)
	}
	m.until(14, 20)
	m.stands()
}

// clockJumps sets the clock forward by two days, and back by one, which leaves a backup
// that is made in times to come.
func clockJumps(m *month) {
	m.until(15, 10)
	m.write()
	m.clock.Set(m.clock.Now().AddDate(0, 0, 2))
	m.until(18, 8)
	m.write()
	m.until(18, 12)
	m.write()
	m.clock.Set(m.clock.Now().AddDate(0, 0, -1))
	m.until(19, 8)
}

// mostIsDeleted deletes most records, which is confirmed in the end.
func mostIsDeleted(m *month) {
	client := m.chroma.Client()
	defer client.Close()
	collection := id(m.t, client, documents)
	all, err := client.Get(m.t.Context(), collection, nil)
	m.ok(err)
	var ids []string
	for _, r := range all[perWrite:] {
		ids = append(ids, r.ID)
	}
	m.ok(client.Delete(m.t.Context(), collection, ids))
	m.until(20, 8)
	m.stands("shrink")
	before := len(m.backups())
	m.until(20, 9)
	if after := len(m.backups()); after < before {
		m.t.Errorf("%d backups were removed although one had shrunk", before-after)
	}
	m.ask(200, "POST", "/api/v1/hold/confirm", map[string]any{"wait": true}, nil)
	m.until(20, 20)
	m.stands()
}

// backupIsDamaged damages the backup that is kept for good, which the rotation finds.
func backupIsDamaged(m *month) {
	m.flip(keepsake)
	read := m.lastRead(keepsake)
	for day := 21; m.alarms() == ""; day++ {
		if m.clock.Now().Sub(read) > monthVerify {
			m.t.Fatalf("nobody has read %s since %s", keepsake, read)
		}
		m.until(day, 8)
		m.write()
		m.until(day, 20)
	}
	m.stands("damage " + keepsake)
	m.until(26, 8)
	m.ask(200, "PATCH", "/api/v1/backups/"+keepsake, map[string]any{"pinned": false}, nil)
	m.ask(200, "DELETE", "/api/v1/backups/"+keepsake+"?wait=true", nil, nil)
	m.until(26, 10)
	m.stands()
}

// indexIsWrong plants a backup whose index is of another moment: a verification passes
// it, a drill does not.
func indexIsWrong(m *month) {
	client := m.chroma.Client()
	defer client.Close()
	m.until(27, 10)
	turn(m.t, client, 1)
	m.ask(201, "POST", "/api/v1/backups", map[string]any{"name": "first"}, nil)
	m.rest()
	turn(m.t, client, 2)
	m.ask(201, "POST", "/api/v1/backups", map[string]any{"name": "second"}, nil)
	m.rest()
	m.plant(monthRepository, "first", "second", planted, m.clock.Now())
	var verified struct{ State string }
	m.ask(200, "POST", "/api/v1/backups/"+planted+"/verify", map[string]any{"wait": true}, &verified)
	if verified.State != "succeeded" {
		m.t.Errorf("the verification of a backup whose index is of another moment %s", verified.State)
	}
	found := m.ask(500, "POST", "/api/v1/backups/"+planted+"/drill", map[string]any{"wait": true}, nil)
	contains(m.t, "the drill", found, `"damaged"`, "collection turning")
	m.until(27, 11)
	m.stands("damage " + planted)
	m.ask(200, "DELETE", "/api/v1/backups/"+planted+"?wait=true", nil, nil)
	m.until(27, 14)
	m.stands()
}

// planted is the backup whose index is wrong.
const planted = "planted"

// configurationChanges loads a bad configuration and a good one.
func configurationChanges(m *month) {
	m.set("serve.listen", "0.0.0.0:0") // there is no token
	m.daemon.reload <- struct{}{}
	m.logged("the configuration was not changed")
	m.set("serve.listen", "127.0.0.1:0")
	m.set("schedule.every", "8h")
	m.daemon.reload <- struct{}{}
	m.await()
	m.rest()
	if settings := m.ask(200, "GET", "/api/v1/config", nil, nil); !strings.Contains(settings, `"8h"`) {
		m.t.Errorf("after the reload: %s", settings)
	}
	m.until(31, 8)
	m.write()
	m.until(31, 20)
	m.stands()
}

// ok ends the test on an error.
func (m *month) ok(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}
