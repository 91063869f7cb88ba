package daemon

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
)

// add is the path of a write.
const add = "/api/v2/tenants/t/databases/d/collections/3f2504e0-4f89-11d3-9a0c-0305e82c3301/add"

// through is a life whose requests go through its proxy.
func (l *life) through() *life {
	return &life{w: l.w, now: Serving{URL: "http://" + l.now.Proxies[0].Listen}}
}

// The first write through a proxy is preceded by a backup, and gets through.
func TestRun_AProxyBacksUpBeforeAWrite(t *testing.T) {
	var w *world
	var before atomic.Int64
	upstream := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			for _, i := range w.backups() {
				if i.Metadata.Trigger == holdfast.TriggerAuto {
					before.Add(1)
				}
			}
		}
		_, _ = io.WriteString(rw, "upstream says yes")
	}))
	t.Cleanup(upstream.Close)
	w = newWorld(t, map[string]string{"schedule.every": "off", "serve.chroma_proxy": "127.0.0.1:0=" + upstream.URL})
	l := w.start()
	if len(l.now.Proxies) != 1 || l.now.Proxies[0].Upstream != upstream.URL {
		t.Fatalf("proxies: %+v", l.now.Proxies)
	}
	through := l.through()
	if code, body := through.ask(http.MethodPost, add, `{"ids":["a"]}`); code != http.StatusOK || !strings.Contains(body, "says yes") {
		t.Errorf("%d %s", code, body)
	}
	if before.Load() != 1 {
		t.Errorf("%d automatic backups were there when the write got through", before.Load())
	}
	// A reload keeps what has not changed: the burst goes on.
	l.again(saidChanged)
	if code, _ := through.ask(http.MethodPost, add, `{"ids":["b"]}`); code != http.StatusOK {
		t.Errorf("after a reload: %d", code)
	}
	if n := before.Load(); n != 2 { // each of the two writes met the same one
		t.Errorf("%d backups in one burst", n-1)
	}
	l.stop()
}

// Whoever configures a proxy wants its backups, and wants them before the write: not what follows
// them.
func TestRun_AProxyWaitsForTheBackupAlone(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "yes") }))
	t.Cleanup(upstream.Close)
	never := make(chan struct{})
	asked := make(chan struct{}, 100)
	replica := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-never
	}))
	t.Cleanup(replica.Close)
	t.Cleanup(func() { close(never) })
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	w := newWorld(t, map[string]string{
		"schedule.every": "24h", "serve.chroma_proxy": "127.0.0.1:0=" + upstream.URL, "auto_backup": "false",
		"shutdown_timeout": "1s",
	})
	l := w.start()
	w.eventually("the first backup", func() bool { return len(w.backups()) == 1 })
	l.stop()
	l = w.start(func(o *Options) {
		o.Load = func() (*config.Config, error) {
			c, err := w.load()
			if err == nil {
				c.Replicas = []config.Replica{{URL: "s3://bucket/copies?region=r&endpoint=" + replica.URL}}
			}
			return c, err
		}
	})
	w.write("more")
	if code, body := l.through().ask(http.MethodPost, add, `{"ids":["a"]}`); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	<-asked
	w.write("still more")
	if code, body := l.through().ask(http.MethodDelete, "/api/v2/tenants/t/databases/d/collections/c", ""); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	all := w.backups()
	if len(all) != 3 || all[0].Metadata.Trigger != holdfast.TriggerAuto || all[1].Metadata.Trigger != holdfast.TriggerAuto {
		t.Errorf("%d backups, the newest of the trigger %s", len(all), all[0].Metadata.Trigger)
	}
	at := fmt.Sprintf(`{listen=%q,upstream=%q}`, l.now.Proxies[0].Listen, upstream.URL)
	_, scraped := l.get("/metrics")
	for _, line := range []string{
		"holdfast_proxy_unprotected_total" + at + " 0", "holdfast_proxy_refused_total" + at + " 0",
		`holdfast_proxy_requests_total{kind="deletion",` + at[1:] + " 1",
	} {
		if !strings.Contains(scraped, line+"\n") {
			t.Errorf("no %s in the metrics", line)
		}
	}
	l.stop()
}
