package browser

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/holdfast-backup/holdfast/internal/config"
	inprocess "github.com/holdfast-backup/holdfast/internal/daemon"
	"github.com/holdfast-backup/holdfast/internal/schedule/scheduletest"
)

// cleanup is how many half days pass until what the walk has left is older than a week,
// counted from the newest backup.
const cleanup = 2 * 8

// byItself matches what the schedule made, and what followed a change that was seen between
// two of its turns.
var byItself = regexp.MustCompile(`(?:scheduled|change)_backup_\d{8}_\d{6}(_\d+)?`)

// pins keeps a backup from going, by the button on its page.
func (d *desk) pins(name string) {
	d.t.Helper()
	p := d.lists()
	p.follow(link, name)
	p.follow(button, "ปักหมุด")
	p.reads(p.says("details.said_pinned", "name", name))
}

// leaves turns the tab away from holdfast, which is going to end.
func (d *desk) leaves() {
	d.t.Helper()
	d.content()
	if err := d.holdfast.open("about:blank"); err != nil {
		d.t.Fatal(err)
	}
}

// eightDaysLater lives through eight days, in each half of which somebody lays a document
// beside the others, under a daemon whose clock is ahead. Backups are made by themselves
// alone, and what is older than seven days goes by itself: all of the walk, but for what
// is pinned.
func (d *desk) eightDaysLater() {
	d.t.Helper()
	d.t.Chdir(d.world.dir) // the paths of holdfast.yaml are meant from there
	clock := d.ahead()
	before := d.lists().rows()
	for half := range cleanup {
		if err := os.WriteFile(d.world.path("data", "pdf", fmt.Sprintf("บันทึก %d.txt", half)), []byte("วันลา"), 0o600); err != nil {
			d.t.Fatal(err)
		}
		clock.Leap(12 * time.Hour)
	}
	for range 5 {
		clock.Leap(time.Second) // what follows the last backup waits for its turn
	}
	p := d.lists()
	rows := p.rows()
	if len(rows) == 0 || !byItself.MatchString(rows[0]) || byItself.FindString(rows[0]) == byItself.FindString(before[0]) {
		d.t.Errorf("the newest was not made by itself:\n%s", strings.Join(rows, "\n---\n"))
	}
	pinned := 0
	for _, row := range rows {
		switch {
		case strings.Contains(row, manualBackup):
			pinned++
		case !byItself.MatchString(row):
			d.t.Errorf("it is older than seven days, and still there:\n%s", row)
		}
	}
	if pinned != 1 {
		d.t.Errorf("what was pinned is there %d times:\n%s", pinned, strings.Join(rows, "\n---\n"))
	}
	for _, row := range before {
		if name := byItself.FindString(row); name != "" && strings.Contains(strings.Join(rows, "\n"), name) {
			d.t.Errorf("it is older than seven days, and still there:\n%s", row)
		}
	}
	d.photographs(p, "9-cleaned-up")
	p.follow(link, p.says("frame.settings"))
	p.reads("ระยะเวลาเก็บ")
	p.reads("จำนวนวันที่เก็บ")
	p.reads(p.l.N("settings.plain.days", 7))
	d.photographs(p, "9-retention")
}

// ahead serves in this process, until the test ends, by a clock that begins now and that
// the test moves.
func (d *desk) ahead() *scheduletest.Clock {
	d.t.Helper()
	var inspect atomic.Pointer[func() bool]
	clock := scheduletest.New(time.Now(), scheduletest.Options{ComeBack: 200 * time.Millisecond, Busy: func() bool {
		busy := inspect.Load()
		return busy != nil && (*busy)()
	}})
	stop, serving, ended, said := make(chan struct{}), make(chan inprocess.Serving, 1), make(chan error, 1), &journal{}
	go func() {
		ended <- inprocess.Run(context.WithoutCancel(d.t.Context()), inprocess.Options{
			Load: func() (*config.Config, error) {
				return config.Load(config.Flags{Settings: map[string]config.FlagValue{"serve.listen": {Flag: "--listen", Value: d.rag.Holdfast}}}, nil)
			},
			Stop: stop, ToolVersion: "test", Now: clock.Now, Timer: clock.Timer, Logger: slog.New(slog.NewTextHandler(said, nil)),
			Listening: func(s inprocess.Serving) { serving <- s },
			Inspect:   func(busy func() bool) { inspect.Store(&busy) },
		})
	}()
	d.t.Cleanup(func() {
		close(stop)
		select {
		case err := <-ended:
			if err != nil {
				d.t.Errorf("the daemon of eight days ended: %v", err)
			}
		case <-time.After(patience):
			d.t.Error("the daemon of eight days does not end")
		}
		if d.t.Failed() {
			d.t.Logf("the daemon of eight days said:\n%s", said)
		}
	})
	select {
	case <-serving:
	case <-time.After(patience):
		d.t.Fatalf("the daemon of eight days does not serve\n%s", said)
	}
	return clock
}
