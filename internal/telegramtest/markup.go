package telegramtest

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// elements are those of the parse mode HTML, with the kind of entity that they
// make; a, span, code, pre, blockquote and tg-emoji are looked at further.
var elements = map[string]string{
	"b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
	"s": "strikethrough", "strike": "strikethrough", "del": "strikethrough",
	"tg-spoiler": "spoiler", "span": "spoiler", "code": "code", "pre": "pre",
	"a": "text_link", "blockquote": "blockquote", "tg-emoji": "custom_emoji",
}

// A parser reads the parse mode HTML. Offsets in errors count bytes of the
// source, offsets of entities UTF-16 units of the text.
type parser struct {
	src   string
	at    int
	out   strings.Builder
	units int
	open  []element
	found []Entity
}

// An element is one that is open.
type element struct {
	tag      string
	argument string
	offset   int // in units
	start    int // in bytes of the text
}

// Parse reads the parse mode HTML as the Bot API's server does. Errors are in
// its words, without what precedes them.
func Parse(src string) (string, []Entity, error) {
	p := &parser{src: src}
	for p.at < len(src) {
		var err error
		switch {
		case src[p.at] == '<' && strings.HasPrefix(src[p.at:], "</"):
			err = p.end()
		case src[p.at] == '<':
			err = p.begin()
		default:
			p.char()
		}
		if err != nil {
			return "", nil, err
		}
	}
	if n := len(p.open); n > 0 {
		return "", nil, said(`Can't find end tag corresponding to start tag "%s"`, p.open[n-1].tag)
	}
	return p.out.String(), joined(p.found), nil
}

// char takes one character of the text.
func (p *parser) char() {
	if r, n := reference(p.src[p.at:]); n > 0 {
		p.put(r)
		p.at += n
		return
	}
	r, n := utf8.DecodeRuneInString(p.src[p.at:])
	p.put(r)
	p.at += n
}

func (p *parser) put(r rune) {
	p.out.WriteRune(r)
	p.units += units(string(r))
}

// reference reads one of the character references that are known: numbers and
// four names, each with its semicolon.
func reference(s string) (rune, int) {
	if !strings.HasPrefix(s, "&") {
		return 0, 0
	}
	end := strings.IndexByte(s, ';')
	if end < 2 || end > 12 {
		return 0, 0
	}
	name := s[1:end]
	if r, ok := references[name]; ok {
		return r, end + 1
	}
	if number, ok := strings.CutPrefix(name, "#"); ok {
		base := 10
		if hex, ok := strings.CutPrefix(number, "x"); ok {
			number, base = hex, 16
		}
		n, err := strconv.ParseUint(number, base, 32)
		if err == nil && n > 0 && n <= utf8.MaxRune && utf8.ValidRune(rune(n)) {
			return rune(n), end + 1
		}
	}
	return 0, 0
}

var references = map[string]rune{"lt": '<', "gt": '>', "amp": '&', "quot": '"'}

func space(b byte) bool {
	return b == ' ' || b == '\t' || b == '\r' || b == '\n' || b == 0 || b == '\v'
}

// while moves on as long as is holds, and gives what it passed.
func (p *parser) while(is func(byte) bool) string {
	from := p.at
	for p.at < len(p.src) && is(p.src[p.at]) {
		p.at++
	}
	return p.src[from:p.at]
}

func (p *parser) over() bool { return p.at >= len(p.src) }

// begin reads a start tag.
func (p *parser) begin() error {
	from := p.at
	p.at++
	tag := strings.ToLower(p.while(func(b byte) bool { return !space(b) && b != '>' }))
	if p.over() {
		return said("Unclosed start tag at byte offset %d", from)
	}
	if elements[tag] == "" {
		return said(`Unsupported start tag "%s" at byte offset %d`, tag, from)
	}
	e := element{tag: tag, offset: p.units, start: p.out.Len()}
	for {
		p.while(space)
		if p.over() {
			return said(`Unclosed start tag "%s" at byte offset %d`, tag, from)
		}
		if p.src[p.at] == '>' {
			p.at++
			break
		}
		name, value, err := p.attribute(tag, from)
		if err != nil {
			return err
		}
		e.take(name, value)
	}
	if tag == "span" && e.argument != "tg-spoiler" {
		return said(`Tag "span" must have class "tg-spoiler" at byte offset %d`, from)
	}
	p.open = append(p.open, e)
	return nil
}

// take remembers what an attribute says, if it says anything.
func (e *element) take(name, value string) {
	switch {
	case e.tag == "a" && name == "href",
		e.tag == "span" && name == "class" && strings.HasPrefix(value, "tg-"),
		e.tag == "tg-emoji" && name == "emoji-id":
		e.argument = value
	case e.tag == "code" && name == "class" && strings.HasPrefix(value, "language-"):
		e.argument = strings.TrimPrefix(value, "language-")
	case e.tag == "blockquote" && name == "expandable":
		e.argument = "expandable"
	}
}

// attribute reads one attribute of a start tag.
func (p *parser) attribute(tag string, from int) (name, value string, err error) {
	name = strings.ToLower(p.while(func(b byte) bool { return !space(b) && b != '=' && b != '>' && b != '/' && b != '"' && b != '\'' }))
	if name == "" {
		return "", "", said(`Empty attribute name in the tag "%s" at byte offset %d`, tag, from)
	}
	p.while(space)
	if p.over() {
		return "", "", said(`Unclosed start tag "%s" at byte offset %d`, tag, from)
	}
	if p.src[p.at] != '=' {
		return name, "", nil
	}
	p.at++
	p.while(space)
	if p.over() {
		return "", "", said(`Unclosed start tag "%s" at byte offset %d`, tag, from)
	}
	if quote := p.src[p.at]; quote == '"' || quote == '\'' {
		value, err = p.quoted(quote, tag, from)
		return name, value, err
	}
	start := p.at
	value = strings.ToLower(p.while(func(b byte) bool {
		return b == '.' || b == '-' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
	}))
	if !p.over() && !space(p.src[p.at]) && p.src[p.at] != '>' {
		return "", "", said("Unexpected end of name token at byte offset %d", start)
	}
	return name, value, nil
}

// quoted reads a value in quotes.
func (p *parser) quoted(quote byte, tag string, from int) (string, error) {
	p.at++
	var b strings.Builder
	for !p.over() && p.src[p.at] != quote {
		if r, n := reference(p.src[p.at:]); n > 0 {
			b.WriteRune(r)
			p.at += n
			continue
		}
		b.WriteByte(p.src[p.at])
		p.at++
	}
	if p.over() {
		return "", said(`Unclosed start tag "%s" at byte offset %d`, tag, from)
	}
	p.at++
	return b.String(), nil
}

// end reads an end tag.
func (p *parser) end() error {
	from := p.at
	if len(p.open) == 0 {
		return said("Unexpected end tag at byte offset %d", from)
	}
	p.at += 2
	tag := strings.ToLower(p.while(func(b byte) bool { return !space(b) && b != '>' }))
	p.while(space)
	if p.over() || p.src[p.at] != '>' {
		return said("Unclosed end tag at byte offset %d", from)
	}
	p.at++
	e := p.open[len(p.open)-1]
	if tag != "" && tag != e.tag {
		return said(`Unmatched end tag at byte offset %d, expected "</%s>", found "</%s>"`, from, e.tag, tag)
	}
	p.open = p.open[:len(p.open)-1]
	if p.units > e.offset {
		p.emit(e)
	}
	return nil
}

// emit makes an entity of an element that has come to its end.
func (p *parser) emit(e element) {
	ent := Entity{Type: elements[e.tag], Offset: e.offset, Length: p.units - e.offset}
	switch e.tag {
	case "a":
		ent.URL = e.argument
		if ent.URL == "" {
			ent.URL = p.out.String()[e.start:]
		}
		if !strings.Contains(ent.URL, "://") {
			if !strings.Contains(ent.URL, ".") {
				return // no address: the text stays
			}
			ent.URL = "http://" + ent.URL
		}
		if id, ok := strings.CutPrefix(ent.URL, "tg://user?id="); ok {
			n, err := strconv.ParseInt(id, 10, 64)
			if err != nil {
				return
			}
			ent.Type, ent.URL, ent.User = "text_mention", "", &Account{ID: n}
		}
	case "tg-emoji":
		ent.EmojiID = e.argument
	case "blockquote":
		if e.argument != "" {
			ent.Type = "expandable_blockquote"
		}
	case "code":
		ent.Language = e.argument
	case "pre":
		// <pre><code class="language-x">: one entity with the language.
		if n := len(p.found) - 1; n >= 0 && p.found[n].Type == "code" && p.found[n].Offset == ent.Offset && p.found[n].Length == ent.Length {
			ent.Language = p.found[n].Language
			p.found = slices.Delete(p.found, n, n+1)
		}
	}
	if e.tag == "code" && !p.inPre(e) {
		ent.Language = ""
	}
	p.found = append(p.found, ent)
}

// inPre tells whether an element begins right where a pre around it does.
func (p *parser) inPre(e element) bool {
	return len(p.open) > 0 && p.open[len(p.open)-1].tag == "pre" && p.open[len(p.open)-1].offset == e.offset
}
