package telegram

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

const (
	indexFormat = 1
	maxIndex    = 16 << 20 // of its clear text: it is read and written whole
	inlineSize  = 32 << 10 // what lies in the index itself
	inlineAll   = 4 << 20  // more than this in all, and only
	inlineTiny  = 2 << 10  // this does
)

// index is everything that is known of the chat: which objects there are, in
// which messages their bytes lie, which messages are free, and who writes. One
// that was read is never changed, only replaced: change works on a clone.
//
// In the chat it is one line of JSON, then the bytes of the small objects one
// after the other, compressed by zstd and encrypted by age.
type index struct {
	Format     int       `json:"format"`
	Generation int64     `json:"generation"` // counts writes
	Written    time.Time `json:"written"`
	// Key is the identity to whose recipient the pieces are encrypted: a new
	// token of the bot changes how the index is encrypted, and nothing else.
	Key     string           `json:"key"`
	Lease   *leaseDoc        `json:"lease,omitempty"`
	Packs   map[string]pack  `json:"packs,omitempty"`
	Slots   []slot           `json:"slots,omitempty"`
	Objects map[string]entry `json:"objects"`

	identity *age.X25519Identity // of Key
}

// entry is one object: bytes of a pack, or bytes beside the index.
type entry struct {
	Size    int64     `json:"size"`
	ModTime time.Time `json:"modified"`
	Pack    string    `json:"pack,omitempty"`
	Offset  int64     `json:"offset,omitempty"` // in the pack, or in what follows the line

	data []byte // of an object without a pack
}

// pack is a sequence of bytes that lies in pieces, one after the other.
type pack struct {
	Size   int64   `json:"size"`
	Pieces []piece `json:"pieces"`
}

// piece is one document: a file of age.
type piece struct {
	Message int       `json:"message"`
	Sent    time.Time `json:"sent"`
	File    string    `json:"file"`   // by which the Bot API gives it
	Size    int64     `json:"size"`   // in the clear
	Stored  int64     `json:"stored"` // as it lies there
	SHA256  string    `json:"sha256"` // as it lies there
	Content string    `json:"content"`
}

// slot is a message of ours that holds nothing that counts. It may be deleted,
// emptied, or used for another piece.
type slot struct {
	Message int       `json:"message"`
	Sent    time.Time `json:"sent"`
	Full    bool      `json:"full,omitempty"` // it may hold bytes still
	// Piece is what was uploaded whole for a tree that is not committed, and
	// waits until then for a further attempt that has the same bytes.
	Piece *piece    `json:"piece,omitempty"`
	Until time.Time `json:"until,omitzero"`
}

// newIndex makes the index of an empty chat.
func newIndex() (*index, error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	return &index{Format: indexFormat, Key: id.String(), identity: id, Packs: map[string]pack{}, Objects: map[string]entry{}}, nil
}

func (x *index) clone() *index {
	c := *x
	c.Packs, c.Objects, c.Slots = maps.Clone(x.Packs), maps.Clone(x.Objects), slices.Clone(x.Slots)
	if x.Lease != nil {
		l := *x.Lease
		c.Lease = &l
	}
	return &c
}

// keys gives the objects below prefix, in order.
func (x *index) keys(prefix string) []string {
	var keys []string
	for key := range x.Objects {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// anything tells whether an object lies below prefix.
func (x *index) anything(prefix string) bool {
	for key := range x.Objects {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// used counts the bytes that objects need in the chat.
func (x *index) used() (all int64) {
	for _, p := range x.Packs {
		for _, at := range p.Pieces {
			all += at.Stored
		}
	}
	return all + x.inline()
}

func (x *index) inline() (all int64) {
	for _, e := range x.Objects {
		all += int64(len(e.data))
	}
	return all
}

// fits tells whether an object of this size lies in the index itself.
func (x *index) fits(size int64) bool {
	if x != nil && x.inline() > inlineAll {
		return size <= inlineTiny
	}
	return size <= inlineSize
}

// add names a pack whose pieces were uploaded whole: their messages are no
// longer free.
func (x *index) add(p pack) string {
	n := len(x.Packs)
	name := strconv.Itoa(n)
	for x.Packs[name].Pieces != nil {
		n++
		name = strconv.Itoa(n)
	}
	x.Packs[name] = p
	x.Slots = slices.DeleteFunc(x.Slots, func(s slot) bool {
		return slices.ContainsFunc(p.Pieces, func(at piece) bool { return at.Message == s.Message })
	})
	return name
}

// sweepPacks gives up the packs that no object names any more: their messages
// are free from when this index is in place.
func (x *index) sweepPacks() {
	named := map[string]bool{}
	for _, e := range x.Objects {
		named[e.Pack] = true
	}
	for name, p := range x.Packs {
		if named[name] {
			continue
		}
		for _, at := range p.Pieces {
			x.Slots = append(x.Slots, slot{Message: at.Message, Sent: at.Sent, Full: true})
		}
		delete(x.Packs, name)
	}
}

// encode gives what is encrypted.
func (x *index) encode() ([]byte, error) {
	c := *x
	c.Objects = maps.Clone(x.Objects)
	var tail bytes.Buffer
	for _, key := range x.keys("") {
		if e := c.Objects[key]; e.Pack == "" {
			e.Offset = int64(tail.Len())
			c.Objects[key] = e
			tail.Write(e.data)
		}
	}
	line, err := json.Marshal(&c)
	if err != nil {
		return nil, err
	}
	if len(line)+tail.Len() > maxIndex {
		return nil, tooMuch("the chat has more objects than its index can name (%d)", len(x.Objects))
	}
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, err
	}
	for _, part := range [][]byte{line, []byte("\n"), tail.Bytes()} {
		if _, err := z.Write(part); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// decode reads what encode made. It trusts none of it: whoever has the token can
// write another.
func decode(r io.Reader) (*index, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxIndex), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	lines := bufio.NewReader(io.LimitReader(z, maxIndex+1))
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return nil, damaged(err)
	}
	var x index
	if err := json.Unmarshal(line, &x); err != nil {
		return nil, damaged(err)
	}
	if x.Format != indexFormat {
		return nil, &holdfast.Error{
			Op: "read", Err: holdfast.Kindf(holdfast.ErrRefused, "the index has format %d, this program knows %d", x.Format, indexFormat),
			Hint: "use a newer holdfast",
		}
	}
	tail, err := io.ReadAll(lines)
	if err != nil {
		return nil, damaged(err)
	}
	if x.identity, err = age.ParseX25519Identity(x.Key); err != nil {
		return nil, damaged(errors.New("it has no key"))
	}
	if x.Packs == nil {
		x.Packs = map[string]pack{}
	}
	if x.Objects == nil {
		x.Objects = map[string]entry{}
	}
	return &x, x.check(tail)
}

// check holds an index to what its readers rely on, and gives the small objects
// their bytes.
func (x *index) check(tail []byte) error {
	for name, p := range x.Packs {
		var size int64
		for _, at := range p.Pieces {
			if at.Size <= 0 || at.Stored <= 0 || at.Stored > maxPiece {
				return damaged(fmt.Errorf("pack %s has a piece of %d bytes", name, at.Stored))
			}
			size += at.Size
		}
		if size != p.Size {
			return damaged(fmt.Errorf("the pieces of pack %s have %d bytes of %d", name, size, p.Size))
		}
	}
	for key, e := range x.Objects {
		room := int64(len(tail))
		if e.Pack != "" {
			room = x.Packs[e.Pack].Size
		}
		if bucket.CheckKey(key) != nil || e.Offset < 0 || e.Size < 0 || e.Size > room || e.Offset > room-e.Size {
			return damaged(fmt.Errorf("the object %q lies nowhere", key))
		}
		if e.Pack == "" {
			e.data = tail[e.Offset : e.Offset+e.Size : e.Offset+e.Size]
			x.Objects[key] = e
		}
	}
	return nil
}

func damaged(err error) error {
	return holdfast.Kindf(holdfast.ErrDamaged, "the index is damaged: %w", err)
}
