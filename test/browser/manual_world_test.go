package browser

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/test/ragworld"
)

// A desk is where somebody in Bangkok works with the PDF assistant and with holdfast, in
// a browser that asks for Thai.
type desk struct {
	t     *testing.T
	world *world
	rag   ragworld.World
	talks *journal // what the assistant says

	// The two tabs that are open all the time.
	assistant, holdfast *person

	mu     sync.Mutex
	tabs   []*person
	failed []string // requests that were not answered as they should be
}

// newDesk starts the assistant with its Chroma, and holdfast, and opens both.
func newDesk(t *testing.T) (*desk, *daemon) {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, world: &world{t: t, dir: t.TempDir(), binary: program}, talks: &journal{}}
	d.rag = ragworld.Install(t, "../..", d.world.dir)
	d.slowHooks()
	d.starts()
	life := d.world.serve(d.rag.Holdfast)
	d.assistant = d.opens(nil, "http://"+d.rag.Address)
	d.holdfast = d.opens(d.assistant, "http://"+d.rag.Holdfast)
	return d, life
}

// Files for as long as which the assistant takes its time to stop and to start.
const (
	slowStop  = "slow_stop"
	slowStart = "slow_start"
)

// slowHooks lets the hooks that stop and start the assistant wait for their files to go,
// and nothing be backed up but by the clock and on demand.
func (d *desk) slowHooks() {
	d.t.Helper()
	text, err := os.ReadFile(d.world.path("holdfast.yaml"))
	if err != nil {
		d.t.Fatal(err)
	}
	config := string(text)
	for _, change := range [][2]string{
		{"stop: curl", "stop: while test -e " + slowStop + "; do sleep 0.1; done; curl"},
		{"start: curl", "start: while test -e " + slowStart + "; do sleep 0.1; done; curl"},
		{"{every: 6h}", "{every: 6h, on_change: off}"},
	} {
		if !strings.Contains(config, change[0]) {
			d.t.Fatalf("holdfast.yaml has no %q:\n%s", change[0], config)
		}
		config = strings.Replace(config, change[0], change[1], 1)
	}
	d.rag.Configure(d.t, config)
}

// hold lets whatever waits for a file wait.
func (d *desk) hold(file string) {
	d.t.Helper()
	if err := os.WriteFile(d.world.path(file), nil, 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// release lets it go on.
func (d *desk) release(file string) {
	d.t.Helper()
	if err := os.Remove(d.world.path(file)); err != nil {
		d.t.Fatal(err)
	}
}

// starts starts the assistant, and ends it with the test.
func (d *desk) starts() {
	d.t.Helper()
	cmd := exec.Command(d.rag.Command[0], d.rag.Command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.world.dir, d.talks, d.talks
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.world.dir, "TMPDIR=" + os.TempDir(), "TZ=UTC"}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	d.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) // it ends its Chroma
		select {
		case <-ended:
		case <-time.After(patience):
			cmd.Process.Kill()
			d.t.Error("the assistant does not end")
		}
		if d.t.Failed() {
			d.t.Logf("the assistant said:\n%s", d.talks)
		}
	})
	eventually(d.t, "the assistant serves", func() bool {
		resp, err := http.Get("http://" + d.rag.Address + "/status")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// opens opens a tab: the first of a browser with cookies of its own, and each further one
// beside another.
func (d *desk) opens(beside *person, origin string) *person {
	d.t.Helper()
	p := &person{t: d.t, l: locale.Of(locale.Thai), origin: origin}
	if beside == nil {
		p.tab = newTab(d.t)
	} else {
		ctx, cancel := chromedp.NewContext(beside.ctx)
		d.t.Cleanup(cancel)
		p.tab = &tab{ctx: ctx}
		if err := p.listen(); err != nil {
			d.t.Fatal(err)
		}
	}
	if err := chromedp.Listen(p.ctx, d.heard); err != nil {
		d.t.Fatal(err)
	}
	agent, err := evaluate[string](p.tab, `navigator.userAgent`)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := chromedp.Do(p.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := cdp.Call(ctx, target, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: "th-TH,th"}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watching})
		return err
	})); err != nil {
		d.t.Fatal(err)
	}
	if err := p.size(wide, high); err != nil {
		d.t.Fatal(err)
	}
	p.goes("/")
	d.tabs = append(d.tabs, p)
	return p
}

// watching notes which step of a work the page shows as the one in progress, as somebody
// does who looks at it all the time.
const watching = `window.watched = [];
document.addEventListener("DOMContentLoaded", () => {
	const look = () => {
		const name = document.querySelector("[aria-current=step] .step-name")?.textContent.trim();
		if (name && window.watched.at(-1) !== name) window.watched.push(name);
	};
	look();
	new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});
});`

// heard notes what was not answered, or not well.
func (d *desk) heard(ev any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch ev := ev.(type) {
	case *network.EventResponseReceived:
		if ev.Response.Status >= 400 {
			d.failed = append(d.failed, ev.Response.URL+": "+ev.Response.StatusText)
		}
	case *network.EventLoadingFailed:
		// Whoever leaves a page takes back what it still waits for.
		if !ev.Canceled && ev.ErrorText != "net::ERR_ABORTED" {
			d.failed = append(d.failed, string(ev.Type)+": "+ev.ErrorText)
		}
	}
}

// content wants nothing to have gone wrong in any tab, and nobody else to have been asked.
func (d *desk) content() {
	d.t.Helper()
	for _, p := range d.tabs {
		troubles, requests := p.taken()
		for _, what := range troubles {
			d.t.Errorf("the browser says: %s", what)
		}
		for _, url := range requests {
			if !strings.HasPrefix(url, d.assistant.origin+"/") && !strings.HasPrefix(url, d.holdfast.origin+"/") && !strings.HasPrefix(url, "data:") {
				d.t.Errorf("%s was asked for", url)
			}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, what := range d.failed {
		d.t.Errorf("a request failed: %s", what)
	}
	d.failed = nil
}

// closes closes a tab, in the middle of whatever it shows.
func (d *desk) closes(p *person) {
	d.t.Helper()
	troubles, _ := p.taken()
	for _, what := range troubles {
		d.t.Errorf("the browser says: %s", what)
	}
	d.tabs = slices.DeleteFunc(d.tabs, func(other *person) bool { return other == p })
	if err := chromedp.Do(p.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, page.Close, cdp.Empty{})
		return err
	})); err != nil {
		d.t.Fatal(err)
	}
}

// photographs writes a picture of a tab, if they are wanted.
func (d *desk) photographs(p *person, name string) {
	d.t.Helper()
	folder := os.Getenv("HOLDFAST_SCREENSHOTS")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		d.t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "manual-"+name+".png"), picture, 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// handbook lays a PDF where somebody keeps it, under the name that he gives it.
func (d *desk) handbook(name string) string {
	d.t.Helper()
	content, err := os.ReadFile(filepath.Join("../..", ragworld.Handbook))
	if err != nil {
		d.t.Fatal(err)
	}
	to := d.world.path(name)
	if err := os.WriteFile(to, content, 0o600); err != nil {
		d.t.Fatal(err)
	}
	return to
}

// uploads uploads a PDF in the assistant.
func (d *desk) uploads(name string) {
	d.t.Helper()
	a := d.assistant
	a.goes("/")
	a.follow(link, "เอกสาร")
	if err := chromedp.Do(a.ctx, chromedp.SetUploadFiles(`input[type=file]`, []string{d.handbook(name)})); err != nil {
		d.t.Fatal(err)
	}
	a.follow(button, "อัปโหลด")
	a.reads("ค้นหาใน " + name + " ได้แล้ว")
	a.find(link, name)
}

// asks asks the assistant, and wants its answer to have these words.
func (d *desk) asks(question, answer string) {
	d.t.Helper()
	d.assistant.goes("/")
	d.assistant.types(textbox, "คำถาม", question)
	d.assistant.follow(button, "ถาม")
	d.assistant.reads(answer)
}

// remembers wants the assistant to remember so many conversations.
func (d *desk) remembers(n string) {
	d.t.Helper()
	d.assistant.goes("/")
	d.assistant.follow(link, "ความทรงจำ")
	d.assistant.reads(n)
}

// lists opens the list of the backups.
func (d *desk) lists() *person {
	d.t.Helper()
	d.holdfast.goes("/")
	d.holdfast.follow(link, "ข้อมูลสำรอง")
	return d.holdfast
}

// rows is what the list says of each backup, the newest first.
func (p *person) rows() (rows []string) {
	p.t.Helper()
	rows, err := evaluate[[]string](p.tab, `[...document.querySelectorAll("main [role=row], main tr")].filter((r) => r.querySelector("[role=rowheader] a")).map((r) => r.innerText)`)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := range rows {
		rows[i] = plain(rows[i])
	}
	return rows
}

// row is what the list says of a backup whose name matches; empty: it has none.
func (p *person) row(name *regexp.Regexp) (found, row string) {
	p.t.Helper()
	for _, r := range p.rows() {
		if found = name.FindString(r); found != "" {
			return found, r
		}
	}
	return "", ""
}

// steps are those of the work on the page, in their order.
func (p *person) steps() []string {
	p.t.Helper()
	return p.texts(`[...document.querySelectorAll("main .step .step-name")].map((e) => e.textContent.trim())`)
}

// watched are the steps that were seen at work, in the order in which they were.
func (p *person) watched() []string {
	p.t.Helper()
	return p.texts(`window.watched`)
}

// sees waits until a step is seen at work.
func (p *person) sees(step string) {
	p.t.Helper()
	eventually(p.t, "the page shows at work: "+step, func() bool { return slices.Contains(p.watched(), step) })
}

func (p *person) texts(script string) []string {
	p.t.Helper()
	texts, err := evaluate[[]string](p.tab, script)
	if err != nil {
		p.t.Fatal(err)
	}
	return texts
}

// shows tells whether there is such a thing on the page now.
func (p *person) shows(role, name string) bool {
	at, err := p.look(role, name)
	return err == nil && at.Seen
}
