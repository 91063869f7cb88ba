package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// Kinds of entries.
const (
	kindStage   = "stage"
	kindRemoval = "removal"
)

// entry says, below .holdfast/stages, that a tree may not be whole. It is there
// before the first object of a stage and before the first deletion of a
// removal. Whether the tree is whole is told by its marker alone.
type entry struct {
	Kind   string         `json:"kind"`
	Prefix string         `json:"prefix"`
	Marker string         `json:"marker"`
	Token  string         `json:"token"`
	Resume bool           `json:"resume,omitempty"`
	Owner  holdfast.Owner `json:"owner,omitzero"`
	Begun  time.Time      `json:"begun"`
}

// entryKey gives the place of a prefix's entry: something to read, and a digest
// because keys are bounded and prefixes hardly.
func entryKey(prefix string) string {
	readable := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, prefix)
	digest := sha256.Sum256([]byte(prefix))
	return stagesDir + readable[:min(len(readable), 80)] + "." + hex.EncodeToString(digest[:8]) + ".json"
}

// readEntry gives the entry at a key; fs.ErrNotExist if there is none.
func (b *Bucket) readEntry(ctx context.Context, key string) (entry, facts, error) {
	data, f, header, err := b.small(ctx, key)
	if err != nil {
		return entry{}, facts{}, err
	}
	var e entry
	if err := json.Unmarshal(data, &e); err != nil || bucket.CheckKey(e.Prefix) != nil || bucket.CheckKey(e.Marker) != nil || entryKey(e.Prefix) != key {
		return entry{}, facts{}, &holdfast.Error{
			Op: "read", Object: b.place(key), Err: holdfast.Kindf(holdfast.ErrDamaged, "it is no entry of a stage"),
			Hint: "it lists what is not complete; if nothing else uses the repository, delete it and look at the folder that it was named after",
		}
	}
	if now, err := parseDate(header); err == nil {
		f.age = now.Sub(f.modified)
	}
	return e, f, nil
}

// writeEntry writes an entry under a condition and gives its ETag.
func (b *Bucket) writeEntry(ctx context.Context, l *lease, e entry, c condition) (string, error) {
	if l != nil && !l.none {
		e.Owner = l.owner()
	}
	e.Begun = b.o.Now().UTC()
	data, err := json.Marshal(e)
	if err != nil {
		return "", err
	}
	return b.putSmall(ctx, l, entryKey(e.Prefix), data, c, minio.PutObjectOptions{})
}

// isWhole tells whether a tree has its marker, and the facts of what has the
// marker's key.
func (b *Bucket) isWhole(ctx context.Context, prefix, marker string) (bool, facts, error) {
	f, err := b.head(ctx, path.Join(prefix, marker))
	if errors.Is(err, errAbsent) {
		return false, facts{}, nil
	}
	return err == nil && !f.isReservation(), f, err
}

// reserve puts a reservation where the marker will be, under a condition, and
// gives its ETag. Only who knows that can commit.
func (b *Bucket) reserve(ctx context.Context, l *lease, e entry, c condition) (string, error) {
	data, err := json.Marshal(map[string]string{
		"holdfast": "this tree is not complete: its last object has not been written",
		"token":    e.Token,
	})
	if err != nil {
		return "", err
	}
	return b.putSmall(ctx, l, path.Join(e.Prefix, e.Marker), data, c, minio.PutObjectOptions{UserMetadata: map[string]string{metaReserved: e.Token}})
}

// fence takes from everybody else what Commit is conditional on: each
// reservation is written anew, so that a writer which was paused while it had
// the lease before finds another one than its own. Whole trees lose their entry.
func (b *Bucket) fence(ctx context.Context, l *lease) error {
	for found, err := range b.raw(ctx, stagesDir, false) {
		if err != nil {
			return err
		}
		e, _, err := b.readEntry(ctx, found.key)
		if errors.Is(err, errAbsent) || errors.Is(err, holdfast.ErrDamaged) {
			continue // Clean tells of it
		}
		if err != nil {
			return err
		}
		if b.owns(e) {
			continue
		}
		whole, f, err := b.isWhole(ctx, e.Prefix, e.Marker)
		if err != nil {
			return err
		}
		if whole || !f.isReservation() {
			continue // nothing that Commit could replace
		}
		e.Token = l.token()
		// Where the condition fails, the tree was committed or given up in this
		// very moment: there is nothing left to fence.
		if _, err := b.reserve(ctx, l, e, condition{etag: f.etag}); err != nil && !errors.Is(err, errCondition) {
			return err
		}
	}
	return nil
}

// owns tells whether an entry is that of a stage of this process.
func (b *Bucket) owns(e entry) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.staged[e.Prefix]
	return s != nil && s.token == e.Token
}
