package site

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

func TestNotices_AreSaidOnceInTheLanguageOfTheNextPage(t *testing.T) {
	h := newSite(t, func(s *Site) {
		s.Get("/page", reads, page)
		s.Post("/do", reads, func(v *Visit) error {
			v.Notice(ui.Good, "frame.caller", "name", `<script>"x"</script>`)
			v.Undo("/jobs/20261122T092955000-K7Q2M9XA/cancel?back=%2F", ui.Calm, "frame.total", "n", int64(3))
			return v.Redirect("/page")
		})
	})
	left := ask(h, "POST", "/do", "a=b", "X-Scopes", "read").Result().Cookies()
	last := left[len(left)-1] // of several of one name browsers keep the last
	if strings.ContainsAny(last.Value, `<>"; `) {
		t.Errorf("the cookie is %q", last.Value)
	}
	// A part of the page that renews itself leaves it to the next page.
	part := ask(h, "GET", "/strip", "", "X-Scopes", "read", "HX-Request", "true", "Cookie", last.Name+"="+last.Value)
	if len(part.Result().Cookies()) != 0 {
		t.Errorf("a part of a page took the notices: %v", part.Header())
	}
	w := ask(h, "GET", "/page", "", "X-Scopes", "read", "Accept-Language", "th", "Cookie", last.Name+"="+last.Value)
	text := w.Body.String()
	th := locale.Of(locale.Thai)
	for _, want := range []string{th.N("frame.total", 3), `action="/jobs/20261122T092955000-K7Q2M9XA/cancel?back=%2F"`, "&lt;script&gt;", `class="notice tone-good"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if gone := w.Result().Cookies(); len(gone) != 1 || gone[0].Name != noticeCookie || gone[0].MaxAge >= 0 {
		t.Errorf("the notices are not forgotten: %v", gone)
	}
}

func TestNotices_OfAStrangerSayNothing(t *testing.T) {
	h := newSite(t, func(s *Site) { s.Get("/page", reads, page) })
	for name, value := range map[string]string{
		"no encoding":     "!!!",
		"no JSON":         base64.RawURLEncoding.EncodeToString([]byte("[{")),
		"another object":  base64.RawURLEncoding.EncodeToString([]byte(`{"t":"good"}`)),
		"no such id":      base64.RawURLEncoding.EncodeToString([]byte(`[{"t":"good","i":"you.won"}]`)),
		"no such tone":    base64.RawURLEncoding.EncodeToString([]byte(`[{"t":"\" onload","i":"frame.copied"}]`)),
		"leads elsewhere": base64.RawURLEncoding.EncodeToString([]byte(`[{"t":"good","i":"frame.copied","u":"//evil.example/"}]`)),
		"too long":        base64.RawURLEncoding.EncodeToString([]byte(`[{"t":"good","i":"frame.copied","u":"/` + strings.Repeat("a", noticesBytes) + `"}]`)),
	} {
		w := ask(h, "GET", "/page", "", "X-Scopes", "read", "Cookie", noticeCookie+"="+value)
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), `class="notice`) {
			t.Errorf("%s: %d, and the page says something", name, w.Code)
		}
	}
}

// Other programs under this host name can write the cookie, and whoever presses the button
// posts as himself.
func TestNotices_OfAStrangerTakeNothingBackButAJob(t *testing.T) {
	h := newSite(t, func(s *Site) { s.Get("/page", reads, page) })
	for _, path := range []string{
		"/auto", "/recover", "/backups/monday/delete", "/backups/monday/unpin", "/logout/everywhere", "/jobs/cancel", "/jobs//cancel",
		"/jobs/../auto?/cancel", "/jobs/..%2f..%2fauto%3f/cancel", "/jobs/x/../../auto/cancel", "/auto?/jobs/X/cancel", "/jobs/X/cancel/../../../auto", "/jobs/X/cancel#/",
	} {
		value := base64.RawURLEncoding.EncodeToString([]byte(`[{"t":"good","i":"frame.copied","u":"` + path + `"}]`))
		w := ask(h, "GET", "/page", "", "X-Scopes", "read", "Cookie", noticeCookie+"="+value)
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), `class="notice`) {
			t.Errorf("%s: %d, and there is a button for it", path, w.Code)
		}
	}
}

func FuzzNotices(f *testing.F) {
	f.Add("W3sidCI6Imdvb2QiLCJpIjoiZnJhbWUuY29waWVkIn1d")
	f.Add("!!!")
	f.Fuzz(func(t *testing.T, value string) {
		r, err := http.NewRequest(http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: noticeCookie, Value: value})
		v := &Visit{W: discard{http.Header{}}, R: r, L: locale.Of(locale.English)}
		for _, n := range v.takeNotices() {
			if n.Text == "" || n.Undo != "" && Local(n.Undo, "") != n.Undo {
				t.Errorf("it says %+v", n)
			}
		}
	})
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}
