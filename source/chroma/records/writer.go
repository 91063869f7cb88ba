package records

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"math"
	"strconv"

	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// Increments are made of blocks of this size. Lines are put together in groups, and the
// last line of a group is filled with spaces, which JSON allows after a value, up to a
// multiple of it. Which record ends a group follows from its id alone. So a change in a
// record reaches no farther than the end of its group; what follows keeps the bytes of
// its blocks even if it moves, and is found again there.
const (
	block = 4096
	group = 32 << 10 // about how many bytes a group has
)

// A Writer writes the records of one collection.
type Writer struct {
	w    *bufio.Writer
	mask uint32 // a record ends a group if its id's digest has zeros there
	line bytes.Buffer
	at   int64
}

// NewWriter begins the records of a collection whose embeddings have dimension numbers.
func NewWriter(w io.Writer, dimension int) *Writer {
	// About what a record needs: the more, the fewer make a group. A copy may say anything
	// of its dimension.
	record := 12*min(max(dimension, 0), group) + 400
	share := uint32(1)
	for int(share)*record*2 <= group {
		share *= 2
	}
	return &Writer{w: bufio.NewWriterSize(w, 64<<10), mask: share - 1}
}

// Write adds a record.
func (w *Writer) Write(r disk.Record) error {
	w.line.Reset()
	if err := appendRecord(&w.line, r); err != nil {
		return err
	}
	if sum := sha256.Sum256([]byte(r.ID)); w.mask&(uint32(sum[0])|uint32(sum[1])<<8) == 0 {
		if over := (w.at + int64(w.line.Len()) + 1) % block; over > 0 {
			for range block - over {
				w.line.WriteByte(' ')
			}
		}
	}
	w.line.WriteByte('\n')
	w.at += int64(w.line.Len())
	_, err := w.w.Write(w.line.Bytes())
	return err
}

// Close writes what is left. It does not close what is below.
func (w *Writer) Close() error { return w.w.Flush() }

// Encode gives a record as the text of its line.
func Encode(r disk.Record) ([]byte, error) {
	var b bytes.Buffer
	err := appendRecord(&b, r)
	return b.Bytes(), err
}

// appendRecord writes a record as one JSON object. The id comes first: it is found by
// looking at the beginning of lines.
func appendRecord(b *bytes.Buffer, r disk.Record) error {
	b.WriteString(idPrefix)
	if err := appendText(b, r.ID); err != nil {
		return err
	}
	for _, text := range []struct {
		key   string
		value *string
	}{{`,"document":`, r.Document}, {`,"uri":`, r.URI}} {
		if text.value == nil {
			continue
		}
		b.WriteString(text.key)
		if err := appendText(b, *text.value); err != nil {
			return err
		}
	}
	if len(r.Metadata) > 0 {
		values, err := r.Metadata.MarshalJSON()
		if err != nil {
			return err
		}
		b.WriteString(`,"metadata":`)
		b.Write(values)
	}
	b.WriteString(`,"embedding":`)
	appendVector(b, r.Embedding)
	b.WriteByte('}')
	return nil
}

// idPrefix begins each line.
const idPrefix = `{"id":`

// appendText writes a string; the characters of HTML stay as they are.
func appendText(b *bytes.Buffer, text string) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the newline
	return nil
}

// appendVector writes the shortest numbers that are read back as the same float32. What
// is no number in JSON is a string.
func appendVector(b *bytes.Buffer, v []float32) {
	if v == nil {
		b.WriteString("null")
		return
	}
	b.WriteByte('[')
	for i, f := range v {
		if i > 0 {
			b.WriteByte(',')
		}
		text := strconv.AppendFloat(b.AvailableBuffer(), float64(f), 'g', -1, 32)
		if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
			text = append(append([]byte{'"'}, text...), '"')
		}
		b.Write(text)
	}
	b.WriteByte(']')
}
