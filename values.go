package holdfast

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Values are named values as a database keeps them: string, int64, float64,
// bool, nil, and []any of those. Unlike a plain map they keep 2 and 2.0 apart
// in JSON.
type Values map[string]any

// MarshalJSON writes the values in the order of their names. A float always
// has a point or an exponent. An infinite float is written as a number that
// overflows (1e999), which every reader of Values takes back as infinite.
func (v Values) MarshalJSON() ([]byte, error) {
	if v == nil {
		return []byte("null"), nil
	}
	b := []byte{'{'}
	for i, key := range slices.Sorted(maps.Keys(v)) {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendValue(b, key); err != nil {
			return nil, err
		}
		b = append(b, ':')
		if b, err = appendValue(b, v[key]); err != nil {
			return nil, fmt.Errorf("value %q: %w", key, err)
		}
	}
	return append(b, '}'), nil
}

func appendValue(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case float64:
		return appendFloat(b, v)
	case string:
		var out bytes.Buffer
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(false)
		err := e.Encode(v)
		return append(b, bytes.TrimSuffix(out.Bytes(), []byte{'\n'})...), err
	case []any:
		b = append(b, '[')
		for i, x := range v {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendValue(b, x); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	return nil, fmt.Errorf("%T cannot be stored", v)
}

func appendFloat(b []byte, f float64) ([]byte, error) {
	switch {
	case math.IsNaN(f):
		return nil, fmt.Errorf("not a number")
	case math.IsInf(f, 1):
		return append(b, "1e999"...), nil
	case math.IsInf(f, -1):
		return append(b, "-1e999"...), nil
	}
	n := len(b)
	b = strconv.AppendFloat(b, f, 'g', -1, 64)
	if !bytes.ContainsAny(b[n:], ".e") {
		b = append(b, ".0"...)
	}
	return b, nil
}

// UnmarshalJSON reads what MarshalJSON wrote: a number with a point or an
// exponent, or too large for an int64, is a float64, any other an int64.
func (v *Values) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var raw map[string]any
	if err := d.Decode(&raw); err != nil {
		return err
	}
	if raw == nil {
		*v = nil
		return nil
	}
	for key, x := range raw {
		typed, err := typedValue(x)
		if err != nil {
			return fmt.Errorf("value %q: %w", key, err)
		}
		raw[key] = typed
	}
	*v = raw
	return nil
}

func typedValue(x any) (any, error) {
	switch x := x.(type) {
	case json.Number:
		return typedNumber(x.String())
	case []any:
		for i := range x {
			typed, err := typedValue(x[i])
			if err != nil {
				return nil, err
			}
			x[i] = typed
		}
		return x, nil
	case map[string]any:
		return nil, fmt.Errorf("objects are not values")
	}
	return x, nil
}

func typedNumber(s string) (any, error) {
	if !strings.ContainsAny(s, ".eE") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, nil
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, fmt.Errorf("%.40q is no number", s)
	}
	return f, nil
}
