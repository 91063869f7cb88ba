package report

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// Field is a named value of a row.
type Field struct {
	Name string `json:"name"`
	Value
}

// Value is a value with its type, which JSON alone does not tell.
type Value struct {
	// Type: null, text, integer, real, boolean, bytes, vector, list.
	Type string `json:"type"`
	// Value is the value; bytes are base64. A real always has a point or an exponent; one
	// that is no number of JSON is a string. It is absent where it was left out.
	Value any `json:"value,omitempty"`
	// Bytes are those of a text that is not UTF-8, in base64: JSON has only valid texts,
	// so that two of them may have the same value.
	Bytes string `json:"bytes,omitempty"`
	// Length is how many bytes a text or bytes have that were cut, and how many numbers
	// an embedding has that was left out.
	Length int64 `json:"length,omitempty"`
}

// NewRow tells of a row.
func NewRow(row holdfast.Row) Row {
	out := Row{Key: row.Key, Fields: []Field{}}
	for _, f := range row.Fields {
		out.Fields = append(out.Fields, Field{Name: f.Name, Value: newValue(f)})
	}
	return out
}

// NewRows tells of a page.
func NewRows(l *engine.Look, source string, page *engine.Page) Rows {
	out := Rows{Type: "rows", Backup: l.Name, Source: source, Table: page.Table, Rows: []Row{}, Next: page.Next}
	for _, row := range page.Rows {
		out.Rows = append(out.Rows, NewRow(row))
	}
	return out
}

// NewOneRow tells of one row.
func NewOneRow(l *engine.Look, source string, table holdfast.Table, row holdfast.Row) OneRow {
	return OneRow{Type: "row", Backup: l.Name, Source: source, Table: table, Row: NewRow(row), Restore: RestoreRow(l.Name, source, table.Kind, table.Name, row.Key)}
}

// newValue gives a value its type.
func newValue(f holdfast.Field) Value {
	out := Value{Type: "null", Length: f.Length}
	switch v := f.Value.(type) {
	case nil:
		if f.Name == holdfast.FieldEmbedding && f.Length > 0 {
			out.Type = "vector"
		}
	case string:
		out.Type, out.Value = "text", v
		if !utf8.ValidString(v) {
			out.Bytes = base64.StdEncoding.EncodeToString([]byte(v))
		}
	case int64:
		out.Type, out.Value = "integer", v
	case float64:
		out.Type, out.Value = "real", realNumber(v, 64)
	case bool:
		out.Type, out.Value = "boolean", v
	case []byte:
		out.Type, out.Value = "bytes", base64.StdEncoding.EncodeToString(v)
	case []float32:
		numbers := make([]any, len(v))
		for i, x := range v {
			numbers[i] = number32(x)
		}
		out.Type, out.Value = "vector", numbers
	case []any:
		items := make([]any, len(v))
		for i, x := range v {
			items[i] = newValue(holdfast.Field{Value: x}).Value
		}
		out.Type, out.Value = "list", items
	}
	return out
}

// realNumber writes a number so that it is one that is not whole, also where its value is.
func realNumber(f float64, bits int) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return strconv.FormatFloat(f, 'g', -1, bits)
	}
	text := strconv.FormatFloat(f, 'g', -1, bits)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return json.Number(text)
}

// number32 writes a number of an embedding as short as it can be.
func number32(f float32) any {
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
		return strconv.FormatFloat(float64(f), 'g', -1, 32)
	}
	return json.Number(strconv.FormatFloat(float64(f), 'g', -1, 32))
}

// RestoreRow is the command that brings back one row and nothing else; of a tree of files
// it is the one that brings the tree into a directory, to take the file from.
func RestoreRow(backup holdfast.BackupName, source string, kind holdfast.TableKind, table, key string) string {
	words := []string{"holdfast", "restore", string(backup), "--only", source}
	switch kind {
	case holdfast.KindTree:
		words = append(words, "--to", "DIR")
	case holdfast.KindCollection:
		words = append(words, flagOf("collection", unsplit(table))...)
		words = append(words, flagOf("id", key)...)
	default:
		words = append(words, flagOf("table", unsplit(table))...)
		words = append(words, flagOf("id", key)...)
	}
	for i, w := range words {
		words[i] = Quoted(w)
	}
	command := strings.Join(words, " ")
	if key == fromInput && kind != holdfast.KindTree {
		return "echo " + fromInput + " | " + command
	}
	return command
}

// fromInput as a key makes restore read keys from its input, where each stands for itself.
const fromInput = "-"

// unsplit doubles the sign that separates a name from a new one.
func unsplit(name string) string { return strings.ReplaceAll(name, "=", "==") }

// flagOf gives a flag with its value, which may look like a flag itself.
func flagOf(name, value string) []string {
	if strings.HasPrefix(value, "-") {
		return []string{"--" + name + "=" + value}
	}
	return []string{"--" + name, value}
}
