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
	return b.WriteTarOf(ctx, ".", w)
}

// WriteTarOf writes what lies at and below a path, such as the folder of one
// source, as WriteTar writes the whole.
func (b *Backup) WriteTarOf(ctx context.Context, path string, w io.Writer) error {
	tw := tar.NewWriter(w)
	err := b.archive(path, func(e *entry) error { return b.tarEntry(ctx, tw, e) })
	if err != nil {
		return err
	}
	return tw.Close()
}

// archive gives the entries at and below a path to write, in their order. A path
// that the backup does not have matches ErrNotFound.
func (b *Backup) archive(path string, write func(*entry) error) error {
	entries := b.view.tree.below(path)
	if len(entries) == 0 {
		return &holdfast.Error{Op: "export", Object: path, Err: holdfast.Kindf(holdfast.ErrNotFound, "backup %s has no such part", b.name)}
	}
	for _, e := range entries {
		if e.Path == "." {
			continue
		}
		if err := write(e); err != nil {
			return &holdfast.Error{Op: "export", Object: e.Path, Err: b.damagedEntry(e, err)}
		}
	}
	return nil
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
	return b.writeContent(ctx, e, tw)
}

// writeContent writes the bytes of one file, holes as zeros.
func (b *Backup) writeContent(ctx context.Context, e *entry, w io.Writer) error {
	if data, ok := b.view.literal[e.Path]; ok {
		_, err := w.Write(data)
		return err
	}
	c, err := newContent(e, b, b.view.cache)
	if err != nil {
		return err
	}
	defer c.close()
	return c.scan(ctx, false, func(f *frame) error {
		if f.run > 0 {
			_, err := w.Write(zeros[:])
			return err
		}
		_, err := w.Write(f.raw)
		return err
	})
}
