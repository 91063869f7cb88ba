//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A served program answers at a URL as long as it is needed.
type served struct {
	url     string
	proxies []string // further addresses of a holdfast serve
	cmd     *exec.Cmd
	ended   chan struct{}
}

// serveProgram starts a program that says in its first line where it answers.
func serveProgram(cmd *exec.Cmd) (*served, string, error) {
	cmd.Stderr = nil
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	s := &served{cmd: cmd, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		_ = cmd.Wait() // it ends because it is told to
	}()
	if err != nil {
		s.stop()
		return nil, "", fmt.Errorf("%s does not say where it answers: %w", cmd, err)
	}
	return s, strings.TrimSpace(line), nil
}

// stop ends the program.
func (s *served) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-s.ended:
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

// serveHere lets a child of this program serve something.
func (w *workshop) serveHere(ctx context.Context, args ...string) (*served, error) {
	s, line, err := serveProgram(exec.CommandContext(ctx, w.self, append([]string{"-make"}, args...)...))
	if err == nil {
		s.url = line
	}
	return s, err
}

// serveHoldfast starts a daemon whose files lie in dir.
func (w *workshop) serveHoldfast(ctx context.Context, dir string, args ...string) (*served, error) {
	cmd := exec.CommandContext(ctx, w.holdfast, append([]string{"--json", "--quiet"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(w.environment(), "HOME="+dir, "HOLDFAST_SERVE_REQUESTS_PER_MINUTE=100000000")
	s, line, err := serveProgram(cmd)
	if err != nil {
		return nil, err
	}
	var told struct {
		URL     string
		Proxies []struct{ Listen string }
	}
	if err := json.Unmarshal([]byte(line), &told); err != nil {
		s.stop()
		return nil, fmt.Errorf("%s: %w", line, err)
	}
	s.url = told.URL
	for _, p := range told.Proxies {
		s.proxies = append(s.proxies, "http://"+p.Listen)
	}
	return s, nil
}

// answer is what a child serves until it is ended.
func answer(h http.Handler) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Println("http://" + ln.Addr().String()); err != nil {
		return err
	}
	return http.Serve(ln, h) //nolint:gosec // it serves this program alone
}

// fetch asks for a URL and reads the answer.
func fetch(ctx context.Context, client *http.Client, url string) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	took := time.Since(begun)
	if err = errors.Join(err, res.Body.Close()); err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(res.Status)
	}
	return took, err
}

// crowd lets many clients ask for a URL, each with a pause between two requests, and gives
// how long the answers took, sorted.
func crowd(ctx context.Context, client *http.Client, url string, clients int, pause, last time.Duration) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, last)
	defer cancel()
	var mu sync.Mutex
	var all []time.Duration
	var failed []error
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			wait := time.NewTimer(pause * time.Duration(i) / time.Duration(clients)) // not all at once
			defer wait.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-wait.C:
				}
				took, err := fetch(ctx, client, url)
				if ctx.Err() != nil {
					return
				}
				mu.Lock()
				all = append(all, took)
				if err != nil && len(failed) < 3 {
					failed = append(failed, err)
				}
				mu.Unlock()
				wait.Reset(pause)
			}
		})
	}
	wg.Wait()
	slices.Sort(all)
	if len(all) == 0 {
		failed = append(failed, errors.New("nothing was answered in time"))
	}
	return all, errors.Join(failed...)
}

// quantile of sorted values.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// A distribution is a histogram as Prometheus shows it.
type distribution struct {
	bounds []float64 // in seconds
	within []float64 // how many took no longer, for each bound
	count  float64
	sum    float64       // seconds
	cpu    time.Duration // that the whole program has used
}

// requestTimes is the histogram of the daemon's requests.
const requestTimes = "holdfast_http_request_duration_seconds"

// processorTime is what the daemon has used of processors.
const processorTime = "process_cpu_seconds_total"

// inside asks a daemon how long its GET requests have taken so far.
func inside(ctx context.Context, client *http.Client, base string) (distribution, error) {
	var d distribution
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/metrics", nil)
	if err != nil {
		return d, err
	}
	res, err := client.Do(req)
	if err != nil {
		return d, err
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); ; {
		if !lines.Scan() {
			return d, lines.Err()
		}
		d.read(lines.Text())
	}
}

// read takes in a line, if it is one of the histogram.
func (d *distribution) read(line string) {
	name, value, _ := strings.Cut(line, " ")
	rest, ok := strings.CutPrefix(name, requestTimes)
	n, err := strconv.ParseFloat(value, 64)
	if err == nil && name == processorTime {
		d.cpu = time.Duration(n * float64(time.Second))
	}
	if !ok || err != nil || !strings.Contains(rest, `method="get"`) {
		return
	}
	switch {
	case strings.HasPrefix(rest, "_sum"):
		d.sum = n
	case strings.HasPrefix(rest, "_count"):
		d.count = n
	case strings.HasPrefix(rest, "_bucket"):
		_, bound, _ := strings.Cut(rest, `le="`)
		if le, err := strconv.ParseFloat(strings.TrimRight(bound, `"}`), 64); err == nil && bound[0] != '+' {
			d.bounds, d.within = append(d.bounds, le), append(d.within, n)
		}
	}
}

// since is what came to a distribution after an earlier one.
func (d distribution) since(before distribution) distribution {
	out := distribution{bounds: d.bounds, count: d.count - before.count, sum: d.sum - before.sum, cpu: d.cpu - before.cpu}
	for i, n := range d.within {
		if i < len(before.within) {
			n -= before.within[i]
		}
		out.within = append(out.within, n)
	}
	return out
}

// mean is how long a request took.
func (d distribution) mean() time.Duration {
	if d.count == 0 {
		return 0
	}
	return time.Duration(d.sum / d.count * float64(time.Second))
}

// below is the least bound that a share of all requests kept.
func (d distribution) below(share float64) (time.Duration, bool) {
	for i, n := range d.within {
		if d.count > 0 && n >= share*d.count {
			return time.Duration(d.bounds[i] * float64(time.Second)), true
		}
	}
	return 0, false
}
