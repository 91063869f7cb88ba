package chroma_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// captures is for a longer run: go test ./source/chroma -run Hot -captures 500
// -timeout 2h. Every capture under load is served by a fresh server and
// compared, record by record, with what had been acknowledged.
var captures = flag.Int("captures", 26, "captures under load for each server")

func TestCapture_HotCopiesHoldOneInstant(t *testing.T) {
	for _, v := range chromatest.Versions() {
		for _, mode := range []string{"delete", "wal"} {
			t.Run(fmt.Sprintf("%s server, journal %s", v, mode), func(t *testing.T) {
				t.Parallel()
				hot(t, v, mode, *captures/2)
			})
		}
	}
}

// hot captures n times while a server works at full load.
func hot(t *testing.T, v chromatest.Version, mode string, n int) {
	dir := liveDir(t, (v == chromatest.New) == (mode == "wal"))
	if mode == "wal" {
		setWAL(t, v, dir)
	}
	server := chromatest.Start(t, v, dir)
	load := chromatest.StartLoad(t, server, chromatest.LoadOptions{
		Churn: true, Preload: true, Records: 400, Dimension: 64, Batch: 6, SyncThreshold: 10,
	})
	until(t, func() bool { return load.Requests() > 50 })

	src, lastResort := stage{v, dir}.source(t), stage{v, dir}.source(t)
	lastResort.KeepWritersOut()
	for i := range n {
		src := src
		if i%6 == 5 {
			src = lastResort
		}
		sink := sourcetest.NewSink(t)
		after, requests := load.Now(), load.Requests()
		captured, err := src.Capture(t.Context(), sink)
		if err != nil {
			t.Fatalf("capture %d: %v", i, err)
		}
		before := load.Now()
		t.Logf("capture %d: %s, stall %v, in %v; %d requests", i, captured.Method, captured.Stall, time.Duration(before-after), load.Requests()-requests)
		for _, p := range captured.Problems {
			t.Errorf("capture %d: %+v", i, p)
		}
		if got := captured.Facts.Chroma.JournalMode == "wal"; got != (mode == "wal") {
			t.Errorf("capture %d: journal mode %s, want %s", i, captured.Facts.Chroma.JournalMode, mode)
		}
		report, err := src.Check(t.Context(), sink.FS(), holdfast.CheckOptions{})
		if err != nil {
			t.Fatalf("check %d: %v", i, err)
		}
		for _, p := range report.Problems {
			t.Errorf("check %d: %+v", i, p)
		}
		if err := serve(t.Context(), v, sink.Dir, load, after, before); err != nil {
			t.Errorf("capture %d: %v", i, err)
		}
		if t.Failed() {
			return
		}
		os.RemoveAll(sink.Dir)
	}
	load.Stop()
	if err := load.Failures(); err != nil {
		t.Errorf("the server refused what it should take: %v", err)
	}
	t.Logf("%d conflicts of configuration", load.Conflicts())
}

// liveDir is a directory for a server: on disk, or where there is one in a file
// system in memory, where the server waits for nothing and persists many times
// more often.
func liveDir(t *testing.T, memory bool) string {
	t.Helper()
	const shm = "/dev/shm"
	if _, err := os.Stat(shm); !memory || err != nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(shm, "holdfast-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// serve starts a fresh server on a copy and compares what it says with what
// the load knows; then the copy must take new records.
func serve(ctx context.Context, v chromatest.Version, dir string, load *chromatest.Load, after, before chromatest.Moment) error {
	s, err := chromatest.Launch(ctx, v, dir)
	if err != nil {
		return err
	}
	c := s.Client()
	defer c.Close()
	err = load.Check(ctx, c, after, before)
	if err == nil {
		err = load.Grow(ctx, c)
	}
	return errors.Join(err, s.Kill())
}

// setWAL lets the server make its database and puts that into WAL mode, which
// stays.
func setWAL(t *testing.T, v chromatest.Version, dir string) {
	t.Helper()
	s := chromatest.Start(t, v, dir)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	sourcetest.SQLite(t, filepath.Join(dir, "chroma.sqlite3"), "PRAGMA journal_mode=wal;")
}

// until waits for something that a server will do.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen within a minute")
		}
	}
}
