package engine

import (
	"bytes"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/holdfast-backup/holdfast"
)

// roundingTolerance is by how much a number of an embedding may differ, of the largest
// of the two embeddings, to be the same number that was rounded otherwise: a server that
// keeps cosine vectors normalized gives them back so.
const roundingTolerance = 1e-5

// sameFields tells whether two rows of a table hold the same, and whether that is only so
// because embeddings were rounded.
func (p pair) sameFields(a, b []holdfast.Field) (same, rounded bool) {
	for i := range a {
		other := p.counterpart(b, a[i].Name, i)
		if other == nil {
			return false, false
		}
		equal, close := sameValue(a[i].Value, other.Value)
		if !equal || a[i].Length != other.Length {
			return false, false
		}
		rounded = rounded || close
	}
	for i := range b {
		// What both have was compared.
		if fieldAt(a, b[i].Name, i) == nil && !p.means(b[i]) {
			return false, false
		}
	}
	return true, rounded
}

// counterpart is the field of the other row, or what stands for it where it is not.
func (p pair) counterpart(fields []holdfast.Field, name string, at int) *holdfast.Field {
	if f := fieldAt(fields, name, at); f != nil {
		return f
	}
	if p.table().Kind == holdfast.KindTable {
		return &holdfast.Field{Name: name}
	}
	return nil
}

// means tells that a field which the other row has not means as much as none: in a table
// a new column is NULL where nobody has written it, and the change of the schema is told.
func (p pair) means(f holdfast.Field) bool {
	return p.table().Kind == holdfast.KindTable && f.Value == nil && f.Length == 0
}

// fieldAt is the field of a name, which is most likely at a place.
func fieldAt(fields []holdfast.Field, name string, at int) *holdfast.Field {
	if at < len(fields) && fields[at].Name == name {
		return &fields[at]
	}
	return fieldNamed(fields, name)
}

func fieldNamed(fields []holdfast.Field, name string) *holdfast.Field {
	i := slices.IndexFunc(fields, func(f holdfast.Field) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return &fields[i]
}

// sameValue compares values with their types: 2 and 2.0 differ.
func sameValue(a, b any) (same, rounded bool) {
	switch x := a.(type) {
	case nil:
		return b == nil, false
	case []byte:
		y, ok := b.([]byte)
		return ok && bytes.Equal(x, y), false
	case []float32:
		y, ok := b.([]float32)
		if !ok {
			return false, false
		}
		return sameVector(x, y)
	case float64:
		y, ok := b.(float64)
		return ok && math.Float64bits(x) == math.Float64bits(y), false
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, func(p, q any) bool { same, _ := sameValue(p, q); return same }), false
	case string, int64, bool:
		return a == b, false
	}
	return false, false // no source gives anything else
}

// sameVector compares embeddings bit by bit first, and then as numbers.
func sameVector(a, b []float32) (same, rounded bool) {
	if len(a) != len(b) {
		return false, false
	}
	identical := slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
	if identical {
		return true, false
	}
	var largest float64
	for i := range a {
		largest = max(largest, math.Abs(float64(a[i])), math.Abs(float64(b[i])))
	}
	for i := range a {
		// What is no number is the same as nothing else.
		if !(math.Abs(float64(a[i])-float64(b[i])) <= roundingTolerance*largest) {
			return false, false
		}
	}
	return true, true
}

// fields are those of a matched row that differ.
func (d *differ) fields(p pair, m matched) []DiffField {
	var before, after []holdfast.Field
	if m.before != nil {
		before = m.before.Fields
	}
	if m.after != nil {
		after = m.after.Fields
	}
	both := m.before != nil && m.after != nil
	var out []DiffField
	for i := range before {
		other := fieldAt(after, before[i].Name, i)
		if both && other == nil && p.means(before[i]) {
			continue
		}
		if other != nil {
			if same, _ := sameValue(before[i].Value, other.Value); same && before[i].Length == other.Length {
				continue
			}
		}
		out = append(out, DiffField{Name: before[i].Name, Before: d.cut(&before[i]), After: d.cut(other)})
	}
	for i := range after {
		if fieldAt(before, after[i].Name, i) == nil && !(both && p.means(after[i])) {
			out = append(out, DiffField{Name: after[i].Name, After: d.cut(&after[i])})
		}
	}
	return out
}

// cut shortens a value to what is to be told of it.
func (d *differ) cut(f *holdfast.Field) *holdfast.Field {
	if f == nil {
		return nil
	}
	short := *f
	switch v := f.Value.(type) {
	case string:
		if d.req.MaxValue > 0 && len(v) > d.req.MaxValue {
			short.Value, short.Length = wholeRunes(v, d.req.MaxValue), int64(len(v))
		}
	case []byte:
		if d.req.MaxValue > 0 && len(v) > d.req.MaxValue {
			short.Value, short.Length = v[:d.req.MaxValue], int64(len(v))
		}
	case []float32:
		if !d.req.Vectors {
			short.Value, short.Length = nil, int64(len(v))
		}
	}
	return &short
}

// wholeRunes gives the first n bytes of a text, or a few less where they would end inside
// a character.
func wholeRunes(s string, n int) string {
	for back := range min(n, utf8.UTFMax) {
		if utf8.RuneStart(s[n-back]) {
			return s[:n-back]
		}
	}
	return s[:n]
}
