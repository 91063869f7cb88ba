package repo

import (
	"archive/tar"
	"context"
	"io"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// WriteTar writes the whole tree, every file in full, as a tar stream. Damage
// is found before the stream ends; a stream that ends properly is whole.
func (b *Backup) WriteTar(ctx context.Context, w io.Writer) error {
	tw := tar.NewWriter(w)
	for _, e := range b.view.tree.below(".") {
		if e.Path == "." {
			continue
		}
		if err := b.tarEntry(ctx, tw, e); err != nil {
			return &holdfast.Error{Op: "export", Object: e.Path, Err: b.damagedEntry(e, err)}
		}
	}
	return tw.Close()
}

func (b *Backup) tarEntry(ctx context.Context, tw *tar.Writer, e *entry) error {
	h, err := tar.FileInfoHeader(fileInfo{e, e.Path}, e.Link)
	if err != nil {
		return err
	}
	h.Format = tar.FormatPAX
	h.Name = e.Path
	h.ModTime = e.modTime.Truncate(time.Nanosecond)
	if e.Type == typeDir {
		h.Name += "/"
	}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	if e.Type != typeFile {
		return nil
	}
	if data, ok := b.view.literal[e.Path]; ok {
		_, err := tw.Write(data)
		return err
	}
	c, err := newContent(e, b, b.view.cache)
	if err != nil {
		return err
	}
	defer c.close()
	return c.scan(ctx, false, func(f *frame) error {
		if f.run > 0 {
			_, err := tw.Write(zeros[:])
			return err
		}
		_, err := tw.Write(f.raw)
		return err
	})
}
