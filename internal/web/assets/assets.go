// Package assets holds what the pages of the web UI refer to: the style, the scripts,
// the fonts and the icons, all of them inside the program.
//
// Start from [URL], the address of a file, and [Handler], which serves them. The address
// of a file has a digest of what is in it, so that browsers keep it for ever and never
// show an old one; a small file and its compressed form are made once, when the first
// page asks for them.
//
// The style is the files of style/ and pages/, one after the other; it is one file for
// browsers. It refers to
// the fonts as url(font:NAME). Fonts are under the SIL Open Font License (fonts/*.OFL.txt),
// the icons under the ISC license (icons.LICENSE.txt), htmx under the Zero-Clause BSD
// license (htmx.LICENSE.txt).
package assets

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// Root is where the files are served.
const Root = "/assets/"

//go:embed style/*.css app.js htmx.min.js hx-sse.min.js icons.svg favicon.svg fonts/*.woff2 pages/*.css
var files embed.FS

// Names of the files.
const (
	Style   = "style.css"
	App     = "app.js"
	HTMX    = "htmx.min.js"
	SSE     = "hx-sse.min.js"
	Icons   = "icons.svg"
	Favicon = "favicon.svg"
)

// parts are the files of the style that all pages have, in their order.
var parts = []string{"tokens", "base", "frame", "controls", "pieces", "tables", "work", "modes"}

// A file is one of them, as it is sent.
type file struct {
	body, packed []byte // packed is empty where it would not be smaller
	url, kind    string
}

var all = sync.OnceValue(load)

// URL gives the address of a file, for whoever refers to it; empty if there is none.
func URL(name string) string { return all()[name].url }

// load makes every file ready to be sent.
func load() map[string]file {
	out := map[string]file{}
	add := func(name string, body []byte) {
		sum := sha256.Sum256(body)
		f := file{body: body, url: Root + name + "?v=" + hex.EncodeToString(sum[:6]), kind: kindOf(name)}
		if packed := pack(body); len(packed) < len(body)*9/10 {
			f.packed = packed
		}
		out[name] = f
	}
	fonts := names("fonts/*.woff2")
	replace := make([]string, 0, 2*len(fonts))
	for _, name := range fonts {
		short := path.Base(name)
		add(short, read(name))
		replace = append(replace, "url(font:"+strings.TrimSuffix(short, ".woff2")+")", "url("+out[short].url+")")
	}
	for _, name := range []string{App, HTMX, SSE, Icons, Favicon} {
		add(name, read(name))
	}
	var style bytes.Buffer
	for _, part := range parts {
		style.Write(read("style/" + part + ".css"))
	}
	for _, name := range names("pages/*.css") {
		style.Write(read(name))
	}
	add(Style, []byte(strings.NewReplacer(replace...).Replace(style.String())))
	return out
}

// Handler serves the files at Root.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := all()[strings.TrimPrefix(r.URL.Path, Root)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", f.kind)
		// Who asks by the digest gets what it is of, for ever; others ask again.
		if f.url == r.URL.Path+"?"+r.URL.RawQuery {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		body := f.body
		if len(f.packed) > 0 {
			h.Add("Vary", "Accept-Encoding")
			if accepts(r.Header.Get("Accept-Encoding")) {
				h.Set("Content-Encoding", "gzip")
				body = f.packed
			}
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method != http.MethodHead {
			_, _ = w.Write(body) // whoever does not read it is gone
		}
	})
}

// accepts tells whether a client understands gzip.
func accepts(header string) bool {
	return slices.ContainsFunc(strings.Split(header, ","), func(one string) bool {
		coding, quality, _ := strings.Cut(strings.ReplaceAll(one, " ", ""), ";q=")
		return coding == "gzip" && strings.Trim(quality, "0.") != "" || coding == "gzip" && quality == ""
	})
}

func kindOf(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "font/woff2"
}

func pack(body []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is one of its own
	}
	_, _ = w.Write(body) // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

func names(pattern string) []string {
	out, err := fs.Glob(files, pattern)
	if err != nil {
		panic(err) // the pattern is ours
	}
	return out
}

func read(name string) []byte {
	body, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return body
}
