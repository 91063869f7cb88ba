package daemon

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/history"
)

// days asks a daemon what happened on the last days.
func (l *life) days(n int) []history.Day {
	l.w.t.Helper()
	code, body := l.get("/api/v1/history?days=40")
	var log history.Log
	if err := json.Unmarshal([]byte(body), &log); code != http.StatusOK || err != nil {
		l.w.t.Fatalf("%d %v: %s", code, err, body)
	}
	return log.Days(l.w.clock.Now(), time.UTC, n)
}

// Backups, failures, a day without a daemon, and pruning that takes the backups away: the record
// knows of all of it.
func TestRecord_TellsWhatHappenedWhen(t *testing.T) {
	w := newWorld(t, map[string]string{"schedule.every": "6h", "verify.every": "off", "drill.every": "off", "retention.days": "3", "serve.requests_per_minute": "100000"}).simulated(morning)
	l := w.start()
	w.eventually("the first backup is made", func() bool { return len(w.backups()) == 1 })
	w.clock.Through(20*time.Hour, 10*time.Minute)
	w.eventually("it is counted", func() bool { d := l.days(2); return d[0].Made+d[1].Made >= 1 && d[0].Unchanged+d[1].Unchanged >= 1 })
	l.stop()

	w.clock.Leap(48 * time.Hour) // nobody runs
	l = w.start()
	w.eventually("what was missed is known", func() bool {
		d := l.days(4)
		return d[0].Missed+d[1].Missed+d[2].Missed+d[3].Missed >= 6
	})
	before := l.days(4)
	l.stop()
	l = w.start()
	w.clock.Through(10*time.Minute, time.Minute)
	for i, d := range l.days(4) {
		if d.Missed != before[i].Missed || d.Made != before[i].Made {
			t.Errorf("another start counts again: %+v, before %+v", d, before[i])
		}
	}
	if size := l.days(1)[0].Size; size == nil || size.StoredBytes == 0 || size.Backups == 0 {
		t.Errorf("how much there is: %+v", size)
	}

	if err := os.RemoveAll(w.path("docs")); err != nil { // what is to be backed up is gone
		t.Fatal(err)
	}
	w.clock.Through(8*time.Hour, 10*time.Minute)
	w.eventually("failures are known", func() bool { return l.days(1)[0].Failed+l.days(2)[0].Failed > 0 })
	l.stop()
	entries, err := filepath.Glob(w.path("repository/.holdfast/" + history.File))
	if err != nil || len(entries) != 1 {
		t.Errorf("the record lies at %v, %v", entries, err)
	}
}

// A backup by the command line counts as the run that was due.
func TestRecord_CountsBackupsOfOtherPrograms(t *testing.T) {
	w := newWorld(t, map[string]string{"schedule.every": "6h", "verify.every": "off", "drill.every": "off", "retention.days": "0", "serve.requests_per_minute": "100000"}).simulated(morning)
	l := w.start()
	w.eventually("the first backup is made", func() bool { return len(w.backups()) == 1 })
	w.write("more")
	var code int
	w.meanwhile(func() { code, _ = l.ask("POST", "/api/v1/backups", `{"name":"by-hand","trigger":"manual"}`) })
	if code/100 != 2 {
		t.Fatal(code)
	}
	w.clock.Through(5*time.Minute, time.Minute)
	w.eventually("both are counted", func() bool { return l.days(1)[0].Made == 2 })
	code, body := l.get("/api/v1/history")
	var log history.Log
	if err := json.Unmarshal([]byte(body), &log); err != nil || code != http.StatusOK {
		t.Fatal(code, err)
	}
	made := map[holdfast.Trigger]int64{}
	for _, b := range log.Buckets {
		for trigger, n := range b.Made {
			made[trigger] += n
		}
	}
	if made[holdfast.TriggerManual] != 1 || len(made) != 2 {
		t.Errorf("%v", made)
	}
}
