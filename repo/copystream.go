package repo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// A storedObject is one object of a backup and what its bytes must be.
type storedObject struct {
	key  string // below the backup
	size int64
	sum  string                // SHA-256 in hexadecimal
	text func(io.Writer) error // what is made again rather than read; nil: read it
}

// An inventory is everything that is stored of one backup.
type inventory struct {
	marker   []byte
	identity string // differs for any two backups, whatever their names
	objects  []storedObject
}

// bytes sums the objects and the marker.
func (i *inventory) bytes() int64 {
	sum := int64(len(i.marker))
	for _, o := range i.objects {
		sum += o.size
	}
	return sum
}

// inventory lists what is stored of a backup: as its manifest has it, or, if that
// is encrypted, as SHA256SUMS has it, to which the marker is bound. So no key is
// needed. The sums are redundant otherwise, and then written again.
func (r *Repository) inventory(ctx context.Context, name holdfast.BackupName) (*inventory, error) {
	data, m, err := r.loadMarker(ctx, name)
	if err != nil {
		return nil, err
	}
	if m.Encrypted {
		return r.sealedInventory(ctx, name, data, m)
	}
	mf, err := r.loadManifest(ctx, name, m)
	if err != nil {
		return nil, err
	}
	inv := &inventory{marker: data, identity: sumOf(data)}
	for _, e := range mf.Entries {
		if e.Payload != "" {
			inv.objects = append(inv.objects, storedObject{key: e.Payload, size: e.StoredSize, sum: e.StoredSHA256})
		}
	}
	inv.objects = append(inv.objects, storedObject{key: m.manifestKey(), size: mf.fileBytes, sum: mf.sha256}, madeAgain(expectedSums(mf, data)))
	return inv, nil
}

// sealedInventory is the inventory of an encrypted backup.
func (r *Repository) sealedInventory(ctx context.Context, name holdfast.BackupName, data []byte, m *marker) (*inventory, error) {
	v := &storedVerification{r: r, name: name, m: m}
	if err := v.sums(ctx, data); err != nil {
		return nil, err
	}
	if len(v.problems) > 0 {
		return nil, &holdfast.DamagedError{Backup: name, Problems: v.problems}
	}
	sizes := map[string]int64{}
	prefix := string(name) + "/"
	for obj, err := range r.b.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		sizes[strings.TrimPrefix(obj.Key, prefix)] = obj.Size
	}
	inv := &inventory{marker: data, identity: sumOf(data)}
	lines := append(slices.Clone(v.lines), sumLine{holdfast.MetadataFile, sumOf(data)})
	inv.objects = append(inv.objects, madeAgain(lines))
	for _, l := range v.lines {
		size, ok := sizes[l.name]
		if !ok {
			return nil, damagedBackup(name, l.name, errors.New("is missing"))
		}
		inv.objects = append(inv.objects, storedObject{key: l.name, size: size, sum: l.sha256})
	}
	return inv, nil
}

// madeAgain is SHA256SUMS of these lines.
func madeAgain(lines []sumLine) storedObject {
	var text strings.Builder
	_ = writeSums(&text, lines) // a builder takes everything
	return storedObject{
		key: holdfast.SumsFile, size: int64(text.Len()), sum: sumOf([]byte(text.String())),
		text: func(w io.Writer) error {
			_, err := io.WriteString(w, text.String())
			return err
		},
	}
}

// copyPiece is the size of the pieces in which objects are read.
const copyPiece = frameSize

// stream sends one object and compares it on its way. What differs is not
// completed.
func (c *copying) stream(ctx context.Context, obj storedObject) (err error) {
	w, err := c.stage.Create(ctx, obj.key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Discard()) }()
	if obj.text != nil {
		if err := obj.text(w); err != nil {
			return err
		}
		c.advance(obj.size)
		return w.Close()
	}
	key := string(c.name) + "/" + obj.key
	from, err := c.from.b.Open(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return damagedBackup(c.name, obj.key, errors.New("is missing"))
	}
	if err != nil {
		return err
	}
	defer from.Close()
	if from.Size() != obj.size {
		return damagedBackup(c.name, obj.key, fmt.Errorf("has %d bytes, not the %d that were stored", from.Size(), obj.size))
	}
	hash := sha256.New()
	err = eachPiece(ctx, from, func(piece []byte) error {
		hash.Write(piece)
		defer c.advance(int64(len(piece)))
		if isZero(piece) {
			return w.Skip(int64(len(piece)))
		}
		_, err := w.Write(piece)
		return err
	})
	if err != nil {
		return damagedIf(err, c.name, obj.key)
	}
	if hex.EncodeToString(hash.Sum(nil)) != obj.sum {
		return damagedBackup(c.name, obj.key, errors.New("the stored bytes do not have the SHA-256 recorded when they were written"))
	}
	return w.Close()
}

// damagedIf names the object if err is damage of it.
func damagedIf(err error, name holdfast.BackupName, object string) error {
	if errors.Is(err, holdfast.ErrDamaged) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damagedBackup(name, object, err)
	}
	return err
}

// eachPiece reads an object from front to back.
func eachPiece(ctx context.Context, obj bucket.Object, take func(piece []byte) error) error {
	buf := make([]byte, copyPiece)
	for at := int64(0); at < obj.Size(); {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		piece := buf[:min(copyPiece, obj.Size()-at)]
		if err := readFull(obj, piece, at); err != nil {
			return err
		}
		if err := take(piece); err != nil {
			return err
		}
		at += int64(len(piece))
	}
	return nil
}
