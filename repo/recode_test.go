package repo

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

// A form is how a repository of a test is encrypted, and what opens it.
type form struct {
	name string
	make Options // of its owner, who may not be able to read
	keys Keys
}

func forms(t *testing.T) []form {
	id, to := newKey(t)
	pass := passphraseOf("correct horse")
	return []form{
		{"clear", Options{}, Keys{}},
		{"recipients", Options{Recipients: []string{to}}, keysOf(id)},
		{"passphrase", Options{ByPassphrase: true, Keys: pass}, pass},
	}
}

// ownReplica makes an empty replica of r in b with an encryption of its own.
func ownReplica(t testing.TB, r *Repository, b bucket.Bucket, f form) *Repository {
	t.Helper()
	o := f.make
	o.Own = true
	to, err := InitReplica(t.Context(), b, r.ID(), o)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// A secret is nowhere to be found in what is stored encrypted.
const canary = "canary_in_a_coal_mine"

// versions makes a full, a delta of it, a delta of that and one in which nothing
// changed; the full is deleted, so that it is hidden. It gives the content of each.
func versions(t *testing.T, r *Repository) map[holdfast.BackupName][]byte {
	t.Helper()
	data := text(9*frameSize+77, 5)
	copy(data, canary)
	all := map[holdfast.BackupName][]byte{}
	for i, name := range []holdfast.BackupName{"full", "delta", "second", "third"} {
		copy(data[(2+min(i, 2))*frameSize:], noise(3*blockSize, uint64(min(i, 2))+9))
		base, _, err := r.Base(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p := create(t, r, name, CreateOptions{Compress: true, Remember: true, Base: base})
		put(t, p.Sink("bot"), canary+".db", data)
		put(t, p.Sink("bot"), "same", noise(5000, 3))
		put(t, p.Sink("bot"), "empty", nil)
		if _, err := p.Commit(t.Context(), &holdfast.Metadata{
			CreatedAt: holdfast.At(testTime), Type: holdfast.Standard, Trigger: holdfast.TriggerManual, Note: canary, Host: canary,
			Sources: []holdfast.SourceMetadata{{Name: "bot", Kind: holdfast.KindSQLite, Path: "/" + canary}},
		}); err != nil {
			t.Fatal(err)
		}
		all[name] = bytes.Clone(data)
	}
	if deleted, err := r.Delete(t.Context(), "full"); err != nil || len(deleted.Freed) > 0 {
		t.Fatalf("full was not hidden: %+v, %v", deleted, err)
	}
	return all
}

// copyAll copies these backups in order.
func copyAll(t testing.TB, from, to *Repository, names ...holdfast.BackupName) {
	t.Helper()
	for _, name := range names {
		if _, err := from.Copy(t.Context(), name, to, CopyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// tells tells whether a bucket holds the canary in any name or byte.
func tells(t testing.TB, b bucket.Bucket) (where []string) {
	t.Helper()
	for info, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		data, err := readSmall(t.Context(), b, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(info.Key, canary) || bytes.Contains(data, []byte(canary)) {
			where = append(where, info.Key)
		}
	}
	return where
}

// Whatever the encryption of the repository and of its replica: from the replica
// alone every backup comes back, bit for bit.
func TestRecode_EveryFormIntoEveryOther(t *testing.T) {
	for _, compacted := range []bool{false, true} {
		for _, from := range forms(t) {
			for _, to := range forms(t) {
				t.Run(fmt.Sprintf("%s to %s, compacted %t", from.name, to.name, compacted), func(t *testing.T) {
					b, there := mem.New(), mem.New()
					o := from.make
					o.Cache, o.Keys = t.TempDir(), from.keys
					if _, err := Init(t.Context(), b, o); err != nil {
						t.Fatal(err)
					}
					r := opened(t, b, o)
					want := versions(t, r)
					names := []holdfast.BackupName{"full", "delta", "second", "third"}
					if compacted {
						compact(t, r)
						names = names[1:]
					}
					copyAll(t, r, ownReplica(t, r, there, to), names...)

					alone := opened(t, there, Options{Keys: to.keys})
					for _, name := range names {
						got := open(t, alone, name)
						verify(t, got)
						if !bytes.Equal(readAll(t, got, "bot/"+canary+".db"), want[name]) {
							t.Errorf("%s came back with other bytes", name)
						}
						if m := got.Metadata(); m.Note != canary || m.Host != canary || m.Sources[0].Path != "/"+canary || m.Encrypted != (to.name != "clear") {
							t.Errorf("%s: metadata %+v", name, m)
						}
						if problems, err := opened(t, there, Options{}).VerifyStored(t.Context(), name, nil); err != nil || len(problems) > 0 {
							t.Errorf("%s without a key: %v, %v", name, problems, err)
						}
					}
					if where := tells(t, there); (to.name == "clear") != (len(where) > 0) {
						t.Errorf("the canary is in %v", where)
					}
					if info, _, err := alone.Known(t.Context(), "second"); err != nil || compacted != !slices.Contains(info.Metadata.Needs, "full") {
						t.Errorf("second is no delta any more: %+v, %v", info.Metadata, err)
					}
				})
			}
		}
	}
}

// A copy for recipients is written by who has no key; one of an encrypted backup
// must be opened, and says what is missing.
func TestRecode_NeedsTheKeyOfWhatItReads(t *testing.T) {
	_, to := newKey(t)
	r, err := Init(t.Context(), mem.New(), Options{Recipients: []string{to}})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, writeSealed(t, r, "sealed", true))
	there := mem.New()
	replica := ownReplica(t, r, there, form{})
	_, err = r.Copy(t.Context(), "sealed", replica, CopyOptions{})
	if !errors.Is(err, ErrNoKey) || !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), "identity_file") || !strings.Contains(err.Error(), "encrypted otherwise") {
		t.Errorf("without a key: %v, hint %q", err, holdfast.HintOf(err))
	}
	stranger, _ := newKey(t)
	_, err = opened(t, r.b, Options{Keys: keysOf(stranger)}).Copy(t.Context(), "sealed", replica, CopyOptions{})
	if !errors.Is(err, holdfast.ErrRefused) || errors.Is(err, holdfast.ErrDamaged) || !strings.Contains(holdfast.HintOf(err), to) {
		t.Errorf("with a stranger's key: %v, hint %q", err, holdfast.HintOf(err))
	}
	if list, err := replica.List(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("the replica has %v, %v", list, err)
	}
}

func TestRecode_RefusesDamageByName(t *testing.T) {
	for _, from := range forms(t)[:2] {
		for _, how := range []string{"flipped", "cut", "missing"} {
			t.Run(from.name+" "+how, func(t *testing.T) {
				b := mem.New()
				if _, err := Init(t.Context(), b, from.make); err != nil {
					t.Fatal(err)
				}
				r := opened(t, b, Options{Recipients: from.make.Recipients, Keys: from.keys})
				commit(t, writeSealed(t, r, "full", true))
				for key, data := range stored(t, b, "full") {
					object := strings.TrimPrefix(key, "full/")
					if object == holdfast.MetadataFile || object == holdfast.SumsFile || len(data) == 0 {
						continue
					}
					bad := bytes.Clone(data)
					bad[len(bad)/2] ^= 1
					if how == "cut" {
						bad = bad[:len(bad)-1]
					}
					err := b.Put(t.Context(), key, bad, bucket.Replace)
					if how == "missing" {
						err = b.Delete(t.Context(), key)
					}
					if err != nil {
						t.Fatal(err)
					}
					_, other := newKey(t)
					replica := ownReplica(t, r, mem.New(), form{make: Options{Recipients: []string{other}}})
					_, err = r.Copy(t.Context(), "full", replica, CopyOptions{})
					if !errors.Is(err, holdfast.ErrDamaged) || !strings.Contains(err.Error(), object) {
						t.Errorf("got %v, want damage of %s", err, object)
					}
					if list, err := replica.List(t.Context()); err != nil || len(list) > 0 {
						t.Errorf("the replica has %v, %v", list, err)
					}
					if err := b.Put(t.Context(), key, data, bucket.Replace); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

// However often it is cut, a copy goes on with what is complete, and is whole in
// the end.
func TestRecode_GoesOnWhereItWasCut(t *testing.T) {
	for _, to := range forms(t) {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(to.name, seed), func(t *testing.T) {
				id, recipient := newKey(t)
				r, err := Init(t.Context(), mem.New(), Options{Recipients: []string{recipient}, Keys: keysOf(id)})
				if err != nil {
					t.Fatal(err)
				}
				commit(t, writeSealed(t, r, "full", true))
				there := &resumable{Bucket: mem.New()}
				replica := ownReplica(t, r, there, to)
				journal := &memoryJournal{}
				rnd := rand.New(rand.NewPCG(seed, 3))
				for tries := 0; ; tries++ {
					there.left.Store(rnd.Int64N(int64(4 + tries)))
					got, err := r.Copy(t.Context(), "full", replica, CopyOptions{Journal: journal})
					if err == nil {
						if tries > 1 && got.Reused == 0 || !journal.ended {
							t.Errorf("after %d cuts %+v, journal ended %t", tries, got, journal.ended)
						}
						break
					}
					if !errors.Is(err, errCut) || tries > 60 {
						t.Fatalf("try %d: %v", tries, err)
					}
				}
				back := open(t, opened(t, there, Options{Keys: to.keys}), "full")
				verify(t, back)
				same(t, back)
			})
		}
	}
}

// What was sent to former recipients is not taken for a copy to the present ones.
func TestRecode_OtherRecipientsBeginAnew(t *testing.T) {
	r, _ := newRepo(t)
	commit(t, writeSealed(t, r, "full", true))
	there := &resumable{Bucket: mem.New(), left: atomic.Int64{}}
	there.left.Store(1 << 20)
	_, first := newKey(t)
	id, second := newKey(t)
	journal := &memoryJournal{}
	replica := ownReplica(t, r, there, form{make: Options{Recipients: []string{first}}})
	there.left.Store(5)
	if _, err := r.Copy(t.Context(), "full", replica, CopyOptions{Journal: journal}); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	there.left.Store(1 << 20)
	replica = opened(t, there, Options{Recipients: []string{second}, Own: true})
	got, err := r.Copy(t.Context(), "full", replica, CopyOptions{Journal: journal})
	if err != nil || got.Reused != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	back := open(t, opened(t, there, Options{Keys: keysOf(id)}), "full")
	verify(t, back)
	same(t, back)
}

// New recipients get new copies. A delta does not lean on a copy that they
// cannot read.
func TestRecode_RotationOfTheReplicasRecipients(t *testing.T) {
	b, there := mem.New(), mem.New()
	o := Options{Cache: t.TempDir()}
	if _, err := Init(t.Context(), b, o); err != nil {
		t.Fatal(err)
	}
	r := opened(t, b, o)
	data := text(9*frameSize, 1)
	commit(t, saveVersion(t, r, "monday", data))
	_, first := newKey(t)
	id, second := newKey(t)
	copyAll(t, r, ownReplica(t, r, there, form{make: Options{Recipients: []string{first}}}), "monday")
	copy(data, "changed")
	commit(t, saveVersion(t, r, "tuesday", data))

	replica := opened(t, there, Options{Recipients: []string{second}, Own: true})
	notes, err := r.ShareEncryption(t.Context(), replica)
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0].Message, first) {
		t.Errorf("told %+v, %v", notes, err)
	}
	if _, err := r.Copy(t.Context(), "tuesday", replica, CopyOptions{}); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), "--full") {
		t.Errorf("a delta on what others can read: %v", err)
	}
	p := create(t, r, "wednesday", CreateOptions{Remember: true})
	put(t, p.Sink("bot"), "bot.db", data)
	commit(t, p)
	copy(data, "once more")
	commit(t, saveVersion(t, r, "thursday", data))
	copyAll(t, r, replica, "wednesday", "thursday")
	reader := opened(t, there, Options{Keys: keysOf(id)})
	verify(t, open(t, reader, "thursday"))
	if info, _, err := reader.Known(t.Context(), "thursday"); err != nil || !slices.Equal(info.Metadata.Recipients, []string{second}) || len(info.Metadata.Needs) != 1 {
		t.Errorf("%+v, %v", info.Metadata, err)
	}
}
