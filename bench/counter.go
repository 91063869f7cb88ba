//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// traffic is what went through a counter.
type traffic struct{ Requests, Bytes int64 }

func (t traffic) since(before traffic) traffic {
	return traffic{t.Requests - before.Requests, t.Bytes - before.Bytes}
}

// countPath is where a counter tells what it counted, and is told how far away it is.
const countPath = "/-count"

// serveCounter is a child that stands before a server, and counts what is asked for and what
// is answered. It can move the server far away: each answer then begins later.
func serveCounter(upstream string) error {
	h, err := counting(upstream)
	if err != nil {
		return err
	}
	return answer(h)
}

func counting(upstream string) (http.Handler, error) {
	to, err := url.Parse(upstream)
	if err != nil {
		return nil, err
	}
	var requests, bytes, delay atomic.Int64
	proxy := &httputil.ReverseProxy{
		// The host is signed: it stays what the client knows.
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host },
		ModifyResponse: func(r *http.Response) error {
			time.Sleep(time.Duration(delay.Load()))
			r.Body = &tallied{r.Body, &bytes}
			return nil
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != countPath {
			requests.Add(1)
			proxy.ServeHTTP(w, r)
			return
		}
		if by, err := time.ParseDuration(r.FormValue("delay")); err == nil {
			delay.Store(int64(by))
		}
		_ = json.NewEncoder(w).Encode(traffic{requests.Load(), bytes.Load()}) // whoever asked has left
	}), nil
}

// tallied adds up what is read.
type tallied struct {
	io.ReadCloser
	sum *atomic.Int64
}

// Read implements io.Reader.
func (t *tallied) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.sum.Add(int64(n))
	return n, err
}

// A counted bucket is one behind a counter.
type counted struct {
	counter *served
	url     string // of a repository in it
	plain   string // of the bucket, as a path of the server
	env     []string
}

// below gives a repository in a folder of its own.
func (c *counted) below(folder string) string {
	before, parameters, _ := strings.Cut(c.url, "?")
	return before + "/" + folder + "?" + parameters
}

// countStorage puts a counter before a storage.
func (w *workshop) countStorage(ctx context.Context, s *storage) (*counted, error) {
	u, err := url.Parse(s.url)
	if err != nil {
		return nil, err
	}
	parameters := u.Query()
	counter, err := w.serveHere(ctx, "counter", parameters.Get("endpoint"))
	if err != nil {
		return nil, err
	}
	return &counted{
		counter: counter, env: s.env, plain: counter.url + "/" + u.Host,
		url: strings.Replace(s.url, parameters.Get("endpoint"), counter.url, 1),
	}, nil
}

// told asks what was counted, and says how far away the bucket is from now on.
func (c *counted) told(ctx context.Context, away time.Duration) (traffic, error) {
	var t traffic
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s%s?delay=%s", c.counter.url, countPath, away), nil)
	if err != nil {
		return t, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return t, err
	}
	defer resp.Body.Close()
	return t, json.NewDecoder(resp.Body).Decode(&t)
}
