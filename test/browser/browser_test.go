// Package browser looks at the pages as a reader's browser does: Chromium draws them,
// runs their script and obeys their policy. test.sh installs Chromium, and install.sh
// axe, which finds what keeps people from using a page.
//
// Start from newTab, a tab of the one browser that all tests of the package share.
package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// root is the context of the browser.
var root context.Context

// scratch is a folder for as long as the tests run.
var scratch string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	program, err := exec.LookPath("chromium")
	if err != nil {
		fmt.Fprintln(os.Stderr, "chromium is missing; ./test.sh installs it")
		return 1
	}
	dir, err := os.MkdirTemp("", "holdfast-browser-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	scratch = dir
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true), chromedp.WindowSize(1280, 900),
	)
	allocated, end := chromedp.NewExecAllocator(context.Background(), options...)
	defer end()
	var cancel context.CancelFunc
	root, cancel = chromedp.NewContext(allocated)
	defer cancel() // it ends the browser, and waits for it
	if err := chromedp.Do(root); err != nil {
		fmt.Fprintln(os.Stderr, "chromium does not start:", err)
		return 1
	}
	return m.Run()
}

// A tab is one page of the browser, and what went wrong in it.
type tab struct {
	ctx context.Context

	mu       sync.Mutex
	troubles []string // errors of the console, what the policy refused
	requests []string // addresses that were asked for
	received int64    // bytes over the wire
}

// newTab opens a tab with cookies of its own, and closes it with the test.
func newTab(t *testing.T) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(root, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	one := &tab{ctx: ctx}
	if err := one.listen(); err != nil {
		t.Fatal(err)
	}
	return one
}

// listen begins to hear what the browser tells of the tab.
func (b *tab) listen() error {
	if err := chromedp.Listen(b.ctx, b.heard); err != nil {
		return err
	}
	return chromedp.Do(b.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := cdp.Call(ctx, target, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		if _, err := cdp.Call(ctx, target, log.Enable, cdp.Empty{}); err != nil {
			return err
		}
		// Nothing is looked at on its way from one colour to another.
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}},
		})
		return err
	}))
}

// heard takes what the browser tells of a tab.
func (b *tab) heard(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		b.troubles = append(b.troubles, "exception: "+ev.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if ev.Type == runtime.ConsoleAPICalledTypeError || ev.Type == runtime.ConsoleAPICalledTypeWarning {
			text := "console:"
			for _, arg := range ev.Args {
				text += " " + string(arg.Value) + arg.Description
			}
			b.troubles = append(b.troubles, text)
		}
	case *log.EventEntryAdded:
		if ev.Entry.Level == log.EntryLevelError || ev.Entry.Level == log.EntryLevelWarning {
			b.troubles = append(b.troubles, "log: "+ev.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, ev.Request.URL)
	case *network.EventLoadingFinished:
		b.received += int64(ev.EncodedDataLength)
	}
}

// taken gives what was heard since the last time.
func (b *tab) taken() (troubles, requests []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	troubles, requests = b.troubles, b.requests
	b.troubles, b.requests = nil, nil
	return troubles, requests
}

// open goes to a page and waits until it and its fonts are there.
func (b *tab) open(url string) error {
	if err := chromedp.Do(b.ctx, chromedp.Navigate(url)); err != nil {
		return fmt.Errorf("open %s: %w", url, err)
	}
	_, err := evaluate[bool](b, `document.fonts.ready.then(() => true)`)
	return err
}

// evaluate runs script in the page, and waits for what it promises.
func evaluate[T any](b *tab, script string) (T, error) {
	return chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// size makes the window of a tab so large, in CSS pixels.
func (b *tab) size(width, height int64) error {
	return chromedp.Do(b.ctx, chromedp.EmulateViewport(width, height))
}
