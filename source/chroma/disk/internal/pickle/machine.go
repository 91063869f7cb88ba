package pickle

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf8"
)

// The opcodes that Chroma's writers use.
const (
	opProto           = 0x80
	opFrame           = 0x95
	opStop            = '.'
	opMark            = '('
	opNone            = 'N'
	opTrue            = 0x88
	opFalse           = 0x89
	opInt4            = 'J'
	opInt1            = 'K'
	opInt2            = 'M'
	opLong1           = 0x8a
	opFloat           = 'G'
	opShortUnicode    = 0x8c
	opUnicode         = 'X'
	opUnicode8        = 0x8d
	opEmptyDict       = '}'
	opEmptyTuple      = ')'
	opSetItem         = 's'
	opSetItems        = 'u'
	opGlobal          = 'c'
	opStackGlobal     = 0x93
	opNewObject       = 0x81
	opBuild           = 'b'
	opMemoize         = 0x94
	opPut             = 'q'
	opLongPut         = 'r'
	opGet             = 'h'
	opLongGet         = 'j'
	highestProtocol   = 5
	maxStack          = 1 << 6 // pairs are taken off at once: the real depth is below 20
	maxString         = 64 << 20
	maxNameOfOneClass = 256
)

// machine is the pickle stack machine, reduced to what an index needs.
type machine struct {
	r     *bufio.Reader
	visit Visitor
	stack []value
	memo  memo
	text  bytes.Buffer // reused for each string

	index      Index
	seenIDs    bool
	seenLabels bool
}

func (m *machine) run() error {
	for first := true; ; first = false {
		op, err := m.r.ReadByte()
		if err != nil {
			return cut(err)
		}
		if first && op != opProto {
			return malformed("it does not start with a protocol number")
		}
		if op == opStop {
			return m.stop()
		}
		if err := m.step(op); err != nil {
			return err
		}
	}
}

// stop accepts the end of a pickle: one dict, or one PersistentData.
func (m *machine) stop() error {
	if len(m.stack) != 1 || m.stack[0].kind != kindDict && m.stack[0].kind != kindObject {
		return malformed("it does not hold one index")
	}
	m.index.Python = m.stack[0].kind == kindObject
	return nil
}

func (m *machine) step(op byte) error {
	switch op {
	case opProto:
		n, err := m.uint(1)
		if err == nil && (n < 2 || n > highestProtocol) {
			err = malformed("protocol %d is not one that Chroma writes", n)
		}
		return err
	case opFrame:
		_, err := m.uint(8) // frames only help readers that read ahead
		return err
	case opMark:
		return m.push(value{kind: kindMark})
	case opNone:
		return m.push(value{kind: kindNone})
	case opTrue:
		return m.push(value{kind: kindBool, num: 1})
	case opFalse:
		return m.push(value{kind: kindBool})
	case opInt1, opInt2, opInt4, opLong1, opFloat:
		return m.number(op)
	case opShortUnicode:
		return m.string(1)
	case opUnicode:
		return m.string(4)
	case opUnicode8:
		return m.string(8)
	case opEmptyDict:
		return m.push(value{kind: kindDict, str: m.fieldOfNewDict()})
	case opEmptyTuple:
		return m.push(value{kind: kindTuple})
	case opSetItem:
		return m.setItem()
	case opSetItems:
		return m.setItems()
	case opGlobal, opStackGlobal:
		return m.class(op)
	case opNewObject:
		return m.newObject()
	case opBuild:
		return m.build()
	case opMemoize, opPut, opLongPut, opGet, opLongGet:
		return m.remember(op)
	}
	return malformed("opcode %#02x is not one that Chroma writes", op)
}

// push puts a value on the stack. A few bytes of a forged pickle can ask again and again for
// one long string: all on the stack together are no longer than one may be.
func (m *machine) push(v value) error {
	if len(m.stack) >= maxStack {
		return malformed("it nests deeper than any index")
	}
	sum := len(v.str)
	for _, below := range m.stack {
		sum += len(below.str)
	}
	if sum > maxString {
		return malformed("strings of %d bytes are held at once", sum)
	}
	m.stack = append(m.stack, v)
	return nil
}

// settle hands on a completed pair of a marked dict, so that the stack stays
// short however many pairs a writer puts behind one mark. It runs before the
// next value is pushed rather than with it, because a value may still be
// memoized.
func (m *machine) settle() error {
	n := len(m.stack)
	if n < 4 || !m.stack[n-1].kind.scalar() || !m.stack[n-2].kind.scalar() ||
		m.stack[n-3].kind != kindMark || m.stack[n-4].kind != kindDict {
		return nil
	}
	if err := m.pair(m.stack[n-4].str, m.stack[n-2], m.stack[n-1]); err != nil {
		return err
	}
	m.stack = m.stack[:n-2]
	return nil
}

func (m *machine) number(op byte) error {
	if err := m.settle(); err != nil {
		return err
	}
	if op == opFloat {
		_, err := m.uint(8)
		if err != nil {
			return err
		}
		return m.push(value{kind: kindFloat})
	}
	width := map[byte]int{opInt1: 1, opInt2: 2, opInt4: 4}[op]
	signed := op == opInt4
	if op == opLong1 {
		n, err := m.uint(1)
		if err != nil {
			return err
		}
		if n > 8 {
			return malformed("a number has %d bytes", n)
		}
		width, signed = int(n), true
	}
	u, err := m.uint(width)
	if err != nil {
		return err
	}
	n := int64(u)
	if shift := 64 - 8*width; signed && shift > 0 && shift < 64 {
		n = n << shift >> shift // extends the sign
	}
	return m.push(value{kind: kindInt, num: n})
}

func (m *machine) string(width int) error {
	if err := m.settle(); err != nil {
		return err
	}
	n, err := m.uint(width)
	if err != nil {
		return err
	}
	if n > maxString {
		return malformed("a string claims %d bytes", n)
	}
	// Copying lets the buffer grow with what is really there, not with what
	// a torn file claims.
	m.text.Reset()
	if _, err := io.CopyN(&m.text, m.r, int64(n)); err != nil {
		return cut(err)
	}
	if !utf8.Valid(m.text.Bytes()) {
		return malformed("a string is not UTF-8")
	}
	return m.push(value{kind: kindString, str: m.text.String()})
}

// remember runs the opcodes of the memo.
func (m *machine) remember(op byte) error {
	switch op {
	case opMemoize:
		return m.put(uint64(len(m.memo.entries)))
	case opPut, opLongPut:
		i, err := m.uint(map[byte]int{opPut: 1, opLongPut: 4}[op])
		if err != nil {
			return err
		}
		return m.put(i)
	}
	i, err := m.uint(map[byte]int{opGet: 1, opLongGet: 4}[op])
	if err != nil {
		return err
	}
	if err := m.settle(); err != nil {
		return err
	}
	v, ok := m.memo.get(i)
	if !ok || v.kind != kindString {
		return malformed("it refers to entry %d, which is no string", i)
	}
	return m.push(v)
}

func (m *machine) put(i uint64) error {
	if len(m.stack) == 0 || i != uint64(len(m.memo.entries)) {
		return malformed("its memo is out of order")
	}
	top := &m.stack[len(m.stack)-1]
	if top.kept {
		return malformed("it notes one value twice")
	}
	top.kept = true
	m.memo.add(*top)
	return nil
}

// uint reads a little-endian number of some bytes.
func (m *machine) uint(width int) (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(m.r, b[:width]); err != nil {
		return 0, cut(err)
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

// cut says that a pickle ends too early; other read errors stay themselves.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("it ends in the middle")
	}
	return err
}
