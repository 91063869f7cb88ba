package ui

import (
	"cmp"

	"github.com/a-h/templ"
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
