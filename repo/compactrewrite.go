package repo

import (
	"context"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// A rewriting makes one backup do without hidden ones. The payload of a file
// that refers to them is written anew under a fresh key: its blocks where they
// were, since others refer to them by position, then those it takes over.
type rewriting struct {
	b        *Backup
	refs     references
	entries  []*entry // of the new manifest, with extents that name refs
	files    []*rewrittenFile
	writes   int64 // about the bytes written
	copied   int64 // bytes of plaintext copied, and checked, so far
	total    int64
	progress func(done, total int64)
}

// A rewrittenFile is a file whose payload is written anew.
type rewrittenFile struct {
	old, now *entry
	own      int64 // blocks of its present payload
	takes    []blockRun
	zstd     bool // something of it was compressed
}

// open opens a backup and plans what becomes of it.
func (c *compaction) open(ctx context.Context, name holdfast.BackupName) (*rewriting, error) {
	b, err := c.r.open(ctx, name)
	if err != nil {
		return nil, err
	}
	w := &rewriting{b: b}
	for _, e := range b.manifest.Entries {
		f, err := c.plan(w, e)
		if err != nil {
			return nil, errors.Join(err, b.Close())
		}
		w.entries = append(w.entries, f.now)
		if len(f.takes) > 0 {
			w.files = append(w.files, f)
		}
	}
	return w, nil
}

// plan finds new places for the blocks of a file that lie in hidden backups.
func (c *compaction) plan(w *rewriting, e *entry) (*rewrittenFile, error) {
	now := *e
	f := &rewrittenFile{old: e, now: &now, zstd: e.Encoding == encodingZstd}
	if e.Form != formDelta {
		return f, nil
	}
	if e.Payload != "" {
		p, err := w.b.ownPayload(e)
		if err != nil {
			return nil, err
		}
		f.own = blocksOf(p.plain)
		if err := p.close(); err != nil {
			return nil, err
		}
	}
	// What another backup says of the file is written down here: it may say
	// something else when it was compacted itself.
	old, err := w.b.extents(e)
	if err != nil {
		return nil, err
	}
	now.Same = 0
	next := f.own
	var xs deltaExtents
	for _, x := range old {
		xs.hole(x.block - xs.next)
		if x.ref == 0 {
			xs.put(x.count, x.at, 0)
			continue
		}
		to := w.b.reference(x.ref)
		if _, hidden := c.targets[to.Backup]; !hidden {
			xs.put(x.count, x.at, w.refs.number(to))
			continue
		}
		c.moved.split(to, x.at, x.count, func(at, count int64, m *movedRun) {
			if m != nil {
				xs.put(count, m.now, w.refs.number(m.to))
				return
			}
			f.takes = append(f.takes, blockRun{x.ref, at, count})
			xs.put(count, next, 0)
			next += count
		})
	}
	now.Extents = xs.xs
	if len(f.takes) == 0 {
		return f, nil
	}
	w.total += e.Size + next*blockSize
	return f, w.size(f)
}

// size adds what is written for f to the estimate.
func (w *rewriting) size(f *rewrittenFile) error {
	w.writes += f.old.StoredSize
	c, err := newContent(f.old, w.b, w.b.view.cache)
	if err != nil {
		return err
	}
	defer c.close()
	for _, run := range f.takes {
		p, err := c.payload(run.ref)
		if err != nil {
			return err
		}
		if (run.at+run.count-1)*blockSize >= p.plain {
			return damagedRun(p, f.old, run)
		}
		f.zstd = f.zstd || p.table != nil
		w.writes += int64(float64(p.obj.Size()) / float64(p.plain) * float64(run.count*blockSize))
	}
	return nil
}

// estimate tells about how much will be stored for the backup.
func (w *rewriting) estimate() int64 {
	sum := w.writes
	for _, e := range w.b.manifest.Entries {
		sum += e.StoredSize
	}
	for _, f := range w.files {
		sum -= f.old.StoredSize
	}
	return sum
}

// took remembers what the backup has taken over.
func (c *compaction) took(w *rewriting) {
	for _, f := range w.files {
		to, next := reference{w.b.name, f.old.Path}, f.own
		for _, run := range f.takes {
			c.moved.add(w.b.reference(run.ref), run.at, run.count, to, next)
			next += run.count
		}
	}
}

// run writes the backup anew and tells what is stored for it then.
func (w *rewriting) run(ctx context.Context) (stored int64, err error) {
	r, name := w.b.r, w.b.name
	names, err := w.names(ctx)
	if err != nil {
		return 0, err
	}
	sealing, err := newSealing(w.b.mark.Recipients)
	if err != nil {
		return 0, err
	}
	p := &Pending{
		r: r, ctx: ctx, name: name, stage: treeStage{r.b, string(name)}, names: names, sealing: sealing,
		compaction: w.b.mark.Compaction + 1,
	}
	for _, to := range w.refs.list {
		p.refs.number(to)
	}
	defer func() { err = errors.Join(err, p.others.close((*Backup).Close)) }()
	j := w.journal(names, p.compaction)
	if err := r.putCompactJournal(ctx, j); err != nil {
		return 0, err
	}
	m, err := w.write(ctx, p, j)
	if err != nil {
		// What was begun is of no use, whatever the reason; should that
		// not be possible now, the next writer does it.
		clean, cancel := detached(ctx)
		defer cancel()
		_ = r.settleCompaction(clean, name)
		return 0, err
	}
	return m.StoredBytes, r.settleCompaction(ctx, name)
}

// write writes payloads and manifest, checks them, and puts the new marker in
// place of the old: from then on the backup is the new one.
func (w *rewriting) write(ctx context.Context, p *Pending, j *compactJournal) (*holdfast.Metadata, error) {
	for _, f := range w.files {
		if err := w.file(ctx, p, f); err != nil {
			return nil, w.b.damagedEntry(f.old, err)
		}
	}
	refs, entries := p.refs.settle(w.entries)
	m := *w.b.metadata
	m.Sources, m.Needs = slices.Clone(m.Sources), needs(refs)
	mf := &manifest{Format: holdfast.FormatVersion, Backup: p.name, Refs: refs, Entries: entries}
	data, mk, err := p.describe(&m, mf)
	if err != nil {
		return nil, err
	}
	if err := w.b.r.putCompactSums(ctx, p.name, expectedSums(mf, data)); err != nil {
		return nil, err
	}
	// The last moment to see that nobody else has touched the backup.
	now, _, err := w.b.r.loadMarker(ctx, p.name)
	if err == nil && string(now) != string(w.b.marker) {
		err = errors.New("it changed while it was compacted")
	}
	if err == nil {
		err = w.b.r.b.Put(ctx, string(p.name)+"/"+holdfast.MetadataFile, data, bucket.Replace)
	}
	if err != nil {
		return nil, err
	}
	w.b.r.rememberCompacted(p.name, j.From, mf, mk.ManifestSHA256)
	return &m, nil
}

// file writes the new payload of a file and reads the file back by its new
// extents: it must be what was captured.
func (w *rewriting) file(ctx context.Context, p *Pending, f *rewrittenFile) error {
	pack := &blockPacker{p: p, path: f.old.Path + generation(p.compaction), compress: f.zstd}
	c, err := newContent(f.old, w.b, newFrameCacheOf(cachedFrames))
	if err != nil {
		return err
	}
	defer c.close()
	err = w.copy(ctx, c, pack, blockRun{0, 0, f.own})
	for _, run := range f.takes {
		if err == nil {
			err = w.copy(ctx, c, pack, run)
		}
	}
	if err == nil {
		f.now.PayloadSize = 0
		err = pack.finish(f.now)
	}
	if err != nil {
		return errors.Join(err, pack.discard())
	}
	check, err := newContent(f.now, p, newFrameCacheOf(cachedFrames))
	if err != nil {
		return err
	}
	defer check.close()
	return check.scan(ctx, true, func(fr *frame) error {
		w.advance(fr.size())
		return nil
	})
}

// copy appends a run of blocks to the new payload.
func (w *rewriting) copy(ctx context.Context, c *content, pack *blockPacker, run blockRun) error {
	if run.count == 0 {
		return nil
	}
	p, err := c.payload(run.ref)
	if err != nil {
		return err
	}
	buf := make([]byte, frameSize, frameSize+decodeSlack)
	end := min((run.at+run.count)*blockSize, p.plain)
	for pos := run.at * blockSize; pos < end; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// Up to the next frame, so that no frame is decoded twice.
		b := buf[:min(frameSize-pos%frameSize, end-pos)]
		if err := c.readPayload(run.ref, b, pos, true); err != nil {
			return err
		}
		pos += int64(len(b))
		w.advance(int64(len(b)))
		for block := range slices.Chunk(b, blockSize) {
			if err := pack.add(block, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *rewriting) advance(n int64) {
	w.copied = min(w.copied+n, w.total)
	if w.progress != nil {
		w.progress(w.copied, w.total)
	}
}

// generation marks the stored files that the n-th compaction of a backup writes.
func generation(n int) string {
	if n == 0 {
		return ""
	}
	return ".c" + strconv.Itoa(n)
}

// names gives keys to payloads that nothing in the backup's folder has.
func (w *rewriting) names(ctx context.Context) (*payloadNames, error) {
	n := newPayloadNames(w.b.mark.Encrypted)
	prefix := string(w.b.name) + "/"
	for obj, err := range w.b.r.b.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		key := strings.TrimPrefix(obj.Key, prefix)
		n.files[key] = true
		for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
			n.dirs[dir]++
		}
		source, file, _ := strings.Cut(key, "/")
		if number, ok := strings.CutPrefix(file, "~"); ok {
			number, _, _ = strings.Cut(number, ".")
			if k, err := strconv.Atoi(number); err == nil {
				n.last[source] = max(n.last[source], k)
			}
		}
	}
	return n, nil
}

// A treeStage lets a Pending write into a tree that everybody sees: its objects
// mean nothing until the marker leads to them.
type treeStage struct {
	b      bucket.Bucket
	prefix string
}

var _ bucket.Stage = treeStage{}

// Create implements bucket.Stage.
func (s treeStage) Create(ctx context.Context, key string) (bucket.Writer, error) {
	return s.b.Create(ctx, s.prefix+"/"+key)
}

// Open implements bucket.Stage.
func (s treeStage) Open(ctx context.Context, key string) (bucket.Object, error) {
	return s.b.Open(ctx, s.prefix+"/"+key)
}

// Remove implements bucket.Stage.
func (s treeStage) Remove(ctx context.Context, key string) error {
	return s.b.Delete(ctx, s.prefix+"/"+key)
}

// Commit implements bucket.Stage.
func (s treeStage) Commit(ctx context.Context, data []byte) error {
	return s.b.Put(ctx, s.prefix+"/"+holdfast.MetadataFile, data, bucket.Replace)
}

// Abort implements bucket.Stage; what was written is removed by the journal.
func (s treeStage) Abort(context.Context) error { return nil }

// rememberCompacted lets the next backup be based on a compacted one as before:
// its files are the same, only lie elsewhere. Without it the next is full.
func (r *Repository) rememberCompacted(name holdfast.BackupName, from string, mf *manifest, manifestSHA256 string) {
	m := r.memory()
	if m == nil {
		return
	}
	x, err := m.index()
	if err != nil || x.Backup != name || x.ManifestSHA256 != from || x.Repository != r.id {
		return
	}
	x.ManifestSHA256, x.Same, x.Checksum = manifestSHA256, nil, ""
	_ = m.save(*x, mf) // losing it costs space, never a backup
}
