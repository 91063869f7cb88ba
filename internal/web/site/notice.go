package site

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// noticeCookie carries what the next page says once. It holds ids of sentences and
// what is named in them, never text that becomes markup.
const noticeCookie = "hf_notice"

// Bounds of the cookie.
const (
	mostNotices  = 3
	noticesBytes = 3 << 10
)

// A notice is a sentence that has not been said yet.
type notice struct {
	Tone ui.Tone    `json:"t"`
	ID   string     `json:"i"`
	Args []argument `json:"a,omitempty"`
	N    *int64     `json:"n,omitempty"` // it counts
	Undo string     `json:"u,omitempty"` // the cancellation of a job, to post to
}

// An argument is a place of a sentence, and what stands there.
type argument struct {
	Name  string `json:"k"`
	Value string `json:"v"`
	Said  bool   `json:"s,omitempty"` // made by a locale
}

// Notice says a sentence on the next page: what became of this visit. Args are names
// and values as [locale.Locale.T] has them; a number called n makes it one that counts.
func (v *Visit) Notice(tone ui.Tone, id string, args ...any) { v.Undo("", tone, id, args...) }

// Undo says a sentence on the next page, with a button that posts to a path and takes
// back what was done. The path is the cancellation of a job: no other is shown.
func (v *Visit) Undo(path string, tone ui.Tone, id string, args ...any) {
	n := notice{Tone: tone, ID: id, Undo: path}
	for i := 0; i+1 < len(args); i += 2 {
		name := fmt.Sprint(args[i])
		switch value := args[i+1].(type) {
		case int:
			n.N = new(int64(value))
		case int64:
			n.N = &value
		case locale.Said:
			n.Args = append(n.Args, argument{name, string(value), true})
		default:
			n.Args = append(n.Args, argument{name, fmt.Sprint(value), false})
		}
	}
	v.notices = append(v.notices, n)
	if len(v.notices) > mostNotices {
		v.notices = v.notices[len(v.notices)-mostNotices:]
	}
	text, err := json.Marshal(v.notices)
	if err != nil || len(text) > noticesBytes {
		return // a notice that does not fit is not worth a failure: the page itself shows the state
	}
	v.remember(noticeCookie, base64.RawURLEncoding.EncodeToString(text), 0)
}

// takeNotices says what the last visit left, and forgets it.
func (v *Visit) takeNotices() []ui.Notice {
	value := cookie(v.R, noticeCookie)
	if value == "" {
		return nil
	}
	v.remember(noticeCookie, "", -1)
	var left []notice
	text, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(text) > noticesBytes || json.Unmarshal(text, &left) != nil {
		return nil // not ours
	}
	var out []ui.Notice
	for _, n := range left[:min(len(left), mostNotices)] {
		if said, ok := n.say(v.L); ok {
			out = append(out, said)
		}
	}
	return out
}

// say puts a notice into the reader's words; false if it is none of ours.
func (n notice) say(l *locale.Locale) (out ui.Notice, ok bool) {
	switch n.Tone {
	case ui.Calm, ui.Good, ui.Warn, ui.Bad:
	default:
		return out, false
	}
	if !l.Has(n.ID) || n.Undo != "" && !takesBack(n.Undo) {
		return out, false
	}
	args := make([]any, 0, 2*len(n.Args))
	for _, a := range n.Args {
		if a.Said && !strings.ContainsAny(a.Value, "\u2066\u2067\u2068\u2069") {
			args = append(args, a.Name, locale.Said(a.Value))
			continue
		}
		args = append(args, a.Name, a.Value)
	}
	out = ui.Notice{Tone: n.Tone, Undo: n.Undo}
	if n.N != nil {
		out.Text = l.N(n.ID, *n.N, args...)
	} else {
		out.Text = l.T(n.ID, args...)
	}
	return out, true
}

// takesBack tells whether a path cancels a job. Programs on other ports of this host can
// write our cookies, and what is pressed on our page is posted as ours: a button that
// says Undo must not do anything else.
func takesBack(path string) bool {
	if Local(path, "") == "" {
		return false
	}
	path, _, _ = strings.Cut(path, "?")
	id, found := strings.CutPrefix(path, "/jobs/")
	id, ends := strings.CutSuffix(id, "/cancel")
	return found && ends && id != "" && !strings.ContainsFunc(id, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z')
	})
}
