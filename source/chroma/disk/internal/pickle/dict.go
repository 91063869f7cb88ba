package pickle

import (
	"slices"
)

// fieldOfNewDict tells which field a dict that is about to be pushed belongs
// to: the key under it on the stack. The outermost dict has none.
func (m *machine) fieldOfNewDict() string {
	n := len(m.stack)
	if n == 0 || m.stack[n-1].kind != kindString {
		return ""
	}
	return m.stack[n-1].str
}

// setItems ends a run of pairs behind a mark: those not yet handed on are the
// last one and, in the outermost dict, the maps themselves.
func (m *machine) setItems() error {
	i := len(m.stack) - 1
	for i >= 0 && m.stack[i].kind != kindMark {
		i--
	}
	if i < 1 || m.stack[i-1].kind != kindDict || (len(m.stack)-i-1)%2 != 0 {
		return malformed("pairs without a dict")
	}
	for pairs := range slices.Chunk(m.stack[i+1:], 2) {
		if err := m.pair(m.stack[i-1].str, pairs[0], pairs[1]); err != nil {
			return err
		}
	}
	m.stack = m.stack[:i]
	return nil
}

// setItem sets a single pair without a mark.
func (m *machine) setItem() error {
	n := len(m.stack)
	if n < 3 || m.stack[n-3].kind != kindDict {
		return malformed("a pair without a dict")
	}
	if err := m.pair(m.stack[n-3].str, m.stack[n-2], m.stack[n-1]); err != nil {
		return err
	}
	m.stack = m.stack[:n-2]
	return nil
}

// pair hands on one pair of the dict that was pushed for a field.
func (m *machine) pair(dict string, k, v value) error {
	switch dict {
	case "":
		return m.field(k, v)
	case fieldIDs:
		if k.kind != kindString || v.kind != kindInt || v.num < 0 {
			return malformed("%s holds something else than a string and a label", dict)
		}
		m.index.IDs++
		if m.visit.ID == nil {
			return nil
		}
		return m.visit.ID(k.str, uint64(v.num))
	case fieldLabels:
		if k.kind != kindInt || k.num < 0 || v.kind != kindString {
			return malformed("%s holds something else than a label and a string", dict)
		}
		m.index.Labels++
		if m.visit.Label == nil {
			return nil
		}
		return m.visit.Label(uint64(k.num), v.str)
	case fieldSeqIDs:
		return nil // positions in the log, of no use to a reader
	}
	return malformed("it has a dict of name %q", dict)
}

// field takes one field of the index itself.
func (m *machine) field(k, v value) error {
	if k.kind != kindString {
		return malformed("a field has no name")
	}
	switch k.str {
	case fieldDimension:
		if v.kind == kindInt && v.num >= 0 && v.num <= 1<<24 {
			m.index.Dimension = int(v.num)
		} else if v.kind != kindNone {
			return malformed("%s is no dimension", k.str)
		}
	case fieldTotal:
		if v.kind != kindInt || v.num < 0 {
			return malformed("%s is no count", k.str)
		}
		m.index.Total = uint64(v.num)
	case fieldMaxSeqID:
		if v.kind == kindInt {
			m.index.MaxSeqID = new(v.num)
		} else if v.kind != kindNone {
			return malformed("%s is no position", k.str)
		}
	case fieldIDs, fieldLabels, fieldSeqIDs:
		if v.kind != kindDict || v.str != k.str {
			return malformed("%s is no map", k.str)
		}
		m.seenIDs = m.seenIDs || k.str == fieldIDs
		m.seenLabels = m.seenLabels || k.str == fieldLabels
	}
	return nil // later fields of simple values mean nothing to a reader
}
