package repo

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/dir"
)

// benchmarkSize is enough to see the speed and too little to be in the way.
const benchmarkSize = 256 << 20

// BenchmarkDelta makes deltas of a file in which one page of a hundred changed;
// its floor is BenchmarkHash, which only reads and hashes the same file.
func BenchmarkDelta(b *testing.B) {
	file := benchmarkFile(b)
	store, err := dir.New(filepath.Join(b.TempDir(), "repository"), dir.Options{})
	if err != nil {
		b.Fatal(err)
	}
	r := rememberingRepo(b, store, b.TempDir())
	p := create(b, r, "full", CreateOptions{Compress: true, Remember: true})
	copyFile(b, p, file)
	commit(b, p)
	rnd := rand.New(rand.NewPCG(1, 2))
	b.SetBytes(benchmarkSize)
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		for range benchmarkSize / blockSize / 100 {
			if _, err := file.WriteAt(text(blockSize, rnd.Uint64()), rnd.Int64N(benchmarkSize/blockSize)*blockSize); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		base, _, err := r.Base(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		p := create(b, r, holdfast.BackupName(fmt.Sprintf("delta%d", i)), CreateOptions{Compress: true, Base: base, Remember: true})
		copyFile(b, p, file)
		commit(b, p)
		b.ReportMetric(float64(p.Stored())/1e6, "MB-stored")
	}
}

// BenchmarkReuse makes deltas of a file of which nothing changed.
func BenchmarkReuse(b *testing.B) {
	file := benchmarkFile(b)
	store, err := dir.New(filepath.Join(b.TempDir(), "repository"), dir.Options{})
	if err != nil {
		b.Fatal(err)
	}
	r := rememberingRepo(b, store, b.TempDir())
	p := create(b, r, "full", CreateOptions{Compress: true, Remember: true})
	copyFile(b, p, file)
	commit(b, p)
	for i := 0; b.Loop(); i++ {
		base, _, err := r.Base(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		p := create(b, r, holdfast.BackupName(fmt.Sprintf("delta%d", i)), CreateOptions{Compress: true, Base: base, Remember: true})
		if ok, err := p.Sink("bot").Reuse(holdfast.Entry{Path: "big.db", Mode: 0o600, ModTime: testTime}, "stamp"); !ok || err != nil {
			b.Fatalf("not reused: %v", err)
		}
		commit(b, p)
	}
}

// BenchmarkHash reads and hashes a file on two cores, as a delta must.
func BenchmarkHash(b *testing.B) {
	file := benchmarkFile(b)
	b.SetBytes(benchmarkSize)
	for b.Loop() {
		items := make([]*frame, inFlight)
		for i := range items {
			items[i] = takeFrame()
		}
		pipe := newPipeline(items, func(f *frame) error { f.hash(); return nil }, func(*frame) error { return nil })
		for off := int64(0); off < benchmarkSize; off += frameSize {
			f := pipe.take()
			f.reset()
			f.raw = f.raw[:frameSize]
			if _, err := file.ReadAt(f.raw, off); err != nil {
				b.Fatal(err)
			}
			pipe.submit(f)
		}
		if err := pipe.wait(); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkFile(b *testing.B) *os.File {
	file, err := os.Create(filepath.Join(b.TempDir(), "big.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { file.Close() })
	for i := range benchmarkSize / (4 << 20) {
		if _, err := file.Write(text(4<<20, uint64(i))); err != nil {
			b.Fatal(err)
		}
	}
	return file
}

func copyFile(b *testing.B, p *Pending, file *os.File) {
	w, err := p.Sink("bot").Create(holdfast.Entry{Path: "big.db", Mode: 0o600, ModTime: testTime})
	if err == nil {
		_, err = io.CopyBuffer(w, struct{ io.Reader }{io.NewSectionReader(file, 0, benchmarkSize)}, make([]byte, 1<<20))
	}
	if err == nil {
		w.Stamp("stamp")
		err = w.Close()
	}
	if err != nil {
		b.Fatal(err)
	}
}
