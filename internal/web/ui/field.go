package ui

import (
	"cmp"
	"strings"
	"unicode"

	"github.com/a-h/templ"
	"golang.org/x/text/unicode/norm"
)

// An InputModel is what an input is made of.
type InputModel struct {
	ID    string
	Name  string // the id, if it is empty
	Value string
	Type  string // text, if it is empty
	// Err is what is wrong with a box.
	Err   string
	Attrs templ.Attributes
}

func (in InputModel) name() string { return cmp.Or(in.Name, in.ID) }
func (in InputModel) kind() string { return cmp.Or(in.Type, "text") }

// value is that of a box: what its form sends if it is ticked.
func (in InputModel) value() string { return cmp.Or(in.Value, "true") }

// An Option is a line of a choice.
type Option struct{ Value, Label string }

// FieldAttrs tie an input to its label, its hint and its error.
func FieldAttrs(id, hint, err string) templ.Attributes {
	out := templ.Attributes{"id": id}
	switch {
	case err != "" && hint != "":
		out["aria-describedby"] = id + "-error " + id + "-hint"
	case err != "":
		out["aria-describedby"] = id + "-error"
	case hint != "":
		out["aria-describedby"] = id + "-hint"
	}
	if err != "" {
		out["aria-invalid"] = "true"
	}
	return out
}

func confirmAttrs(err string) templ.Attributes {
	if err == "" {
		return nil
	}
	return templ.Attributes{"aria-describedby": "confirm-error", "aria-invalid": "true"}
}

// Confirmed tells whether somebody has typed the name that [Confirm] asks for, as his
// keyboard writes it: in another form of Unicode, with digits of his script, the Arabic
// form of a Persian letter, or without what nobody sees. The script does the same.
func Confirmed(typed, name string) bool { return asTyped(typed) == asTyped(name) }

// asTyped gives a name without what keyboards write differently.
func asTyped(name string) string {
	seen := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) { // joiners and marks of direction
			return -1
		}
		return r
	}, strings.TrimSpace(name))
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '٠' && r <= '٩', r >= '۰' && r <= '۹', r >= '๐' && r <= '๙':
			return '0' + r&15 // each begins where 16 divides it
		case r == 'ي', r == 'ى':
			return 'ی'
		case r == 'ك':
			return 'ک'
		}
		return r
	}, norm.NFC.String(seen))
}
