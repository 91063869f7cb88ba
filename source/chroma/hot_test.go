package chroma_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// captures are made under load for each server and mode; the last of them keeps
// writers out. The many captures of CI, and longer runs, are made through the
// real binary: see package test.
const captures = 3

func TestCapture_HotCopiesHoldOneInstant(t *testing.T) {
	t.Parallel()
	for _, v := range chromatest.Versions() {
		for _, mode := range []string{"delete", "wal"} {
			t.Run(fmt.Sprintf("%s server, journal %s", v, mode), func(t *testing.T) {
				t.Parallel()
				hot(t, v, mode)
			})
		}
	}
}

// hot captures while a server works at full load.
func hot(t *testing.T, v chromatest.Version, mode string) {
	dir := chromatest.LiveDir(t, (v == chromatest.New) == (mode == "wal"))
	if mode == "wal" {
		chromatest.UseWAL(t, v, dir)
	}
	server := chromatest.Start(t, v, dir)
	load := chromatest.StartLoad(t, server, chromatest.LoadOptions{
		Churn: true, Preload: true, Records: 400, Dimension: 64, Batch: 6, SyncThreshold: 10,
	})
	load.Await(t, 50)

	src, lastResort := stage{v, dir}.source(t), stage{v, dir}.source(t)
	lastResort.KeepWritersOut()
	var last *sourcetest.Sink // files that did not change are taken from it
	for i := range captures {
		src := src
		if i == captures-1 {
			src = lastResort
		}
		sink := sourcetest.NewSink(t)
		sink.KeepFrom(last)
		after, requests := load.Now(), load.Requests()
		captured, err := src.Capture(t.Context(), sink)
		if err != nil {
			t.Fatalf("capture %d: %v", i, err)
		}
		before := load.Now()
		t.Logf("capture %d: %s, stall %v, in %v; %d requests, %d files taken over", i, captured.Method, captured.Stall, time.Duration(before-after), load.Requests()-requests, sink.Reused())
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
		served := filepath.Join(t.TempDir(), "served") // a server changes what it serves
		if err := os.CopyFS(served, sink.FS()); err != nil {
			t.Fatal(err)
		}
		if err := load.CheckCopy(t.Context(), v, served, after, before, nil); err != nil {
			t.Errorf("capture %d: %v", i, err)
		}
		os.RemoveAll(served)
		if t.Failed() {
			return
		}
		if last != nil {
			os.RemoveAll(last.Dir)
		}
		last = sink
	}
	load.Stop()
	if err := load.Failures(); err != nil {
		t.Errorf("the server refused what it should take: %v", err)
	}
	t.Logf("%d conflicts of configuration", load.Conflicts())
}
