package telegram

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/botapi"
)

// keepUploaded is how long pieces of a cut tree wait for a further attempt.
const keepUploaded = 7 * 24 * time.Hour

// upload is a pack on its way: uploaded whole, but not yet named by an index.
type upload struct {
	b    *Bucket
	pack pack
	key  *age.X25519Identity // to which it is encrypted
	held []int               // messages reserved for it
	size int64               // counted in flight
}

// messages are those that the pack lies in.
func (u *upload) messages() []int {
	var all []int
	for _, at := range u.pack.Pieces {
		all = append(all, at.Message)
	}
	return all
}

// end gives up the reservations: an index names the pack now, or none ever will.
func (u *upload) end() {
	if u == nil {
		return
	}
	u.b.unreserve(u.held...)
	u.b.mu.Lock()
	defer u.b.mu.Unlock()
	u.b.inflight -= u.size
	u.held, u.size = nil, 0
}

// upload cuts bytes into pieces and uploads them. With keep the index remembers
// each one as soon as it is whole, so that a further attempt with the same bytes
// need not send it again; that is by content, whatever it belonged to.
func (b *Bucket) upload(ctx context.Context, l *lease, from joined, keep bool) (_ *upload, err error) {
	release, err := take(ctx, b.sending)
	if err != nil {
		return nil, err
	}
	defer release()
	s, err := b.look(ctx, true)
	if err != nil {
		return nil, err
	}
	size := from.size()
	if room := b.room(s.idx); size > room {
		return nil, b.full(size, room)
	}
	u := &upload{b: b, pack: pack{Size: size}, size: size}
	b.mu.Lock()
	b.inflight += size
	b.mu.Unlock()
	defer func() {
		if err != nil {
			u.end()
		}
	}()
	missing := 0
	for off := int64(0); off < size; off += b.o.piece {
		p := piece{Size: min(b.o.piece, size-off)}
		h := sha256.New()
		if _, err := io.Copy(h, from.part(off, p.Size)); err != nil {
			return nil, err
		}
		p.Content = hex.EncodeToString(h.Sum(nil))
		if there, ok := b.claim(s.idx, p); ok {
			p = there
			u.held = append(u.held, p.Message)
		} else {
			missing++
		}
		u.pack.Pieces = append(u.pack.Pieces, p)
	}
	if missing == 0 {
		u.key = s.idx.identity
		return u, nil
	}
	into, err := b.slots(ctx, l, missing, true)
	if err != nil {
		return nil, err
	}
	for _, at := range into {
		u.held = append(u.held, at.Message)
	}
	u.key = b.pieceKey() // there is an index now
	off := int64(0)
	for i := range u.pack.Pieces {
		p := &u.pack.Pieces[i]
		if p.Message == 0 {
			at := into[0]
			into = into[1:]
			if err := b.fill(ctx, l, u, p, at, from.part(off, p.Size)); err != nil {
				return nil, &holdfast.Error{Op: "upload", Object: fmt.Sprintf("piece %d of %d", i+1, len(u.pack.Pieces)), Err: err}
			}
			if keep {
				if err := b.note(ctx, l, *p); err != nil {
					return nil, err
				}
			}
		}
		off += p.Size
	}
	return u, nil
}

// claim takes a piece that an earlier attempt uploaded whole.
func (b *Bucket) claim(x *index, want piece) (piece, bool) {
	if x == nil {
		return piece{}, false
	}
	for _, s := range x.Slots {
		if s.Piece != nil && s.Piece.Content == want.Content && s.Piece.Size == want.Size && b.reserve(s.Message) {
			return *s.Piece, true
		}
	}
	return piece{}, false
}

// note remembers in the index that a message holds a whole piece.
func (b *Bucket) note(ctx context.Context, l *lease, p piece) error {
	return b.change(ctx, l, func(x *index) error {
		i := x.slot(p.Message)
		if i < 0 {
			return errNothing
		}
		x.Slots[i].Piece, x.Slots[i].Until = &p, b.o.Now().Add(keepUploaded).UTC()
		return nil
	})
}

// fill uploads one piece into a message. One that is gone, or not ours any more,
// is replaced by a new one; what stays there is freed like others.
func (b *Bucket) fill(ctx context.Context, l *lease, u *upload, p *piece, at slot, from io.Reader) error {
	sealed, sum, err := b.seal(from, u.key.Recipient())
	if err != nil {
		return err
	}
	defer sealed.drop()
	p.Stored, p.SHA256 = sealed.size, sum
	doc := botapi.Document{Name: pieceName, Size: sealed.size, Silent: true, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(sealed.f, 0, sealed.size)), nil
	}}
	const attempts = 2
	for try := 1; ; try++ {
		if err := l.check(ctx); err != nil {
			return err
		}
		sent, err := b.o.Client.ReplaceDocument(ctx, b.chat, at.Message, doc)
		if err == nil {
			p.Message, p.Sent, p.File = at.Message, at.Sent.UTC(), sent.FileID
			return nil
		}
		gone := errors.Is(err, botapi.ErrNoMessage)
		if try == attempts || !gone && !errors.Is(err, botapi.ErrFixedMessage) {
			return fmt.Errorf("message %d: %w", at.Message, err)
		}
		if gone {
			b.mu.Lock()
			b.freed[at.Message] = true // forgotten with the next index
			b.mu.Unlock()
		} else {
			b.unreserve(at.Message)
		}
		u.held = slices.DeleteFunc(u.held, func(m int) bool { return m == at.Message })
		more, serr := b.slots(ctx, l, 1, false)
		if serr != nil {
			return errors.Join(err, serr)
		}
		at = more[0]
		u.held = append(u.held, at.Message)
	}
}

// seal encrypts a piece into a temporary file and gives the SHA-256 of what lies
// there.
func (b *Bucket) seal(from io.Reader, to age.Recipient) (_ *spool, sum string, err error) {
	s, err := b.newSpool()
	if err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil {
			s.drop()
		}
	}()
	h := sha256.New()
	w, err := age.Encrypt(io.MultiWriter(s, h), to)
	if err != nil {
		return nil, "", err
	}
	if _, err := io.Copy(w, from); err != nil {
		return nil, "", err
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	if s.size > maxPiece {
		return nil, "", fmt.Errorf("a piece has %d bytes, more than a bot can fetch back", s.size)
	}
	return s, hex.EncodeToString(h.Sum(nil)), nil
}

// pieceKey gives the key of the index that was seen last.
func (b *Bucket) pieceKey() *age.X25519Identity {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last.idx.identity
}

// place names an uploaded pack in an index.
func (u *upload) place(x *index) (string, error) {
	if u.key.String() != x.Key {
		return "", errors.New("the index of the chat was made anew meanwhile")
	}
	for _, message := range u.messages() {
		// A pack whose message holds something else, or is gone, must not be named.
		if x.slot(message) < 0 {
			return "", errTurned
		}
	}
	return x.add(u.pack), nil
}
