package repo

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"github.com/holdfast-backup/holdfast/bucket"
)

// A storedFile is a payload on its way into the stage: what is written to it is
// counted against the limit of the backup and hashed as it will lie in the
// bucket.
type storedFile struct {
	p    *Pending
	w    bucket.Writer
	sum  hash.Hash
	size int64
}

func (p *Pending) newStoredFile(key string) (*storedFile, error) {
	w, err := p.stage.Create(p.ctx, key)
	if err != nil {
		return nil, err
	}
	return &storedFile{p: p, w: w, sum: sha256.New()}, nil
}

// Write implements io.Writer.
func (f *storedFile) Write(b []byte) (int, error) {
	if err := f.p.account(int64(len(b))); err != nil {
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
	if err := f.p.account(n); err != nil {
		return err
	}
	f.size += n
	f.sum.Write(zeros[:n])
	return f.w.Skip(n)
}

// finish ends the stored file and fills in what e says about it.
func (f *storedFile) finish(e *entry) error {
	e.StoredSize = f.size
	e.StoredSHA256 = hex.EncodeToString(f.sum.Sum(nil))
	return f.w.Close()
}

// discard drops the stored file.
func (f *storedFile) discard() error {
	f.p.unaccount(f.size)
	f.size = 0
	return f.w.Discard()
}
