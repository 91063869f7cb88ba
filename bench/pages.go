//go:build linux

package main

import (
	"bytes"
	"encoding/gob"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/blake3"
)

// pageSize is that of the databases and of holdfast's blocks.
const pageSize = 4096

// packed is how much plaintext is compressed at a time.
const packed = 256 << 10

// marks has the beginning of the hash of every page of every file.
type marks map[string][][8]byte

// changes is what a change did to the pages of a subject.
type changes struct {
	Pages  int   // changed or new
	Bytes  int64 // in them
	Packed int64 // one after the other, compressed at the fastest level
}

// eachPage reads the pages of all files below dir.
func eachPage(dir string, do func(path string, n int, page []byte) error) error {
	page := make([]byte, pageSize)
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		in := io.Reader(f)
		for n := 0; ; n++ {
			got, err := io.ReadFull(in, page)
			if got > 0 {
				if err := do(path, n, page[:got]); err != nil {
					return err
				}
			}
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
}

// mark is the beginning of a page's hash.
func mark(page []byte) [8]byte {
	sum := blake3.Sum256(page)
	return [8]byte(sum[:8])
}

// writeMarks notes the pages of dir in a file.
func writeMarks(dir, file string) error {
	all := marks{}
	if err := eachPage(dir, func(path string, _ int, page []byte) error {
		all[path] = append(all[path], mark(page))
		return nil
	}); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(all); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// readChanges compares the pages of dir with those noted in a file.
func readChanges(dir, file string) (changes, error) {
	var did changes
	data, err := os.ReadFile(file)
	if err != nil {
		return did, err
	}
	var before marks
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&before); err != nil {
		return did, err
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return did, err
	}
	pack := make([]byte, 0, packed)
	flush := func() {
		did.Packed += int64(len(encoder.EncodeAll(pack, nil)))
		pack = pack[:0]
	}
	err = eachPage(dir, func(path string, n int, page []byte) error {
		if old := before[path]; n < len(old) && old[n] == mark(page) {
			return nil
		}
		did.Pages++
		did.Bytes += int64(len(page))
		if len(pack)+len(page) > packed {
			flush()
		}
		pack = append(pack, page...)
		return nil
	})
	if len(pack) > 0 {
		flush()
	}
	return did, errors.Join(err, encoder.Close())
}
