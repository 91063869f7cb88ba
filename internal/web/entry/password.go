package entry

import (
	"errors"
	"net/http"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// A Password is what the page of the password shows.
type Password struct {
	First      bool   // there is none yet, and the reader may set it
	Elsewhere  bool   // there is none yet, and it is set on the machine itself
	Configured bool   // it is that of serve.password
	Wrong      bool   // the present one was not the right one
	Fault      string // of the new one: a word of the catalogue
	Differ     bool   // it was not typed the same twice
	Wait       int    // seconds
}

func passwordModel(v *site.Visit) Password {
	a := v.Site.Access
	m := Password{Configured: a.PasswordConfigured()}
	if !a.HasPassword() {
		local := access.CallerOf(v.Context()).Name == access.Local
		m.First, m.Elsewhere = local, !local
	}
	return m
}

func (m Password) title() string {
	if m.First {
		return "entry.password.first"
	}
	return "entry.password.change"
}

func showPassword(v *site.Visit) error { return renderPassword(v, http.StatusOK, passwordModel(v)) }

func renderPassword(v *site.Visit, status int, m Password) error {
	return v.Render(status, PasswordView(v.Page("settings", v.L.T(m.title())), m))
}

func changePassword(v *site.Visit) error {
	form, err := v.Form()
	if err != nil {
		return err
	}
	m := passwordModel(v)
	fresh := form.Get("new")
	m.Fault, m.Differ = fault(fresh), fresh != form.Get("again")
	if m.Fault != "" || m.Differ {
		return renderPassword(v, http.StatusUnprocessableEntity, m)
	}
	err = v.Site.Access.ChangePassword(v.W, v.R, form.Get("present"), fresh)
	switch wait, late := access.RetryAfter(err); {
	case late:
		m.Wait = wait
		v.W.Header().Set("Retry-After", text(wait))
		return renderPassword(v, http.StatusTooManyRequests, m)
	case errors.Is(err, access.ErrUnauthorized) && !errors.Is(err, access.ErrClosed):
		m.Wrong = true
		return renderPassword(v, http.StatusUnprocessableEntity, m)
	case errors.Is(err, holdfast.ErrUsage):
		m.Fault = "entry.password.bad"
		return renderPassword(v, http.StatusUnprocessableEntity, m)
	case err != nil:
		return err
	}
	tone := ui.Good
	if strengthOf(fresh) == weak {
		tone = ui.Warn
	}
	v.Notice(tone, "entry.password.set."+string(strengthOf(fresh)))
	return v.Redirect("/")
}

// fault is what is wrong with a new password; nothing if it may be one.
func fault(password string) string {
	switch {
	case password == "":
		return "entry.password.empty"
	case config.CheckPassword(password) == nil:
		return ""
	case len([]rune(password)) < config.LeastPassword:
		return "entry.password.short"
	}
	return "entry.password.bad"
}
