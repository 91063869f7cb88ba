package telegramtest

import (
	"cmp"
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
)

// An Entity is a part of a text that is shown in its own way. Offsets count
// UTF-16 units.
type Entity struct {
	Type     string   `json:"type"`
	Offset   int      `json:"offset"`
	Length   int      `json:"length"`
	URL      string   `json:"url,omitempty"`
	User     *Account `json:"user,omitempty"`
	Language string   `json:"language,omitempty"`
	EmojiID  string   `json:"custom_emoji_id,omitempty"`
}

func (e Entity) end() int { return e.Offset + e.Length }

// units is the length of a text as Telegram counts it.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// flowing are the kinds that can begin and end anywhere: neighbours of a kind
// are one entity, and none goes on in code.
var flowing = []string{"bold", "italic", "underline", "strikethrough", "spoiler"}

// rank orders the kinds of entities that cover the same part.
func rank(kind string) int {
	if i := slices.Index(flowing, kind); i >= 0 {
		return 1 + i
	}
	return 0
}

// sorted puts entities into their order: by offset, the longer ones first.
func sorted(entities []Entity) []Entity {
	slices.SortStableFunc(entities, func(a, b Entity) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(b.Length, a.Length), cmp.Compare(rank(a.Type), rank(b.Type)))
	})
	return entities
}

// joined makes of entities what Telegram keeps of them.
func joined(entities []Entity) []Entity {
	entities = sorted(entities)
	var kept []Entity
	for _, e := range entities {
		if rank(e.Type) == 0 {
			kept = append(kept, e)
		}
	}
	code := slices.DeleteFunc(slices.Clone(kept), func(e Entity) bool { return e.Type != "code" && e.Type != "pre" })
	for _, kind := range flowing {
		var runs []Entity
		for _, e := range entities {
			switch last := len(runs) - 1; {
			case e.Type != kind:
			case last >= 0 && e.Offset <= runs[last].end():
				runs[last].Length = max(runs[last].end(), e.end()) - runs[last].Offset
			default:
				runs = append(runs, e)
			}
		}
		for _, run := range runs {
			kept = append(kept, run.without(code)...)
		}
	}
	return sorted(kept)
}

// without gives what is left of an entity outside of others, which are in
// their order.
func (e Entity) without(others []Entity) []Entity {
	var left []Entity
	for _, o := range others {
		if o.end() <= e.Offset || o.Offset >= e.end() {
			continue
		}
		if o.Offset > e.Offset {
			before := e
			before.Length = o.Offset - e.Offset
			left = append(left, before)
		}
		e.Offset, e.Length = o.end(), e.end()-o.end()
	}
	if e.Length > 0 {
		left = append(left, e)
	}
	return left
}

// trim takes away the space around a text, and moves the entities with it.
func trim(text string, entities []Entity) (string, []Entity) {
	right := strings.TrimRightFunc(text, unicode.IsSpace)
	left := strings.TrimLeftFunc(right, unicode.IsSpace)
	cut, end := units(right)-units(left), units(left)
	var kept []Entity
	for _, e := range entities {
		from, to := max(0, e.Offset-cut), min(end, e.end()-cut)
		if to > from {
			e.Offset, e.Length = from, to-from
			kept = append(kept, e)
		}
	}
	return left, sorted(kept)
}

// What Telegram finds in a text by itself, as far as bots look at it.
var (
	commands = regexp.MustCompile(`(?:^|[\s(])(/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?)`)
	mentions = regexp.MustCompile(`(?:^|[\s(])(@[A-Za-z0-9_]{4,32})`)
	links    = regexp.MustCompile(`https?://[^\s<>"]*[^\s<>".,;:!?)]`)
)

// detect adds what Telegram finds by itself, outside of code and links.
func detect(text string, given []Entity) []Entity {
	var found []Entity
	add := func(kind string, from, to int) {
		e := Entity{Type: kind, Offset: units(text[:from]), Length: units(text[from:to])}
		if !slices.ContainsFunc(given, func(g Entity) bool { return g.plain() && g.Offset < e.end() && e.Offset < g.end() }) {
			found = append(found, e)
		}
	}
	for _, at := range commands.FindAllStringSubmatchIndex(text, -1) {
		add("bot_command", at[2], at[3])
	}
	for _, at := range mentions.FindAllStringSubmatchIndex(text, -1) {
		add("mention", at[2], at[3])
	}
	for _, at := range links.FindAllStringIndex(text, -1) {
		add("url", at[0], at[1])
	}
	return sorted(append(slices.Clone(given), found...))
}

// plain tells whether nothing is looked for inside of the entity.
func (e Entity) plain() bool {
	switch e.Type {
	case "code", "pre", "text_link", "text_mention":
		return true
	}
	return false
}

// Markup writes a text with its entities as HTML of the Bot API. What Telegram
// found by itself is left to it.
func Markup(text string, entities []Entity) string {
	wide := utf16.Encode([]rune(text))
	var b strings.Builder
	var open []Entity
	entities = sorted(slices.Clone(entities))
	at := 0
	write := func(to int) {
		b.WriteString(html.EscapeString(string(utf16.Decode(wide[at:to]))))
		at = to
	}
	closeUntil := func(offset int) {
		for len(open) > 0 && open[len(open)-1].end() <= offset {
			last := open[len(open)-1]
			write(last.end())
			b.WriteString(last.closing())
			open = open[:len(open)-1]
		}
	}
	for _, e := range entities {
		if e.opening() == "" || e.end() > len(wide) || e.Offset < 0 {
			continue
		}
		closeUntil(e.Offset)
		write(e.Offset)
		b.WriteString(e.opening())
		open = append(open, e)
	}
	closeUntil(len(wide))
	write(len(wide))
	return b.String()
}

// tags are the elements of the kinds that need nothing but their name.
var tags = map[string]string{
	"bold": "b", "italic": "i", "underline": "u", "strikethrough": "s", "spoiler": "tg-spoiler",
	"code": "code", "blockquote": "blockquote",
}

func (e Entity) opening() string {
	switch e.Type {
	case "pre":
		if e.Language != "" {
			return `<pre><code class="language-` + html.EscapeString(e.Language) + `">`
		}
		return "<pre>"
	case "expandable_blockquote":
		return "<blockquote expandable>"
	case "text_link":
		return `<a href="` + html.EscapeString(e.URL) + `">`
	case "custom_emoji":
		return `<tg-emoji emoji-id="` + html.EscapeString(e.EmojiID) + `">`
	}
	if tag := tags[e.Type]; tag != "" {
		return "<" + tag + ">"
	}
	return ""
}

func (e Entity) closing() string {
	switch e.Type {
	case "pre":
		if e.Language != "" {
			return "</code></pre>"
		}
		return "</pre>"
	case "expandable_blockquote":
		return "</blockquote>"
	case "text_link":
		return "</a>"
	case "custom_emoji":
		return "</tg-emoji>"
	}
	return "</" + tags[e.Type] + ">"
}
