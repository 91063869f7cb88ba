//go:build linux

package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/blake3"
)

// limits is what the machine can do with the bytes of a database, in bytes a
// second: nobody can back up faster than they can be read, hashed, compressed
// and written.
type limits struct {
	Read, Hash, Compress, Decompress, Sum, Write float64
	Ratio                                        float64 // compressed to plain
}

// The sample is taken from all over the file.
const (
	samplePieces = 64
	samplePiece  = 4 << 20
	cores        = 2 // that work at a time, as in holdfast
)

// measureLimits takes each measurement a few times and keeps the median. The
// file is read from memory, where a source in use lies; the disk is written to
// in dir.
func measureLimits(file, dir string) (limits, error) {
	var l limits
	f, err := os.Open(file)
	if err != nil {
		return l, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return l, err
	}
	piece := int(min(samplePiece, info.Size()/samplePieces/packed*packed+packed))
	sample := make([][]byte, 0, samplePieces)
	for i := range samplePieces {
		at := info.Size() / samplePieces * int64(i)
		buf := make([]byte, min(int64(piece), info.Size()-at))
		if _, err := f.ReadAt(buf, at); err != nil {
			return l, err
		}
		sample = append(sample, buf)
	}
	total := 0
	for _, p := range sample {
		total += len(p)
	}

	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(cores), zstd.WithWindowSize(packed))
	if err != nil {
		return l, err
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(cores))
	if err != nil {
		return l, err
	}
	defer decoder.Close()
	frames := make([][][]byte, len(sample))
	at := make([]int64, len(sample))
	for i := range sample {
		at[i] = info.Size() / samplePieces * int64(i)
	}
	measure := func(rate *float64, each func(i int) error) error {
		var took []time.Duration
		for range 3 {
			start := time.Now()
			if err := onCores(len(sample), each); err != nil {
				return err
			}
			took = append(took, time.Since(start))
		}
		*rate = float64(total) / middle(took).Seconds()
		return nil
	}
	scratch := sync.Pool{New: func() any { b := make([]byte, piece); return &b }}
	err = errors.Join(
		measure(&l.Read, func(i int) error {
			buf := scratch.Get().(*[]byte)
			defer scratch.Put(buf)
			_, err := f.ReadAt((*buf)[:len(sample[i])], at[i])
			return err
		}),
		measure(&l.Hash, func(i int) error {
			for p := sample[i]; len(p) > 0; p = p[min(pageSize, len(p)):] {
				blake3.Sum256(p[:min(pageSize, len(p))])
			}
			return nil
		}),
		measure(&l.Compress, func(i int) error {
			frames[i] = frames[i][:0]
			for p := sample[i]; len(p) > 0; p = p[min(packed, len(p)):] {
				frames[i] = append(frames[i], encoder.EncodeAll(p[:min(packed, len(p))], nil))
			}
			return nil
		}),
		measure(&l.Decompress, func(i int) error {
			buf := make([]byte, 0, packed)
			for _, frame := range frames[i] {
				if _, err := decoder.DecodeAll(frame, buf); err != nil {
					return err
				}
			}
			return nil
		}),
		measure(&l.Sum, func(i int) error {
			sha256.Sum256(sample[i])
			return nil
		}),
	)
	if err != nil {
		return l, err
	}
	small := 0
	for _, of := range frames {
		for _, frame := range of {
			small += len(frame)
		}
	}
	l.Ratio = float64(small) / float64(total)
	l.Write, err = measureWrite(dir, sample, total)
	return l, err
}

// measureWrite writes the sample to a new file and waits for the disk.
func measureWrite(dir string, sample [][]byte, total int) (float64, error) {
	var took []time.Duration
	for i := range 3 {
		start := time.Now()
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("limit-%d", i)))
		if err != nil {
			return 0, err
		}
		for _, p := range sample {
			if _, err := f.Write(p); err != nil {
				return 0, errors.Join(err, f.Close())
			}
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return 0, err
		}
		took = append(took, time.Since(start))
		if err := os.Remove(f.Name()); err != nil {
			return 0, err
		}
	}
	return float64(total) / middle(took).Seconds(), nil
}

// onCores does n pieces of work on two cores.
func onCores(n int, do func(i int) error) error {
	errs := make([]error, cores)
	var wg sync.WaitGroup
	for c := range cores {
		wg.Go(func() {
			for i := c; i < n; i += cores {
				errs[c] = errors.Join(errs[c], do(i))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// A floor is the least time that a step can take on this machine.
type floor struct {
	step  step
	takes time.Duration
	why   string
}

// floors of the steps for a subject of that many bytes, of which changed are
// new between two backups.
func (l limits) floors(bytes, changed int64) []floor {
	n, stored := float64(bytes), float64(bytes)*l.Ratio
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	compute := n/l.Read + n/l.Hash + n/l.Compress + stored/l.Sum
	return []floor{
		{full, max(seconds(compute), seconds(stored/l.Write)), "read, hash, compress and sum on two cores, or write what is stored"},
		{increment, seconds(n/l.Read + n/l.Hash + float64(changed)/l.Compress), "read and hash everything on two cores, compress what changed"},
		{restore, max(seconds(stored/l.Sum+n/l.Decompress+n/l.Hash), seconds(n/l.Write)), "sum, decompress and hash on two cores, or write everything"},
	}
}
