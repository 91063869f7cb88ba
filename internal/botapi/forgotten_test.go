package botapi

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A forgetful is a network that from some moment on carries nothing more over the
// connections that there are, and tells nobody.
type forgetful struct {
	net.Listener
	forgotten *atomic.Int32 // connections up to this one
	count     int32
}

func (f *forgetful) Accept() (net.Conn, error) {
	c, err := f.Listener.Accept()
	if err != nil {
		return nil, err
	}
	f.count++
	return &forgettable{Conn: c, number: f.count, forgotten: f.forgotten}, nil
}

type forgettable struct {
	net.Conn
	number    int32
	forgotten *atomic.Int32
}

func (f *forgettable) Read(p []byte) (int, error) {
	for {
		n, err := f.Conn.Read(p)
		if err != nil || f.number > f.forgotten.Load() {
			return n, err
		}
	}
}

// With HTTP/2 all calls share one connection. One that a network has forgotten is given
// up, though each call that is tried writes something into it.
func TestTransport_GivesUpAForgottenConnection(t *testing.T) {
	forgotten := &atomic.Int32{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"ok":true}`)
	}))
	s.Listener = &forgetful{Listener: s.Listener, forgotten: forgotten}
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	tr := newTransport(nil, 2*time.Second)
	tr.next.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	defer tr.next.(*http.Transport).CloseIdleConnections()
	client := caller{&http.Client{Transport: tr}}
	ask := func(within time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/bot/getMe", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		if resp.ProtoMajor != 2 {
			t.Errorf("it speaks %s", resp.Proto)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return err
	}
	if err := ask(time.Minute); err != nil {
		t.Fatal(err)
	}
	forgotten.Store(1)
	// Each try is shorter than a connection may stand still.
	for end := time.Now().Add(time.Minute); ask(1500*time.Millisecond) != nil; {
		if time.Now().After(end) {
			t.Fatal("every call goes into a connection that is gone")
		}
	}
}
