package repo

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast/bucket"
)

// A storedFile is a file on its way into the stage: what is written to it is
// encrypted if the backup is, hashed as it will lie in the bucket and, if it is a
// payload, counted against the limit of the backup.
type storedFile struct {
	p     *Pending
	w     bucket.Writer
	sum   hash.Hash
	count bool
	size  int64 // bytes stored
	plain int64 // bytes written

	enc  io.WriteCloser // nil if the file is stored as it is
	keys []age.Identity // that open it
}

func (p *Pending) newStoredFile(key string, count bool) (*storedFile, error) {
	w, err := p.stage.Create(p.ctx, key)
	if err != nil {
		return nil, err
	}
	f := &storedFile{p: p, w: w, sum: sha256.New(), count: count}
	if p.sealing != nil {
		enc, id, err := p.sealing.encrypt(storing{f})
		if err != nil {
			return nil, errors.Join(err, f.discard())
		}
		f.enc, f.keys = enc, []age.Identity{id}
	}
	return f, nil
}

// Write implements io.Writer.
func (f *storedFile) Write(b []byte) (int, error) {
	f.plain += int64(len(b))
	if f.enc != nil {
		return f.enc.Write(b)
	}
	return f.store(b)
}

// storing is the storedFile behind its encryption.
type storing struct{ f *storedFile }

func (s storing) Write(b []byte) (int, error) { return s.f.store(b) }

// store takes bytes as they will lie in the bucket.
func (f *storedFile) store(b []byte) (int, error) {
	if err := f.account(int64(len(b))); err != nil {
		return 0, err
	}
	f.size += int64(len(b))
	f.sum.Write(b)
	return f.w.Write(b)
}

// skip stores at most a frame of zeros.
func (f *storedFile) skip(n int64) error {
	if n == 0 {
		return nil
	}
	if f.enc != nil { // zeros, too, look like anything else
		_, err := f.Write(zeros[:n])
		return err
	}
	f.plain += n
	if err := f.account(n); err != nil {
		return err
	}
	f.size += n
	f.sum.Write(zeros[:n])
	return f.w.Skip(n)
}

// finish ends the stored file and fills in what e says about it.
func (f *storedFile) finish(e *entry) error {
	sum, err := f.end()
	e.StoredSize, e.StoredSHA256 = f.size, sum
	if f.enc != nil {
		e.PayloadSize, e.sealed, e.keys = f.plain, true, f.keys
	}
	return err
}

// end ends the stored file and gives its SHA-256.
func (f *storedFile) end() (string, error) {
	if f.enc != nil {
		if err := f.enc.Close(); err != nil {
			return "", errors.Join(err, f.w.Discard())
		}
	}
	return hex.EncodeToString(f.sum.Sum(nil)), f.w.Close()
}

// discard drops the stored file.
func (f *storedFile) discard() error {
	if f.count {
		f.p.unaccount(f.size)
	}
	f.size = 0
	return f.w.Discard()
}

func (f *storedFile) account(n int64) error {
	if !f.count {
		return nil
	}
	return f.p.account(n)
}
