package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/danielgtaylor/huma/v2"
)

const (
	maxBody  = 64 << 10 // bytes of a request
	maxDepth = 32       // arrays and objects in one another
)

// jsonFormat reads requests strictly and writes what the command line writes.
var jsonFormat = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(v)
	},
	Unmarshal: func(data []byte, v any) error {
		if depth(data) > maxDepth {
			return errors.New("arrays and objects are nested too deeply")
		}
		return json.Unmarshal(data, v)
	},
}

// depth tells how deeply JSON nests, without reading it: a bound for the reader,
// which goes down with each level.
func depth(data []byte) int {
	deepest, now, quoted := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

// encoded writes v as a response has it, for whoever needs the bytes first.
func encoded(v any) ([]byte, error) {
	var b bytes.Buffer
	err := jsonFormat.Marshal(&b, v)
	return b.Bytes(), err
}
