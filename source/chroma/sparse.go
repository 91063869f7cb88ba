package chroma

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/inode"
)

// copyBuffer is how much of a file is in memory at a time.
const copyBuffer = 256 << 10

// copySparse writes size bytes of f into w, holes as holes: an index reserves
// space for elements to come, gigabytes of nothing.
//
// A file that turns out shorter fails with errChanged.
func copySparse(ctx context.Context, w holdfast.FileWriter, f *os.File, size int64) error {
	buf := make([]byte, min(copyBuffer, max(size, 1)))
	for off := int64(0); off < size; {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		data, end, err := inode.NextData(f, off, size)
		if err != nil {
			return err
		}
		if data > off {
			if err := w.Skip(data - off); err != nil {
				return err
			}
			off = data
			continue
		}
		n, err := f.ReadAt(buf[:min(int64(len(buf)), end-off)], off)
		if n == 0 {
			if err == nil || errors.Is(err, io.EOF) {
				return errChanged
			}
			return err
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}
