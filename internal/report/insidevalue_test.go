package report

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// Values that differ differ in JSON, too.
func TestNewRow_NoTwoValuesAreAlike(t *testing.T) {
	told := map[string]any{}
	for _, v := range []any{
		nil, "", "2", "2.0", int64(2), 2.0, int64(1<<53 + 1), int64(1 << 53), float64(1 << 53), 1e300, 0.0, math.Copysign(0, -1), math.Inf(1), "+Inf", true, "true",
		[]byte{},
		[]byte("2"), "Mg==",
		[]float32{2},
		[]float32{},
		[]any{int64(2)},
		[]any{2.0},
		[]any{"2"},
		[]any{},
		"\xff", "\xfe", "\ufffd", "a\x00b", "a\x00", "<b>&\u2028",
	} {
		text, err := json.Marshal(NewRow(holdfast.Row{Fields: []holdfast.Field{{Name: "f", Value: v}}}))
		if err != nil {
			t.Fatalf("%#v: %v", v, err)
		}
		if other, is := told[string(text)]; is {
			t.Errorf("%#v and %#v are both %s", other, v, text)
		}
		told[string(text)] = v
	}
}
