package files_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/files"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// meddler is a sink that does something to the source while a file is
// captured: at the first bytes of each reading.
type meddler struct {
	*sourcetest.Sink
	name   string
	meddle func(reading int)
	count  int
}

func (m *meddler) Create(e holdfast.Entry) (holdfast.FileWriter, error) {
	w, err := m.Sink.Create(e)
	if err == nil && e.Path == m.name {
		m.count++
		w = &meddled{FileWriter: w, once: func() { m.meddle(m.count) }}
	}
	return w, err
}

type meddled struct {
	holdfast.FileWriter
	once func()
}

func (w *meddled) Write(p []byte) (int, error) {
	if w.once != nil {
		w.once()
		w.once = nil
	}
	return w.FileWriter.Write(p)
}

func TestCapture_ChangedWhileRead(t *testing.T) {
	const size = 600 << 10 // more than one reading of the buffer
	for _, c := range []struct {
		name   string
		meddle func(t *testing.T, path string, reading int)
		// reported wants the file to be told as incomplete; otherwise want is
		// what the copy must hold.
		reported bool
		want     byte
		size     int
	}{
		{"written once", func(t *testing.T, path string, reading int) {
			if reading == 1 {
				must(t, os.WriteFile(path, bytes.Repeat([]byte{'B'}, size), 0o644))
			}
		}, false, 'B', size},
		{"replaced by rename", func(t *testing.T, path string, reading int) {
			if reading == 1 {
				must(t, os.WriteFile(path+".new", bytes.Repeat([]byte{'B'}, size), 0o644))
				must(t, os.Rename(path+".new", path))
			}
		}, false, 'B', size},
		{"cut short", func(t *testing.T, path string, reading int) {
			if reading == 1 {
				must(t, os.Truncate(path, 1000))
			}
		}, false, 'A', 1000},
		{"time put back after a change", func(t *testing.T, path string, reading int) {
			if reading == 1 {
				info, err := os.Stat(path)
				must(t, err)
				must(t, os.WriteFile(path, bytes.Repeat([]byte{'B'}, size), 0o644))
				must(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
			}
		}, false, 'B', size},
		{"never still", func(t *testing.T, path string, reading int) {
			must(t, os.WriteFile(path, bytes.Repeat([]byte{'B'}, size-reading), 0o644))
		}, true, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := tree(t, map[string]string{"f": string(bytes.Repeat([]byte{'A'}, size)), "other": "x"})
			path := filepath.Join(dir, "f")
			sink := sourcetest.NewSink(t)
			m := &meddler{Sink: sink, name: "f", meddle: func(reading int) { c.meddle(t, path, reading) }}
			got, err := newSource(t, dir, files.Options{}).Capture(t.Context(), m)
			must(t, err)
			if open := sink.Unfinished(); len(open) > 0 {
				t.Errorf("writers left open: %v", open)
			}
			if string(content(t, sink, "other")) != "x" {
				t.Error("the other file suffered")
			}
			if c.reported {
				if p := problem(t, got, "f"); p.Severity != holdfast.Incomplete || p.Source != "notes" || p.Hint == "" {
					t.Errorf("reported as %+v", p)
				}
				if m.count != 3 {
					t.Errorf("it was read %d times, want 3", m.count)
				}
				return
			}
			for _, p := range got.Problems {
				if p.Severity != holdfast.Warning {
					t.Errorf("reported although the second reading was good: %+v", p)
				}
			}
			if want := bytes.Repeat([]byte{c.want}, c.size); !bytes.Equal(content(t, sink, "f"), want) {
				t.Error("the copy mixes two states")
			}
		})
	}
}

// A file that another goroutine keeps rewriting must come out as one of its
// states, or be reported.
func TestCapture_ConcurrentWriterNeverMixesSilently(t *testing.T) {
	const size = 1 << 20
	dir := tree(t, map[string]string{"busy": string(bytes.Repeat([]byte{'a'}, size))})
	path := filepath.Join(dir, "busy")

	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(i%7) * 5 * time.Millisecond):
			}
			if _, err := f.WriteAt(bytes.Repeat([]byte{'a' + byte(i%26)}, size), 0); err != nil {
				t.Error(err)
				return
			}
		}
	})
	defer writer.Wait()
	defer close(stop)

	for range 20 {
		sink, c := capture(t, dir, files.Options{})
		got := content(t, sink, "busy")
		if len(got) != size {
			t.Fatalf("the copy has %d bytes, want %d", len(got), size)
		}
		whole := bytes.Count(got, got[:1]) == size
		if !whole && len(c.Problems) == 0 {
			t.Fatal("a copy that mixes two states was not reported")
		}
	}
}

func TestCapture_VanishedIsAWarning(t *testing.T) {
	entries := map[string]string{}
	for _, n := range []string{"a", "b", "c", "d"} {
		entries[n+"/file"] = n
	}
	dir := tree(t, entries)
	sink := sourcetest.NewSink(t)
	var kept string
	m := &everyCreate{Sink: sink, do: func(e holdfast.Entry) {
		if kept != "" {
			return
		}
		kept = e.Path
		for n := range entries {
			if n != kept {
				must(t, os.RemoveAll(filepath.Join(dir, filepath.Dir(n))))
			}
		}
	}}
	c, err := newSource(t, dir, files.Options{}).Capture(t.Context(), m)
	must(t, err)
	if string(content(t, sink, kept)) != entries[kept] {
		t.Errorf("%s was not captured", kept)
	}
	if len(c.Problems) == 0 {
		t.Error("nothing tells that directories vanished")
	}
	for _, p := range c.Problems {
		if p.Severity != holdfast.Warning {
			t.Errorf("what its owner removed is no loss: %+v", p)
		}
	}
}

type everyCreate struct {
	*sourcetest.Sink
	do func(holdfast.Entry)
}

func (s *everyCreate) Create(e holdfast.Entry) (holdfast.FileWriter, error) {
	s.do(e)
	return s.Sink.Create(e)
}

func TestCapture_DirectoryThatChangedIsTold(t *testing.T) {
	dir := tree(t, map[string]string{"sub/f": "1"})
	sink := sourcetest.NewSink(t)
	m := &everyCreate{Sink: sink, do: func(holdfast.Entry) {
		must(t, os.WriteFile(filepath.Join(dir, "sub", "late"), nil, 0o644))
	}}
	c, err := newSource(t, dir, files.Options{}).Capture(t.Context(), m)
	must(t, err)
	if _, ok := sink.Entries()["sub/late"]; !ok {
		if p := problem(t, c, "sub"); p.Severity != holdfast.Warning {
			t.Errorf("reported as %+v", p)
		}
	}
}
