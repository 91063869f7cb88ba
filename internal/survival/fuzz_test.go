package survival

import (
	"bytes"
	"os"
	"testing"
)

// Whatever lies in the place of a marker is refused, or is one that would be
// written again as it is.
func FuzzParseMarker(f *testing.F) {
	h := newHost(f, 0)
	m, err := Open(Options{Data: h.data, Source: "bot"})
	if err != nil {
		f.Fatal(err)
	}
	if err := m.Close(f.Context(), nil); err != nil {
		f.Fatal(err)
	}
	seed, err := os.ReadFile(MarkerPath(h.data))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(seed[:len(seed)/2])
	f.Add([]byte(`{"format":1,"id":"x","starts":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseMarker(data, "bot")
		if err != nil {
			return
		}
		again, err := m.encode()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%v: %q is read as %q", err, data, again)
		}
		var s state
		s.begin(m, "run", m.Started)
		_ = s.survival(nil, "")
	})
}
