package survival

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/mem"
	"github.com/holdfast-backup/holdfast/internal/durable/crashfs"
	"github.com/holdfast-backup/holdfast/repo"
)

// A marker that cannot be believed counts as absent, and is said.
func TestMarker_TornOrForeign(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"torn":         func(b []byte) []byte { return b[:len(b)/2] },
		"empty":        func([]byte) []byte { return nil },
		"a bit":        func(b []byte) []byte { return bytes.Replace(b, []byte(`"starts": 1`), []byte(`"starts": 9`), 1) },
		"another bot":  func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(`"bot"`), []byte(`"cat"`)) },
		"newer format": func(b []byte) []byte { return bytes.Replace(b, []byte(`"format": 1`), []byte(`"format": 7`), 1) },
		"no JSON":      func([]byte) []byte { return []byte("SQLite format 3\x00") },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, 0)
			end(t, h.start(nil), nil)
			data, err := os.ReadFile(MarkerPath(h.data))
			if err != nil {
				t.Fatal(err)
			}
			changed := change(data)
			if bytes.Equal(changed, data) {
				t.Fatal("nothing was changed")
			}
			if err := os.WriteFile(MarkerPath(h.data), changed, 0o600); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			m, err := Open(Options{Data: h.data, Source: "bot", Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			want(t, m, holdfast.SurvivalFirst, "")
			if !strings.Contains(log.String(), "counts as absent") || !strings.Contains(log.String(), MarkerPath(h.data)) {
				t.Errorf("logged %q", log.String())
			}
			end(t, m, nil)
			want(t, h.start(nil), holdfast.SurvivalKept, "kept over 1 restart") // it was written anew
		})
	}
}

func TestMarker_OfAnotherSource(t *testing.T) {
	r, _ := newRepo(t)
	one := newHost(t, 0).start(r)
	two, err := Open(Options{Data: newHost(t, 0).data, Source: "files"})
	if err != nil {
		t.Fatal(err)
	}
	if err := two.Reconcile(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	want(t, two, holdfast.SurvivalFirst, "")
	end(t, one, r)
	end(t, two, r)
}

// A storage that cannot be written stops nothing, and is asked again.
func TestMarker_StorageThatCannotBeWritten(t *testing.T) {
	r, _ := newRepo(t)
	dir := t.TempDir()
	data := filepath.Join(dir, "bot.db")
	m, err := Open(Options{Data: data, Source: "bot"})
	if err != nil {
		t.Fatal(err)
	}
	end(t, m, nil)
	d, err := crashfs.New(dir, crashfs.Never)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.Inject(func(string, string) error { return syscall.EROFS })
	m, err = Open(Options{Data: data, Source: "bot", FS: d})
	if !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), MarkerPath(data)) || holdfast.HintOf(err) == "" {
		t.Errorf("got %v", err)
	}
	want(t, m, holdfast.SurvivalUnknown, "unknown: write marker "+MarkerPath(data)+": read-only file system")
	if holds, err := m.Holds(); !holds || err == nil {
		t.Errorf("nobody else is known of, and it says %v, %v", holds, err)
	}
	if err := m.Renew(t.Context(), r); err != nil {
		t.Errorf("nothing may be stopped by it: %v", err)
	}
	if err := m.Trust("state"); !errors.Is(err, syscall.EROFS) {
		t.Errorf("trust was not written, and it says %v", err)
	}
	if n := records(t, r); n != 0 {
		t.Errorf("%d records of a storage that nobody can know again", n)
	}
	d.Inject(nil)
	if err := m.Renew(t.Context(), r); err != nil {
		t.Error(err)
	}
	want(t, m, holdfast.SurvivalKept, "kept over 1 restart") // the marker of before was not forgotten
	end(t, m, r)
}

func TestMarker_DirectoryThatComesLater(t *testing.T) {
	data := filepath.Join(t.TempDir(), "volume", "bot.db")
	m, err := Open(Options{Data: data, Source: "bot"})
	if err == nil {
		t.Error("a lock was taken in a directory that does not exist")
	}
	want(t, m, holdfast.SurvivalUnknown, "lock marker")
	if err := os.Mkdir(filepath.Dir(data), 0o700); err != nil {
		t.Fatal(err)
	}
	if holds, err := m.Holds(); !holds || err != nil {
		t.Errorf("got %v, %v", holds, err)
	}
	want(t, m, holdfast.SurvivalFirst, "")
	end(t, m, nil)
}

// A storage that is wiped under a living program takes marker and lock away.
func TestMarker_WipedUnderALivingProgram(t *testing.T) {
	h := newHost(t, 0)
	m := h.start(nil)
	id := m.state.me.ID
	h.wipe()
	if holds, err := m.Holds(); !holds || err != nil {
		t.Errorf("got %v, %v", holds, err)
	}
	other, err := Open(Options{Data: h.data, Source: "bot"})
	if err != nil {
		t.Fatal(err)
	}
	if holds, _ := other.Holds(); holds {
		t.Error("two hold it")
	}
	end(t, other, nil)
	end(t, m, nil)
	m = h.start(nil)
	if m.state.me.ID != id {
		t.Error("the marker was not written again")
	}
	end(t, m, nil)
}

// A storage that goes away under a living program does not end its lease.
func TestMarker_StorageThatGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRepo(t)
		h := newHost(t, 0)
		m := h.start(r)
		away := filepath.Dir(h.data) + "-away"
		if err := os.Rename(filepath.Dir(h.data), away); err != nil {
			t.Fatal(err)
		}
		live(t, 5*time.Minute, r, m)
		want(t, m, holdfast.SurvivalUnknown, "no such file or directory")
		list, err := r.Instances(t.Context())
		if err != nil || len(list) != 1 || time.Until(list[0].Expires.Time) < DefaultLease/2 {
			t.Errorf("recorded %+v, %v", list, err)
		}
		if err := os.Rename(away, filepath.Dir(h.data)); err != nil {
			t.Fatal(err)
		}
		live(t, time.Second, r, m)
		want(t, m, holdfast.SurvivalFirst, "")
		end(t, m, r)
		m = h.start(r)
		want(t, m, holdfast.SurvivalKept, "kept over 1 restart")
		end(t, m, r)
	})
}

func TestMarkerPath(t *testing.T) {
	dir := t.TempDir()
	for data, want := range map[string]string{
		filepath.Join(dir, "bot.db"): filepath.Join(dir, ".bot.db.holdfast.json"),
		dir:                          filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".holdfast.json"),
	} {
		if got := MarkerPath(data); got != want {
			t.Errorf("the marker of %s is %s, want %s", data, got, want)
		}
	}
}

func TestMarker_Trust(t *testing.T) {
	h := newHost(t, 0)
	m := h.start(nil)
	if err := m.Trust("1:2:3"); err != nil {
		t.Fatal(err)
	}
	end(t, m, nil)
	m = h.start(nil)
	if m.Trusted() != "1:2:3" {
		t.Errorf("it trusts %q", m.Trusted())
	}
	kill(t, m) // from its start on the data may have been written
	m = h.start(nil)
	if m.Trusted() != "" {
		t.Errorf("it trusts %q after a kill", m.Trusted())
	}
	end(t, m, nil)
}

func TestMarker_CutsLeaveTheOldOrTheNew(t *testing.T) {
	for _, mode := range crashfs.Modes() {
		for n := 0; ; n++ {
			dir := t.TempDir()
			data := filepath.Join(dir, "bot.db")
			m, err := Open(Options{Data: data, Source: "bot"})
			if err != nil {
				t.Fatal(err)
			}
			end(t, m, nil)
			d, err := crashfs.New(dir, n)
			if err != nil {
				t.Fatal(err)
			}
			m, _ = Open(Options{Data: data, Source: "bot", FS: d}) // its error is not the point
			cut := d.WasCut()
			kill(t, m)
			if err := errors.Join(d.Reboot(mode), d.Close()); err != nil {
				t.Fatal(err)
			}
			found, err := readMarker(MarkerPath(data), "bot")
			if err != nil || found == nil || found.Starts != 1 && found.Starts != 2 {
				t.Errorf("%s after operation %d: %+v, %v", mode, n, found, err)
			}
			if !cut {
				break
			}
		}
	}
}

// Where the repository encrypts, the name of the host stays private.
func TestMarker_HostIsPrivateWhereTheRepositoryEncrypts(t *testing.T) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for recipient, want := range map[string]string{"": host, key.Recipient().String(): ""} {
		var o repo.Options
		if recipient != "" {
			o.Recipients = []string{recipient}
		}
		r, err := repo.Init(t.Context(), mem.New(), o)
		if err != nil {
			t.Fatal(err)
		}
		m := newHost(t, 0).start(r)
		list, err := r.Instances(t.Context())
		if err != nil || len(list) != 1 || list[0].Host != want {
			t.Errorf("recorded %+v, %v; want the host %q", list, err, want)
		}
		end(t, m, r)
	}
}

func TestHistoryOf(t *testing.T) {
	day := holdfast.At(time.Date(2026, 11, 3, 23, 0, 0, 0, time.UTC))
	for want, r := range map[string]record{
		"":                    {},
		"kept over 1 restart": {Kept: 1},
		"kept over 12 restarts; wiped twice, last on 2026-11-03": {Kept: 12, Wiped: 2, LastWiped: &day},
		"wiped once, on 2026-11-03":                              {Wiped: 1, LastWiped: &day},
		"kept over 1 restart; wiped 3 times, last on 2026-11-03": {Kept: 1, Wiped: 3, LastWiped: &day},
	} {
		if got := historyOf(r); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
