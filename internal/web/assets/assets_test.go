package assets

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, url string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, url, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, r *http.Response) []byte {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestHandler_KeepsForEverWhatIsAskedForByItsDigest(t *testing.T) {
	for name := range all() {
		r := get(t, URL(name))
		if r.StatusCode != http.StatusOK || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %s, Cache-Control %q", name, r.Status, r.Header.Get("Cache-Control"))
		}
		if r.Header.Get("Content-Type") != kindOf(name) {
			t.Errorf("%s is %s", name, r.Header.Get("Content-Type"))
		}
	}
	for _, url := range []string{Root + Style, Root + Style + "?v=000000000000"} {
		if r := get(t, url); r.StatusCode != http.StatusOK || strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %s, Cache-Control %q", url, r.Status, r.Header.Get("Cache-Control"))
		}
	}
	if r := get(t, Root+"assets.go"); r.StatusCode != http.StatusNotFound {
		t.Errorf("a file that is none of them: %s", r.Status)
	}
}

func TestHandler_PacksForWhoUnpacks(t *testing.T) {
	plain := bodyOf(t, get(t, URL(Style)))
	for accept, packed := range map[string]bool{
		"gzip": true, "br, gzip;q=0.5": true, "deflate, gzip": true,
		"": false, "br": false, "gzip;q=0": false, "gzip;q=0.0": false, "x-gzip": false,
	} {
		r := get(t, URL(Style), "Accept-Encoding", accept)
		if got := r.Header.Get("Content-Encoding") == "gzip"; got != packed {
			t.Errorf("Accept-Encoding %q: packed %v", accept, got)
			continue
		}
		body := bodyOf(t, r)
		if packed {
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(body, plain) {
			t.Errorf("Accept-Encoding %q: another file", accept)
		}
	}
}

// TestBudget_ColdPage holds what a first visit loads, beside the page itself.
func TestBudget_ColdPage(t *testing.T) {
	const budget = 180 << 10
	sent := 0
	for name, f := range all() {
		if name == "noto-sans-thai.woff2" { // a page needs this or the larger Persian one
			continue
		}
		if len(f.packed) > 0 {
			sent += len(f.packed)
		} else {
			sent += len(f.body)
		}
	}
	if sent > budget {
		t.Errorf("a first visit loads %d bytes, more than %d", sent, budget)
	}
	if size := len(read(App)); size > 7<<10 {
		t.Errorf("the script has %d bytes", size)
	}
}

// styles are the files of the style, and what is in them.
func styles() map[string]string {
	out := map[string]string{}
	for _, name := range append(names("style/*.css"), names("pages/*.css")...) {
		out[name] = comment.ReplaceAllString(string(read(name)), "")
	}
	return out
}

var (
	comment  = regexp.MustCompile(`(?s)/\*.*?\*/`)
	physical = regexp.MustCompile(`(?m)(^|[\s;{])((margin|padding|border|inset)-(left|right|top|bottom)(-[a-z]+)?|left|right|top|bottom|(min-|max-)?(width|height)|border-(top|bottom)-(left|right)-radius)\s*:|(text-align|float|clear)\s*:\s*(left|right)`)
	colour   = regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b|\b(rgb|hsl|oklch|lab)a?\(`)
	typeSize = regexp.MustCompile(`font-size:\s*([^;]+);`)
	custom   = regexp.MustCompile(`var\((--[a-z0-9-]+)`)
	defined  = regexp.MustCompile(`(?m)^\s*(--[a-z0-9-]+)\s*:`)
)

// TestStyle_KnowsNoSides keeps pages right in both directions of reading.
func TestStyle_KnowsNoSides(t *testing.T) {
	for name, text := range styles() {
		for _, found := range physical.FindAllString(text, -1) {
			t.Errorf("%s: %q is not logical", name, strings.TrimSpace(found))
		}
	}
}

func TestStyle_UsesTokens(t *testing.T) {
	known := map[string]bool{}
	for _, text := range styles() {
		for _, m := range defined.FindAllStringSubmatch(text, -1) {
			known[m[1]] = true
		}
	}
	for name, text := range styles() {
		for _, m := range custom.FindAllStringSubmatch(text, -1) {
			if !known[m[1]] {
				t.Errorf("%s: there is no token %s", name, m[1])
			}
		}
		if path.Base(name) == "tokens.css" {
			continue
		}
		for _, found := range colour.FindAllString(text, -1) {
			t.Errorf("%s names the colour %s itself", name, found)
		}
		for _, m := range typeSize.FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(m[1], "var(--t-") && m[1] != "inherit" && m[1] != "100%" {
				t.Errorf("%s: font-size %s is not of the scale", name, m[1])
			}
		}
	}
}

func TestStyle_LeadsOnlyToFilesThatAreThere(t *testing.T) {
	for _, m := range regexp.MustCompile(`url\(([^)]+)\)`).FindAllStringSubmatch(string(all()[Style].body), -1) {
		if r := get(t, m[1]); r.StatusCode != http.StatusOK || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %s", m[1], r.Status)
		}
	}
}
