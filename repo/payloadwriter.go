package repo

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"github.com/holdfast-backup/holdfast/bucket"
)

// A payloadWriter stores the frames of one file in order and collects what the
// manifest says about them. It is used by one goroutine at a time.
type payloadWriter struct {
	p       *Pending
	w       bucket.Writer
	zstd    bool
	sum     hash.Hash // of the stored bytes
	stored  int64
	table   seekTableWriter
	groups  []byte
	digest  *fileDigest
	extents extentBuilder
}

func (p *Pending) newPayloadWriter(key string, zstd bool) (*payloadWriter, error) {
	w, err := p.stage.Create(p.ctx, key)
	if err != nil {
		return nil, err
	}
	return &payloadWriter{p: p, w: w, zstd: zstd, sum: sha256.New(), digest: newFileDigest()}, nil
}

// add stores one frame that was hashed and, if the payload is compressed,
// packed.
func (o *payloadWriter) add(f *frame) error {
	if f.run > 0 {
		return o.addZeros(f.run)
	}
	o.note(f)
	if o.zstd {
		o.table.add(len(f.packed), len(f.raw))
		return o.write(f.packed)
	}
	sum := groupCheck(f.hashes)
	o.groups = append(o.groups, sum[:]...)
	return o.writeSparse(f)
}

// note takes over what the manifest says about the plaintext of f.
func (o *payloadWriter) note(f *frame) {
	o.digest.add(f.hashes, int64(len(f.raw)))
	o.extents.frame(len(f.hashes), f.zero)
}

// addZeros stores n frames of zeros.
func (o *payloadWriter) addZeros(n int64) error {
	o.digest.addZeros(n * frameSize)
	o.extents.hole(n * blocksPerFrame)
	for ; n > 0; n-- {
		if o.zstd {
			z := zeroFrame()
			o.table.add(len(z), frameSize)
			if err := o.write(z); err != nil {
				return err
			}
			continue
		}
		o.groups = append(o.groups, zeroGroup()...)
		if err := o.skip(frameSize); err != nil {
			return err
		}
	}
	return nil
}

// writeSparse stores the plaintext itself, its zero blocks as holes.
func (o *payloadWriter) writeSparse(f *frame) error {
	for i := 0; i < len(f.hashes); {
		n := i + 1
		for n < len(f.hashes) && f.zero>>n&1 == f.zero>>i&1 {
			n++
		}
		piece := f.raw[i*blockSize : min(n*blockSize, len(f.raw))]
		var err error
		if f.zero>>i&1 == 1 {
			err = o.skip(int64(len(piece)))
		} else {
			err = o.write(piece)
		}
		if err != nil {
			return err
		}
		i = n
	}
	return nil
}

func (o *payloadWriter) write(b []byte) error {
	if err := o.p.account(int64(len(b))); err != nil {
		return err
	}
	o.stored += int64(len(b))
	o.sum.Write(b)
	_, err := o.w.Write(b)
	return err
}

// skip stores at most a frame of zeros.
func (o *payloadWriter) skip(n int64) error {
	if err := o.p.account(n); err != nil {
		return err
	}
	o.stored += n
	o.sum.Write(zeros[:n])
	return o.w.Skip(n)
}

// finish ends the payload and fills in what e says about it.
func (o *payloadWriter) finish(e *entry) error {
	if o.zstd {
		if err := o.write(o.table.frame()); err != nil {
			return err
		}
		e.Encoding = encodingZstd
	} else {
		e.Encoding = encodingRaw
		e.Groups = o.groups
	}
	e.Form = formFull
	e.StoredSize = o.stored
	e.StoredSHA256 = hex.EncodeToString(o.sum.Sum(nil))
	e.Size = o.digest.size
	e.Digest = o.digest.String()
	e.Extents = o.extents.xs
	return o.w.Close()
}

// discard drops the payload.
func (o *payloadWriter) discard() error {
	o.p.unaccount(o.stored)
	o.stored = 0
	return o.w.Discard()
}
