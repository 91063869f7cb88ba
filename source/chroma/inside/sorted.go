package inside

import (
	"bufio"
	"bytes"
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast/source/chroma/content"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/records"
)

// Records are sorted by their ids in runs of so many bytes; what does not fit into one run
// is kept in a temporary file, which is as large as the collection, and merged from there:
// so everything is read and written from front to back.
var runBytes = 16 << 20

// An entry is an id and its record, as a line or packed.
type entry struct {
	id   string
	body []byte
}

// sortedLines gives the records of a collection whose ids follow one, in the order of
// their ids.
func sortedLines(ctx context.Context, t *records.Tree, c disk.Collection, after string, want disk.Part) iter.Seq2[disk.Record, error] {
	read := func(s *sorter) error {
		for l, err := range t.Lines(ctx, c) {
			if err == nil && l.ID > after {
				err = s.add(entry{l.ID, bytes.Clone(l.Text)})
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return sorted(read, func(e entry) (disk.Record, error) { return records.Line{ID: e.id, Text: e.body}.Parse(want) })
}

// sortedRecords gives all records of a collection of files in the order of their ids. Its
// index of ids leads to places all over the file, of which each would be read by itself.
func sortedRecords(ctx context.Context, from content.Content, c disk.Collection, want disk.Part) iter.Seq2[disk.Record, error] {
	read := func(s *sorter) error {
		for r, err := range from.Records(ctx, c, want) {
			var body []byte
			if err == nil {
				body, err = pack(r)
			}
			if err == nil {
				err = s.add(entry{r.ID, body})
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return sorted(read, unpack)
}

// sorted gives what is read in the order of the ids.
func sorted(read func(*sorter) error, parse func(entry) (disk.Record, error)) iter.Seq2[disk.Record, error] {
	return func(yield func(disk.Record, error) bool) {
		s, more := &sorter{}, true
		err := read(s)
		if err == nil {
			s.sort()
			err = s.merge(func(e entry) (bool, error) {
				r, err := parse(e)
				if err == nil {
					more = yield(r, nil)
				}
				return more, err
			})
		}
		if err = errors.Join(err, s.close()); err != nil && more {
			yield(disk.Record{}, err)
		}
	}
}

// pack puts a record into bytes: its line without the embedding, then that as it is.
func pack(r disk.Record) ([]byte, error) {
	vector := r.Embedding
	r.Embedding = nil
	line, err := records.Encode(r)
	if err != nil {
		return nil, err
	}
	b := append(binary.AppendUvarint(nil, uint64(len(line))), line...)
	for _, f := range vector {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b, nil
}

// unpack is the way back.
func unpack(e entry) (disk.Record, error) {
	n, begin := binary.Uvarint(e.body)
	line, vector := e.body[begin:begin+int(n)], e.body[begin+int(n):]
	r, err := records.Line{ID: e.id, Text: line}.Parse(disk.Everything)
	for ; len(vector) > 0; vector = vector[4:] {
		r.Embedding = append(r.Embedding, math.Float32frombits(binary.LittleEndian.Uint32(vector)))
	}
	return r, err
}

// A sorter sorts entries with bounded memory.
type sorter struct {
	run   []entry
	bytes int
	file  *os.File
	runs  []int64 // where each run in the file ends
}

// add takes in a record.
func (s *sorter) add(e entry) error {
	s.run = append(s.run, e)
	if s.bytes += len(e.id) + len(e.body); s.bytes < runBytes {
		return nil
	}
	return s.spill()
}

func (s *sorter) sort() {
	slices.SortStableFunc(s.run, func(a, b entry) int { return strings.Compare(a.id, b.id) })
}

// spill writes the present run to the file.
func (s *sorter) spill() (err error) {
	if s.file == nil {
		if s.file, err = os.CreateTemp("", "holdfast-ids-*"); err != nil {
			return err
		}
		// Where an open file can lose its name, a crash leaves nothing behind; elsewhere
		// close removes it.
		_ = os.Remove(s.file.Name())
	}
	s.sort()
	w := bufio.NewWriter(s.file)
	var space []byte
	for _, e := range s.run {
		space = append(binary.AppendUvarint(space[:0], uint64(len(e.id))), e.id...)
		space = append(binary.AppendUvarint(space, uint64(len(e.body))), e.body...)
		if _, err := w.Write(space); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	end, err := s.file.Seek(0, io.SeekEnd)
	s.runs = append(s.runs, end)
	s.run, s.bytes = nil, 0
	return err
}

// merge gives all entries in order, until each wants no more.
func (s *sorter) merge(each func(entry) (bool, error)) error {
	var h front
	add := func(next func() (entry, bool, error)) error {
		e, ok, err := next()
		if ok {
			heap.Push(&h, head{e, next})
		}
		return err
	}
	last := 0
	err := add(func() (entry, bool, error) {
		if last == len(s.run) {
			return entry{}, false, nil
		}
		last++
		return s.run[last-1], true, nil
	})
	begin := int64(0)
	for _, end := range s.runs {
		err = errors.Join(err, add(readRun(io.NewSectionReader(s.file, begin, end-begin))))
		begin = end
	}
	for err == nil && len(h) > 0 {
		first := heap.Pop(&h).(head)
		more, failed := each(first.entry)
		if failed != nil || !more {
			return failed
		}
		err = add(first.next)
	}
	return err
}

// readRun reads the entries of a run.
func readRun(r io.Reader) func() (entry, bool, error) {
	in := bufio.NewReader(r)
	return func() (entry, bool, error) {
		n, err := binary.ReadUvarint(in)
		if errors.Is(err, io.EOF) {
			return entry{}, false, nil
		}
		if err != nil {
			return entry{}, false, err
		}
		id, err := take(in, n)
		if err == nil {
			n, err = binary.ReadUvarint(in)
		}
		if err != nil {
			return entry{}, false, err
		}
		line, err := take(in, n)
		return entry{string(id), line}, err == nil, err
	}
}

func take(r io.Reader, n uint64) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

func (s *sorter) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if e := os.Remove(s.file.Name()); !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}

// A head is the first entry of a run and what gives those after it.
type head struct {
	entry
	next func() (entry, bool, error)
}

// A front is the heap of all heads.
type front []head

func (f front) Len() int           { return len(f) }
func (f front) Less(i, j int) bool { return f[i].id < f[j].id }
func (f front) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }
func (f *front) Push(x any)        { *f = append(*f, x.(head)) }
func (f *front) Pop() any {
	old := *f
	last := old[len(old)-1]
	*f = old[:len(old)-1]
	return last
}
