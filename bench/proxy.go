//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
)

// A way leads to the server behind it.
type way struct {
	label string
	url   string // empty: it is not installed
}

// A crossing is how long requests took on each way.
type crossing struct {
	name string
	ways []way
	took [][]time.Duration // of each way, sorted
}

// The ways. The first is the one that others are compared with.
const (
	wayDirect   = "directly"
	wayHoldfast = "holdfast serve --chroma-proxy"
	wayNginx    = "nginx"
)

// bodies are the sizes of answers that are read through proxies.
var bodies = []int{2 << 10, 1 << 20}

// measureProxy asks the same server directly and through proxies, in turns.
func (w *workshop) measureProxy(ctx context.Context, o options) (all []crossing, err error) {
	upstream, err := w.serveHere(ctx, "bodies")
	if err != nil {
		return nil, err
	}
	defer upstream.stop()
	for _, size := range bodies {
		c, err := w.cross(ctx, o, sizeName(int64(size))+" of a server that only answers", upstream.url, "/"+strconv.Itoa(size))
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	dir := filepath.Join(w.dir, "proxied")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	server, err := chromatest.Launch(ctx, chromatest.New, dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "  without a Chroma server:", err)
		return all, nil
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	c, err := w.cross(ctx, o, "the collections of a Chroma server", server.URL(), "/api/v2/tenants/default_tenant/databases/default_database/collections")
	return append(all, c), err
}

// cross measures the ways to a server.
func (w *workshop) cross(ctx context.Context, o options, name, upstream, path string) (crossing, error) {
	c := crossing{name: name, ways: []way{{wayDirect, upstream}, {wayHoldfast, ""}, {wayNginx, ""}}}
	dir, err := os.MkdirTemp(w.dir, "proxy-")
	if err != nil {
		return c, err
	}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o755); err != nil {
		return c, err
	}
	daemon, err := w.serveHoldfast(ctx, dir, "--files", filepath.Join(dir, "data"), "--repo", filepath.Join(dir, "repository"), "serve", "--listen", "off", "--every", "off", "--on-change", "off", "--chroma-proxy", "127.0.0.1:0="+upstream)
	if err != nil {
		return c, err
	}
	defer daemon.stop()
	c.ways[1].url = daemon.proxies[0]
	if _, err := exec.LookPath("nginx"); err == nil {
		nginx, err := startNginx(ctx, dir, upstream)
		if err != nil {
			return c, err
		}
		defer nginx.stop()
		c.ways[2].url = nginx.url
	}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	c.took = make([][]time.Duration, len(c.ways))
	order := []int{0, 1, 2}
	for i := range o.requests + 50 {
		for _, k := range order {
			if c.ways[k].url == "" {
				continue
			}
			took, err := fetch(ctx, client, c.ways[k].url+path)
			if err != nil {
				return c, fmt.Errorf("%s: %w", c.ways[k].label, err)
			}
			if i >= 50 { // connections are open, and everybody is awake
				c.took[k] = append(c.took[k], took)
			}
		}
		slices.Reverse(order)
	}
	for _, times := range c.took {
		slices.Sort(times)
	}
	fmt.Fprintf(os.Stderr, "  %d times %s, on each way\n", o.requests, name)
	return c, nil
}

// proxyTable has a row for each way: what it adds to asking directly.
func proxyTable(all []crossing, foot string) string {
	var b strings.Builder
	b.WriteString("### Reads through the proxy\n\n| Read | Way | Median ms | 99 of 100 ms | Adds, median ms | Adds, 99 of 100 ms | Added, as a part of nginx's |\n|---|---|--:|--:|--:|--:|--:|\n")
	for _, c := range all {
		name := c.name
		added := func(k int, q float64) time.Duration { return quantile(c.took[k], q) - quantile(c.took[0], q) }
		for k, way := range c.ways {
			times := c.took[k]
			switch {
			case len(times) == 0:
				fmt.Fprintf(&b, "| %s | %s | not installed here; bench/peers.sh installs it | | | | |\n", name, way.label)
			case k == 0:
				fmt.Fprintf(&b, "| %s | %s | %s | %s | | | |\n", name, way.label, thousandths(quantile(times, 0.5)), thousandths(quantile(times, 0.99)))
			default:
				part := ""
				if theirs := len(c.ways) - 1; k != theirs && len(c.took[theirs]) > 0 && added(theirs, 0.5) > 0 {
					part = fmt.Sprintf("**%.2g**", float64(added(k, 0.5))/float64(added(theirs, 0.5)))
				}
				fmt.Fprintf(&b, "| %s | %s | %s | %s | **%s** | %s | %s |\n", name, way.label, thousandths(quantile(times, 0.5)), thousandths(quantile(times, 0.99)),
					thousandths(added(k, 0.5)), thousandths(added(k, 0.99)), part)
			}
			name = ""
		}
	}
	return b.String() + "\n" + foot
}

func thousandths(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()*1000) }

// serveBodies answers /N with N bytes.
func serveBodies() error {
	most := bytes.Repeat([]byte("holdfast"), slices.Max(bodies)/8)
	return answer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil || n < 0 || n > len(most) {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(n))
		_, _ = w.Write(most[:n]) // whoever asked has left
	}))
}

// startNginx starts nginx as a proxy that passes everything on as it comes.
func startNginx(ctx context.Context, dir, upstream string) (*served, error) {
	port, err := chromatest.FreePort()
	if err != nil {
		return nil, err
	}
	to, err := url.Parse(upstream)
	if err != nil {
		return nil, err
	}
	temporary := ""
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temporary += fmt.Sprintf("%s_temp_path %s;\n", name, filepath.Join(dir, name))
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, `daemon off; master_process off; pid %s; error_log stderr error;
events {}
http {
access_log off;
%s
upstream chroma { server %s; keepalive 64; }
server {
listen 127.0.0.1:%d;
location / { proxy_pass http://chroma; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; proxy_buffering off; proxy_request_buffering off; }
}
}
`, filepath.Join(dir, "nginx.pid"), temporary, to.Host, port), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "nginx", "-p", dir, "-c", file)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &served{url: fmt.Sprintf("http://127.0.0.1:%d", port), cmd: cmd, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		_ = cmd.Wait() // it ends because it is told to
	}()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err == nil {
			return s, c.Close()
		}
		if time.Now().After(deadline) {
			s.stop()
			return nil, fmt.Errorf("nginx does not answer: %w: %s", err, &said)
		}
	}
}
