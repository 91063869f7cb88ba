package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/holdfast-backup/holdfast/internal/locale"
)

// A person uses a tab: finds things by what they are and are called, as a screen reader
// tells them, and presses them where they are seen.
type person struct {
	*tab
	t      *testing.T
	l      *locale.Locale
	origin string
	touch  bool // fingers instead of a mouse
}

// The roles of things.
const (
	link     = "link"
	button   = "button"
	textbox  = "textbox"
	checkbox = "checkbox"
	choice   = "combobox"
	heading  = "heading"
	search   = "searchbox"
	fold     = "DisclosureTriangle"
)

// newPerson sits down in front of a page, and chooses a language there.
func newPerson(t *testing.T, origin string, lang locale.Lang) *person {
	t.Helper()
	p := &person{tab: newTab(t), t: t, l: locale.Of(locale.English), origin: origin}
	p.goes("/")
	if lang != locale.English {
		p.speaks(lang)
	}
	return p
}

// again opens another tab of the same browser, with the same cookies.
func (p *person) again() *person {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx)
	p.t.Cleanup(cancel)
	other := *p
	other.tab = &tab{ctx: ctx}
	if err := other.listen(); err != nil {
		p.t.Fatal(err)
	}
	return &other
}

// says is a sentence of the product in the person's language.
func (p *person) says(id string, args ...any) string {
	p.t.Helper()
	if !p.l.Has(id) {
		p.t.Fatalf("the catalogue has no sentence %q", id)
	}
	return p.l.T(id, args...)
}

// goes opens a page by its address.
func (p *person) goes(path string) {
	p.t.Helper()
	if err := p.open(p.origin + path); err != nil {
		p.t.Fatal(err)
	}
}

// speaks chooses a language in the menu.
func (p *person) speaks(lang locale.Lang) {
	p.t.Helper()
	p.press(fold, p.says("frame.preferences"))
	p.follow(button, lang.Name())
	p.l = locale.Of(lang)
}

// A place is where something is seen.
type place struct {
	X, Y    float64
	Seen    bool // nothing covers it
	Enabled bool
}

// find looks for something that is seen and can be used, until it is there.
func (p *person) find(role, name string) place {
	p.t.Helper()
	var at place
	var err error
	for deadline := time.Now().Add(patience); ; time.Sleep(30 * time.Millisecond) {
		if at, err = p.look(role, name); err == nil && at.Seen && at.Enabled {
			return at
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("no %s %q that can be used: %+v, %v\n%s", role, name, at, err, p.text())
		}
	}
}

var errAbsent = errors.New("it is not there")

// whereabouts scrolls something into view, and tells where it is.
const whereabouts = `function() {
	if (!this.isConnected) return "";
	let e = this.nodeType === 1 ? this : this.parentElement;
	e.scrollIntoView({block: "center", behavior: "instant"});
	const r = e.getClientRects()[0];
	if (!r || r.width === 0) return "";
	const x = r.x + r.width / 2, y = r.y + r.height / 2;
	const top = document.elementFromPoint(x, y);
	return JSON.stringify({X: x, Y: y, Seen: e.contains(top) || !!top && top.contains(e) || e.labels && [...e.labels].some((l) => l.contains(top)) || false, Enabled: !e.matches(":disabled")});
}`

// look asks the accessibility tree for something, and where it is. Of several, it is the
// first that is seen.
func (p *person) look(role, name string) (place, error) {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	return chromedp.Run(ctx, func(ctx context.Context, t *chromedp.Target) (place, error) {
		root, err := cdp.Call(ctx, t, runtime.Evaluate, runtime.EvaluateParams{Expression: "document"})
		if err != nil {
			return place{}, err
		}
		found, err := cdp.Call(ctx, t, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: root.Result.ObjectID, Role: role, AccessibleName: name})
		if err != nil {
			return place{}, err
		}
		var at place
		for _, n := range found.Nodes {
			if n.Ignored || n.BackendDOMNodeID == 0 {
				continue
			}
			node, err := cdp.Call(ctx, t, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: n.BackendDOMNodeID})
			if err != nil {
				return place{}, err
			}
			told, err := cdp.Call(ctx, t, runtime.CallFunctionOn, runtime.CallFunctionOnParams{ObjectID: node.Object.ObjectID, FunctionDeclaration: whereabouts})
			if err != nil {
				return place{}, err
			}
			var text string
			if err := json.Unmarshal([]byte(told.Result.Value), &text); err != nil || text == "" {
				continue
			}
			if err := json.Unmarshal([]byte(text), &at); err != nil {
				return place{}, err
			}
			if at.Seen && at.Enabled {
				return at, nil
			}
		}
		if at == (place{}) {
			return place{}, errAbsent
		}
		return at, nil
	})
}

// press presses something where it is seen.
func (p *person) press(role, name string) {
	p.t.Helper()
	at := p.find(role, name)
	hit := chromedp.MouseClickXY(at.X, at.Y)
	if p.touch {
		hit = chromedp.TapXY(at.X, at.Y)
	}
	if err := chromedp.Do(p.ctx, hit); err != nil {
		p.t.Fatalf("press %s %q: %v", role, name, err)
	}
}

// follow presses something that leads to another page, and waits for that.
func (p *person) follow(role, name string) {
	p.t.Helper()
	p.leaves(role+" "+name, func() { p.press(role, name) })
}

// leaves does something, and waits for the page that comes of it.
func (p *person) leaves(what string, do func()) {
	p.t.Helper()
	if _, err := evaluate[bool](p.tab, `window.left = true`); err != nil {
		p.t.Fatal(err)
	}
	do()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		there, err := evaluate[bool](p.tab, `!window.left && document.readyState === "complete"`)
		if err == nil && there {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s leads nowhere: %v\n%s", what, err, p.text())
		}
	}
}

// types writes into a field, instead of what stands in it.
func (p *person) types(role, name, text string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		p.press(role, name)
		// What comes onto the page just now may have moved it from under the finger.
		there, err := evaluate[bool](p.tab, `(() => {
			const e = document.activeElement;
			if (!e.select) return false;
			e.select();
			return true;
		})()`)
		if err == nil && there {
			break
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("nothing can be typed into %s %q: %v\n%s", role, name, err, p.text())
		}
	}
	if err := chromedp.Do(p.ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
		return err
	})); err != nil {
		p.t.Fatal(err)
	}
}

// chooses takes an option of a list by its words.
func (p *person) chooses(label, option string) {
	p.t.Helper()
	p.find(choice, label)
	ok, err := evaluate[bool](p.tab, fmt.Sprintf(`(() => {
		const label = [...document.querySelectorAll("label")].find((l) => l.textContent.trim() === %q);
		const s = document.getElementById(label.htmlFor), o = [...s.options].find((o) => o.text === %q);
		if (!o) return false;
		s.value = o.value;
		s.dispatchEvent(new Event("change", {bubbles: true}));
		return true;
	})()`, label, option))
	if err != nil || !ok {
		p.t.Fatalf("there is no %q in %q: %v", option, label, err)
	}
}

// confirms types the name that is asked for.
func (p *person) confirms(name string) {
	p.t.Helper()
	p.types(textbox, plain(p.says("frame.confirm", "name", name)), name)
}

// text is what can be read on the page.
func (p *person) text() string {
	text, err := evaluate[string](p.tab, `document.body.innerText`)
	if err != nil {
		return err.Error()
	}
	return plain(text)
}

// plain leaves out what keeps directions apart.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f {
			return -1
		}
		return r
	}, text)
}

// reads waits until something can be read.
func (p *person) reads(text string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		shown := p.text()
		if strings.Contains(shown, plain(text)) {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%q cannot be read here:\n%s", plain(text), shown)
		}
	}
}

// at tells the path of the page.
func (p *person) at() string {
	path, err := evaluate[string](p.tab, `location.pathname`)
	if err != nil {
		p.t.Fatal(err)
	}
	return path
}

// content ends a test as every one has to: nothing was logged as an error or refused by
// the policy, and nothing was asked of anybody else. What is allowed is expected there.
func (p *person) content(allowed ...string) {
	p.t.Helper()
	troubles, requests := p.taken()
trouble:
	for _, what := range troubles {
		for _, a := range allowed {
			if strings.Contains(what, a) {
				continue trouble
			}
		}
		p.t.Errorf("the browser says: %s", what)
	}
	for _, url := range requests {
		if !strings.HasPrefix(url, p.origin+"/") && !strings.HasPrefix(url, "data:") {
			p.t.Errorf("%s was asked for", url)
		}
	}
}

// confirmed is the name that the page wants typed.
func (p *person) confirmed() string {
	p.t.Helper()
	var name string
	eventually(p.t, "a name is asked for", func() bool {
		var err error
		name, err = evaluate[string](p.tab, `document.getElementById("confirm")?.dataset.confirm ?? ""`)
		return err == nil && name != ""
	})
	return name
}
