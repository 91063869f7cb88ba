package engine_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// An emptied source is a tree of files that may hold nothing, and is there all the same.
type emptied struct{ path string }

func (*emptied) Name() string              { return "pdf" }
func (*emptied) Kind() holdfast.Kind       { return holdfast.KindFiles }
func (f *emptied) Target() holdfast.Target { return holdfast.Target{Path: f.path, Dir: true} }

func (f *emptied) Inspect(context.Context, holdfast.InspectOptions) (holdfast.Inspection, error) {
	_, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return holdfast.Inspection{}, nil
	}
	return holdfast.Inspection{Exists: true}, err
}

func (f *emptied) Capture(_ context.Context, sink holdfast.Sink) (holdfast.Captured, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return holdfast.Captured{}, err
	}
	if err := sink.Add(holdfast.Entry{Path: ".", Mode: info.Mode(), ModTime: info.ModTime()}); err != nil {
		return holdfast.Captured{}, err
	}
	entries, err := os.ReadDir(f.path)
	for _, e := range entries {
		if err == nil {
			err = put(sink, filepath.Join(f.path, e.Name()), e.Name())
		}
	}
	return holdfast.Captured{Method: "copy", Facts: holdfast.Facts{Files: &holdfast.FilesFacts{Files: int64(len(entries))}}}, err
}

func (*emptied) Check(context.Context, fs.FS, holdfast.CheckOptions) (holdfast.Report, error) {
	return holdfast.Report{}, nil
}

// A directory that was empty before a restore is empty again after the rollback, and not
// gone: it is a source, which could else be backed up no more.
func TestRollback_OfAnEmptyTree(t *testing.T) {
	for name, disk := range map[string]func(string) durable.FS{
		"plain":       func(string) durable.FS { return durable.OS },
		"mount point": func(path string) durable.FS { return stubborn{durable.OS, path} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			pdf := &emptied{filepath.Join(w.dir, "data", "pdf")}
			w.opts.Sources = append(w.opts.Sources, pdf)
			w.opts.FS = disk(pdf.path)
			page := filepath.Join(pdf.path, "page.pdf")
			write(t, page, "a page")
			w.backup("monday")
			w.set("two")
			if err := os.Remove(page); err != nil {
				t.Fatal(err)
			}
			w.restore(engine.RestoreRequest{Name: "monday"})
			if got := read(t, page); got != "a page" {
				t.Errorf("restored: %q", got)
			}
			if _, err := w.engine().Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.want("two")
			w.clean()
			if entries, err := os.ReadDir(pdf.path); err != nil || len(entries) != 0 {
				t.Errorf("the directory holds %v, %v", entries, err)
			}
			if asides := w.asides(); len(asides) != 0 {
				t.Errorf("kept aside: %q", asides)
			}
			w.backup("tuesday")
		})
	}
}
