package engine

import (
	"strings"
	"testing"
	"testing/iotest"
)

func TestFirstDifference(t *testing.T) {
	const whole = `{"ids": ["a", "b"], "documents": [null, "ids"], "embeddings": [[1, 0.5], null]}`
	for name, c := range map[string]struct{ other, place string }{
		"the same":            {whole, ""},
		"laid out otherwise":  {strings.NewReplacer(" ", "", ",", ",\n").Replace(whole), ""},
		"another id":          {strings.Replace(whole, `"b"`, `"c"`, 1), "in ids"},
		"another document":    {strings.Replace(whole, `"ids"]`, `"idx"]`, 1), "in documents"},
		"another number":      {strings.Replace(whole, "0.5", "0.50001", 1), "in embeddings"},
		"one record less":     {strings.Replace(whole, `, "b"`, "", 1), "in ids"},
		"no embeddings":       {`{"ids": ["a", "b"], "documents": [null, "ids"]}`, "in documents"},
		"something after all": {whole + "1", "in embeddings"},
	} {
		t.Run(name, func(t *testing.T) {
			place, err := firstDifference(strings.NewReader(whole), iotest.OneByteReader(strings.NewReader(c.other)))
			if err != nil || place != c.place {
				t.Errorf("the difference is %q (%v), want %q", place, err, c.place)
			}
		})
	}
	for _, broken := range []string{whole[:20], "{,}"} {
		if place, err := firstDifference(strings.NewReader(broken), strings.NewReader(whole)); err == nil && place == "" {
			t.Errorf("%q is as good as the whole", broken)
		}
	}
}
