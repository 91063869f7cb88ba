package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"strings"
	"testing"
)

// The program prints where everything is, and serves it until it is ended.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"--listen", "127.0.0.1:0", "--dir", t.TempDir(), "--user", "7:Ada:en", "--user", "9:سارا:fa"}, w, io.Discard)
		ended <- errors.Join(err, w.Close())
	}()
	var printed []string
	buf := make([]byte, 4096)
	for len(printed) < 5 {
		n, err := r.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		printed = append(printed, strings.Split(strings.TrimSpace(string(buf[:n])), "\n")...)
	}
	if printed[2] != "Admins    7,9" {
		t.Errorf("printed %q", printed)
	}
	for _, line := range printed[3:] {
		page := line[strings.Index(line, "http"):]
		resp, err := http.Get(page)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", line, resp.StatusCode)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Flags that say nothing are refused.
func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"--user", "Ada"}, {"--user", "-1:Ada"}, {"--user", "7:"}, {"start"}, {"--token", "secret", "--listen", "127.0.0.1:0"}, {"--nonsense"}} {
		var out bytes.Buffer
		if err := run(t.Context(), args, &out, &out); err == nil || errors.Is(err, flag.ErrHelp) {
			t.Errorf("%q: %v", args, err)
		}
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, &out, &out); err != nil || !strings.Contains(out.String(), "ID:NAME:LANGUAGE") {
		t.Errorf("--help: %v\n%s", err, out.String())
	}
}
