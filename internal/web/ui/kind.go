package ui

import (
	"maps"

	"github.com/a-h/templ"
)

// A Kind tells how much a button asks for.
type Kind string

// The kinds of button. A page has one primary action; danger is red, and only where
// something is lost by it.
const (
	Primary Kind = "primary"
	Plain   Kind = "plain"
	Danger  Kind = "danger"
	Quiet   Kind = "quiet"
)

// toneIcons are the shapes that tell a tone to whoever does not see its colour.
var toneIcons = map[Tone]string{Calm: "info", Good: "circle-check", Warn: "triangle-alert", Bad: "octagon-alert"}

// withDefault gives attributes with one more, unless they have it already.
func withDefault(attrs templ.Attributes, name string, value any) templ.Attributes {
	if _, ok := attrs[name]; ok {
		return attrs
	}
	out := maps.Clone(attrs)
	if out == nil {
		out = templ.Attributes{}
	}
	out[name] = value
	return out
}

// mirrored are the icons that point along the line of reading.
var mirrored = map[string]bool{
	"arrow-left": true, "arrow-right": true, "chevron-left": true, "chevron-right": true,
	"external-link": true, "list": true, "log-out": true, "rotate-ccw": true, "send": true,
	"skip-forward": true, "undo-2": true, "file-text": true,
}
