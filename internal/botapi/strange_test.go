package botapi

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// What was done must not be done again because its answer has a form of tomorrow.
func TestCall_WhoseAnswerCannotBeReadIsNotMadeAgain(t *testing.T) {
	long := strings.Repeat("no JSON ", 100_000)
	endless := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for {
			if _, err := io.WriteString(w, long); err != nil {
				return
			}
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"of another form":    says(200, `{"ok":true,"result":{"message_id":"seven"}}`),
		"of an unknown kind": says(200, `{"ok":true,"result":{"message_id":7,"date":1,"chat":{"id":5},"forward_origin":{"type":"of tomorrow"}}}`),
		"no JSON":            says(200, long),
		"cut JSON":           says(200, `{"ok":true,`),
		"without an end":     endless,
	} {
		t.Run(name, func(t *testing.T) {
			url, asked := answers(t, answer)
			w := newWorld(t, Options{API: url})
			_, err := w.Send(t.Context(), hello(5))
			if err == nil || *asked != 1 || !strings.Contains(err.Error(), "may have been done") || !strings.Contains(holdfast.HintOf(err), "newer version") {
				t.Errorf("asked %d times, error %v", *asked, err)
			}
			if holdfast.CauseOf(err) != "" {
				t.Errorf("the server answered, and the cause is %q", holdfast.CauseOf(err))
			}
			if len(w.log.String()) > 10_000 {
				t.Errorf("the log has %d bytes", len(w.log.String()))
			}
			if name == "without an end" {
				return // once is enough of that
			}
			if updates, err := w.Updates(t.Context(), 0, time.Second); err == nil {
				t.Errorf("updates: %v", updates)
			}
		})
	}
}

// An answer that comes in drips ends, whatever it is going to be.
func TestCall_AnAnswerThatDripsEnds(t *testing.T) {
	for kind, times := range map[string]int{"application/json": leastAttempts, "text/html": 1} {
		t.Run(kind, func(t *testing.T) {
			url, asked := answers(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", kind)
				for range 500 {
					if _, err := io.WriteString(w, " "); err != nil || http.NewResponseController(w).Flush() != nil {
						return
					}
					select {
					case <-r.Context().Done():
						return
					case <-time.After(5 * time.Millisecond):
					}
				}
				_, _ = io.WriteString(w, `{"ok":true,"result":{"message_id":7,"date":1,"chat":{"id":5,"type":"private"},"text":"x"}}`)
			})
			w := newWorld(t, Options{API: url, Patience: time.Second})
			hasty := newTransport(nil, stalledAfter)
			hasty.answer = 30 * time.Millisecond
			w.http.Transport = hasty
			if _, err := w.Send(t.Context(), hello(5)); holdfast.CauseOf(err) != holdfast.CauseUnreachable || strings.Contains(err.Error(), "canceled") {
				t.Errorf("error %v", err)
			}
			if *asked != times {
				t.Errorf("asked %d times, want %d", *asked, times)
			}
		})
	}
}

// Whoever is asked next would be told the token, which is in the address asked before.
func TestCall_FollowsNobodyElsewhere(t *testing.T) {
	elsewhere, asked := answers(t, message)
	for _, code := range []int{301, 302, 303, 307, 308} {
		url, _ := answers(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/json")
			http.Redirect(w, r, elsewhere+"/elsewhere", code)
		})
		for name, do := range everyCall() {
			w := newWorld(t, Options{API: url})
			if err := do(t.Context(), w.Client); holdfast.CauseOf(err) != holdfast.CauseUnreachable || len(w.clock.waited) > 0 {
				t.Errorf("%d %s: %v", code, name, err)
			}
		}
	}
	if *asked > 0 {
		t.Errorf("it went elsewhere %d times", *asked)
	}
}

func TestChat_OfThingsOfTomorrow(t *testing.T) {
	const reactions = `"available_reactions":[{"type":"of tomorrow"}]`
	for name, c := range map[string]struct {
		pinned   string
		id       int
		document bool
	}{
		"none":              {`null`, 0, false},
		"a document":        {`{"message_id":7,"date":1,"chat":{"id":5,"type":"group"},"document":{"file_id":"f","file_unique_id":"u"}}`, 7, true},
		"of an unknown one": {`{"message_id":8,"date":1,"chat":{"id":5,"type":"group"},"forward_origin":{"type":"of tomorrow"}}`, 8, false},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := answers(t, says(200, `{"ok":true,"result":{"id":-5,"type":"group","title":"Backups",`+reactions+`,"pinned_message":`+c.pinned+`}}`))
			info, err := newWorld(t, Options{API: url}).Chat(t.Context(), -5)
			if err != nil || info.ID != -5 || info.Type != "group" || info.Title != "Backups" {
				t.Fatalf("chat %+v, %v", info, err)
			}
			switch m := info.PinnedMessage; {
			case c.id == 0 && m != nil:
				t.Errorf("pinned is %+v", m)
			case c.id != 0 && (m == nil || m.ID != c.id || (m.Document != nil) != c.document):
				t.Errorf("pinned is %+v", m)
			}
		})
	}
}

func TestChat_SaysWhatIsRefused(t *testing.T) {
	for said, kind := range map[string]error{
		`"error_code":401,"description":"Unauthorized"`:                                  holdfast.ErrUsage,
		`"error_code":403,"description":"Forbidden: bot was kicked from the group chat"`: holdfast.ErrRefused,
		`"error_code":400,"description":"Bad Request: chat not found"`:                   holdfast.ErrNotFound,
	} {
		url, asked := answers(t, says(200, `{"ok":false,`+said+`}`))
		if _, err := newWorld(t, Options{API: url}).Chat(t.Context(), -5); !errors.Is(err, kind) || *asked != 1 {
			t.Errorf("%s: asked %d times, %v", said, *asked, err)
		}
	}
}

// A file that its writer watches.
type watched struct {
	io.Reader
	open *atomic.Int64
}

func (w watched) Close() error { w.open.Add(-1); return nil }

// A server may answer before it has everything. Then nobody reads on, the file is closed,
// and nothing is left behind that waits.
func TestUpload_ThatIsAnsweredEarly(t *testing.T) {
	early := func(answers ...string) *passage {
		var next atomic.Int64
		return listen(t, func(_ *passage, c net.Conn) error {
			in := bufio.NewReader(c)
			if _, err := http.ReadRequest(in); err != nil {
				return err
			}
			answer := answers[min(int(next.Add(1)), len(answers))-1]
			_, err := fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n%s", answer[:3]+" X", answer[4:])
			if err != nil {
				return err
			}
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, in) // so that the answer is not lost by a reset
			return err
		})
	}
	const (
		tooLarge = `413 {"ok":false,"error_code":413,"description":"Request Entity Too Large"}`
		limited  = `429 {"ok":false,"error_code":429,"description":"Too Many Requests: retry after 9","parameters":{"retry_after":9}}`
		blocked  = `403 {"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}`
	)
	for name, c := range map[string]struct {
		answers []string
		kind    error
		waited  []time.Duration
	}{
		"too large": {[]string{tooLarge}, holdfast.ErrRefused, nil},
		"limited":   {[]string{limited, blocked}, holdfast.ErrRefused, []time.Duration{9 * time.Second}},
		"blocked":   {[]string{blocked}, holdfast.ErrRefused, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Options{API: "http://" + early(c.answers...).addr})
			var open, opened atomic.Int64
			_, err := w.SendDocument(t.Context(), 5, Document{Name: "x", Size: MostUpload, Open: func() (io.ReadCloser, error) {
				open.Add(1)
				opened.Add(1)
				return watched{&endless{}, &open}, nil
			}})
			if !errors.Is(err, c.kind) || fmt.Sprint(w.clock.waited) != fmt.Sprint(c.waited) {
				t.Errorf("waited %v, error %v", w.clock.waited, err)
			}
			if open.Load() != 0 || int(opened.Load()) != len(c.answers) {
				t.Errorf("opened %d times, %d are open", opened.Load(), open.Load())
			}
			if left := writers(); left > 0 {
				t.Errorf("%d goroutines still write forms", left)
			}
		})
	}
}

// writers counts the library's goroutines that write a form, once they had the time to end.
func writers() (n int) {
	stacks := make([]byte, 4<<20)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); runtime.Gosched() {
		if n = strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "bot.buildRequestForm("); n == 0 {
			return 0
		}
	}
	return n
}

func TestProxy_ThatLeadsNowhere(t *testing.T) {
	refusing := func(status string) *passage {
		return listen(t, func(p *passage, c net.Conn) error {
			if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
				return err
			}
			_, err := io.WriteString(c, "HTTP/1.1 "+status+"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return err
		})
	}
	for status, again := range map[string]bool{"502 Bad Gateway": true, "503 Service Unavailable": true, "403 Forbidden": false, "404 Not Found": false} {
		w := newWorld(t, Options{API: "https://bots.example", Proxy: "http://" + refusing(status).addr, Patience: 2 * time.Second})
		_, err := w.Me(t.Context())
		if holdfast.CauseOf(err) != holdfast.CauseUnreachable || !strings.Contains(err.Error(), "the proxy answers "+status) {
			t.Errorf("%s: %v", status, err)
		}
		if (len(w.clock.waited) > 0) != again {
			t.Errorf("%s: waited %v", status, w.clock.waited)
		}
	}
}

func TestDownload_TelegramsServerIsKnownInEveryForm(t *testing.T) {
	for api, own := range map[string]bool{
		"": false, "https://api.telegram.org/": false, "https://API.Telegram.org:443": false,
		"http://127.0.0.1:8081": true, "https://bots.example": true, "https://api.telegram.org.example": true,
	} {
		if got := newWorld(t, Options{API: api}).ownServer(); got != own {
			t.Errorf("%s: %v", api, got)
		}
	}
}

func TestSeal_NeverByNoToken(t *testing.T) {
	if _, err := Recipient(""); !errors.Is(err, holdfast.ErrUsage) || holdfast.HintOf(err) == "" {
		t.Errorf("error %v", err)
	}
	if _, err := Identity(""); !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("error %v", err)
	}
}

func TestPace_AShorterWaitDoesNotEndALongerOne(t *testing.T) {
	k := &clock{at: time.Unix(1000, 0)}
	p := pace{now: k.now}
	p.hold(5, time.Minute)
	p.hold(5, time.Second)
	began := k.now()
	if err := p.await(t.Context(), 5, k.wait); err != nil || k.now().Sub(began) != time.Minute {
		t.Errorf("it waited %s, %v", k.now().Sub(began), err)
	}
}
