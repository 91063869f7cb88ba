package records

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// mostLine bounds one record: a server refuses requests of more than 40 MiB.
const mostLine = 256 << 20

// A vector is an embedding as it is written in a line.
type vector []float32

// UnmarshalJSON reads each number as the float32 that it is.
func (v *vector) UnmarshalJSON(text []byte) error {
	text = bytes.TrimSpace(text)
	if bytes.Equal(text, []byte("null")) {
		*v = nil
		return nil
	}
	if len(text) < 2 || text[0] != '[' {
		return errors.New("the embedding is no list")
	}
	text = bytes.TrimSpace(text[1 : len(text)-1])
	out := make(vector, 0, bytes.Count(text, []byte{','})+1)
	for len(text) > 0 {
		number, rest, _ := bytes.Cut(text, []byte{','})
		f, err := strconv.ParseFloat(string(bytes.Trim(number, " \t\r\n\"")), 32)
		if err != nil {
			return fmt.Errorf("the embedding holds %.40q, which is not a number of 32 bits", bytes.TrimSpace(number))
		}
		out, text = append(out, float32(f)), rest
	}
	*v = out
	return nil
}

// errNotUTF8 tells of a text that would be read as another one: what is no UTF-8 becomes a
// sign of its own, without a word.
var errNotUTF8 = errors.New("it is not UTF-8")

// parse reads a line. Parts that are not wanted are not kept.
func parse(line []byte, want disk.Part) (disk.Record, error) {
	var in struct {
		ID        *string         `json:"id"`
		Document  *string         `json:"document"`
		URI       *string         `json:"uri"`
		Metadata  holdfast.Values `json:"metadata"`
		Embedding json.RawMessage `json:"embedding"`
	}
	if !utf8.Valid(line) {
		return disk.Record{}, errNotUTF8
	}
	if err := json.Unmarshal(line, &in); err != nil {
		return disk.Record{}, unread(err)
	}
	if in.ID == nil || *in.ID == "" {
		return disk.Record{}, errors.New("the record has no id")
	}
	if first, ok := idOf(line); ok && first != *in.ID {
		return disk.Record{}, errors.New("the record has two ids")
	}
	r := disk.Record{ID: *in.ID}
	if want&disk.Documents != 0 {
		r.Document = in.Document
	}
	if want&disk.URIs != 0 {
		r.URI = in.URI
	}
	if want&disk.Metadata != 0 && len(in.Metadata) > 0 {
		r.Metadata = in.Metadata
	}
	if want&disk.Embeddings != 0 && in.Embedding != nil {
		if err := (*vector)(&r.Embedding).UnmarshalJSON(in.Embedding); err != nil {
			return disk.Record{}, err
		}
	}
	return r, nil
}

// unread says why a text is not what it ought to be, in words that are not Go's.
func unread(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s is a JSON %s, which it cannot be", cmp.Or(strings.TrimPrefix(e.Field, "."), "the whole"), e.Value)
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("this is not JSON: %w", e)
	}
	return err
}

// lines reads a file line by line, and tells where each begins.
type lines struct {
	r      *bufio.Reader
	number int64
	at     int64 // where the line begins that was read last
	next   int64
	space  []byte
}

func newLines(r io.Reader, at int64) *lines {
	return &lines{r: bufio.NewReaderSize(r, 256<<10), next: at}
}

// errTorn tells that a file ends within a line.
var errTorn = errors.New("the file ends within a line")

// read gives the next line without what ends it, valid until the next call; io.EOF at
// the end.
func (l *lines) read() ([]byte, error) {
	l.space = l.space[:0]
	l.at = l.next
	for {
		part, err := l.r.ReadSlice('\n')
		l.next += int64(len(part))
		if err == nil && len(l.space) == 0 {
			l.number++
			return part, nil
		}
		l.space = append(l.space, part...)
		switch {
		case err == nil:
			l.number++
			return l.space, nil
		case errors.Is(err, io.EOF) && len(l.space) > 0:
			return nil, errTorn
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(l.space) > mostLine:
			return nil, fmt.Errorf("line %d is longer than %d bytes", l.number+1, mostLine)
		}
	}
}

// idOf reads the id at the beginning of a line that this package wrote; false if the line
// begins otherwise.
func idOf(line []byte) (string, bool) {
	if !bytes.HasPrefix(line, []byte(idPrefix+`"`)) {
		return "", false
	}
	text := line[len(idPrefix):]
	end := 1
	for ; end < len(text) && text[end] != '"'; end++ {
		if text[end] == '\\' {
			end++
		}
	}
	if end >= len(text) {
		return "", false
	}
	var id string
	return id, json.Unmarshal(text[:end+1], &id) == nil
}
