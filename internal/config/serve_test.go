package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestLoad_Serve(t *testing.T) {
	at(t, map[string]string{FileName: `
schedule:
  cron: ["0 3 * * *", "15,45 8 * * 1"]
serve:
  listen: off
  chroma_proxy: [127.0.0.1:8001=http://127.0.0.1:8000/, "[::1]:8002=https://chroma:8000"]
notify:
  urls: ["smtp://u:p@mail:587/?from=a@b&to=c@d,e@f", ntfy://ntfy.sh/topic]
  on: [failure, silence]
drill: {every: off}
`})
	c := load(t, Flags{})
	if want := []string{"0 3 * * *", "15,45 8 * * 1"}; !reflect.DeepEqual(c.Schedule.Cron, want) {
		t.Errorf("cron %q", c.Schedule.Cron)
	}
	if want := []ChromaProxy{{"127.0.0.1:8001", "http://127.0.0.1:8000"}, {"[::1]:8002", "https://chroma:8000"}}; !reflect.DeepEqual(c.Serve.ChromaProxies, want) {
		t.Errorf("proxies %q", c.Serve.ChromaProxies)
	}
	if want := []string{"smtp://u:p@mail:587/?from=a@b&to=c@d,e@f", "ntfy://ntfy.sh/topic"}; !reflect.DeepEqual(c.Notify.URLs, want) {
		t.Errorf("URLs %q", c.Notify.URLs)
	}
	if c.Serve.Listen != "" || c.Drill.Every != 0 || len(c.Notify.On) != 2 || c.Verify.Every != 30*24*time.Hour {
		t.Errorf("got %+v %+v %+v %+v", c.Serve, c.Drill, c.Notify, c.Verify)
	}
	for _, v := range c.Values {
		if strings.HasPrefix(v.Key, "notify.urls") && strings.Contains(v.Shown(), "mail") {
			t.Errorf("%s is shown: %s", v.Key, v.Shown())
		}
	}
}

func TestLoad_ServeFaults(t *testing.T) {
	for name, c := range map[string]struct{ yaml, want string }{
		"cron":       {"schedule: {cron: \"61 3 * * *\"}\n", "is not an expression of cron"},
		"seconds":    {"schedule: {cron: \"1 1 3 * * *\"}\n", "is not an expression of cron"},
		"address":    {"serve: {listen: 8484}\n", "is not an address"},
		"port":       {"serve: {listen: \"127.0.0.1:99999\"}\n", "is not an address"},
		"upstream":   {"serve: {chroma_proxy: 127.0.0.1:1=chroma}\n", "is not a URL"},
		"no proxy":   {"serve: {chroma_proxy: 127.0.0.1:1}\n", "is not LISTEN=UPSTREAM"},
		"half of it": {"serve: {tls_cert: a.pem}\n", "belong together"},
		"alarm":      {"notify: {on: [failures]}\n", "\"failures\" is none of failure"},
		"repeat":     {"notify: {repeat: 5m}\n", "less than 1h0m0s"},
		"secret":     {"ping: {url: hunter2}\n", "not a URL with a scheme and a host"},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, map[string]string{FileName: c.yaml})
			_, err := Load(Flags{}, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
