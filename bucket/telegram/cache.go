package telegram

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/botapi"
)

// cache keeps pieces that were downloaded, in the clear, in temporary files of
// bounded size in all. A piece counts only when all of it was read and compared.
type cache struct {
	b    *Bucket
	most int64

	mu    sync.Mutex
	kept  []*cached // the one used last comes last
	bytes int64
	going map[string]chan struct{} // closed when a download has ended
}

type cached struct {
	sum string
	sp  *spool
}

func newCache(b *Bucket, most int64) *cache {
	return &cache{b: b, most: most, going: map[string]chan struct{}{}}
}

// get gives a piece; the caller drops the spool. Whoever wants what another is
// downloading waits for that.
func (c *cache) get(ctx context.Context, p piece, id *age.X25519Identity) (*spool, error) {
	for {
		c.mu.Lock()
		if i := slices.IndexFunc(c.kept, func(k *cached) bool { return k.sum == p.SHA256 }); i >= 0 {
			hit := c.kept[i]
			c.kept = append(slices.Delete(c.kept, i, i+1), hit)
			defer c.mu.Unlock()
			return hit.sp.hold(), nil
		}
		wait := c.going[p.SHA256]
		if wait == nil {
			done := make(chan struct{})
			c.going[p.SHA256] = done
			c.mu.Unlock()
			return c.load(ctx, p, id, done)
		}
		c.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// load downloads a piece and keeps it.
func (c *cache) load(ctx context.Context, p piece, id *age.X25519Identity, done chan struct{}) (*spool, error) {
	sp, err := c.b.fetchPiece(ctx, p, id)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.going, p.SHA256)
	close(done)
	if err != nil {
		return nil, err
	}
	c.kept = append(c.kept, &cached{p.SHA256, sp.hold()})
	for c.bytes += p.Size; c.bytes > c.most && len(c.kept) > 1; {
		old := c.kept[0]
		c.kept = slices.Delete(c.kept, 0, 1)
		c.bytes -= old.sp.size
		old.sp.drop()
	}
	return sp, nil
}

// fetchPiece downloads and checks one piece. By what name the Bot API gives it may
// have changed, for another bot: then its message tells.
func (b *Bucket) fetchPiece(ctx context.Context, p piece, id *age.X25519Identity) (*spool, error) {
	read := func(file string) (*spool, error) {
		return insist(ctx, func() (*spool, error) { return b.readPiece(ctx, p, file, id) })
	}
	sp, err := read(p.File)
	if err == nil || ctx.Err() != nil || !unreadable(err) {
		return sp, err
	}
	doc, ferr := b.forwarded(ctx, p.Message)
	switch {
	case errors.Is(ferr, botapi.ErrNoMessage):
		return nil, holdfast.Kindf(holdfast.ErrDamaged, "message %d is gone: %w", p.Message, err)
	case ferr != nil:
		return nil, errors.Join(err, ferr)
	case doc.FileID == p.File:
		return nil, err
	}
	return read(doc.FileID)
}

// unreadable tells whether an error is about the piece and not about the way.
func unreadable(err error) bool {
	return !errors.Is(err, errBroken) && holdfast.CauseOf(err) != holdfast.CauseUnreachable
}

// errBroken marks a download that ended early. It is tried again.
var errBroken = errors.New("the download broke off")

const downloads = 3 // attempts

// insist tries a download again that broke off.
func insist[T any](ctx context.Context, download func() (T, error)) (out T, err error) {
	for range downloads {
		out, err = download()
		if !errors.Is(err, errBroken) || ctx.Err() != nil {
			break
		}
	}
	return out, err
}

// readPiece downloads a piece by its name.
func (b *Bucket) readPiece(ctx context.Context, p piece, file string, id *age.X25519Identity) (_ *spool, err error) {
	wrong := func(what string, args ...any) error {
		return holdfast.Kindf(holdfast.ErrDamaged, "message %d: "+what, append([]any{p.Message}, args...)...)
	}
	body, err := b.o.Client.Download(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("message %d: %w", p.Message, err)
	}
	defer body.Close()
	sp, err := b.newSpool()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			sp.drop()
		}
	}()
	h := sha256.New()
	stored := &counting{r: io.TeeReader(io.LimitReader(body, p.Stored+1), h)}
	clear, err := age.Decrypt(stored, id)
	if err == nil {
		_, err = io.Copy(sp, clear)
	}
	if err != nil && stored.err == nil {
		// What does not open may only have been cut on its way.
		_, _ = io.Copy(io.Discard, stored)
	}
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case stored.err != nil:
		return nil, fmt.Errorf("message %d: %w: %w", p.Message, errBroken, stored.err)
	case stored.n != p.Stored:
		return nil, wrong("it holds %d bytes where %d were stored", stored.n, p.Stored)
	case hex.EncodeToString(h.Sum(nil)) != p.SHA256:
		return nil, wrong("its bytes are not those that were stored (SHA-256)")
	case err != nil:
		return nil, wrong("it cannot be opened: %w", err)
	case sp.size != p.Size:
		return nil, wrong("it holds %d bytes in the clear where %d were stored", sp.size, p.Size)
	}
	return sp, nil
}

// counting counts what was read, and keeps the error that was no end.
type counting struct {
	r   io.Reader
	n   int64
	err error
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}
