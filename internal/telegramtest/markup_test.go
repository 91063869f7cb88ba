package telegramtest_test

import (
	"fmt"
	"html"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

// What the parse mode HTML makes of a source.
func TestParse(t *testing.T) {
	for _, c := range []struct{ src, text, want string }{
		{"plain", "plain", ""},
		{"a &lt;b&gt; &amp; &quot;c&quot; &#39;d&#x27; &nbsp; &", `a <b> & "c" 'd' &nbsp; &`, ""},
		{"<b>bold</b> <i>it</i>", "bold it", "bold 0 4, italic 5 2"},
		{"<STRONG>a</STRONG><em>b</em><ins>c</ins><del>d</del>", "abcd", "bold 0 1, italic 1 1, underline 2 1, strikethrough 3 1"},
		{"<b>a<i>b</i></b>", "ab", "bold 0 2, italic 1 1"},
		{"💾 <b>💾</b>", "💾 💾", "bold 3 2"},
		{"ข้อมูล <code>x</code>", "ข้อมูล x", "code 7 1"},
		{"<b></b>x", "x", ""},
		{`<pre><code class="language-go">x</code></pre>`, "x", "pre 0 1 go"},
		{`<code class="language-go">x</code>`, "x", "code 0 1"},
		{`<pre>x <code>y</code></pre>`, "x y", "pre 0 3, code 2 1"},
		{`<a href="https://example.org/?a=1&amp;b=2">x</a>`, "x", "text_link 0 1 https://example.org/?a=1&b=2"},
		{`<a href='tg://user?id=7'>Ada</a>`, "Ada", "text_mention 0 3 7"},
		{`<a>example.org</a>`, "example.org", "text_link 0 11 http://example.org"},
		{`<a href="nowhere">x</a>`, "x", ""},
		{`<span class="tg-spoiler">x</span><tg-spoiler>y</tg-spoiler>`, "xy", "spoiler 0 2"},
		{"<i><b>x</b></i>", "x", "bold 0 1, italic 0 1"},
		{"<b>a<b>b</b></b><b>c</b>d", "abcd", "bold 0 3"},
		{"<b>in <code>x</code> y</b>", "in x y", "bold 0 3, code 3 1, bold 4 2"},
		{"<blockquote expandable>x</blockquote><blockquote>y</>", "xy", "expandable_blockquote 0 1, blockquote 1 1"},
		{`<tg-emoji emoji-id="5">👍</tg-emoji>`, "👍", "custom_emoji 0 2 5"},
	} {
		text, entities, err := telegramtest.Parse(c.src)
		if got := list(entities); err != nil || text != c.text || got != c.want {
			t.Errorf("%s:\n got %q, %s, %v\nwant %q, %s", c.src, text, got, err, c.text, c.want)
		}
	}
}

// list tells entities in a line.
func list(entities []telegramtest.Entity) string {
	var all []string
	for _, e := range entities {
		one := fmt.Sprintf("%s %d %d %s%s%s", e.Type, e.Offset, e.Length, e.URL, e.Language, e.EmojiID)
		if e.User != nil {
			one += fmt.Sprint(e.User.ID)
		}
		all = append(all, strings.TrimSpace(one))
	}
	return strings.Join(all, ", ")
}

// What cannot be parsed, with the place in bytes.
func TestParseRefuses(t *testing.T) {
	for src, want := range map[string]string{
		"<b>x":                     `Can't find end tag corresponding to start tag "b"`,
		"x</b>":                    "Unexpected end tag at byte offset 1",
		"<b>x</i>":                 `Unmatched end tag at byte offset 4, expected "</b>", found "</i>"`,
		"ข <h1>x</h1>":             `Unsupported start tag "h1" at byte offset 4`,
		"a < b":                    `Unsupported start tag "" at byte offset 2`,
		"a <br> b":                 `Unsupported start tag "br" at byte offset 2`,
		"5 < 6 > 4":                `Unsupported start tag "" at byte offset 2`,
		"<b":                       "Unclosed start tag at byte offset 0",
		`<a href="x`:               `Unclosed start tag "a" at byte offset 0`,
		`<a "x">y</a>`:             `Empty attribute name in the tag "a" at byte offset 0`,
		"<a href=x/y>z</a>":        "Unexpected end of name token at byte offset 8",
		"<b>x</b":                  "Unclosed end tag at byte offset 4",
		`<span class="x">y</span>`: `Tag "span" must have class "tg-spoiler" at byte offset 0`,
	} {
		if _, _, err := telegramtest.Parse(src); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", src, err, want)
		}
	}
}

// grown is a random text with entities that nest, its source, and what a reader
// has to find in it. Both are made side by side, the offsets by an encoder of
// its own.
type grown struct {
	rng    *rand.Rand
	src    strings.Builder
	text   strings.Builder
	expect []telegramtest.Entity
}

var kinds = []struct{ kind, tag string }{
	{"bold", "b"}, {"italic", "i"}, {"underline", "u"}, {"strikethrough", "s"}, {"spoiler", "tg-spoiler"}, {"blockquote", "blockquote"},
}

var pieces = []string{"a", "Z ", "<", "&", "\"", "ก้", "سلام", "\u2068", "💾", "👩‍💻", "\n", "é", "&lt;", "]]>"}

// grow writes some text, with elements that are not open yet around parts of it.
func (g *grown) grow(depth int, open []string) {
	for range 1 + g.rng.IntN(3) {
		piece := pieces[g.rng.IntN(len(pieces))]
		g.text.WriteString(piece)
		g.src.WriteString(html.EscapeString(piece))
		k := kinds[g.rng.IntN(len(kinds))]
		if depth == 0 || slices.Contains(open, k.tag) {
			continue
		}
		at := len(g.expect)
		from := len(utf16.Encode([]rune(g.text.String())))
		g.expect = append(g.expect, telegramtest.Entity{Type: k.kind, Offset: from})
		g.src.WriteString("<" + k.tag + ">")
		g.grow(depth-1, append(slices.Clone(open), k.tag))
		g.src.WriteString("</" + k.tag + ">")
		g.expect[at].Length = len(utf16.Encode([]rune(g.text.String()))) - from
	}
}

// Any nesting is read back with its offsets in UTF-16 units, and written again
// as it was.
func TestParseProperty(t *testing.T) {
	for seed := range uint64(500) {
		g := &grown{rng: rand.New(rand.NewPCG(seed, 7))}
		g.grow(4, nil)
		text, entities, err := telegramtest.Parse(g.src.String())
		if err != nil || text != g.text.String() {
			t.Fatalf("seed %d: %q, %v\nof %s", seed, text, err, g.src.String())
		}
		if got, want := list(entities), list(g.expect); got != want {
			t.Fatalf("seed %d: %s\n got %s\nwant %s", seed, g.src.String(), got, want)
		}
		again, back, err := telegramtest.Parse(telegramtest.Markup(text, entities))
		if err != nil || again != text || list(back) != list(entities) {
			t.Fatalf("seed %d: written again as %s: %v", seed, telegramtest.Markup(text, entities), err)
		}
	}
}

// Whatever is parsed, nothing breaks, and entities stay within their text.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"<b>x</b>", "<a href=x>", "&#x110000;&#0;", "<pre><code class='language-x'>y</code></pre>", "\xff<b>\xff</b>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		text, entities, err := telegramtest.Parse(src)
		if err != nil {
			return
		}
		n := len(utf16.Encode([]rune(text)))
		for _, e := range entities {
			if e.Offset < 0 || e.Length <= 0 || e.Offset+e.Length > n {
				t.Errorf("%+v is not within %d units", e, n)
			}
		}
	})
}
