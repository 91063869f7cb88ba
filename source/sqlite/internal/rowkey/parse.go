package rowkey

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Parse reads what Text wrote.
func Parse(text string) (Key, error) {
	if strings.HasPrefix(text, "[") {
		return parseArray(text)
	}
	if strings.HasPrefix(text, `"`) {
		var s string
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			return Key{}, fmt.Errorf("the key %.80s begins as a JSON string and is none", text)
		}
		return Key{Values: []any{s}}, nil
	}
	if b, ok := blob(text); ok {
		return Key{Values: []any{b}}, nil
	}
	if v, ok := number(text); ok {
		return Key{Values: []any{v}}, nil
	}
	return Key{Values: []any{text}}, nil
}

func parseArray(text string) (Key, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var raw []any
	err := d.Decode(&raw)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows it")
		}
	}
	if err != nil {
		return Key{}, fmt.Errorf("the key %.80s begins as a JSON array and is none: %w", text, err)
	}
	var k Key
	for i, v := range raw {
		if object, ok := v.(map[string]any); ok && i == len(raw)-1 {
			if id, ok := object[rowidMember].(json.Number); ok && len(object) == 1 {
				n, err := id.Int64()
				if err != nil {
					return Key{}, fmt.Errorf("the row id %s in the key is no integer", id)
				}
				k.Rowid = &n
				break
			}
		}
		value, err := element(v)
		if err != nil {
			return Key{}, err
		}
		k.Values = append(k.Values, value)
	}
	return k, nil
}

// element reads one value of an array.
func element(v any) (any, error) {
	switch v := v.(type) {
	case nil, string:
		return v, nil
	case json.Number:
		if n, ok := number(v.String()); ok {
			return n, nil
		}
	case map[string]any:
		if len(v) != 1 {
			break
		}
		if s, ok := v[blobMember].(string); ok {
			b, err := hex.DecodeString(s)
			return b, err
		}
		if s, ok := v[textMember].(string); ok {
			b, err := hex.DecodeString(s)
			return string(b), err
		}
	}
	return nil, fmt.Errorf("a key has no such value as %.80v", v)
}
