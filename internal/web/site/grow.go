package site

import (
	"context"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/a-h/templ"
)

// Grow answers with a page that is written while it is made: what [Each] shows in it is
// seen as soon as it is there, by whoever has no script, too. Its route is one of
// [Site.Stream]. A failure that is found on the way has to be told in the page.
func (v *Visit) Grow(c templ.Component) error {
	h := v.W.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a reverse proxy must not collect it
	v.W.WriteHeader(http.StatusOK)
	if err := c.Render(v.Context(), &growing{v.W, http.NewResponseController(v.W)}); err != nil && v.Context().Err() == nil {
		v.Site.Logger.WarnContext(v.Context(), "a page was not written to its end", "path", v.R.URL.Path, "error", err)
	}
	return nil
}

// growing is a response whose reader may not stop reading for ever.
type growing struct {
	io.Writer
	rc *http.ResponseController
}

// Flush sends what was written.
func (g *growing) Flush() {
	// A writer without deadlines has nothing to put off; whoever is gone is missed by
	// the next write.
	_ = g.rc.SetWriteDeadline(time.Now().Add(writePatience))
	_ = g.rc.Flush()
}

// mostFinding is how many pages grow side by side; others wait for their turn.
const mostFinding = 4

// Each shows things one after the other as they are found, in a page that grows, and at
// last how that ended. It waits for whoever finds them, and stops him when the reader is
// gone or the daemon stops.
func Each[T any](v *Visit, find func(context.Context) iter.Seq2[T, error], show func(T) templ.Component, end func(error) templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		finding, stop := context.WithCancel(ctx)
		found := make(chan T)
		var failed error
		go func() {
			defer close(found)
			select {
			case v.Site.turns <- struct{}{}:
				defer func() { <-v.Site.turns }()
			case <-finding.Done():
				failed = finding.Err()
				return
			}
			for one, err := range find(finding) {
				if err != nil {
					failed = err
					return
				}
				select {
				case found <- one:
				case <-finding.Done():
					failed = finding.Err()
					return
				}
			}
		}()
		defer func() {
			stop()
			for range found { // until whoever finds has ended
			}
		}()
		beat := time.NewTicker(v.Site.Heartbeat)
		defer beat.Stop()
		closing := v.Site.Closing
		if err := flushed(ctx, w, templ.NopComponent); err != nil {
			return err
		}
		for {
			var err error
			select {
			case one, more := <-found:
				if !more {
					return end(failed).Render(ctx, w)
				}
				err = flushed(ctx, w, show(one))
			case <-beat.C: // both ends see that the other is there
				err = flushed(ctx, w, templ.Raw("<!-- -->"))
			case <-closing:
				stop()
				closing = nil
			}
			if err != nil {
				return err
			}
		}
	})
}

// flushed writes a part of a page that grows, and sends it.
func flushed(ctx context.Context, w io.Writer, c templ.Component) error {
	return templ.Flush().Render(templ.WithChildren(ctx, c), w)
}
