package pickle

import (
	"strings"
)

// class takes the name of a class, from two lines or from the stack, and
// refuses all but one.
func (m *machine) class(op byte) error {
	var module, name string
	if op == opGlobal {
		var err error
		if module, err = m.line(); err != nil {
			return err
		}
		if name, err = m.line(); err != nil {
			return err
		}
	} else {
		n := len(m.stack)
		if n < 2 || m.stack[n-1].kind != kindString || m.stack[n-2].kind != kindString {
			return malformed("a class without a name")
		}
		module, name = m.stack[n-2].str, m.stack[n-1].str
		m.stack = m.stack[:n-2]
	}
	if module != classModule || name != className {
		return malformed("it names the class %.80q, which no index needs", module+"."+name)
	}
	return m.push(value{kind: kindClass})
}

func (m *machine) line() (string, error) {
	var b strings.Builder
	for b.Len() < maxNameOfOneClass {
		c, err := m.r.ReadByte()
		if err != nil {
			return "", cut(err)
		}
		if c == '\n' {
			return b.String(), nil
		}
		b.WriteByte(c)
	}
	return "", malformed("the name of a class has no end")
}

// newObject makes the object of a class and no arguments.
func (m *machine) newObject() error {
	n := len(m.stack)
	if n < 2 || m.stack[n-1].kind != kindTuple || m.stack[n-2].kind != kindClass {
		return malformed("an object without a class")
	}
	m.stack = m.stack[:n-2]
	return m.push(value{kind: kindObject})
}

// build gives an object its state; the fields were taken when the dict of the
// state was filled.
func (m *machine) build() error {
	n := len(m.stack)
	if n < 2 || m.stack[n-1].kind != kindDict || m.stack[n-1].str != "" || m.stack[n-2].kind != kindObject {
		return malformed("an object without a state")
	}
	m.stack = m.stack[:n-1]
	return nil
}
