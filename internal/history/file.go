package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

const (
	// version is that of the lines.
	version = 1
	// mostLine is the longest line that is read: a bucket has a few hundred bytes.
	mostLine = 64 << 10
	// mostBuckets bounds the record. It is a number and no age: a clock that is wrong for an
	// hour must not take the record with it.
	mostBuckets = KeptDays * 48
	// slack is how many lines more than buckets the file may have before it is
	// written anew, beside as many as there are buckets.
	slack = 256
)

// A line is one of the file: a bucket as it is now, which takes the place of an earlier
// line of the same half hour, or (without a bucket) what is known of the record itself.
type line struct {
	Version int `json:"v"`
	*Bucket
	// Began is when the record was begun, Schedule what was in force from At on.
	Began    *holdfast.Time `json:"began,omitempty"`
	Schedule string         `json:"schedule,omitempty"`
	At       *holdfast.Time `json:"at,omitempty"`
	// Success is when the newest run of the bucket came, Overdue when the newest was
	// due that did not.
	Success *holdfast.Time `json:"success,omitempty"`
	Overdue *holdfast.Time `json:"overdue,omitempty"`
}

// A file is the record on disk.
type file struct {
	fsys  durable.FS
	path  string
	lines int
	torn  bool // it may end within a line
}

// read gives every line that can be read to take, in their order, and tells how many
// cannot. A file that is not there has none.
func (f *file) read(take func(line)) (damaged int, err error) {
	in, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer in.Close()
	r := bufio.NewReaderSize(in, mostLine)
	for {
		text, err := r.ReadSlice('\n')
		whole := !errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of a line that is none of ours
			_, err = r.ReadSlice('\n')
		}
		if len(bytes.TrimSpace(text)) > 0 {
			f.lines++
			if l, ok := parse(text); ok && whole {
				take(l)
			} else {
				damaged++
			}
		}
		f.torn = errors.Is(err, io.EOF) && len(text) > 0
		if errors.Is(err, io.EOF) {
			return damaged, nil
		}
		if err != nil {
			return damaged, err
		}
	}
}

// parse reads a line.
func parse(text []byte) (line, bool) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil || l.Version != version {
		return line{}, false
	}
	if b := l.Bucket; b != nil && (b.Start.IsZero() || !b.Start.Equal(b.Start.Truncate(Width)) || b.negative()) {
		return line{}, false
	}
	return l, l.Bucket != nil || l.Began != nil || l.Schedule != ""
}

// negative tells of counts that nothing can have counted.
func (b *Bucket) negative() bool {
	counts := append(slices.Collect(maps.Values(b.Made)), b.Unchanged, b.Failed, b.Missed, b.Proven, b.Drilled, b.Disproven, b.Restored)
	if s := b.Size; s != nil {
		counts = append(counts, s.Backups, s.Records, s.LogicalBytes, s.StoredBytes)
	}
	return slices.Min(counts) < 0
}

// append adds lines, and they are durable when it returns nil.
func (f *file) append(lines []line) (err error) {
	text, err := encode(lines)
	if err != nil {
		return err
	}
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.lines, f.torn = 0, false
		if err := durable.WriteFile(f.fsys, f.path, text, 0o600); err != nil {
			return err
		}
		f.lines = len(lines)
		return nil
	}
	if err != nil {
		return err
	}
	if f.torn {
		text = append([]byte{'\n'}, text...)
	}
	out, err := f.fsys.OpenWrite(f.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	f.torn = true // until all of it is there
	if _, err := out.WriteAt(text, info.Size()); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	f.torn, f.lines = false, f.lines+len(lines)
	return nil
}

// rewrite puts lines in the place of all there were.
func (f *file) rewrite(lines []line) error {
	text, err := encode(lines)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(f.fsys, f.path, text, 0o600); err != nil {
		return err
	}
	f.lines, f.torn = len(lines), false
	return nil
}

// crowded tells whether the file has many lines that others have taken the place of.
func (f *file) crowded(buckets int) bool { return f.lines > 2*buckets+slack || buckets > mostBuckets }

func encode(lines []line) ([]byte, error) {
	var text bytes.Buffer
	for _, l := range lines {
		l.Version = version
		data, err := json.Marshal(l)
		if err != nil {
			return nil, fmt.Errorf("write a line of the history: %w", err)
		}
		text.Write(data)
		text.WriteByte('\n')
	}
	return text.Bytes(), nil
}
