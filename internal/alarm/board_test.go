package alarm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// start is when every script begins.
var start = time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)

// A pigeon is a sender that remembers.
type pigeon struct {
	services int
	fail     func(n int) []error // for the n-th message; nil delivers
	sent     []Message
	tries    int
}

func (p *pigeon) Send(_ context.Context, m Message) []error {
	p.tries++
	if p.fail != nil {
		if errs := p.fail(p.tries); errs != nil {
			return errs
		}
	}
	p.sent = append(p.sent, m)
	return make([]error, max(1, p.services))
}

// A scene is a board under a clock.
type scene struct {
	t     *testing.T
	now   time.Time
	o     Options
	bird  *pigeon
	board *Board
	log   bytes.Buffer
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t, now: start, bird: &pigeon{}}
	s.o = Options{
		File: filepath.Join(t.TempDir(), "alarms.json"), Sender: s.bird, Repeat: 24 * time.Hour, Host: "attic", Repository: "/backups/main",
		FS: unsynced{durable.OS}, Now: func() time.Time { return s.now }, Logger: slog.New(slog.NewTextHandler(&s.log, nil)), Secrets: []string{"canary42"},
	}
	s.restart()
	return s
}

// unsynced is a disk that nobody cuts the power of, and need not wait for.
type unsynced struct{ durable.FS }

func (u unsynced) SyncDir(string) error { return nil }

func (u unsynced) Create(name string, perm fs.FileMode) (durable.File, error) {
	f, err := u.FS.Create(name, perm)
	if err != nil {
		return nil, err
	}
	return unsyncedFile{f}, nil
}

type unsyncedFile struct{ durable.File }

func (unsyncedFile) Sync() error { return nil }

// restart is another process.
func (s *scene) restart() {
	s.t.Helper()
	b, err := New(s.o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.board = b
}

// at lets conditions be so at a moment after the start, and gives the titles of
// what is told then.
func (s *scene) at(after time.Duration, conditions ...Condition) string {
	s.t.Helper()
	s.now = start.Add(after)
	before := len(s.bird.sent)
	s.board.Update(s.t.Context(), conditions)
	var titles []string
	for _, m := range s.bird.sent[before:] {
		titles = append(titles, strings.TrimPrefix(m.Title, "holdfast on attic: "))
	}
	return strings.Join(titles, " | ")
}

var (
	failing = Condition{Kind: KindFailure, Message: "the backup failed: disk full", Hint: "make room", Severity: holdfast.Incomplete}
	lagging = Condition{Kind: KindReplica, Object: "offsite", Message: "the replica offsite lacks 2 backups"}
	other   = Condition{Kind: KindReplica, Object: "nas", Message: "the replica nas lacks 1 backup"}
	graced  = Condition{Kind: KindMissing, Object: "bot", Message: "the source bot is gone", Grace: 2 * time.Minute}
)

const (
	minute = time.Minute
	hour   = time.Hour
	day    = 24 * time.Hour
)

// A moment of a script: what is wrong, and what is to be told.
type beat struct {
	at   time.Duration
	is   []Condition
	told string
}

func is(c ...Condition) []Condition { return c }

func TestBoard_TellsExactly(t *testing.T) {
	for name, script := range map[string][]beat{
		"begins, is recalled, ends": {
			{0, nil, ""},
			{minute, is(failing), "backups fail"},
			{2 * minute, is(failing), ""},
			{day, is(failing), ""},
			{day + minute, is(failing), "still backups fail"},
			{day + hour, is(failing), ""},
			{day + 2*hour, nil, "over: backups fail"},
			{day + 3*hour + minute, nil, ""},
			{day + 4*hour, is(failing), "backups fail"},
		},
		"an end within the hour waits for it": {
			{0, is(failing), "backups fail"},
			{10 * minute, nil, ""},
			{59 * minute, nil, ""},
			{60 * minute, nil, "over: backups fail"},
		},
		"what flaps is told once": {
			{0, is(failing), "backups fail"},
			{10 * minute, nil, ""},
			{20 * minute, is(failing), ""},
			{30 * minute, nil, ""},
			{40 * minute, is(failing), ""},
			{61 * minute, is(failing), ""},
			{70 * minute, nil, "over: backups fail"},
			{80 * minute, is(failing), ""},
			{129 * minute, is(failing), ""},
			{130 * minute, is(failing), "backups fail"},
		},
		"what came and went again within the hour is told afterwards": {
			{0, is(failing), "backups fail"},
			{60 * minute, nil, "over: backups fail"},
			{70 * minute, is(failing), ""},
			{80 * minute, nil, ""},
			{119 * minute, nil, ""},
			{120 * minute, nil, "over: backups fail"},
			{200 * minute, nil, ""},
		},
		"several at once are one message": {
			{0, is(failing, lagging, other), "3 alarms"},
			{2 * hour, is(other), "2 alarms are over"},
			{3 * hour, is(failing), "backups fail; over: a replica lags"},
			{day + 3*hour, is(failing), "still backups fail"},
		},
		"each object is an alarm of its own": {
			{0, is(lagging), "a replica lags"},
			{minute, is(lagging, other), "a replica lags"},
		},
		"what passes by itself is no alarm": {
			{0, is(graced), ""},
			{minute, is(graced), ""},
			{90 * time.Second, nil, ""},
			{3 * minute, is(graced), ""},
			{5 * minute, is(graced), "something is gone"},
			{70 * minute, nil, "over: something is gone"},
		},
		"what cannot be known now stays as it was": {
			{0, is(failing, lagging), "2 alarms"},
			{2 * hour, is(Condition{Kind: KindReplica, Unknown: true}), "over: backups fail"},
			{day, is(Condition{Kind: KindReplica, Unknown: true}), "still a replica lags"},
			{day + 2*hour, nil, "over: a replica lags"},
		},
		"the same said twice": {
			{0, is(failing, failing), "backups fail"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			for _, b := range script {
				if got := s.at(b.at, b.is...); got != b.told {
					t.Errorf("after %s with %d conditions: told %q, want %q", b.at, len(b.is), got, b.told)
				}
				s.restart() // it makes no difference
			}
		})
	}
}

func TestBoard_Words(t *testing.T) {
	s := newScene(t)
	c := failing
	c.Message = `the backup failed: store "/srv/secret place/x": open /srv/data/bot.db: http://u:canary42@h/ near /backups/main, 1/2 done`
	c.Since = holdfast.At(start.Add(-3 * time.Hour))
	s.at(0, c, lagging)
	s.at(2*hour, c)
	want := []string{`ALARM: the backup failed: store "…/x": open …/bot.db: http://u:[hidden]@h/ near /backups/main, 1/2 done
Since 2026-03-04 02:00 UTC.
What to do: make room

ALARM: the replica offsite lacks 2 backups
Since 2026-03-04 05:00 UTC.

holdfast on attic, repository /backups/main`, `OVER: the replica offsite lacks 2 backups
It lasted 2 hours, until 2026-03-04 07:00 UTC.

holdfast on attic, repository /backups/main`}
	for i, m := range s.bird.sent {
		if m.Text != want[i] {
			t.Errorf("message %d:\n%s\nwant\n%s", i, m.Text, want[i])
		}
	}
}

func TestBoard_MessagesAreBounded(t *testing.T) {
	s := newScene(t)
	var all []Condition
	for n := range 100 {
		all = append(all, Condition{Kind: KindDamage, Object: fmt.Sprint(n), Message: strings.Repeat("ü long ", 1000)})
	}
	if got := s.at(0, all...); got != "100 alarms" {
		t.Errorf("told %q", got)
	}
	text := s.bird.sent[0].Text
	if len(text) > mostText || !strings.Contains(text, "more: `holdfast status`") || !strings.HasSuffix(text, "/backups/main") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}

func TestBoard_Standing(t *testing.T) {
	s := newScene(t)
	s.o.On = []string{KindReplica}
	s.restart()
	if got := s.at(0, failing, graced, lagging); got != "a replica lags" {
		t.Errorf("told %q", got)
	}
	all := s.board.Standing()
	if len(all) != 2 || all[0].Kind != KindFailure || all[0].ToldAt != nil || all[1].Kind != KindReplica || all[1].ToldAt == nil {
		t.Errorf("got %+v", all)
	}
	if !all[0].Since.Equal(start) {
		t.Errorf("it stands since %s", all[0].Since)
	}
	s.at(minute)
	if all := s.board.Standing(); len(all) != 0 {
		t.Errorf("got %+v", all)
	}
}

func TestBoard_NobodyToTell(t *testing.T) {
	s := newScene(t)
	s.o.Sender = nil
	s.restart()
	s.at(0, failing)
	if len(s.board.Standing()) != 1 {
		t.Error("it does not stand")
	}
	s.o.Sender = s.bird
	s.restart()
	if got := s.at(minute, failing); got != "backups fail" {
		t.Errorf("whoever can be told now is told %q", got)
	}
}

func TestBoard_ADeliveryThatReachesNobodyIsTriedAgain(t *testing.T) {
	s := newScene(t)
	down := true
	s.bird.fail = func(int) []error {
		if down {
			return []error{errors.New("no route"), errors.New("no route either")}
		}
		return nil
	}
	for m := range 60 {
		s.at(time.Duration(m)*minute, failing)
		s.restart()
	}
	if s.bird.tries < 4 || s.bird.tries > 12 {
		t.Errorf("%d tries in an hour", s.bird.tries)
	}
	if !strings.Contains(s.log.String(), "no route either") {
		t.Errorf("the log does not tell: %s", s.log.String())
	}
	down = false
	if got := s.at(3*hour, failing); got != "backups fail" {
		t.Errorf("told %q", got)
	}
}

func TestBoard_TheFirstRetryIsAtTheNextUpdate(t *testing.T) {
	s := newScene(t)
	s.bird.fail = func(n int) []error {
		if n == 1 {
			return []error{errors.New("no route")}
		}
		return nil
	}
	s.at(0, failing)
	if got := s.at(59*time.Second, failing); got != "backups fail" {
		t.Errorf("told %q", got)
	}
}

func TestBoard_AnEndThatNobodyKnewTheBeginningOf(t *testing.T) {
	s := newScene(t)
	down := true
	s.bird.fail = func(int) []error {
		if down {
			return []error{errors.New("no route")}
		}
		return nil
	}
	s.at(0, failing)
	s.at(30*minute, failing)
	s.at(hour)
	down = false
	if got := s.at(3 * hour); got != "over: backups fail" {
		t.Errorf("told %q", got)
	}
	if text := s.bird.sent[0].Text; !strings.Contains(text, "OVER ALREADY: the backup failed") || !strings.Contains(text, "for 1 hour.") {
		t.Errorf("got %s", text)
	}
}

func TestBoard_OneServiceThatGotItIsEnough(t *testing.T) {
	s := newScene(t)
	s.bird.fail = func(int) []error { return []error{errors.New("refused"), nil} }
	for m := range 50 {
		s.at(time.Duration(m)*minute, failing)
	}
	if s.bird.tries != 1 || !strings.Contains(s.log.String(), "could not be told everywhere") {
		t.Errorf("%d tries, log %s", s.bird.tries, s.log.String())
	}
}

func TestBoard_ARecordThatIsTornIsBegunAnew(t *testing.T) {
	for name, text := range map[string]string{
		"cut": `{"format":1,"alarms":[{"al`, "empty": "", "another format": `{"format":9}`, "nothing in it": `{"format":1,"alarms":[null]}`,
		"without times": `{"format":1,"alarms":[{"alarm":{"kind":"failure"},"known":true}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.at(0, failing, lagging)
			if err := os.WriteFile(s.o.File, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			s.restart()
			if !strings.Contains(s.log.String(), "begun anew") {
				t.Error("the log does not tell")
			}
			if got := s.at(minute, failing, lagging); got != "2 alarms" {
				t.Errorf("told %q", got)
			}
			if text := s.bird.sent[1].Text; !strings.Contains(text, "What was told before is not known any more") {
				t.Errorf("got %s", text)
			}
			s.restart()
			if got := s.at(2*minute, failing, lagging); got != "" {
				t.Errorf("told again: %q", got)
			}
		})
	}
}

func TestNew_AFileThatCannotBeWritten(t *testing.T) {
	o := newScene(t).o
	o.File = filepath.Join(t.TempDir(), "missing", "alarms.json")
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "alarms.json") {
		t.Errorf("got %v", err)
	}
}

func TestBoard_AClockThatWasSetBackHoldsNothingForLong(t *testing.T) {
	s := newScene(t)
	s.at(30*day, failing)
	s.at(0, failing)
	if got := s.at(hour+minute, nil...); got != "over: backups fail" {
		t.Errorf("told %q", got)
	}
}

// Whatever happens, nobody is told of the same alarm twice within an hour, and in
// the end everybody knows how it is.
func TestBoard_NeverTwiceWithinAnHour(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 42))
		s := newScene(t)
		conditions := []Condition{failing, lagging, other, graced}
		on := make([]bool, len(conditions))
		down := false
		s.bird.fail = func(int) []error {
			if down {
				return []error{errors.New("no route")}
			}
			return nil
		}
		last := map[string]time.Duration{}
		known := map[string]bool{}
		at := time.Duration(0)
		step := func(pause time.Duration) {
			at += pause
			var now []Condition
			for i, c := range conditions {
				if on[i] {
					now = append(now, c)
				}
			}
			before := len(s.bird.sent)
			s.at(at, now...)
			for _, m := range s.bird.sent[before:] {
				for _, c := range conditions {
					n := strings.Count(m.Text, c.Message)
					if n == 0 {
						continue
					}
					if told, ok := last[c.Message]; n > 1 || ok && at-told < hour {
						t.Fatalf("seed %d: %q was told at %s and again at %s:\n%s", seed, c.Message, told, at, m.Text)
					}
					last[c.Message] = at
					known[c.Message] = strings.Contains(m.Text, "ALARM: "+c.Message) || strings.Contains(m.Text, "STILL: "+c.Message)
				}
			}
		}
		for range 200 {
			for i := range on {
				if r.IntN(6) == 0 {
					on[i] = !on[i]
				}
			}
			if r.IntN(10) == 0 {
				down = !down
			}
			if r.IntN(20) == 0 {
				s.restart()
			}
			step(time.Duration(r.IntN(25)) * minute)
		}
		down = false
		for range 4 {
			step(hour)
		}
		for i, c := range conditions {
			if known[c.Message] != on[i] {
				t.Fatalf("seed %d: %q is %t in the end, but who is told believes %t", seed, c.Message, on[i], known[c.Message])
			}
		}
	}
}
