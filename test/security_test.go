//go:build linux

package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// A target is a daemon and what an attacker knows of it.
type target struct {
	t      *testing.T
	m      *machine
	daemon *program
	addr   string
}

// held is a hook that holds a backup up while a file is there.
const held = "HOLDFAST_HOOKS_BEFORE_BACKUP=sh hold.sh"

// attacked starts the daemon of a machine with a database, and a file beside the repository
// that nobody may ever read.
func attacked(t *testing.T, environment ...string) *target {
	t.Helper()
	m := newMachine(t)
	m.env = append(m.env, append(environment, "HOLDFAST_SERVE_REQUESTS_PER_MINUTE=100000", held)...)
	m.sqlite("bot.db", "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1);")
	for name, text := range map[string]string{"hold.sh": "while [ -e hold ]; do sleep 0.02; done\n", "outside.txt": outside} {
		if err := os.WriteFile(m.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &target{t: t, m: m}
}

// outside is what lies beside the repository.
const outside = "canary-outside-of-the-repository"

func (g *target) serve() *target {
	g.t.Helper()
	g.daemon = g.m.launch("--json", "serve", "--repo", "backups", "--sqlite", "bot=bot.db", "--listen", "127.0.0.1:0", "--every", "off", "--on-change", "off")
	var serving struct{ Address string }
	g.daemon.until("it serves", func() bool {
		g.daemon.mu.Lock()
		defer g.daemon.mu.Unlock()
		return len(g.daemon.lines) > 0 && json.Unmarshal([]byte(g.daemon.lines[0].text), &serving) == nil
	})
	g.addr = serving.Address
	return g
}

// token makes one on the command line.
func (g *target) token(name, scope string) string {
	g.t.Helper()
	out, _ := g.m.must(0, "token", "create", name, "--scope", scope, "--repo", "backups", "--json")
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.Token == "" {
		g.t.Fatalf("%v: %s", err, out)
	}
	return made.Token
}

// ask sends a request whose target is as it is written, and reads the whole answer; status
// 0 is none. Headers are pairs of name and value.
func (g *target) ask(token, method, raw, body string, headers ...string) (int, string) {
	g.t.Helper()
	c, err := net.Dial("tcp", g.addr)
	if err != nil {
		g.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		g.t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nConnection: close\r\n", method, raw)
	if !strings.Contains(strings.Join(headers, "\n"), "Host") {
		fmt.Fprintf(&b, "Host: %s\r\n", g.addr)
	}
	if token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", token)
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	for i := 0; i < len(headers); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", headers[i], headers[i+1])
	}
	go func() { _, _ = io.WriteString(c, b.String()+"\r\n"+body) }() // it may be cut in the middle
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body) // what came is looked at, whole or not
	return res.StatusCode, res.Proto + fmt.Sprint(res.Header) + string(text)
}

// operations gives method and path of everything that the API does.
func (g *target) operations(token string) (all [][2]string) {
	g.t.Helper()
	_, text := g.ask(token, "GET", "/api/v1/openapi.json", "")
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(text[strings.Index(text, "{"):]), &document); err != nil {
		g.t.Fatal(err)
	}
	for path, methods := range document.Paths {
		for method := range methods {
			all = append(all, [2]string{strings.ToUpper(method), path})
		}
	}
	if len(all) < 30 {
		g.t.Fatalf("only %d operations", len(all))
	}
	return all
}

// Everything that somebody tries who can reach the port.
func TestSecurity_AHostileClient(t *testing.T) {
	t.Parallel()
	g := attacked(t)
	if code, _, stderr := g.m.run("serve", "--repo", "backups", "--sqlite", "bot=bot.db", "--listen", "0.0.0.0:0"); code != 13 || !strings.Contains(stderr, "token create") {
		t.Errorf("without a token it listens everywhere: exit %d, %s", code, stderr)
	}
	owner, bot, reader := g.token("me", "admin"), g.token("bot", "backup"), g.token("reader", "read")
	g.serve()
	if status, text := g.ask(owner, "POST", "/api/v1/backups", `{"name":"first"}`); status != 201 {
		t.Fatalf("%d %s", status, text)
	}
	operations := g.operations(owner)
	slow := g.slowClients(bot)

	t.Run("a token is needed", func(t *testing.T) {
		for _, op := range operations {
			if status, text := g.ask("", op[0], strings.NewReplacer("{name}", "latest", "{id}", "1").Replace(op[1]), ""); status != 401 && status != 429 {
				t.Errorf("%s %s: %d %s", op[0], op[1], status, text)
			}
		}
	})
	t.Run("a stolen token that may back up", func(t *testing.T) {
		for _, op := range operations {
			path := strings.NewReplacer("{name}", "latest", "{id}", "20241030T143000123-K7Q2M9XA").Replace(op[1])
			status, text := g.ask(bot, op[0], path, "")
			want := 403
			switch op[0] + " " + strings.TrimPrefix(op[1], "/api/v1") {
			case "GET /status", "GET /version", "GET /jobs", "GET /auto_backup", "POST /backups":
				want = status
				if status < 200 || status > 299 {
					want = 200
				}
			case "GET /jobs/{id}", "GET /jobs/{id}/events", "POST /jobs/{id}/cancel":
				want = 404
			}
			if status != want {
				t.Errorf("%s %s: %d, want %d: %s", op[0], path, status, want, text)
			}
		}
		if status, text := g.ask(owner, "GET", "/api/v1/activity", ""); status != 200 || !strings.Contains(text, `"caller":"bot"`) || !strings.Contains(text, `"outcome":"refused"`) {
			t.Errorf("the audit does not tell: %d %s", status, text)
		}
	})
	t.Run("pages of others", func(t *testing.T) {
		for _, headers := range [][]string{
			{"Origin", "https://attacker.example"},
			{"Origin", "null"},
			{"Sec-Fetch-Site", "cross-site"},
			{"Sec-Fetch-Site", "same-site"},
			{"Host", "attacker.example"},
			{"Host", "127.0.0.1.attacker.example"},
			{"Host", "localhost.attacker.example."},
			{"Host", "0.0.0.0"},
			{"Host", "[::ffff:192.0.2.1]"},
			{"Host", "attacker.example", "Origin", "http://attacker.example"},
		} {
			for _, token := range []string{"", owner} {
				if status, text := g.ask(token, "POST", "/api/v1/backups", `{}`, headers...); status != 403 {
					t.Errorf("%q: %d %s", headers, status, text)
				}
			}
		}
	})
	t.Run("paths", func(t *testing.T) {
		for _, op := range operations {
			for _, trick := range []string{
				"../outside.txt", "..%2f..%2foutside.txt", "%2e%2e%2f%2e%2e%2foutside.txt", "..%5c..%5coutside.txt", "%2fetc%2fpasswd", "..;/outside.txt",
				"%252e%252e%252foutside.txt", "latest%00", "latest%0d%0aX-Injected:1", "\u202e", "//outside.txt", ".holdfast", g.m.path("outside.txt"),
			} {
				if !strings.Contains(op[1], "{") || op[0] == "POST" && strings.HasSuffix(op[1], "cancel") {
					continue
				}
				path := strings.NewReplacer("{name}", trick, "{id}", trick).Replace(op[1])
				status, text := g.ask(owner, op[0], path, "")
				if status < 400 || status >= 500 || strings.Contains(text, outside) || strings.Contains(text, "X-Injected") && strings.Contains(text, "X-Injected:[1]") {
					t.Errorf("%s %s: %d %s", op[0], path, status, text)
				}
			}
		}
		for _, query := range []string{"source=..%2f..", "source=..", "source=/etc", "format=..%2f"} {
			if status, text := g.ask(owner, "GET", "/api/v1/backups/latest/download?"+query, ""); status < 400 || status >= 500 {
				t.Errorf("%s: %d %s", query, status, text)
			}
		}
	})
	t.Run("too large", func(t *testing.T) {
		for name, c := range map[string]struct {
			path, body string
			headers    []string
			want       int
		}{
			"body":         {"/api/v1/backups", `{"note":"` + strings.Repeat("x", 100<<10) + `"}`, nil, 413},
			"a huge body":  {"/api/v1/backups", `{"note":"` + strings.Repeat("x", 2<<20) + `"}`, nil, 413},
			"deep":         {"/api/v1/backups", strings.Repeat("[", 10000), nil, 400},
			"header":       {"/api/v1/backups", "{}", []string{"X-Long", strings.Repeat("x", 100<<10)}, 431},
			"path":         {"/api/v1/" + strings.Repeat("x", 10<<10), "{}", nil, 414},
			"two lengths":  {"/api/v1/backups", "{}", []string{"Content-Length", "3"}, 400},
			"two hosts":    {"/api/v1/backups", "{}", []string{"Host", g.addr, "Host", "attacker.example"}, 400},
			"two tokens":   {"/api/v1/backups", "{}", []string{"Authorization", "Bearer " + owner}, 429}, // as one that is not valid, after many
			"compressed":   {"/api/v1/backups", "{}", []string{"Content-Encoding", "gzip", "Idempotency-Key", "\x01"}, 400},
			"wrong method": {"/api/v1/status", "", nil, 405},
		} {
			if status, text := g.ask(owner, "POST", c.path, c.body, c.headers...); status != c.want {
				t.Errorf("%s: %d, want %d: %s", name, status, c.want, text)
			}
		}
	})
	t.Run("a token is taken back while a stream is open", func(t *testing.T) {
		if err := os.WriteFile(g.m.path("hold"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(g.m.path("hold"))
		_, text := g.ask(owner, "POST", "/api/v1/backups", `{"wait":false,"name":"held"}`)
		var j struct{ ID string }
		if err := json.Unmarshal([]byte(text[strings.Index(text, "{"):]), &j); err != nil || j.ID == "" {
			t.Fatalf("%v %s", err, text)
		}
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+g.addr+"/api/v1/jobs/"+j.ID+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+reader)
		res, err := http.DefaultClient.Do(req)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("%v %v", res, err)
		}
		defer res.Body.Close()
		ended := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, res.Body)
			ended <- err
		}()
		g.m.must(0, "token", "revoke", "reader", "--repo", "backups")
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Error("the stream goes on")
		}
		if status, _ := g.ask(reader, "GET", "/api/v1/status", ""); status != 401 && status != 429 {
			t.Errorf("the token is good for %d", status)
		}
		if _, text := g.ask(owner, "GET", "/api/v1/jobs/"+j.ID, ""); !strings.Contains(text, `"state":"running"`) {
			t.Errorf("the job has ended, so the stream tells nothing: %s", text)
		}
	})
	for name, ended := range slow {
		if err := <-ended; err != nil {
			t.Errorf("slow %s: %v", name, err)
		}
	}
	if status, _ := g.ask(owner, "GET", "/api/v1/backups/held", ""); status == 0 {
		t.Error("it does not answer any more")
	}
	g.daemon.ends(0)
	if strings.Contains(g.daemon.stderr.String(), "panic") {
		t.Errorf("it met a fault: %s", g.daemon.stderr.String())
	}
}

// slowClients send their requests as slowly as they can, and want to be cut.
func (g *target) slowClients(token string) map[string]<-chan error {
	all := map[string]<-chan error{}
	for name, beginning := range map[string]string{
		"headers":     "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nX-",
		"body":        "POST /api/v1/backups HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + "\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
		"endless":     "POST /api/v1/backups HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
		"half closed": "POST /api/v1/backups HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + "\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
	} {
		ended := make(chan error, 1)
		all[name] = ended
		go func() {
			c, err := net.Dial("tcp", g.addr)
			if err != nil {
				ended <- err
				return
			}
			defer c.Close()
			if _, err := io.WriteString(c, beginning); err != nil {
				ended <- err
				return
			}
			if name == "half closed" {
				_ = c.(*net.TCPConn).CloseWrite() // the answer tells
			}
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			text, err := io.ReadAll(c)
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
				ended <- errors.New("the connection stays")
				return
			}
			if name != "headers" && !strings.HasPrefix(string(text), "HTTP/1.1 4") {
				ended <- fmt.Errorf("it is answered %q", text)
				return
			}
			ended <- nil
		}()
	}
	return all
}

// Every secret is where it belongs, everything fails that can, and nothing tells one.
func TestSecurity_NoSecretIsTold(t *testing.T) {
	t.Parallel()
	secret := func(of string) string { return "canary-" + of + "-7f3a9c" }
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "you are not let in with "+r.Header.Get("Authorization")+" for "+r.URL.String(), http.StatusForbidden)
	}))
	t.Cleanup(refusing.Close)
	const nowhere = "127.0.0.1:1" // nobody answers there
	environment := map[string]string{
		"HOLDFAST_NOTIFY_URLS":     "ntfy://user:" + secret("notify-password") + "@" + nowhere + "/" + secret("topic") + "?scheme=http",
		"HOLDFAST_PING_URL":        "http://" + nowhere + "/" + secret("ping"),
		"HOLDFAST_WEBHOOKS_URLS":   "http://hook:" + secret("webhook-password") + "@" + nowhere + "/services/" + secret("webhook-path") + "?token=" + secret("webhook-query"),
		"HOLDFAST_WEBHOOKS_SECRET": secret("webhook-secret"),
		"HOLDFAST_PASSPHRASE":      secret("passphrase"),
		"HOLDFAST_LOG_LEVEL":       "debug",
		"AWS_ACCESS_KEY_ID":        "AKIA" + secret("key-id"),
		"AWS_SECRET_ACCESS_KEY":    secret("s3"),
	}
	var canaries, lines []string
	for name, value := range environment {
		lines = append(lines, name+"="+value)
	}
	for _, of := range []string{
		"notify-password", "topic", "ping", "webhook-password", "webhook-path", "webhook-query", "webhook-secret", "passphrase", "s3", "key-id",
	} {
		canaries = append(canaries, secret(of))
	}
	g := attacked(t, lines...)
	replicas := "replicas: [{url: \"s3://bucket/copies?region=r&endpoint=" + refusing.URL + "\"}]\n"
	if err := os.WriteFile(g.m.path("holdfast.yaml"), []byte(replicas), 0o600); err != nil {
		t.Fatal(err)
	}
	owner, bot := g.token("me", "admin"), g.token("bot", "backup")
	canaries = append(canaries, owner, bot, "hf_0011223344556677_bad-"+secret("bad"))
	_, sought, _ := strings.Cut(strings.TrimPrefix(owner, "hf_"), "_")
	canaries = append(canaries, sought)
	g.serve()

	var told strings.Builder
	say := func(what, text string) { fmt.Fprintf(&told, "== %s\n%s\n", what, text) }
	made := func(token, method, path, body string) {
		_, text := g.ask(token, method, path, body)
		say(method+" "+strings.Split(path, "?")[0], text)
	}
	made(owner, "POST", "/api/v1/backups", `{"name":"one"}`)
	made(owner, "POST", "/api/v1/replicate", `{"wait":true}`)
	made(owner, "POST", "/api/v1/notifications/test", "")
	made(owner, "POST", "/api/v1/backups/none/restore", `{"wait":true}`)
	made(owner, "POST", "/api/v1/backups/one/verify", `{"wait":true,"replica":"s3://bucket/copies"}`)
	made(owner, "POST", "/api/v1/backups", `{"note":1,"name":"`+secret("bad")+`","passphrase":"x"}`)
	made("hf_0011223344556677_bad-"+secret("bad"), "GET", "/api/v1/status", "")
	made(owner, "GET", "/api/v1/status?token="+owner, "")
	made("", "GET", "/api/v1/status?x="+bot, "")
	for _, op := range g.operations(owner) {
		if op[0] == "GET" && !strings.HasSuffix(op[1], "/download") && !strings.Contains(op[1], "/openapi") {
			made(owner, op[0], strings.NewReplacer("{name}", "one", "{id}", "20241030T143000123-K7Q2M9XA").Replace(op[1]), "")
		}
	}
	_, jobs := g.ask(owner, "GET", "/api/v1/jobs", "")
	for _, part := range strings.Split(jobs, `"id":"`)[1:] {
		id, _, _ := strings.Cut(part, `"`)
		made(owner, "GET", "/api/v1/jobs/"+id, "")
		made(owner, "GET", "/api/v1/jobs/"+id+"/events", "")
	}
	made(owner, "GET", "/metrics", "")
	made(owner, "GET", "/healthz", "")
	for _, args := range [][]string{
		{"status", "--json"},
		{"config", "show"},
		{"config", "show", "--json"},
		{"token", "list"},
		{"list"},
		{"show", "one"},
		{"notify", "test"},
		{"verify", "one"},
		{"replicate"},
		{"backup"},
		{"restore", "none"},
		{"health", "--url", "http://" + nowhere},
	} {
		_, stdout, stderr := g.m.run(append(args, "--repo", "backups", "--sqlite", "bot=bot.db")...)
		say(strings.Join(args, " "), stdout+stderr)
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", g.daemon.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	say("command line", string(cmdline))
	g.daemon.ends(0)
	say("log", g.daemon.stderr.String())
	g.daemon.mu.Lock()
	for _, l := range g.daemon.lines {
		say("output", l.text)
	}
	g.daemon.mu.Unlock()

	text := told.String()
	for _, want := range []string{"could not be told", "notify.urls[0]", "***", `"outcome":"refused"`, "holdfast_backups"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing tells %q: this was no test", want)
		}
	}
	g.free(text, canaries)
	g.m.files(func(name string, data []byte) { g.free("== "+name+"\n"+string(data), canaries) })
}

// free wants that a text holds none of the secrets, as they are or escaped.
func (g *target) free(text string, secrets []string) {
	g.t.Helper()
	for _, one := range secrets {
		for _, form := range []string{one, url.QueryEscape(one), strings.ToUpper(one)} {
			if before, after, found := strings.Cut(text, form); found {
				where := before[strings.LastIndex("\n== "+before, "\n== "):]
				g.t.Errorf("%s is told:\n%.200s … %s[…]%.40s", one, where, before[max(0, len(before)-100):], after)
				break
			}
		}
	}
}

// files gives every file of the machine.
func (m *machine) files(each func(name string, data []byte)) {
	m.t.Helper()
	root, err := os.OpenRoot(m.dir)
	if err != nil {
		m.t.Fatal(err)
	}
	defer root.Close()
	var walk func(dir string)
	walk = func(dir string) {
		f, err := root.Open(dir)
		if err != nil {
			m.t.Fatal(err)
		}
		entries, err := f.ReadDir(-1)
		if err = errors.Join(err, f.Close()); err != nil {
			m.t.Fatal(err)
		}
		for _, e := range entries {
			name := dir + "/" + e.Name()
			if e.IsDir() {
				walk(name)
				continue
			}
			if !e.Type().IsRegular() {
				continue
			}
			data, err := root.ReadFile(name)
			if err != nil {
				m.t.Fatal(err)
			}
			each(name, bytes.ToValidUTF8(data, []byte("?")))
		}
	}
	walk(".")
}
