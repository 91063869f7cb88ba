package chromaproxy

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/logtest"
)

// stage is a proxy in front of a server of the test.
type stage struct {
	proxy *Proxy
	front *httptest.Server
	log   *logtest.Log

	mu      sync.Mutex
	backups []string
	fail    error
	hold    chan struct{} // backups wait for it
	begun   chan struct{}
}

func newStage(t testing.TB, upstream string, change ...func(*Options)) *stage {
	t.Helper()
	s := &stage{log: &logtest.Log{}, begun: make(chan struct{}, 100)}
	o := Options{Upstream: upstream, Backup: s.backup, Logger: slog.New(slog.NewTextHandler(s.log, nil))}
	for _, c := range change {
		c(&o)
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.proxy = p
	s.front = httptest.NewServer(p)
	t.Cleanup(func() {
		p.Close()
		s.front.Close()
	})
	return s
}

func (s *stage) backup(ctx context.Context, reason string) error {
	s.mu.Lock()
	hold, fail := s.hold, s.fail
	s.mu.Unlock()
	s.begun <- struct{}{}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if fail == nil {
		s.backups = append(s.backups, reason)
	}
	return fail
}

func (s *stage) made() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.backups)
}

// upstream is a server of the test.
func upstream(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// send sends bytes as they are and gives the answer.
func send(t *testing.T, front *httptest.Server, raw string) *http.Response {
	t.Helper()
	c, err := net.Dial("tcp", front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestProxy_PassesRequestsAsTheyAre(t *testing.T) {
	type seen struct {
		method, uri, host, body string
		header                  http.Header
	}
	got := make(chan seen, 1)
	s := newStage(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- seen{r.Method, r.RequestURI, r.Host, string(body), r.Header}
		w.Header().Set("X-Answer", "yes")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "answer")
	}))
	for _, target := range []string{"/api/v2/x%2Fy/../%41?a=1;b=2&c=%zz&d", "//double//slash?", base + "/collections/m%C3%A9moire", "/a%20b;c"} {
		res := send(t, s.front, "GET "+target+" HTTP/1.1\r\nHost: chroma.example:99\r\nX-Chroma-Token: t\r\nX-Forwarded-For: 192.0.2.1\r\nForwarded: for=x\r\nX-Own: a\r\nX-Own: b\r\nContent-Length: 4\r\n\r\nbody")
		in := <-got
		if in.method != "GET" || in.uri != target || in.host != "chroma.example:99" || in.body != "body" {
			t.Errorf("%s arrived as %+v", target, in)
		}
		for name, want := range map[string]string{"X-Chroma-Token": "t", "X-Forwarded-For": "192.0.2.1", "Forwarded": "for=x", "X-Own": "a,b", "User-Agent": "", "Accept-Encoding": "", "X-Forwarded-Host": ""} {
			if have := strings.Join(in.header.Values(name), ","); have != want {
				t.Errorf("%s: %s is %q, want %q", target, name, have, want)
			}
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusTeapot || string(body) != "answer" || res.Header.Get("X-Answer") != "yes" || res.Header.Get("Server") != "" {
			t.Errorf("answer %d %q %v: %v", res.StatusCode, body, res.Header, err)
		}
	}
	if s.made() != 0 {
		t.Error("a read made a backup")
	}
}

func TestProxy_LeavesCompressionAndTrailersAlone(t *testing.T) {
	s := newStage(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		w.Header().Set("Trailer", "X-Sum")
		w.Header().Set("Content-Encoding", r.Header.Get("Accept-Encoding"))
		_, _ = io.WriteString(w, "\x1f\x8bnot really gzip")
		w.Header().Set("X-Sum", "got "+r.Trailer.Get("X-In"))
	}))
	res := send(t, s.front, "POST "+base+"/collections/1/add HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nTransfer-Encoding: chunked\r\nTrailer: X-In\r\n\r\n3\r\nabc\r\n0\r\nX-In: 7\r\n\r\n")
	body, err := io.ReadAll(res.Body)
	if err != nil || string(body) != "\x1f\x8bnot really gzip" || res.Header.Get("Content-Encoding") != "gzip" || res.Trailer.Get("X-Sum") != "got 7" {
		t.Errorf("%q %v %v: %v", body, res.Header, res.Trailer, err)
	}
}

// pattern is an endless body.
type pattern struct{ n byte }

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		p.n++
		b[i] = p.n
	}
	return len(b), nil
}

func TestProxy_StreamsHugeBodiesBothWays(t *testing.T) {
	const size = 64 << 20
	sum := func(h hash.Hash) string { return fmt.Sprintf("%x", h.Sum(nil)) }
	want := sha256.New()
	if _, err := io.CopyN(want, &pattern{}, size); err != nil {
		t.Fatal(err)
	}
	s := newStage(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		if n, err := io.Copy(h, r.Body); err != nil || n != size || sum(h) != sum(want) {
			t.Errorf("%d bytes arrived: %v", n, err)
		}
		if _, err := io.CopyN(w, &pattern{}, size); err != nil {
			t.Error(err)
		}
	}))
	res, err := http.Post(s.front.URL+base+"/collections/1/add", "application/json", io.LimitReader(&pattern{}, size))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	h := sha256.New()
	if n, err := io.Copy(h, res.Body); err != nil || n != size || sum(h) != sum(want) {
		t.Errorf("%d bytes came back: %v", n, err)
	}
}

func TestProxy_ServesStreams(t *testing.T) {
	next := make(chan struct{})
	s := newStage(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first\n")
		_ = http.NewResponseController(w).Flush()
		<-next
	}))
	res, err := http.Get(s.front.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if line, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil || line != "first\n" {
		t.Fatalf("%q %v", line, err)
	}
	close(next)
}

func TestProxy_AsksForTheBodyOnlyWhenItsTurnHasCome(t *testing.T) {
	s := newStage(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(body)
	}))
	c, err := net.Dial("tcp", s.front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "POST "+base+"/collections/1/add HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != http.StatusContinue || s.made() != 1 {
		t.Fatalf("%v %v after %d backups", res, err, s.made())
	}
	_, _ = io.WriteString(c, "hello")
	for res.StatusCode == http.StatusContinue { // its server may say so, too
		if res, err = http.ReadResponse(in, nil); err != nil {
			t.Fatal(err)
		}
	}
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "hello" {
		t.Fatalf("%q %v", body, err)
	}
}

func TestProxy_ReadsPassWhileABackupRunsAndWritesWait(t *testing.T) {
	var mu sync.Mutex
	var order []string
	s := newStage(t, upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, r.Method+" "+r.URL.Path)
	}))
	s.hold = make(chan struct{})
	done := make(chan error, 1)
	go func() {
		r, err := http.NewRequest("DELETE", s.front.URL+base+"/collections/memory", nil)
		if err == nil {
			var res *http.Response
			if res, err = http.DefaultClient.Do(r); err == nil {
				err = res.Body.Close()
			}
		}
		done <- err
	}()
	<-s.begun
	for range 5 {
		res, err := http.Post(s.front.URL+base+"/collections/1/query", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	if st := s.proxy.Standing(); st.Waiting != 1 || st.Reads != 5 || st.Deletions != 1 || st.Backups != 0 {
		t.Errorf("standing %+v", st)
	}
	close(s.hold)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(order) != 6 || !strings.HasPrefix(order[5], "DELETE") || s.made() != 1 {
		t.Errorf("order %v", order)
	}
	s.front.Close() // a handler may still be returning when its client has the answer
	if st := s.proxy.Standing(); st.Backups != 1 || st.LastBackup == nil || st.Active != 0 {
		t.Errorf("standing %+v", st)
	}
}

func TestProxy_AFailedBackupRefusesInTheShapeOfChroma(t *testing.T) {
	arrived := 0
	s := newStage(t, upstream(t, func(http.ResponseWriter, *http.Request) { arrived++ }))
	s.fail = errors.New("no room on /secret/place")
	res, err := http.Post(s.front.URL+base+"/collections/1/add", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body struct{ Error, Message string }
	raw, err := io.ReadAll(res.Body)
	if err != nil || json.Unmarshal(raw, &body) != nil {
		t.Fatalf("%s %v", raw, err)
	}
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || body.Error == "" || !strings.Contains(body.Message, "nothing was changed") || strings.Contains(body.Message, "secret") {
		t.Errorf("%d %v %s", res.StatusCode, res.Header, raw)
	}
	if arrived != 0 || !strings.Contains(s.log.String(), "no room on") {
		t.Errorf("%d arrived; log %s", arrived, s.log)
	}
	if st := s.proxy.Standing(); st.Refused != 1 || st.Failures != 1 || st.Failure == "" {
		t.Errorf("standing %+v", st)
	}
}

func TestProxy_CloseAnswersWhatWaitsAndLetsReadsGoOn(t *testing.T) {
	arrived := 0
	s := newStage(t, upstream(t, func(http.ResponseWriter, *http.Request) { arrived++ }))
	s.hold = make(chan struct{}) // the backup ends with its context only
	answered := make(chan int, 1)
	go func() {
		res, err := http.Post(s.front.URL+"/api/v2/reset", "", nil)
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		answered <- res.StatusCode
		res.Body.Close()
	}()
	<-s.begun
	s.proxy.Close()
	if got := <-answered; got != 503 || arrived != 0 {
		t.Errorf("status %d, %d arrived", got, arrived)
	}
	res, err := http.Get(s.front.URL + "/api/v2/heartbeat")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestProxy_WhereItMayPassAFailureIsLoud(t *testing.T) {
	arrived := 0
	s := newStage(t, upstream(t, func(http.ResponseWriter, *http.Request) { arrived++ }), func(o *Options) { o.OnFailure = Pass })
	s.fail = errors.New("no room")
	res, err := http.Post(s.front.URL+"/api/v2/reset", "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 || arrived != 1 || s.proxy.Standing().Unprotected != 1 || !strings.Contains(s.log.String(), "passes without a backup") {
		t.Errorf("%d, %d arrived, %+v, log %s", res.StatusCode, arrived, s.proxy.Standing(), s.log)
	}
}

func TestProxy_APanicOfTheBackupIsAFailure(t *testing.T) {
	s := newStage(t, upstream(t, func(http.ResponseWriter, *http.Request) {}), func(o *Options) {
		o.Backup = func(context.Context, string) error { panic("oh") }
	})
	res, err := http.Post(s.front.URL+"/api/v2/reset", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 503 {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestProxy_AClientThatLeavesWhileItWaitsDeletesNothing(t *testing.T) {
	arrived := make(chan string, 10)
	s := newStage(t, upstream(t, func(_ http.ResponseWriter, r *http.Request) { arrived <- r.Method }))
	s.hold = make(chan struct{})
	for _, body := range []io.Reader{nil, strings.NewReader(`{"ids":["a"]}`)} {
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan struct{})
		method, path := "DELETE", base+"/collections/m"
		if body != nil {
			method, path = "POST", base+"/collections/1/delete"
		}
		go func() {
			defer close(left)
			r, err := http.NewRequestWithContext(ctx, method, s.front.URL+path, body)
			if err != nil {
				t.Error(err)
				return
			}
			if res, err := http.DefaultClient.Do(r); err == nil {
				t.Error("it was answered")
				res.Body.Close()
			}
		}()
		if body == nil {
			<-s.begun
		} else {
			awaitWaiting(t, s.proxy, 1)
		}
		leave()
		<-left
		awaitWaiting(t, s.proxy, 0)
	}
	close(s.hold)
	res, err := http.Post(s.front.URL+base+"/collections/1/add", "", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := <-arrived; got != "POST" || len(arrived) != 0 {
		t.Errorf("%s arrived, and %d more", got, len(arrived))
	}
}

// awaitWaiting waits until so many writes wait.
func awaitWaiting(t *testing.T, p *Proxy, n int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); p.Standing().Waiting != n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d wait, want %d", p.Standing().Waiting, n)
		}
	}
}

func TestProxy_AServerThatIsAwayOrDiesIsTold(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	s := newStage(t, gone.URL)
	for _, method := range []string{"GET", "POST"} {
		r, err := http.NewRequest(method, s.front.URL+base+"/collections", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var body struct{ Error, Message string }
		if err := json.NewDecoder(res.Body).Decode(&body); err != nil || res.StatusCode != 502 || body.Message == "" {
			t.Errorf("%s: %d %+v %v", method, res.StatusCode, body, err)
		}
		res.Body.Close()
	}
	dying := newStage(t, upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	for _, verb := range []string{"get", "add"} {
		res, err := http.Post(dying.front.URL+base+"/collections/1/"+verb, "", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("%s: the answer %q looks whole", verb, data)
		}
		res.Body.Close()
	}
	// Nothing is left in flight, and the next deletion has its backup.
	for deadline := time.Now().Add(30 * time.Second); dying.proxy.Standing().Active != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a write is in flight for ever")
		}
	}
}

func TestProxy_ASlowClientHoldsNobodyUpButDeletions(t *testing.T) {
	s := newStage(t, upstream(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	body, slow := io.Pipe()
	slowDone := make(chan error, 1)
	go func() {
		res, err := http.Post(s.front.URL+base+"/collections/1/add", "", body)
		if err == nil {
			err = res.Body.Close()
		}
		slowDone <- err
	}()
	if _, err := slow.Write([]byte("{")); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		res, err := http.Post(s.front.URL+base+"/collections/1/upsert", "", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	deleted := make(chan error, 1)
	go func() {
		r, err := http.NewRequest("DELETE", s.front.URL+base+"/collections/m", nil)
		if err == nil {
			var res *http.Response
			if res, err = http.DefaultClient.Do(r); err == nil {
				err = res.Body.Close()
			}
		}
		deleted <- err
	}()
	awaitWaiting(t, s.proxy, 1)
	if s.made() != 1 {
		t.Errorf("%d backups before the slow write has ended", s.made())
	}
	if err := slow.Close(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(<-slowDone, <-deleted); err != nil || s.made() != 2 {
		t.Errorf("%d backups: %v", s.made(), err)
	}
}

func TestNew_RefusesWhatItCannotServe(t *testing.T) {
	for _, u := range []string{"", "127.0.0.1:8000", "ftp://x", "http://", "http://user:secret@x", "http://x/path", "http://x?y"} {
		_, err := New(Options{Upstream: u})
		if !errors.Is(err, holdfast.ErrUsage) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", u, err)
		}
	}
	if _, err := New(Options{Upstream: "http://x", OnFailure: "maybe"}); !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("on failure: %v", err)
	}
}

// BenchmarkProxy compares a read through the proxy with one that goes straight.
func BenchmarkProxy(b *testing.B) {
	server := upstream(b, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	s := newStage(b, server)
	for name, at := range map[string]string{"direct": server, "proxied": s.front.URL} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				res, err := http.Post(at+base+"/collections/1/query", "application/json", strings.NewReader("{}"))
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
}
