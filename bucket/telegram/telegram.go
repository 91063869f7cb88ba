// Package telegram is a bucket in a Telegram chat: for people who have nothing
// but the bot. The chat holds one document that names everything, the index, and
// documents of at most 19 MB that hold the bytes, the pieces; all of them are
// files of age.
//
// Start from [Parse], which reads "telegram://CHAT?index=MESSAGE", and [New].
//
// A change is one edit of the index message: the index names a piece only after
// it was uploaded whole, and a message is deleted only after the index that no
// longer names it is in place. So whatever is cut leaves the old or the new
// state, and messages that hold nothing that counts; Clean frees them. The index
// is found as the newest pinned message of the chat, by its number in the
// configuration, or by what this machine remembers; of two that differ the later
// version of the same index counts, and two that know nothing of each other are
// refused (rival.go).
//
// The Bot API cannot compare before it writes. The lease in the index keeps two
// writers apart as far as that goes: every change looks at the index first, and
// a lease that ran out is not used. Two machines that are faster than each
// other's look, within one moment, are not kept apart; objects then may be lost,
// and are copied again. Nor can it list messages: what the index does not name
// is nowhere.
//
// Memory does not depend on what is stored, except for the index, which is
// bounded: objects wait in temporary files, pieces are read through temporary
// files of bounded size in all.
package telegram

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

var _ bucket.Bucket = (*Bucket)(nil)

const (
	// DefaultLimit is how much a chat takes, in bytes.
	DefaultLimit = 200_000_000
	// maxPiece is how large a document may be so that a bot can fetch it back;
	// the Bot API gives no more than 20 MB.
	maxPiece = 19_000_000
	// pieceSize is what one piece holds in the clear; age adds 16 bytes for
	// each 64 KiB and a header.
	pieceSize = 18 << 20
	// largeSize is from where an object has pieces of its own, uploaded when
	// its writer is closed.
	largeSize = 8 << 20

	defaultLease  = 3 * time.Minute
	defaultSettle = time.Second
	defaultCache  = 96 << 20
	// fresh is for how long what was seen of the chat is believed by readers.
	fresh = 2 * time.Second
)

// Options say which chat is meant and how it is talked to. Parse makes the first
// two of a URL.
type Options struct {
	Chat  string // a number, or "@name" of a channel or group
	Index int    // the message that is the index; 0 if only the pin tells

	Client Client
	// Recipient is to whom the index is encrypted, Identities are what opens
	// it: the first is that of Recipient, others belong to former tokens.
	Recipient  age.Recipient
	Identities []age.Identity
	// State is a directory in which this machine remembers which message is
	// the index; "" remembers nothing.
	State string
	// Spool is where temporary files lie; "" is where the system has them.
	Spool  string
	Logger *slog.Logger // nil: nobody is told

	Limit    int64         // bytes in all; 0 is DefaultLimit
	LeaseTTL time.Duration // for how long a lease outlives its owner; 0 is three minutes
	// Settle is how long whoever takes the lease waits before he looks whether
	// somebody else did in the same moment; 0 is a second, less than 0 not at all.
	Settle time.Duration
	Now    func() time.Time

	piece, large, cache int64 // other sizes, for tests
}

// Bucket keeps objects in a chat. Make one with New.
type Bucket struct {
	o    Options
	chat any // as the Bot API wants it

	asking  chan struct{} // a token: whoever looks at the index or writes it
	sending chan struct{} // a token: whoever uploads pieces
	pieces  *cache

	mu       sync.Mutex
	seen     *seen // nil: look again
	last     *seen // the last one that was seen, for what needs no network
	lease    *lease
	watched  observation
	staged   map[*stage]bool
	reserved map[int]bool // messages that are being filled or freed
	reading  map[int]int  // messages that open objects read
	spare    []slot       // sent, not yet in the index
	freed    map[int]bool // message: whether it is gone, or else empty; not yet in the index
	inflight int64        // bytes of pieces that no index names yet
	warned   map[string]bool
	worse    string // the version of a pinned index that is not the one
}

// New makes a bucket. It talks to nobody yet.
func New(o Options) (*Bucket, error) {
	chat, err := chatID(o.Chat)
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Limit = cmp.Or(o.Limit, DefaultLimit)
	o.LeaseTTL = cmp.Or(o.LeaseTTL, defaultLease)
	o.Settle = cmp.Or(o.Settle, defaultSettle)
	o.piece, o.large, o.cache = cmp.Or(o.piece, pieceSize), cmp.Or(o.large, largeSize), cmp.Or(o.cache, defaultCache)
	b := &Bucket{
		o: o, chat: chat, asking: make(chan struct{}, 1), sending: make(chan struct{}, 1),
		staged: map[*stage]bool{}, reserved: map[int]bool{}, reading: map[int]int{}, freed: map[int]bool{}, warned: map[string]bool{},
	}
	b.pieces = newCache(b, o.cache)
	return b, nil
}

// Location implements bucket.Bucket.
func (b *Bucket) Location() string { return Options{Chat: b.o.Chat}.String() }

// Remote tells that reading is a download.
func (b *Bucket) Remote() bool { return true }

// Free implements bucket.Bucket: what is missing to the limit.
func (b *Bucket) Free(ctx context.Context) (int64, bool, error) {
	s, err := b.look(ctx, false)
	if err != nil {
		return 0, false, b.fail("look at", "", err)
	}
	return b.room(s.idx), true, nil
}

// Fits refuses so many bytes if they go beyond the limit of the chat.
func (b *Bucket) Fits(ctx context.Context, size int64) error {
	s, err := b.look(ctx, false)
	if err != nil {
		return b.fail("look at", "", err)
	}
	if room := b.room(s.idx); size > room {
		return b.full(size, room)
	}
	return nil
}

// room is what still may be stored.
func (b *Bucket) room(x *index) int64 {
	b.mu.Lock()
	left := b.o.Limit - b.inflight
	b.mu.Unlock()
	if x != nil {
		left -= x.used()
	}
	return max(0, left)
}

// begin looks at what can stop an operation on key before it starts.
func begin(ctx context.Context, key string) error {
	if err := bucket.CheckKey(key); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// take waits for a token.
func take(ctx context.Context, token chan struct{}) (func(), error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case token <- struct{}{}:
		return func() { <-token }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// warn tells the operator something once.
func (b *Bucket) warn(text string, args ...any) {
	b.mu.Lock()
	told := b.warned[text]
	b.warned[text] = true
	b.mu.Unlock()
	if !told {
		b.o.Logger.Warn(text, append([]any{"replica", b.Location()}, args...)...)
	}
}

// fail gives an error of this bucket its operation and object.
func (b *Bucket) fail(op, key string, err error) error {
	if err == nil {
		return nil
	}
	return &holdfast.Error{Op: op, Object: key, Err: err}
}
