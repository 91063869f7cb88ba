package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
)

// A stumbler is a server that has lost the embeddings of some records, and fails as the
// real ones do.
type stumbler struct {
	upstream string
	lost     []string
}

// ServeHTTP implements http.Handler.
func (s stumbler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	var asked struct{ IDs, Include []string }
	_ = json.Unmarshal(body, &asked) // requests without a body ask for none
	if slices.Contains(asked.Include, "embeddings") && slices.ContainsFunc(asked.IDs, func(id string) bool { return slices.Contains(s.lost, id) }) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"error":"InternalError","message":"Error finding id"}`)
		return
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, s.upstream+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}
