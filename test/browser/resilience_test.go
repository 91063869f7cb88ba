package browser

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/holdfast-backup/holdfast/internal/locale"
)

// held is a configuration in which a restore waits, before anything is replaced, until
// release lets it go on.
const held = sources + "hooks: {stop: 'touch held; while [ ! -e go ]; do sleep 0.05; done', start: 'true'}\n"

// lost is what the browser and htmx log of a server that does not answer.
var lost = []string{"htmx:sse:error: network error", "htmx:error: Failed to fetch", "htmx:sse:error: Failed to fetch", "net::ERR_CONNECTION_REFUSED", "net::ERR_INCOMPLETE_CHUNKED_ENCODING", "net::ERR_CONNECTION_RESET", "net::ERR_EMPTY_RESPONSE"}

// newHeld is a world in which the data has changed since its one backup.
func newHeld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, held)
	w.run("backup", "--name", "friday")
	w.sqlite("DELETE FROM guests")
	t.Cleanup(w.release) // a hook whose daemon was killed goes on waiting
	return w
}

// release lets the restore go on.
func (w *world) release() {
	if err := os.WriteFile(w.path("go"), nil, 0o600); err != nil {
		w.t.Error(err)
	}
}

// begins starts the restore of friday, and waits until it is held.
func (p *person) begins(w *world) {
	p.t.Helper()
	p.goes("/backups/friday/restore")
	p.reads(p.l.N("restore.change.more", 3))
	p.confirms("friday")
	p.follow(button, p.says("restore.begin"))
	eventually(p.t, "the application is being stopped", func() bool { return w.exists("held") })
}

// reload loads the page again.
func (p *person) reload() {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, chromedp.Reload()); err != nil {
		p.t.Fatal(err)
	}
}

// offline waits until the page says that the connection is lost, or is there again.
func (p *person) offline(lost bool) {
	p.t.Helper()
	what := "the page says that the connection is lost"
	if !lost {
		what = "the page finds the server again"
	}
	eventually(p.t, what, func() bool {
		shown, err := evaluate[bool](p.tab, `!document.getElementById("offline").hidden`)
		return err == nil && shown == lost
	})
}

// returns comes back to the window from another one, which makes the page look anew.
func (p *person) returns() {
	p.t.Helper()
	if _, err := evaluate[bool](p.tab, `window.dispatchEvent(new Event("focus"))`); err != nil {
		p.t.Fatal(err)
	}
}

// A restore goes on while its page is loaded again, looked at twice and closed.
func TestResilience_ARestoreIsLeftAndFoundAgain(t *testing.T) {
	w := newHeld(t)
	d := w.serve("")
	p := newPerson(t, d.url, locale.English)
	first := p.again()
	first.begins(w)
	job := first.at()
	first.reload()
	first.reads(first.says("jobs.lead_running"))
	first.content()
	if err := chromedp.Cancel(first.ctx); err != nil {
		t.Fatal(err)
	}

	p.goes("/")
	p.follow(link, p.running("friday"))
	if p.at() != job {
		t.Errorf("the strip leads to %s, the restore is %s", p.at(), job)
	}
	second := p.again()
	second.goes(job)
	for _, one := range []*person{p, second} {
		one.reads(one.says("jobs.lead_running"))
	}
	w.release()
	for _, one := range []*person{p, second} {
		one.reads(one.says("jobs.restore_good", "name", "friday"))
		one.content()
	}
	if n := w.guests(); n != "3" {
		t.Errorf("%s guests", n)
	}
	d.stop()
}

// A restore that is cancelled before anything was replaced has touched nothing.
func TestResilience_ARestoreIsCancelled(t *testing.T) {
	w := newHeld(t)
	d := w.serve("")
	p := newPerson(t, d.url, locale.Persian)
	p.begins(w)
	p.press(fold, p.says("jobs.cancel"))
	p.reads(p.says("jobs.cancel_before"))
	p.press(button, p.says("jobs.cancel_yes"))
	p.reads(p.says("jobs.end_cancelled"))
	if n := w.guests(); n != "0" {
		t.Errorf("%s guests after a restore that was cancelled", n)
	}
	p.content()
	d.stop()
}

// running is the name of the link to a restore that is at work.
func (p *person) running(name string) string {
	p.t.Helper()
	var found string
	eventually(p.t, "the strip shows the restore", func() bool {
		text, err := evaluate[string](p.tab, `document.querySelector(".strip a .strip-what")?.textContent ?? ""`)
		found = text
		return err == nil && strings.Contains(text, name)
	})
	return strings.TrimSpace(found)
}

// A daemon that is killed in the middle of a restore and started again is found again by
// the page, which tells what became of it.
func TestResilience_TheDaemonIsKilledInARestore(t *testing.T) {
	w := newHeld(t)
	d := w.serve("")
	p := newPerson(t, d.url, locale.English)
	p.begins(w)
	p.content()
	d.kill()
	p.offline(true)
	if n := w.guests(); n != "0" {
		t.Errorf("%s guests, and nothing was replaced yet", n)
	}
	w.release()
	d = w.serve(d.host())
	p.offline(false)
	p.reads(p.says("jobs.end_interrupted"))
	p.content(lost...)
	d.stop()
}

// A page whose stream could not begin, since the server was away just when it was asked for,
// follows the job as soon as the server answers again.
func TestResilience_AStreamThatNeverBegan(t *testing.T) {
	w := newHeld(t)
	d := w.serve("")
	p := newPerson(t, d.url, locale.English)
	p.begins(w)
	job := p.at()
	p.unreachable("*://*:*/jobs/:id/live*")
	p.goes(job)
	p.offline(true)
	p.unreachable()
	p.returns()
	p.offline(false)
	w.release()
	p.reads(p.says("jobs.restore_good", "name", "friday"))
	p.content(append(lost, "net::ERR_BLOCKED_BY_CLIENT")...)
	d.stop()
}

// unreachable keeps the browser from what these patterns match, and from nothing else.
func (p *person) unreachable(patterns ...string) {
	p.t.Helper()
	blocked := make([]*network.BlockPattern, 0, len(patterns))
	for _, pattern := range patterns {
		blocked = append(blocked, &network.BlockPattern{URLPattern: pattern, Block: true})
	}
	if err := chromedp.Do(p.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: blocked})
		return err
	})); err != nil {
		p.t.Fatal(err)
	}
}

// A daemon that ends in order and comes back is found again by a page on which nothing
// happens.
func TestResilience_TheDaemonIsStartedAnew(t *testing.T) {
	w := newWorld(t, sources)
	d := w.serve("")
	p := newPerson(t, d.url, locale.English)
	p.content()
	d.stop()
	p.returns()
	p.offline(true)
	d = w.serve(d.host())
	p.returns()
	p.offline(false)
	p.content(lost...)
	d.stop()
}

// Whoever is logged out while a restore is at work logs in again and is back at it.
func TestResilience_TheSessionEndsInARestore(t *testing.T) {
	w := newHeld(t)
	w.Env = append(w.Env, "HOLDFAST_SERVE_PASSWORD=four words of it")
	d := w.serve("")
	p := newPerson(t, d.url, locale.English)
	logIn := func(p *person) {
		t.Helper()
		p.types(textbox, p.says("entry.password"), "four words of it")
		p.follow(button, p.says("entry.enter"))
	}
	logIn(p)
	p.begins(w)
	job := p.at()
	other := newPerson(t, d.url, locale.English)
	logIn(other)
	other.goes("/sessions")
	other.follow(button, other.says("entry.logout_everywhere"))
	eventually(t, "the page leads to the login by itself", func() bool { return p.at() == "/login" })
	p.reads(p.says("entry.ended"))
	p.tells(t, "nothing here asks for what needs a login", `document.querySelectorAll("main ~ * [data-hx-get], header ~ [data-hx-get]").length === 0`)
	logIn(p)
	if p.at() != job {
		t.Errorf("the login leads to %s, not back to %s", p.at(), job)
	}
	w.release()
	p.reads(p.says("jobs.restore_good", "name", "friday"))
	p.content()
	d.stop()
}

// With its repository out of reach a restore is refused with words before anything is
// touched, and all is there again with it.
func TestResilience_TheRepositoryIsAway(t *testing.T) {
	w := newWorld(t, sources)
	w.run("backup", "--name", "friday")
	d := w.serve("")
	p := newPerson(t, d.url, locale.English)
	if err := os.Rename(w.path("backups"), w.path("elsewhere")); err != nil {
		t.Fatal(err)
	}
	p.goes("/backups/friday/restore")
	p.reads(p.says("restore.refused"))
	p.reads("there is no such backup")
	if p.shows(button, p.says("restore.begin")) {
		t.Errorf("a restore that is refused can be begun:\n%s", p.text())
	}
	// What the daemon keeps for itself was begun anew in its place, and is written meanwhile.
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := os.RemoveAll(w.path("backups"))
		if err == nil {
			err = os.Rename(w.path("elsewhere"), w.path("backups"))
		}
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	p.goes("/backups")
	p.follow(link, p.says("backups.refresh"))
	p.find(link, "friday")
	p.content()
	d.stop()
}

// A daemon that is killed while a deletion can still be taken back has deleted nothing.
func TestResilience_TheDaemonIsKilledBeforeADeletion(t *testing.T) {
	w := newWorld(t, sources)
	w.run("backup", "--name", "friday")
	d := w.serve("")
	p := newPerson(t, d.url, locale.English)
	p.goes("/backups")
	p.press(checkbox, p.says("backups.select", "name", "friday"))
	p.follow(button, p.says("backups.delete"))
	p.confirms(p.confirmed())
	p.follow(button, p.says("backups.delete"))
	p.reads(p.says("backups.deleting_one", "name", "friday"))
	d.kill()
	p.content()
	d = w.serve(d.host())
	p.goes("/backups")
	p.find(link, "friday")
	if strings.Contains(p.text(), p.says("backups.deleting")) {
		t.Errorf("it is still to be deleted:\n%s", p.text())
	}
	w.run("verify", "friday")
	p.content(lost...)
	d.stop()
}
