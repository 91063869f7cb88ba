package access

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzHost_OnlyOurNamesAreServed sends host names as browsers and others may write them:
// where we listen on loopback nothing is served but loopback and what is configured.
func FuzzHost_OnlyOurNamesAreServed(f *testing.F) {
	for _, host := range []string{
		"localhost", "LOCALHOST.:80", "127.0.0.1", "[::1]:8484", "[::ffff:127.0.0.1]", "[::1%25lo]", "0.0.0.0", "[::]", "attacker.example", "localhost.attacker.example",
		"127.0.0.1.attacker.example", "a@localhost", "localhost,attacker.example", "127.1", "0x7f000001", "2130706433", "backup.example", "backup.example.", "[localhost]", "::1", "localhost:80:80", "",
	} {
		f.Add(host)
	}
	w := newWorld(f)
	w.cfg.Serve.Hosts = []string{"backup.example"}
	w.access.Reconfigure(w.cfg)
	f.Fuzz(func(t *testing.T, host string) {
		w.t = t
		w.pass(time.Minute) // refusals are limited
		r := request("GET", "/things/a")
		r.Host = host
		served := false
		w.access.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served = true })).ServeHTTP(httptest.NewRecorder(), r)
		if !served {
			return
		}
		// Written without a look at hostName: the name is what is left without a port.
		name := strings.ToLower(host)
		if u, err := url.Parse("//" + host); err == nil && (strings.Count(host, ":") < 2 || strings.Contains(host, "]")) {
			name = strings.ToLower(u.Hostname())
		}
		name = strings.TrimSuffix(strings.Trim(name, "[]"), ".")
		isOurs := name == "localhost" || name == "backup.example" || strings.HasPrefix(name, "127.") && strings.Count(name, ".") == 3 ||
			strings.Contains(name, ":") && (strings.Contains(name, "1") || strings.Contains(name, "7f"))
		if !isOurs || strings.Contains(name, "attacker") {
			t.Errorf("%q is served", host)
		}
	})
}
