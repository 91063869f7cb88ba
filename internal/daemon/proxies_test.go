package daemon

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

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
	through := &life{w: w, now: Serving{URL: "http://" + l.now.Proxies[0].Listen}}
	const add = "/api/v2/tenants/t/databases/d/collections/3f2504e0-4f89-11d3-9a0c-0305e82c3301/add"
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
