package repo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// A recoding is a copy that is encrypted otherwise than the backup: what is
// stored is decrypted and encrypted as it passes. The payloads stay what they
// were before encryption, and so do extents and references, so a delta stays a
// delta and refers to the copies of what it needs.
type recoding struct {
	*copying
	b       *Backup
	p       *Pending // what is written there
	keys    []age.Identity
	entries []*entry // of the copy, beside those of b
}

// recode copies the backup in this form.
func (c *copying) recode(ctx context.Context, form copyForm) (err error) {
	b, err := c.from.open(ctx, c.name)
	if errors.Is(err, ErrNoKey) {
		return &holdfast.Error{
			Err:  fmt.Errorf("its copy in %s is encrypted otherwise, so it must be read here: %w", c.to.Location(), err),
			Hint: holdfast.HintOf(err),
		}
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	keys, err := c.from.keysFor(ctx, c.name, b.mark)
	if err != nil {
		return err
	}
	w := &recoding{copying: c, b: b, keys: keys}
	w.p = &Pending{
		r: c.to, ctx: ctx, name: c.name, names: newPayloadNames(form.sealing != nil), sealing: form.sealing,
		compaction: b.mark.Compaction, origin: b.mark.origin(),
	}
	// What was sent in another form is of no use.
	c.inv = &inventory{identity: sumOf([]byte(sumOf(b.marker) + "\n" + b.mark.ManifestSHA256 + "\n" + strings.Join(form.recipients(), "\n")))}
	for _, e := range b.manifest.Entries {
		w.entries = append(w.entries, w.renamed(e))
		if e.Payload != "" {
			c.inv.objects = append(c.inv.objects, storedObject{key: e.Payload, size: e.StoredSize, sum: e.StoredSHA256})
		}
	}
	return c.run(ctx, w.send)
}

// renamed gives the entry of the copy, with the key that its payload has there.
// The keys are the same each time.
func (w *recoding) renamed(e *entry) *entry {
	now := *e
	now.StoredSize, now.StoredSHA256, now.PayloadSize, now.sealed, now.keys = 0, "", 0, false, nil
	if e.Payload != "" {
		name := e.Path
		if e.Form == formDelta {
			name += ".delta"
		}
		now.Payload = w.p.names.claim(name, e.Encoding == encodingZstd)
	}
	return &now
}

// send stores everything but the marker, which it makes.
func (w *recoding) send(ctx context.Context) error {
	w.p.stage = w.stage
	all := w.b.manifest.Entries
	if err := w.each(ctx, len(all), func(ctx context.Context, i int) error { return w.payload(ctx, all[i], w.entries[i]) }); err != nil {
		return err
	}
	m := *w.b.metadata
	m.Sources, m.Encrypted, m.Recipients = slices.Clone(m.Sources), false, nil
	mf := &manifest{Format: holdfast.FormatVersion, Backup: w.name, Refs: w.b.manifest.Refs, Entries: w.entries}
	data, _, err := w.p.describe(&m, mf)
	if err != nil {
		return err
	}
	w.inv.marker = data
	return w.p.writeClear(ctx, holdfast.SumsFile, func(out io.Writer) error {
		return writeSums(out, expectedSums(mf, data))
	})
}

// payload stores the payload of one entry, unless it is there.
func (w *recoding) payload(ctx context.Context, e, now *entry) error {
	if e.Payload == "" {
		return nil
	}
	// Encrypted twice, the same bytes are others: the note tells both sums.
	from, sum, _ := strings.Cut(w.before[now.Payload], " ")
	size, err := w.isThere(ctx, now.Payload, from == e.StoredSHA256, sum)
	if err != nil {
		return err
	}
	if size >= 0 {
		now.StoredSize, now.StoredSHA256 = size, sum
		if now.sealed = w.p.sealing != nil; now.sealed {
			now.PayloadSize = e.payloadSize()
		}
		w.reused.Add(e.StoredSize)
		w.advance(e.StoredSize)
		return nil
	}
	if err := w.store(ctx, e, now); err != nil {
		return err
	}
	return w.o.Journal.Complete(now.Payload, e.StoredSHA256+" "+now.StoredSHA256)
}

// store reads the payload of e and stores it as that of now.
func (w *recoding) store(ctx context.Context, e, now *entry) (err error) {
	obj, err := w.from.b.Open(ctx, string(w.name)+"/"+e.Payload)
	if errors.Is(err, fs.ErrNotExist) {
		return damagedBackup(w.name, e.Payload, errors.New("is missing"))
	}
	if err != nil {
		return err
	}
	defer obj.Close()
	if obj.Size() != e.StoredSize {
		return damagedBackup(w.name, e.Payload, fmt.Errorf("has %d bytes, not the %d that were stored", obj.Size(), e.StoredSize))
	}
	f, err := w.p.newStoredFile(now.Payload, false)
	if err != nil {
		return err
	}
	in := &storedReader{ctx: ctx, obj: obj, sum: sha256.New(), passed: w.advance}
	if err := w.pass(in, e, f); err != nil {
		return errors.Join(err, f.discard())
	}
	return f.finish(now)
}

// pass decrypts what is stored of e into f, and compares it to its last byte.
func (w *recoding) pass(in *storedReader, e *entry, f *storedFile) error {
	var plain io.Reader = in
	var err error
	if e.sealed {
		plain, err = decrypt(in, w.keys)
	}
	var n int64
	if err == nil {
		n, err = copyPieces(f, plain)
	}
	var failed *writeError
	if errors.As(err, &failed) {
		return failed.error
	}
	// Whatever it decrypts to: damaged is what is not as it was stored.
	sum, readErr := in.end()
	switch {
	case readErr != nil:
		return damagedIf(readErr, w.name, e.Payload)
	case sum != e.StoredSHA256:
		return damagedBackup(w.name, e.Payload, errors.New("the stored bytes do not have the SHA-256 recorded when they were written"))
	case errors.Is(err, errOtherKey):
		return wrongKey(w.name, w.b.mark, err)
	case err != nil:
		return damagedBackup(w.name, e.Payload, err)
	case n != e.payloadSize():
		return damagedBackup(w.name, e.Payload, fmt.Errorf("decrypts to %d bytes instead of %d", n, e.payloadSize()))
	}
	return nil
}

// A writeError is an error of who takes the pieces.
type writeError struct{ error }

// copyPieces stores what it reads, zeros as holes where that is possible.
func copyPieces(f *storedFile, in io.Reader) (int64, error) {
	buf := make([]byte, copyPiece)
	for sum := int64(0); ; {
		n, readErr := fillPiece(in, buf)
		var err error
		if piece := buf[:n]; isZero(piece) {
			err = f.skip(int64(n))
		} else {
			_, err = f.Write(piece)
		}
		if err != nil {
			return sum, &writeError{err}
		}
		sum += int64(n)
		if errors.Is(readErr, io.EOF) {
			return sum, nil
		}
		if readErr != nil {
			return sum, readErr
		}
	}
}

// fillPiece reads until buf is full, or to an error, which it gives as it is.
func fillPiece(in io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var more int
		more, err = in.Read(buf[n:])
		n += more
	}
	return n, err
}

// A storedReader reads a stored object from front to back and hashes it.
type storedReader struct {
	ctx    context.Context
	obj    bucket.Object
	at     int64
	sum    hash.Hash
	passed func(n int64)
	err    error
}

// Read implements io.Reader.
func (r *storedReader) Read(p []byte) (int, error) {
	switch {
	case r.err != nil:
		return 0, r.err
	case r.ctx.Err() != nil:
		r.err = context.Cause(r.ctx)
		return 0, r.err
	case r.at == r.obj.Size():
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.obj.Size()-r.at)]
	if r.err = readFull(r.obj, p, r.at); r.err != nil {
		return 0, r.err
	}
	r.at += int64(len(p))
	r.sum.Write(p)
	r.passed(int64(len(p)))
	return len(p), nil
}

// end reads what is left and gives the SHA-256 of all.
func (r *storedReader) end() (string, error) {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(r.sum.Sum(nil)), nil
}
