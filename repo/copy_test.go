package repo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

// newReplica makes an empty replica of r.
func newReplica(t *testing.T, r *Repository, b bucket.Bucket) *Repository {
	t.Helper()
	to, err := InitReplica(t.Context(), b, r.ID(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// stored gives the objects of a backup as they are.
func stored(t *testing.T, b bucket.Bucket, name holdfast.BackupName) map[string][]byte {
	t.Helper()
	objects := map[string][]byte{}
	for info, err := range b.List(t.Context(), string(name)+"/") {
		if err != nil {
			t.Fatal(err)
		}
		obj, err := b.Open(t.Context(), info.Key)
		if err != nil {
			t.Fatal(err)
		}
		if objects[info.Key], err = io.ReadAll(io.NewSectionReader(obj, 0, obj.Size())); err != nil {
			t.Fatal(err)
		}
		obj.Close()
	}
	return objects
}

func sameStored(t *testing.T, got, want map[string][]byte) {
	t.Helper()
	if !maps.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("the copy has %d objects that are not the %d copied", len(got), len(want))
	}
}

// deltaOf makes a backup whose one file is a delta of that of another.
func deltaOf(t *testing.T, r *Repository, name, of holdfast.BackupName, plain, changed []byte) {
	t.Helper()
	e := fileEntry("bot/bot.db", append(bytes.Clone(plain), changed...), formDelta, encodingRaw, "bot/bot.db.delta", changed,
		[]extent{{block: 0, count: int64(len(plain) / blockSize), at: 0, ref: 1}, {block: int64(len(plain) / blockSize), count: int64(len(changed) / blockSize), at: 0}})
	putBackup(t, r, name, []reference{{of, "bot/bot.db"}}, []*entry{e}, map[string][]byte{"bot/bot.db.delta": changed})
}

func TestCopy_IsBitForBitAndReads(t *testing.T) {
	from, fromBucket := newRepo(t)
	toBucket := mem.New()
	to := newReplica(t, from, toBucket)
	p := create(t, from, "full", CreateOptions{Compress: true})
	put(t, p.Sink("bot"), "bot.db", text(600<<10, 1))
	put(t, p.Sink("docs"), "holes", make([]byte, 700<<10))
	put(t, p.Sink("docs"), "noise", noise(300<<10, 2))
	commit(t, p)
	if err := from.SetPinned(t.Context(), "full", true); err != nil {
		t.Fatal(err)
	}
	var last int64
	got, err := from.Copy(t.Context(), "full", to, CopyOptions{Progress: func(done, total int64) {
		if done > total {
			t.Errorf("%d of %d", done, total)
		}
		last = max(last, done)
	}})
	if err != nil {
		t.Fatal(err)
	}
	sameStored(t, stored(t, toBucket, "full"), stored(t, fromBucket, "full"))
	if got.Reused != 0 || last == 0 || !got.Backup.Pinned {
		t.Errorf("told %+v, progress to %d", got, last)
	}
	b := open(t, to, "full")
	verify(t, b)
	compare(t, contents(t, b), contents(t, open(t, from, "full")))
}

func TestCopy_ADeltaOnlyAfterWhatItNeeds(t *testing.T) {
	from, _ := newRepo(t)
	to := newReplica(t, from, mem.New())
	plain := text(3*blockSize, 1)
	p := create(t, from, "full", CreateOptions{})
	put(t, p.Sink("bot"), "bot.db", plain)
	commit(t, p)
	deltaOf(t, from, "delta", "full", plain, text(blockSize, 2))
	if _, err := from.Copy(t.Context(), "delta", to, CopyOptions{}); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), "needs full") {
		t.Fatalf("a delta alone: %v", err)
	}
	for _, name := range []holdfast.BackupName{"full", "delta"} {
		if _, err := from.Copy(t.Context(), name, to, CopyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	verify(t, open(t, to, "delta"))
}

func TestCopy_WhatIsNeededMustBeTheSame(t *testing.T) {
	from, _ := newRepo(t)
	to := newReplica(t, from, mem.New())
	plain := text(3*blockSize, 1)
	for _, r := range []*Repository{from, to} {
		p := create(t, r, "full", CreateOptions{})
		put(t, p.Sink("bot"), "bot.db", plain)
		if r == to {
			put(t, p.Sink("bot"), "more", nil)
		}
		commit(t, p)
	}
	deltaOf(t, from, "delta", "full", plain, text(blockSize, 2))
	if _, err := from.Copy(t.Context(), "delta", to, CopyOptions{}); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), "another form") {
		t.Errorf("got %v", err)
	}
}

func TestCopy_RefusesDamageByName(t *testing.T) {
	for _, object := range []string{"bot/bot.db.zst", holdfast.ManifestFile, holdfast.MetadataFile} {
		for _, how := range []string{"flipped", "cut", "missing"} {
			t.Run(object+" "+how, func(t *testing.T) {
				from, fromBucket := newRepo(t)
				toBucket := mem.New()
				to := newReplica(t, from, toBucket)
				p := create(t, from, "full", CreateOptions{Compress: true})
				put(t, p.Sink("bot"), "bot.db", text(600<<10, 1))
				commit(t, p)
				key := "full/" + object
				data := stored(t, fromBucket, "full")[key]
				var err error
				switch how {
				case "flipped":
					data[len(data)/2] ^= 1
					err = fromBucket.Put(t.Context(), key, data, bucket.Replace)
				case "cut":
					err = fromBucket.Put(t.Context(), key, data[:len(data)-1], bucket.Replace)
				case "missing":
					err = fromBucket.Delete(t.Context(), key)
				}
				if err != nil {
					t.Fatal(err)
				}
				_, err = from.Copy(t.Context(), "full", to, CopyOptions{})
				if how == "missing" && object == holdfast.MetadataFile {
					if !errors.Is(err, holdfast.ErrNotFound) {
						t.Errorf("got %v", err)
					}
				} else if !errors.Is(err, holdfast.ErrDamaged) || !strings.Contains(err.Error(), object) {
					t.Errorf("got %v, want damage of %s", err, object)
				}
				if list, err := to.List(t.Context()); err != nil || len(list) > 0 {
					t.Errorf("the replica has %v, %v", list, err)
				}
			})
		}
	}
}

// memoryJournal is a CopyJournal that survives as long as the test.
type memoryJournal struct {
	mu       sync.Mutex
	identity string
	complete map[string]string
	ended    bool
}

func (j *memoryJournal) Begin(identity string) (map[string]string, error) {
	if j.identity != identity {
		j.identity, j.complete = identity, nil
	}
	return maps.Clone(j.complete), nil
}

func (j *memoryJournal) Complete(key, sum string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.complete == nil {
		j.complete = map[string]string{}
	}
	j.complete[key] = sum
	return nil
}

func (j *memoryJournal) End() error {
	j.complete, j.ended = nil, true
	return nil
}

// resumable is a bucket whose stages survive their writer, as those of a
// service do. It cuts after a number of objects.
type resumable struct {
	*mem.Bucket
	stage *resumableStage
	left  atomic.Int64
}

type resumableStage struct {
	bucket.Stage
	b *resumable
}

var errCut = errors.New("the line was cut")

func (b *resumable) Stage(ctx context.Context, prefix string, o bucket.StageOptions) (bucket.Stage, error) {
	if b.stage != nil {
		return b.stage, nil
	}
	s, err := b.Bucket.Stage(ctx, prefix, o)
	b.stage = &resumableStage{s, b}
	return b.stage, err
}

func (s *resumableStage) Create(ctx context.Context, key string) (bucket.Writer, error) {
	if s.b.left.Add(-1) < 0 {
		return nil, errCut
	}
	return s.Stage.Create(ctx, key)
}

func (s *resumableStage) Abort(ctx context.Context) error {
	s.b.stage = nil
	return s.Stage.Abort(ctx)
}

// limited is a store that takes only so much.
type limited struct {
	bucket.Bucket
	room int64
}

func (l limited) Fits(_ context.Context, size int64) error {
	if size > l.room {
		return holdfast.Kindf(holdfast.ErrRefused, "%d bytes do not fit", size)
	}
	return nil
}

func TestCopy_WhatDoesNotFitIsRefusedBeforeItIsSent(t *testing.T) {
	r, _ := newRepo(t)
	p := create(t, r, "full", CreateOptions{})
	put(t, p.Sink("bot"), "bot.db", noise(100<<10, 3))
	commit(t, p)
	for room, fits := range map[int64]bool{100: false, 1 << 20: true} {
		b := mem.New()
		to := newReplica(t, r, limited{b, room})
		staged := false
		b.Inject(func(op, _ string) error {
			staged = staged || op == "stage"
			return nil
		})
		_, err := r.Copy(t.Context(), "full", to, CopyOptions{})
		if errors.Is(err, holdfast.ErrRefused) == fits || staged != fits {
			t.Errorf("with room for %d bytes: %v, a stage was begun: %v", room, err, staged)
		}
	}
}

func TestCopy_GoesOnWhereItWasCut(t *testing.T) {
	from, fromBucket := newRepo(t)
	p := create(t, from, "full", CreateOptions{})
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		put(t, p.Sink("docs"), name, noise(9000, uint64(name[0])))
	}
	commit(t, p)
	to := &resumable{Bucket: mem.New()}
	to.left.Store(1 << 20)
	replica := newReplica(t, from, to)
	journal := &memoryJournal{}
	for cuts := 0; ; cuts++ {
		to.left.Store(3)
		got, err := from.Copy(t.Context(), "full", replica, CopyOptions{Journal: journal})
		if err == nil {
			// Of those that are copied side by side a cut may take each but the first.
			if cuts < 3 || got.Reused < 3*9000 || !journal.ended {
				t.Errorf("after %d cuts %+v, journal ended %t", cuts, got, journal.ended)
			}
			break
		}
		if !errors.Is(err, errCut) || cuts > 8 {
			t.Fatalf("cut %d: %v", cuts, err)
		}
	}
	sameStored(t, stored(t, to, "full"), stored(t, fromBucket, "full"))
}

func TestCopy_WhatIsLeftOfAnotherBackupIsNotTaken(t *testing.T) {
	from, fromBucket := newRepo(t)
	p := create(t, from, "full", CreateOptions{})
	put(t, p.Sink("docs"), "a", text(9000, 1))
	commit(t, p)
	to := &resumable{Bucket: mem.New()}
	to.left.Store(1 << 20)
	replica := newReplica(t, from, to)
	left, err := to.Stage(t.Context(), "full", bucket.StageOptions{Marker: holdfast.MetadataFile, Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	w, err := left.Create(t.Context(), "docs/of another backup")
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	journal := &memoryJournal{identity: "another", complete: map[string]string{"docs/a": "another"}}
	if _, err := from.Copy(t.Context(), "full", replica, CopyOptions{Journal: journal}); err != nil {
		t.Fatal(err)
	}
	sameStored(t, stored(t, to, "full"), stored(t, fromBucket, "full"))
}

func TestInitReplica_RefusesAnotherRepository(t *testing.T) {
	from, _ := newRepo(t)
	other := mem.New()
	if _, err := Init(t.Context(), other, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := InitReplica(t.Context(), other, from.ID(), Options{}); !errors.Is(err, holdfast.ErrRefused) || holdfast.HintOf(err) == "" {
		t.Errorf("got %v", err)
	}
	again := mem.New()
	first := newReplica(t, from, again)
	if second := newReplica(t, from, again); first.ID() != second.ID() || second.ID() != from.ID() {
		t.Errorf("ids %s and %s of a replica of %s", first.ID(), second.ID(), from.ID())
	}
}

func TestCopy_OfAnEncryptedBackupNeedsNoKey(t *testing.T) {
	id, recipient := newKey(t)
	fromBucket, toBucket := mem.New(), mem.New()
	writer, err := Init(t.Context(), fromBucket, Options{Recipients: []string{recipient}})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, writeSealed(t, writer, "sealed", true))
	to := newReplica(t, writer, toBucket)
	if _, err := writer.Copy(t.Context(), "sealed", to, CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	sameStored(t, stored(t, toBucket, "sealed"), stored(t, fromBucket, "sealed"))
	reader := opened(t, toBucket, Options{Keys: keysOf(id)})
	verify(t, open(t, reader, "sealed"))
}

func TestShareEncryption_ThePassphraseOpensTheCopies(t *testing.T) {
	fromBucket, toBucket := mem.New(), mem.New()
	from, err := Init(t.Context(), fromBucket, Options{ByPassphrase: true, Keys: passphraseOf("correct horse")})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, writeSealed(t, from, "sealed", true))
	to := newReplica(t, from, toBucket)
	for range 2 {
		if _, err := from.ShareEncryption(t.Context(), to); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := from.Copy(t.Context(), "sealed", to, CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	verify(t, open(t, opened(t, toBucket, Options{Keys: passphraseOf("correct horse")}), "sealed"))
	if _, err := opened(t, toBucket, Options{Keys: passphraseOf("wrong")}).Backup(t.Context(), "sealed"); err == nil {
		t.Error("a wrong passphrase opens the copy")
	}
}

func TestShareEncryption_DamagedKeysAreNotShared(t *testing.T) {
	fromBucket := mem.New()
	from, err := Init(t.Context(), fromBucket, Options{ByPassphrase: true, Keys: passphraseOf("correct horse")})
	if err != nil {
		t.Fatal(err)
	}
	if err := fromBucket.Put(t.Context(), identityFile, []byte("rot"), bucket.Replace); err != nil {
		t.Fatal(err)
	}
	to := newReplica(t, from, mem.New())
	if _, err := from.ShareEncryption(t.Context(), to); !errors.Is(err, holdfast.ErrDamaged) || to.Encrypts() {
		t.Errorf("got %v", err)
	}
}

func TestCopy_OfACompactedBackup(t *testing.T) {
	from, fromBucket := newRepo(t)
	toBucket := mem.New()
	to := newReplica(t, from, toBucket)
	plain := text(3*blockSize, 1)
	p := create(t, from, "full", CreateOptions{})
	put(t, p.Sink("bot"), "bot.db", plain)
	commit(t, p)
	deltaOf(t, from, "delta", "full", plain, text(blockSize, 2))
	if _, err := from.Delete(t.Context(), "full"); err != nil {
		t.Fatal(err)
	}
	if done := compact(t, from); len(done.Rewritten) != 1 {
		t.Fatalf("compacted %+v", done)
	}
	if _, err := from.Copy(t.Context(), "delta", to, CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	sameStored(t, stored(t, toBucket, "delta"), stored(t, fromBucket, "delta"))
	verify(t, open(t, to, "delta"))
}
