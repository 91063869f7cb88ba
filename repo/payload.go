package repo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// A payload is an open stored file, read frame by frame.
type payload struct {
	obj    bucket.Object // its plaintext, if it is encrypted
	stored bucket.Object // as it lies in the bucket
	keys   []age.Identity
	where  string // backup and stored file, for errors
	plain  int64  // plaintext bytes
	table  *seekTable
	groups []byte // checks of a raw payload
}

// packedBuffers hold the compressed bytes of frames being decoded.
var packedBuffers = sync.Pool{New: func() any { b := make([]byte, maxCompressed); return &b }}

// newPayload opens the payload of e over obj, which it owns from then on.
func newPayload(obj bucket.Object, e *entry, where string) (*payload, error) {
	p := &payload{stored: obj, obj: obj, keys: e.keys, where: where, plain: e.payloadSize(), groups: e.Groups}
	if obj.Size() != e.StoredSize {
		obj.Close()
		return nil, p.damaged("has %d bytes instead of %d", obj.Size(), e.StoredSize)
	}
	if e.sealed {
		plain, err := openSealed(obj, e.keys)
		if err != nil {
			return nil, p.damaged("%w", err)
		}
		if p.obj = plain; plain.Size() != p.plain {
			obj.Close()
			return nil, p.damaged("decrypts to %d bytes instead of %d", plain.Size(), p.plain)
		}
	}
	if e.Encoding == encodingZstd {
		t, err := readSeekTable(p.obj, p.plain)
		if err != nil {
			obj.Close()
			return nil, p.damaged("%w", err)
		}
		p.table, p.plain = t, t.plain
	}
	if e.Form == formFull && p.plain != e.Size {
		obj.Close()
		return nil, p.damaged("decodes to %d bytes instead of %d", p.plain, e.Size)
	}
	return p, nil
}

func (p *payload) close() error { return p.obj.Close() }

// damaged says what is wrong with the stored file.
func (p *payload) damaged(format string, args ...any) error {
	return damagedFile(p.where, fmt.Errorf(format, args...))
}

// damagedFile marks err as damage of a stored file.
func damagedFile(where string, err error) error {
	return &holdfast.Error{
		Op: "read", Object: where, Err: &damage{where, err},
		Hint: "holdfast verify shows all that is damaged; another backup may hold the file whole",
	}
}

// damage is any error that means that stored bytes are not what was recorded.
type damage struct {
	where string // backup and stored file, "" if the error around it says so
	err   error
}

func (d *damage) Error() string   { return d.err.Error() }
func (d *damage) Unwrap() []error { return []error{holdfast.ErrDamaged, d.err} }

// readFrame reads frame i into dst, which must have room for it, and returns
// it. What dst has beyond, the decoder may use to be faster. A raw frame is
// checked only if check is set: whoever compares the digest of the whole file
// need not.
func (p *payload) readFrame(i int64, dst []byte, check bool) ([]byte, error) {
	size := plainSize(i, p.plain)
	if p.table == nil {
		return p.readRaw(i, dst[:size], check)
	}
	if i < 0 || i >= int64(p.table.frames()) {
		return nil, p.damaged("has no frame %d", i)
	}
	buf := packedBuffers.Get().(*[]byte)
	defer packedBuffers.Put(buf)
	off := p.table.offsets[i]
	packed := (*buf)[:p.table.offsets[i+1]-off]
	if err := p.read(packed, off); err != nil {
		return nil, err
	}
	return p.decode(i, packed, dst)
}

// frames is how many frames there are.
func (p *payload) frames() int64 { return (p.plain + frameSize - 1) / frameSize }

// stretchBuffers hold the stored bytes of frames that are read at once.
var stretchBuffers = sync.Pool{New: func() any { b := make([]byte, 0, aheadAtOnce*frameSize); return &b }}

// readFrames reads the frames from one up to another, no more than aheadAtOnce, at once and
// gives each to take, which owns its buffer from then on.
func (p *payload) readFrames(from, to int64, take func(i int64, buf *[]byte, size int)) error {
	begin, end := from*frameSize, min(to*frameSize, p.plain)
	if p.table != nil {
		begin, end = p.table.offsets[from], p.table.offsets[to]
	}
	stored := stretchBuffers.Get().(*[]byte)
	defer stretchBuffers.Put(stored)
	*stored = slices.Grow((*stored)[:0], int(end-begin))[:end-begin]
	if err := p.read(*stored, begin); err != nil {
		return err
	}
	for i := from; i < to; i++ {
		buf := plainBuffers.Get().(*[]byte)
		plain, err := p.frameIn(*stored, begin, i, *buf)
		if err != nil {
			plainBuffers.Put(buf)
			return err
		}
		take(i, buf, len(plain))
	}
	return nil
}

// frameIn makes frame i of stored bytes, which begin at an offset, in dst.
func (p *payload) frameIn(stored []byte, begin, i int64, dst []byte) ([]byte, error) {
	if p.table != nil {
		return p.decode(i, stored[p.table.offsets[i]-begin:p.table.offsets[i+1]-begin], dst)
	}
	size := plainSize(i, p.plain)
	copy(dst[:size], stored[i*frameSize-begin:])
	return dst[:size], p.checkRaw(i, dst[:size])
}

// decode decodes frame i into dst, never beyond its capacity.
func (p *payload) decode(i int64, packed, dst []byte) ([]byte, error) {
	size := plainSize(i, p.plain)
	if size == frameSize && bytes.Equal(packed, zeroFrame()) {
		dst = dst[:frameSize]
		clear(dst)
		return dst, nil
	}
	out, err := decoder().DecodeAll(packed, dst[:0])
	if err != nil {
		return nil, p.damaged("frame at %d of the file: %w", i*frameSize, err)
	}
	if len(out) != size {
		return nil, p.damaged("frame at %d of the file holds %d bytes instead of %d", i*frameSize, len(out), size)
	}
	return out, nil
}

func (p *payload) readRaw(i int64, dst []byte, check bool) ([]byte, error) {
	if err := p.read(dst, i*frameSize); err != nil {
		return nil, err
	}
	if check {
		if err := p.checkRaw(i, dst); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// checkRaw tells whether the bytes of a raw frame are those that were stored.
func (p *payload) checkRaw(i int64, raw []byte) error {
	var space [blocksPerFrame]blockHash
	hashes, _ := hashBlocks(raw, space[:0])
	if sum := groupCheck(hashes); !bytes.Equal(sum[:], p.groups[i*groupSize:(i+1)*groupSize]) {
		return p.damaged("the bytes at %d are not those that were stored", i*frameSize)
	}
	return nil
}

// read reads stored bytes. Missing ones are damage, and so is what the disk
// cannot read.
func (p *payload) read(b []byte, off int64) error {
	err := readFull(p.obj, b, off)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return p.damaged("ends before %d", off+int64(len(b)))
	}
	return p.damaged("%w", err)
}

// missing turns the error of opening a stored file into damage if it is gone.
func missing(where string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return damagedFile(where, errors.New("is missing"))
	}
	return &holdfast.Error{Op: "read", Object: where, Err: err}
}
