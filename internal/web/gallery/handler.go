package gallery

import (
	"bytes"
	"net/http"

	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/web/assets"
	"github.com/holdfast-backup/holdfast/internal/web/site"
)

// Handler serves the states at /show/{state}?lang=…&theme=…, and their list at /,
// under the policy of the pages.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+assets.Root, assets.Handler())
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		draw(w, r, State{Page: "gallery", Name: "index", Render: index})
	})
	// What a page would ask for by itself has no answer here, so that it stays in its state.
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("HX-Request") == "" {
			http.NotFound(w, r)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	for _, s := range States() {
		mux.HandleFunc("GET /show/"+s.String(), func(w http.ResponseWriter, r *http.Request) { draw(w, r, s) })
	}
	return site.Protected(mux)
}

func draw(w http.ResponseWriter, r *http.Request, s State) {
	lang := locale.Match(r.FormValue("lang"), "")
	var out bytes.Buffer
	if err := s.Draw(r.Context(), &out, lang, r.FormValue("theme")); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(out.Bytes()) // whoever does not read it is gone
}

// themes are what a state is drawn in; the empty one is that of the system.
var themes = []string{"light", "dark"}

// address is where a state is shown.
func address(s State, lang locale.Lang, theme string) string {
	return "/show/" + s.String() + "?lang=" + string(lang) + "&theme=" + theme
}
