package repo

import (
	"archive/zip"
	"context"
	"io"
	"io/fs"

	"github.com/klauspost/compress/flate"
)

// WriteZipOf writes what lies at and below a path ("." is the whole tree) as a zip
// stream, every file in full. Like a tar, a stream that ends properly is whole:
// the directory of a zip is its end.
func (b *Backup) WriteZipOf(ctx context.Context, path string, w io.Writer) error {
	zw := zip.NewWriter(w)
	// Databases shrink well at the fastest level; and a stored file whose length is
	// told only behind it cannot be read from a stream.
	zw.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestSpeed)
	})
	err := b.archive(path, func(e *entry) error { return b.zipEntry(ctx, zw, e) })
	if err != nil {
		return err
	}
	return zw.Close()
}

func (b *Backup) zipEntry(ctx context.Context, zw *zip.Writer, e *entry) error {
	info := fileInfo{e, e.Path}
	h := &zip.FileHeader{Name: e.Path, Method: zip.Deflate, Modified: info.ModTime()}
	h.SetMode(info.Mode())
	switch e.Type {
	case typeDir:
		h.Name, h.Method = h.Name+"/", zip.Store
	case typeSymlink:
		h.SetMode(fs.ModeSymlink | 0o777)
	}
	fw, err := zw.CreateHeader(h)
	if err != nil {
		return err
	}
	switch e.Type {
	case typeFile:
		return b.writeContent(ctx, e, fw)
	case typeSymlink:
		_, err = io.WriteString(fw, e.Link)
	}
	return err
}
