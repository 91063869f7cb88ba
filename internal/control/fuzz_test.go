package control

import (
	"encoding/json"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Whatever lies in the place of a record names a program of this version, or is
// refused; burying it touches nothing that Serve has not made.
func FuzzParseRecord(f *testing.F) {
	seed, err := json.Marshal(record{Version: version, PID: 7, Host: "h", Socket: "/tmp/holdfast-1/s", Token: "t", Sources: []place{{"bot", "/data/bot.db"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"version":1,"socket":"/etc/s"}`))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRecord(data)
		if err == nil && r.Version != version {
			t.Errorf("version %d is taken", r.Version)
		}
		if err != nil {
			return
		}
		_ = r.name()
		_ = r.touched([]place{{"bot", filepath.Join("data", "bot.db")}})
	})
}

// Whatever a client says, the program is stopped only for who knows the token,
// every stop is followed by a start or the settling of what was abandoned, and the
// server is done with the client when it is gone.
func FuzzSession(f *testing.F) {
	hello := `{"op":"hello","version":1,"token":"right"}` + "\n"
	f.Add([]byte(hello + `{"op":"stop","sources":["bot"]}` + "\n" + `{"op":"start"}` + "\n"))
	f.Add([]byte(hello + `{"op":"stop","sources":["bot"]}` + "\n"))
	f.Add([]byte(hello + `{"op":"standing"}` + "\n{"))
	f.Add([]byte(`{"op":"stop","sources":["bot"]}` + "\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		h := &program{}
		s := &Server{h: h, log: slog.New(slog.DiscardHandler), limits: limits{beat: time.Hour, line: time.Minute, idle: time.Minute, work: time.Minute}}
		s.record = record{Version: version, Token: "right", Sources: []place{{"bot", "/data/bot.db"}}}
		s.ctx, s.cancel = t.Context(), func() {}
		ours, theirs := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			newSession(s, theirs).serve()
		}()
		go func() { // takes the answers
			for buf := make([]byte, 4096); ; {
				if _, err := ours.Read(buf); err != nil {
					return
				}
			}
		}()
		_, _ = ours.Write(said)
		_ = ours.Close()
		<-done
		h.mu.Lock()
		defer h.mu.Unlock()
		stopped := false
		for _, what := range h.asked {
			if next := what == "stop bot" || what == "stop "; next == stopped {
				t.Errorf("%q: the program was asked %q", said, h.asked)
			} else {
				stopped = next
			}
		}
		if stopped || s.lease != nil {
			t.Errorf("%q: the program stays stopped: %q", said, h.asked)
		}
		if len(h.asked) > 0 && !slices.Contains(h.asked, "stop ") && !slices.Contains(h.asked, "stop bot") {
			t.Errorf("%q: %q", said, h.asked)
		}
	})
}
