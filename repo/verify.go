package repo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
)

// Verify reads every stored byte and compares it with what was recorded:
// payloads, sums, manifest, metadata. Damage is returned as problems named by
// stored file; the error is for a verification that could not be made.
func (b *Backup) Verify(ctx context.Context, progress func(done, total int64)) ([]holdfast.Problem, error) {
	v := &verification{b: b, progress: progress}
	for _, e := range b.manifest.Entries {
		v.total += e.StoredSize
	}
	for _, check := range []func(context.Context) error{v.repository, v.documents, v.references, v.payloads, v.sums, v.extra} {
		if err := check(ctx); err != nil {
			return v.problems, &holdfast.Error{Op: "verify", Object: string(b.name), Err: err}
		}
		if err := ctx.Err(); err != nil {
			return v.problems, err
		}
	}
	return v.problems, nil
}

// verification is one run of Verify.
type verification struct {
	b           *Backup
	progress    func(done, total int64)
	done, total int64
	problems    []holdfast.Problem
	unsettled   bool // a compaction was cut
}

func (v *verification) add(p ...holdfast.Problem) { v.problems = append(v.problems, p...) }

func (v *verification) repository(ctx context.Context) error {
	problems, err := v.b.r.verifyBeside(ctx, v.b.name)
	v.add(problems...)
	v.unsettled = v.b.r.compacting(ctx, v.b.name)
	return err
}

// verifyBeside checks what lies beside a backup: repository.json, the keys that
// a passphrase opens, and its state. A damaged state costs notes, not data.
func (r *Repository) verifyBeside(ctx context.Context, name holdfast.BackupName) (problems []holdfast.Problem, err error) {
	now, err := Open(ctx, r.b, r.o)
	if err == nil {
		err = now.checkIdentity(ctx)
		if errors.Is(err, holdfast.ErrDamaged) {
			problems, err = append(problems, damagedObject(identityFile, err)), nil
		}
	}
	if err != nil {
		if !errors.Is(err, holdfast.ErrDamaged) && !errors.Is(err, holdfast.ErrNotFound) && !errors.Is(err, holdfast.ErrRefused) {
			return problems, err
		}
		problems = append(problems, damagedObject(repositoryFile, err))
	}
	if _, err := r.readState(ctx, name); err != nil {
		if !errors.Is(err, holdfast.ErrDamaged) && !errors.Is(err, holdfast.ErrRefused) {
			return problems, err
		}
		p := damagedObject(stateKey(name), err)
		p.Severity = holdfast.Warning
		problems = append(problems, p)
	}
	switch j, err := r.compactJournal(ctx, name); {
	case errors.Is(err, holdfast.ErrDamaged):
		p := damagedObject(compactKey(name), err)
		p.Severity = holdfast.Warning
		problems = append(problems, p)
	case err != nil:
		return problems, err
	case j != nil:
		problems = append(problems, unsettled(name))
	}
	return problems, nil
}

// documents reads metadata and manifest again, as they are now.
func (v *verification) documents(ctx context.Context) error {
	r, name := v.b.r, v.b.name
	_, m, err := r.loadMarker(ctx, name)
	var keys []age.Identity
	if err == nil {
		keys, err = r.keysFor(ctx, name, m)
	}
	if err == nil {
		_, err = r.loadManifest(ctx, name, m)
	}
	if err == nil && m.Encrypted {
		_, _, err = r.loadPrivate(ctx, name, m, keys)
	}
	if damaged, ok := errors.AsType[*holdfast.DamagedError](err); ok {
		v.add(damaged.Problems...)
		return nil
	}
	return err
}

// references compares what the manifest refers to with what the metadata says
// that the backup needs: only by that are other backups kept for it.
func (v *verification) references(context.Context) error {
	for _, name := range v.b.needed() {
		if !slices.Contains(v.b.mark.Needs, name) {
			v.add(damagedObject(holdfast.MetadataFile, fmt.Errorf("does not say that the backup needs %s", name)))
		}
	}
	return nil
}

func (v *verification) payloads(ctx context.Context) error {
	for _, e := range v.b.manifest.Entries {
		if e.Type != typeFile {
			continue
		}
		before := v.done
		err := v.file(ctx, e)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, errCompacted) {
			return err
		}
		if err != nil {
			// Whatever keeps the bytes from being read keeps them
			// from being restored.
			v.add(v.b.problem(e, err))
		}
		v.advance(before + e.StoredSize - v.done) // also what a damaged file left unread
	}
	return nil
}

func (v *verification) advance(n int64) {
	v.done += n
	if v.progress != nil && n > 0 {
		v.progress(v.done, v.total)
	}
}

// file checks one file: its payload once from front to back, and the digest of
// the plaintext, which for a delta comes from several payloads.
func (v *verification) file(ctx context.Context, e *entry) error {
	var digest *fileDigest
	if e.Payload != "" {
		p, err := v.b.ownPayload(e)
		if err != nil {
			return err
		}
		defer p.close()
		if digest, err = v.payload(ctx, e, p); err != nil {
			return err
		}
	}
	if e.Form == formFull {
		if digest.String() != e.Digest {
			return &damage{"", errors.New("the plaintext does not have the digest recorded when it was captured")}
		}
		return nil
	}
	c, err := newContent(e, v.b, v.b.view.cache)
	if err != nil {
		return err
	}
	defer c.close()
	return c.scan(ctx, true, nil)
}

// payload reads a stored file once: its bytes into their SHA-256, its frames
// into the digest of the plaintext.
func (v *verification) payload(ctx context.Context, e *entry, p *payload) (*fileDigest, error) {
	sum, digest := sha256.New(), newFileDigest()
	in, err := p.inOrder(sum)
	if err != nil {
		return nil, err
	}
	items := takeFrames(e.StoredSize)
	defer putFrames(items)
	pipe := newPipeline(items,
		func(f *frame) error {
			if p.table != nil {
				plain, err := p.decode(f.off/frameSize, f.packed, f.raw)
				if err != nil {
					return err
				}
				f.raw = plain
			}
			f.hash()
			return p.checkFrame(e, f)
		},
		func(f *frame) error {
			digest.add(f.hashes, int64(len(f.raw)))
			return nil
		})
	read := func(i, frames int64) error {
		for ; i < frames && pipe.failed() == nil; i++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			f := pipe.take()
			f.reset()
			f.off = i * frameSize
			piece := p.room(i, f)
			if _, err := io.ReadFull(in, piece); err != nil {
				pipe.free <- f
				return p.unreadable(err)
			}
			v.advance(int64(len(piece)))
			pipe.submit(f)
		}
		return nil
	}
	err = read(0, (p.plain+frameSize-1)/frameSize)
	if err = errors.Join(err, pipe.wait()); err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, in); err != nil { // the seek table, and the end of the encryption
		return nil, p.unreadable(err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != e.StoredSHA256 {
		return nil, &damage{"", errors.New("the stored bytes do not have the SHA-256 recorded when they were written")}
	}
	return digest, nil
}

// checkFrame compares a frame with what the manifest says of it beside the
// digest: the check for random reads, and the holes of a full file.
func (p *payload) checkFrame(e *entry, f *frame) error {
	i := f.off / frameSize
	if sum := groupCheck(f.hashes); p.table == nil && string(sum[:]) != string(p.groups[i*groupSize:(i+1)*groupSize]) {
		return p.damaged("the bytes at %d are not those that were stored", f.off)
	}
	if e.Form == formFull && !zeroOutside(e.Extents, i*blocksPerFrame, len(f.hashes), f.zero) {
		return p.damaged("there is data at %d where the manifest has a hole", f.off)
	}
	return nil
}

// load reads frame i into f: the plaintext of a raw payload, else the packed
// frame.
func (p *payload) load(i int64, f *frame) ([]byte, error) {
	b := p.room(i, f)
	if p.table == nil {
		return b, p.read(b, i*frameSize)
	}
	return b, p.read(b, p.table.offsets[i])
}

// room is the place in f for what load reads.
func (p *payload) room(i int64, f *frame) []byte {
	if p.table == nil {
		f.raw = f.raw[:plainSize(i, p.plain)]
		return f.raw
	}
	if cap(f.packed) < maxCompressed {
		f.packed = make([]byte, 0, maxCompressed)
	}
	f.packed = f.packed[:p.table.offsets[i+1]-p.table.offsets[i]]
	return f.packed
}

// inOrder reads the payload from front to back, decrypted if it is encrypted;
// the stored bytes go to sum.
func (p *payload) inOrder(sum io.Writer) (io.Reader, error) {
	in := io.TeeReader(io.NewSectionReader(p.stored, 0, p.stored.Size()), sum)
	if p.stored == p.obj {
		return in, nil
	}
	plain, err := decrypt(in, p.keys)
	if err != nil {
		return nil, p.damaged("%w", err)
	}
	return plain, nil
}

// unreadable is the error for a payload that could not be read in order.
func (p *payload) unreadable(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return p.damaged("ends too early")
	}
	return p.damaged("%w", err)
}

// sums compares SHA256SUMS with the text it must have.
func (v *verification) sums(ctx context.Context) error {
	want := sha256.New()
	size := &countingWriter{}
	if err := writeSums(io.MultiWriter(want, size), expectedSums(v.b.manifest, v.b.marker)); err != nil {
		return err
	}
	obj, err := v.b.r.b.Open(ctx, string(v.b.name)+"/"+holdfast.SumsFile)
	if err != nil {
		v.add(v.problemOf(missing(holdfast.SumsFile, err)))
		return nil
	}
	defer obj.Close()
	got := sha256.New()
	if obj.Size() == size.n {
		if _, err := io.Copy(got, io.NewSectionReader(obj, 0, obj.Size())); err != nil {
			v.add(damagedObject(holdfast.SumsFile, err))
			return nil
		}
	}
	if string(got.Sum(nil)) != string(want.Sum(nil)) && !v.unsettled {
		if v.b.superseded() {
			return errCompacted
		}
		v.add(damagedObject(holdfast.SumsFile, fmt.Errorf("does not list the sums recorded in %s", v.b.mark.manifestKey())))
	}
	return nil
}

func (v *verification) problemOf(err error) holdfast.Problem {
	if d, ok := errors.AsType[*damage](err); ok {
		err = d.err
	}
	return damagedObject(holdfast.SumsFile, err)
}

// extra warns of files in the backup's folder that do not belong to it.
func (v *verification) extra(ctx context.Context) error {
	ours := map[string]bool{holdfast.MetadataFile: true, v.b.mark.manifestKey(): true, holdfast.SumsFile: true, v.b.mark.privateKey(): v.b.mark.Encrypted}
	for _, e := range v.b.manifest.Entries {
		ours[e.Payload] = true
	}
	prefix := string(v.b.name) + "/"
	for obj, err := range v.b.r.b.List(ctx, prefix) {
		if err != nil {
			return err
		}
		if name := strings.TrimPrefix(obj.Key, prefix); !ours[name] && !v.unsettled {
			v.add(stranger(name))
		}
	}
	return nil
}

// stranger warns of a file that a backup does not know.
func stranger(name string) holdfast.Problem {
	return holdfast.Problem{
		Object: name, Severity: holdfast.Warning,
		Message: "does not belong to the backup", Hint: "holdfast never writes into a finished backup; move the file away",
	}
}
