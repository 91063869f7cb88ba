package disk

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/holdfast-backup/holdfast"
)

// decoders read one element of each list into what the spool keeps of it.
var decoders = map[string]func(*json.Decoder) (any, error){
	"ids": func(d *json.Decoder) (any, error) {
		var id *string
		if err := d.Decode(&id); err != nil {
			return nil, err
		}
		if id == nil || *id == "" {
			return nil, errors.New("an id cannot be empty")
		}
		return *id, nil
	},
	"documents": decodeText,
	"uris":      decodeText,
	"metadatas": func(d *json.Decoder) (any, error) {
		var v holdfast.Values
		if err := d.Decode(&v); err != nil || v == nil {
			return nil, err
		}
		text, err := v.MarshalJSON()
		return string(text), err
	},
	"embeddings": decodeEmbedding,
}

func decodeText(d *json.Decoder) (any, error) {
	var text *string
	if err := d.Decode(&text); err != nil || text == nil {
		return nil, err
	}
	return *text, nil
}

// decodeEmbedding reads a list of numbers, much of the file, without a value
// for each of them.
func decodeEmbedding(d *json.Decoder) (any, error) {
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil || string(raw) == "null" {
		return nil, err
	}
	inner, isList := bytes.CutPrefix(raw, []byte{'['})
	if !isList {
		return nil, errors.New("no list of numbers")
	}
	inner = bytes.TrimSpace(bytes.TrimSuffix(inner, []byte{']'}))
	b := make([]byte, 0, 4*(1+bytes.Count(inner, []byte{','})))
	for len(inner) > 0 {
		var number []byte
		number, inner, _ = bytes.Cut(inner, []byte{','})
		f, err := strconv.ParseFloat(string(bytes.TrimSpace(number)), 32)
		if err != nil {
			return nil, fmt.Errorf("%.40q is no number of 32 bits", number)
		}
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(f)))
	}
	return b, nil
}

// skip reads over one value, however large it is.
func skip(d *json.Decoder) error {
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			depth++
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
