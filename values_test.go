package holdfast_test

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

func TestValues_KeepTheirTypesInJSON(t *testing.T) {
	want := holdfast.Values{
		"int": int64(2), "float": 2.0, "small": 1e-9, "large": 1e300, "max": int64(math.MaxInt64), "min": int64(math.MinInt64),
		"infinite": math.Inf(-1), "yes": true, "text": "<ยินดี> & \"سلام\"\n", "none": nil,
		"list": []any{int64(1), int64(2)}, "floats": []any{1.0, 2.5},
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got holdfast.Values
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v\nwant %#v\nfrom %s", got, want, b)
	}
}

func TestValues_RefuseWhatTheyCannotKeep(t *testing.T) {
	for name, v := range map[string]any{"a map": map[string]any{}, "NaN": math.NaN(), "an int": 3} {
		if b, err := json.Marshal(holdfast.Values{"k": v}); err == nil {
			t.Errorf("%s was written as %s", name, b)
		}
	}
	var got holdfast.Values
	if err := json.Unmarshal([]byte(`{"k":{"nested":1}}`), &got); err == nil {
		t.Errorf("a nested object was read as %#v", got)
	}
}
