package pickle

// kind tells what a value on the stack is.
type kind uint8

const (
	kindNone kind = iota
	kindBool
	kindInt
	kindFloat
	kindString
	kindDict
	kindTuple
	kindClass
	kindObject
	kindMark
)

// scalar tells whether a value is complete when it is pushed.
func (k kind) scalar() bool { return k <= kindString }

// A value is one entry of the stack. Dicts are not built: str then holds the
// field a dict was pushed for, so that its pairs can be handed on at once.
type value struct {
	kind kind
	num  int64
	str  string
	kept bool // in the memo: no writer puts a value there twice
}

// A memo keeps the values that later opcodes may refer to. Strings, nearly all
// of it, lie one after the other in one buffer.
type memo struct {
	text    []byte
	entries []memoEntry
}

// A memoEntry is a string's end in the buffer, or another value's kind.
type memoEntry struct {
	end  uint64 // of the text of this entry; the one before tells the start
	kind kind
}

func (m *memo) add(v value) {
	if v.kind == kindString {
		m.text = append(m.text, v.str...)
	}
	m.entries = append(m.entries, memoEntry{end: uint64(len(m.text)), kind: v.kind})
}

// get finds entry i. Only strings are ever referred to by Chroma's writers,
// any other kind is left to the caller to refuse.
func (m *memo) get(i uint64) (value, bool) {
	if i >= uint64(len(m.entries)) {
		return value{}, false
	}
	e := m.entries[i]
	if e.kind != kindString {
		return value{kind: e.kind}, true
	}
	start := uint64(0)
	if i > 0 {
		start = m.entries[i-1].end
	}
	return value{kind: kindString, str: string(m.text[start:e.end]), kept: true}, true
}
