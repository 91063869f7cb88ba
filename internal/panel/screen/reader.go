package screen

import (
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/locale"
)

// A Reader is who looks at a screen, and when.
type Reader struct {
	L   *locale.Locale
	Now time.Time
}

// page begins the text of a screen.
func (r Reader) page() *page { return &page{l: r.L} }

// ago tells how long ago something was.
func (r Reader) ago(t time.Time) locale.Said { return locale.Said(r.L.Ago(t, r.Now)) }

// moment tells when something was in the reader's calendar, and as machines write it.
func (r Reader) moment(t time.Time) marked {
	return row(text(r.L.Date(t, time.UTC)), code(t.UTC().Format(iso)), text(string(r.ago(t))))
}

// iso is how a moment is written for people who compare.
const iso = "2006-01-02 15:04 UTC"

// bytes is a size.
func (r Reader) bytes(n int64) marked { return text(isolated(r.L.Bytes(n))) }

// size is a size in a sentence.
func (r Reader) size(n int64) locale.Said { return locale.Said(isolated(r.L.Bytes(n))) }

// isolated keeps what the program wrote in Latin letters together.
func isolated(s string) string { return firstStrong + s + popIsolate }

// button is a button with a picture.
func (r Reader) button(icon, id string, a Action) Button {
	return Button{Label: icon + " " + r.L.T(id), Data: a.String()}
}

// records counts what a source holds, by the name of what it is.
func (r Reader) records(k holdfast.Kind, n int64) marked {
	switch k {
	case holdfast.KindFiles:
		return text(r.L.N("overview.files", n))
	case holdfast.KindSQLite:
		return text(r.L.N("overview.rows", n))
	}
	return text(r.L.N("overview.records", n))
}

// draw is the moment that buttons of a screen bear: of the second in which it is drawn.
func (r Reader) draw() time.Time { return r.Now.UTC().Truncate(time.Second) }
