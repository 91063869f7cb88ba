package browser

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/holdfast-backup/holdfast/internal/locale"
)

// wire is what a page may weigh at the first visit, with everything that belongs to it.
const wire = 200 << 10

// newMany is a world with a thousand backups: folders of one that was made.
func newMany(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, sources)
	w.run("backup", "--name", "backup-0000", "--full")
	original := w.path("backups", "backup-0000")
	for i := 1; i < 1000; i++ {
		name := fmt.Sprintf("backup-%04d", i)
		if err := copied(original, w.path("backups", name)); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// copied makes a folder of the same files.
func copied(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		return os.Link(path, filepath.Join(to, rel))
	})
}

// A page of a thousand backups is light at the first visit, in every language.
func TestMany_PagesAreLight(t *testing.T) {
	w := newMany(t)
	d := w.serve("")
	for _, lang := range locale.Languages() {
		p := newPerson(t, d.url, lang)
		for _, path := range []string{"/", "/backups", "/backups/backup-0000", "/backups/backup-0000/restore", "/new", "/activity", "/settings", "/sessions"} {
			if err := chromedp.Do(p.ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
				_, err := cdp.Call(ctx, t, network.ClearBrowserCache, cdp.Empty{})
				return err
			})); err != nil {
				t.Fatal(err)
			}
			p.mu.Lock()
			p.received = 0
			p.mu.Unlock()
			p.goes(path)
			p.mu.Lock()
			got := p.received
			p.mu.Unlock()
			if got > wire || got < 20<<10 {
				t.Errorf("%s in %s is %d bytes over the wire", path, lang, got)
			}
		}
		p.content()
	}
	d.stop()
}
