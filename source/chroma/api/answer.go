package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// An answer is what get gives, column by column. Columns that were not asked for are
// empty.
type answer struct {
	most       int // records that were asked for
	ids        []string
	documents  []*string
	uris       []*string
	metadatas  []metadata
	embeddings []vector
}

// decode reads an answer as it comes, one element at a time.
func (a *answer) decode(r io.Reader) error {
	d := json.NewDecoder(r)
	if err := expect(d, json.Delim('{')); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		switch key {
		case "ids":
			err = column(d, &a.ids, a.most)
		case "documents":
			err = column(d, &a.documents, a.most)
		case "uris":
			err = column(d, &a.uris, a.most)
		case "metadatas":
			err = column(d, &a.metadatas, a.most)
		case "embeddings":
			err = column(d, &a.embeddings, a.most)
		default:
			var rest json.RawMessage
			err = d.Decode(&rest)
		}
		if err != nil {
			return fmt.Errorf("%v: %w", key, err)
		}
	}
	return expect(d, json.Delim('}'))
}

// expect reads one delimiter.
func expect(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && t != want {
		err = fmt.Errorf("%v where %v was expected", t, want)
	}
	return err
}

// column reads a list of at most so many elements, which may be null.
func column[T any](d *json.Decoder, out *[]T, most int) error {
	t, err := d.Token()
	if err != nil || t == nil {
		return err
	}
	if *out != nil {
		return errors.New("it comes twice")
	}
	if t != json.Delim('[') {
		return fmt.Errorf("%v where a list was expected", t)
	}
	for d.More() {
		var one T
		if err := d.Decode(&one); err != nil {
			return err
		}
		if len(*out) == most {
			return fmt.Errorf("there are more than the %d that were asked for", most)
		}
		*out = append(*out, one)
	}
	return expect(d, json.Delim(']'))
}

// records joins the columns.
func (a *answer) records(want disk.Part) ([]disk.Record, []BadRecord, error) {
	for _, c := range []struct {
		part   disk.Part
		length int
	}{
		{disk.Documents, len(a.documents)}, {disk.Metadata, len(a.metadatas)}, {disk.Embeddings, len(a.embeddings)},
	} {
		if want&c.part != 0 && c.length != len(a.ids) {
			return nil, nil, fmt.Errorf("the answer has %d ids and %d of %s", len(a.ids), c.length, include(c.part)[0])
		}
	}
	if n := len(a.uris); n != 0 && n != len(a.ids) { // servers before 0.4.16 know none
		return nil, nil, fmt.Errorf("the answer has %d ids and %d uris", len(a.ids), n)
	}
	all := make([]disk.Record, len(a.ids))
	var bad []BadRecord
	for i, id := range a.ids {
		r := &all[i]
		r.ID = id
		if want&disk.Documents != 0 {
			r.Document = a.documents[i]
		}
		if want&disk.URIs != 0 && len(a.uris) > 0 {
			r.URI = a.uris[i]
		}
		if want&disk.Metadata != 0 {
			m := a.metadatas[i]
			r.Metadata = m.values
			if m.err != nil {
				bad = append(bad, BadRecord{ID: id, Lost: disk.Metadata, Err: m.err})
			}
		}
		if want&disk.Embeddings != 0 {
			v := a.embeddings[i]
			r.Embedding = v.numbers
			if v.err != nil {
				bad = append(bad, BadRecord{ID: id, Lost: disk.Embeddings, Err: v.err})
			}
		}
	}
	return all, bad, nil
}

// A metadata is that of one record. What has no place in holdfast.Values is left out,
// and told.
type metadata struct {
	values holdfast.Values
	err    error
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *metadata) UnmarshalJSON(text []byte) error {
	*m = metadata{}
	if json.Unmarshal(text, &m.values) == nil {
		if len(m.values) == 0 {
			m.values = nil
		}
		return nil
	}
	m.values = nil
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	for key, value := range raw {
		var one holdfast.Values
		if err := json.Unmarshal(fmt.Appendf(nil, `{"value":%s}`, value), &one); err != nil {
			m.err = errors.Join(m.err, fmt.Errorf("the metadata %q cannot be kept: %.80s", key, value))
			continue
		}
		if m.values == nil {
			m.values = holdfast.Values{}
		}
		m.values[key] = one["value"]
	}
	return nil
}

// A vector is the embedding of one record.
type vector struct {
	numbers []float32
	err     error
}

// UnmarshalJSON reads numbers as the 32 bits that are nearest to their text. A null
// among them is a number that is none: the server has lost it.
func (v *vector) UnmarshalJSON(text []byte) error {
	*v = vector{}
	if string(text) == "null" {
		v.err = errors.New("the server has no embedding of it")
		return nil
	}
	if text[0] != '[' {
		return errors.New("an embedding is no list")
	}
	numbers := make([]float32, 0, countNumbers(text))
	for start := 1; start < len(text); {
		end := start
		for end < len(text) && text[end] != ',' && text[end] != ']' {
			end++
		}
		word := trim(text[start:end])
		switch {
		case len(word) == 0 && len(numbers) == 0 && end < len(text) && text[end] == ']':
		case string(word) == "null":
			v.err = errors.New("its embedding holds what is no number")
			return nil
		default:
			f, err := strconv.ParseFloat(string(word), 32)
			if err != nil && !math.IsInf(f, 0) {
				return fmt.Errorf("the number %q of an embedding", word)
			}
			if math.IsInf(f, 0) {
				v.err = fmt.Errorf("the number %s of its embedding is too large", word)
				return nil
			}
			numbers = append(numbers, float32(f))
		}
		start = end + 1
	}
	v.numbers = numbers
	return nil
}

// countNumbers counts the elements of a list of numbers.
func countNumbers(text []byte) int {
	n := 1
	for _, b := range text {
		if b == ',' {
			n++
		}
	}
	return n
}

// trim removes the white space of JSON.
func trim(b []byte) []byte {
	isSpace := func(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}
