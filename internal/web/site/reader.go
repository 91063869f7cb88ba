package site

import (
	"net/http"
	"time"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/locale"
)

// The cookies of a reader's preferences. The zone is written by the script, which knows
// it; the others by the form of the header.
const (
	languageCookie = "hf_lang"
	themeCookie    = "hf_theme"
	zoneCookie     = "hf_zone"
)

// preferencesLast is how long a browser keeps them.
const preferencesLast = 400 * 24 * time.Hour

// language is that of the reader: the one that was chosen, or what the browser asks for.
func language(r *http.Request) *locale.Locale {
	return locale.Of(locale.Match(cookie(r, languageCookie), r.Header.Get("Accept-Language")))
}

// zone is the time zone of the reader, or that of the machine.
func zone(r *http.Request) *time.Location {
	name := cookie(r, zoneCookie)
	if name == "" || len(name) > 64 {
		return time.Local
	}
	if at, err := time.LoadLocation(name); err == nil {
		return at
	}
	return time.Local
}

// theme is light, dark, or empty.
func theme(r *http.Request) string {
	switch chosen := cookie(r, themeCookie); chosen {
	case "light", "dark":
		return chosen
	}
	return ""
}

func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// setPreferences keeps what the form of the header chose, and goes back.
func setPreferences(v *Visit) error {
	access.Note(v.Context(), access.Facts{Private: true})
	form, err := v.Form()
	if err != nil {
		return err
	}
	for _, lang := range locale.Languages() {
		if form.Get("lang") == string(lang) {
			v.remember(languageCookie, string(lang), preferencesLast)
		}
	}
	switch chosen := form.Get("theme"); chosen {
	case "light", "dark":
		v.remember(themeCookie, chosen, preferencesLast)
	case "system":
		v.remember(themeCookie, "", -1)
	}
	return v.Redirect(Local(form.Get("back"), "/"))
}

// remember sets a cookie that no script reads; a negative time removes it.
func (v *Visit) remember(name, value string, last time.Duration) {
	c := &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(last.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: v.R.TLS != nil,
	}
	if last < 0 {
		c.MaxAge = -1
	}
	http.SetCookie(v.W, c)
}
