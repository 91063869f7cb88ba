package repo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

// smallSealed makes a repository with one small encrypted backup.
func smallSealed(t testing.TB, o Options) *mem.Bucket {
	t.Helper()
	b := mem.New()
	r, err := initAt(t.Context(), b, o, "testrepository", testTime)
	if err != nil {
		t.Fatal(err)
	}
	saveSmall(t, r, "monday", "one")
	return b
}

func saveSmall(t testing.TB, r *Repository, name holdfast.BackupName, content string) {
	t.Helper()
	p := create(t, r, name, CreateOptions{Compress: true})
	put(t, p.Sink("bot"), "bot.db", []byte(content))
	commit(t, p)
}

// changed puts other bytes in the place of an object until the function that is
// returned is called.
func changed(t testing.TB, b bucket.Bucket, key string, data []byte) (restore func()) {
	t.Helper()
	before, err := readSmall(t.Context(), b, key)
	if err != nil {
		t.Fatal(err)
	}
	set := func(data []byte) {
		if err := b.Put(t.Context(), key, data, bucket.Replace); err != nil {
			t.Fatal(err)
		}
	}
	set(data)
	return func() { set(before) }
}

// damagedStored tells whether a check of stored bytes finds something, or the
// repository does not even open.
func damagedStored(t testing.TB, b bucket.Bucket) bool {
	t.Helper()
	r, err := Open(t.Context(), b, Options{})
	if err != nil {
		return errors.Is(err, holdfast.ErrDamaged) || errors.Is(err, holdfast.ErrRefused)
	}
	problems, err := r.VerifyStored(t.Context(), "monday", nil)
	if err != nil {
		t.Fatal(err)
	}
	return len(problems) > 0
}

// damagedOpened is the same with a key.
func damagedOpened(t testing.TB, b bucket.Bucket, keys Keys) bool {
	t.Helper()
	r, err := Open(t.Context(), b, Options{Keys: keys})
	if err != nil {
		return errors.Is(err, holdfast.ErrDamaged) || errors.Is(err, holdfast.ErrRefused)
	}
	back, err := r.Backup(t.Context(), "monday")
	if err != nil {
		if !errors.Is(err, holdfast.ErrDamaged) {
			t.Errorf("a damaged file is told as %v", err)
		}
		return true
	}
	defer back.Close()
	problems, err := back.Verify(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return len(problems) > 0
}

func TestEncrypted_EveryChangedByteIsFound(t *testing.T) {
	id, to := newKey(t)
	b := smallSealed(t, Options{Recipients: []string{to}})
	keys := keysOf(id)
	if damagedStored(t, b) || damagedOpened(t, b, keys) {
		t.Fatal("the untouched backup is told to be damaged")
	}
	for _, key := range allKeys(t, b) {
		data, err := readSmall(t.Context(), b, key)
		if err != nil {
			t.Fatal(err)
		}
		for i := range data {
			other := bytes.Clone(data)
			other[i] ^= 1 << (i % 8)
			restore := changed(t, b, key, other)
			if !damagedStored(t, b) {
				t.Errorf("%s: byte %d was changed and nothing found without a key", key, i)
			}
			if !damagedOpened(t, b, keys) {
				t.Errorf("%s: byte %d was changed and nothing found with the key", key, i)
			}
			restore()
		}
	}
}

func TestEncrypted_CutFilesAreFound(t *testing.T) {
	id, to := newKey(t)
	b := smallSealed(t, Options{Recipients: []string{to}})
	for _, key := range allKeys(t, b) {
		data, err := readSmall(t.Context(), b, key)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, len(data) / 2, len(data) - 17, len(data) - 1} {
			restore := changed(t, b, key, data[:max(n, 0)])
			if !damagedStored(t, b) || !damagedOpened(t, b, keysOf(id)) {
				t.Errorf("%s cut to %d of %d bytes is not found", key, n, len(data))
			}
			restore()
		}
		restore := changed(t, b, key, append(bytes.Clone(data), 'x'))
		if !damagedStored(t, b) || !damagedOpened(t, b, keysOf(id)) {
			t.Errorf("%s with a byte more is not found", key)
		}
		restore()
	}
}

// Files of another backup to the same recipients open with the same key, but
// are not those of this one.
func TestEncrypted_SwappedFilesAreFound(t *testing.T) {
	id, to := newKey(t)
	b := smallSealed(t, Options{Recipients: []string{to}})
	saveSmall(t, opened(t, b, Options{}), "tuesday", "two")
	for _, key := range allKeys(t, b) {
		name, ok := strings.CutPrefix(key, "monday/")
		if !ok {
			continue
		}
		other, err := readSmall(t.Context(), b, "tuesday/"+name)
		if err != nil {
			t.Fatal(err)
		}
		restore := changed(t, b, key, other)
		if !damagedStored(t, b) || !damagedOpened(t, b, keysOf(id)) {
			t.Errorf("%s of another backup is not found", name)
		}
		restore()
	}
}

func TestEncrypted_MissingFilesAreFound(t *testing.T) {
	id, to := newKey(t)
	b := smallSealed(t, Options{Recipients: []string{to}})
	for _, key := range allKeys(t, b) {
		if !strings.HasPrefix(key, "monday/") || strings.HasSuffix(key, holdfast.MetadataFile) {
			continue
		}
		data, err := readSmall(t.Context(), b, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if !damagedStored(t, b) || !damagedOpened(t, b, keysOf(id)) {
			t.Errorf("that %s is missing is not found", key)
		}
		if err := b.Put(t.Context(), key, data, bucket.IfAbsent); err != nil {
			t.Fatal(err)
		}
	}
}

// The keys of a repository are nothing that may rot unseen.
func TestIdentity_DamageIsFound(t *testing.T) {
	b := smallSealed(t, Options{ByPassphrase: true, Keys: passphraseOf("correct horse")})
	data, err := readSmall(t.Context(), b, identityFile)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	restore := changed(t, b, identityFile, data)
	if !damagedStored(t, b) {
		t.Error("a changed identity file is not found")
	}
	_, err = opened(t, b, Options{Keys: passphraseOf("correct horse")}).Backup(t.Context(), "monday")
	if !errors.Is(err, holdfast.ErrDamaged) {
		t.Errorf("a changed identity file opens as %v", err)
	}
	restore()
	if err := b.Delete(t.Context(), identityFile); err != nil {
		t.Fatal(err)
	}
	if !damagedStored(t, b) {
		t.Error("a missing identity file is not found")
	}
}

// Whoever can write to a bucket knows the recipients, and can make backups that
// decrypt.
func TestManifest_HostileAfterDecryption(t *testing.T) {
	entry := func(fields string) string {
		return `{"path":"bot/x","type":"file","mode":"0600","mtime":"2024-10-30T14:30:00Z","size":5,"form":"full","encoding":"raw",` + fields +
			`"digest":"blake3:` + strings.Repeat("0", 64) + `","stored_sha256":"` + strings.Repeat("0", 64) + `","extents":[[0,1,0]],"groups":"AAAAAAAAAAA="}`
	}
	good := entry(`"payload":"bot/~1.age","stored_size":300,"payload_size":5,`)
	for name, c := range map[string]struct {
		before, entry string
		after         string
		ok            bool
	}{
		"as it should be":             {before: `"encryption":"age",`, entry: good, ok: true},
		"larger than stored":          {before: `"encryption":"age",`, entry: entry(`"payload":"bot/~1.age","stored_size":4,"payload_size":5,`)},
		"negative":                    {before: `"encryption":"age",`, entry: entry(`"payload":"bot/~1.age","stored_size":300,"payload_size":-5,`)},
		"another size than the file":  {before: `"encryption":"age",`, entry: entry(`"payload":"bot/~1.age","stored_size":300,"payload_size":6,`)},
		"no size":                     {before: `"encryption":"age",`, entry: entry(`"payload":"bot/~1.age","stored_size":300,`)},
		"the manifest as payload":     {before: `"encryption":"age",`, entry: entry(`"payload":"manifest.json.age","stored_size":300,"payload_size":5,`)},
		"the metadata as payload":     {before: `"encryption":"age",`, entry: entry(`"payload":"private_metadata.json.age","stored_size":300,"payload_size":5,`)},
		"out of the backup":           {before: `"encryption":"age",`, entry: entry(`"payload":"../../etc/passwd","stored_size":300,"payload_size":5,`)},
		"another encryption":          {before: `"encryption":"rot13",`, entry: good},
		"encryption after entries":    {after: `,"encryption":"age"`, entry: entry(`"payload":"bot/~1.age","stored_size":5,`)},
		"payload_size, not encrypted": {entry: good},
	} {
		var text strings.Builder
		text.WriteString(`{"format":1,"backup":"monday","block_size":4096,"frame_size":262144,` + c.before + `"refs":[],"entries":[` + c.entry + `]` + c.after + ",\n\"checksum\": \"")
		sealed := sha256.New()
		sealed.Write([]byte(text.String()))
		data := append([]byte(text.String()), sealEnd(sealed)...)
		_, err := readManifest(bytes.NewReader(data), int64(len(data)))
		if c.ok != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Random reads of an encrypted payload are few requests, not one for each chunk
// of age.
func TestSealedObject_ReadsInFewPieces(t *testing.T) {
	id, to := newKey(t)
	s, err := newSealing([]string{to})
	if err != nil {
		t.Fatal(err)
	}
	want := noise(40*sealedChunk+777, 1)
	var stored bytes.Buffer
	w, _, err := s.encrypt(&stored)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(want); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	obj := &countedObject{Reader: bytes.NewReader(stored.Bytes())}
	plain, err := openSealed(obj, []age.Identity{id})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ off, n int64 }{
		{0, int64(len(want))}, {0, 10}, {sealedChunk - 1, 2}, {5*sealedChunk + 3, 8 * sealedChunk}, {40 * sealedChunk, 777}, {39*sealedChunk + 5, sealedChunk + 772},
	} {
		obj.reads = 0
		got := make([]byte, c.n)
		if n, err := plain.ReadAt(got, c.off); int64(n) != c.n || err != nil && !errors.Is(err, io.EOF) || !bytes.Equal(got, want[c.off:c.off+c.n]) {
			t.Errorf("%d bytes at %d: got %d, %v", c.n, c.off, n, err)
		}
		if obj.reads > 1 {
			t.Errorf("%d bytes at %d took %d reads", c.n, c.off, obj.reads)
		}
	}
	if n, err := plain.ReadAt(make([]byte, 10), int64(len(want))); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if _, err := plain.ReadAt(make([]byte, 10), -1); err == nil {
		t.Error("a negative offset was read")
	}
}

// countedObject counts its reads.
type countedObject struct {
	*bytes.Reader
	reads int
}

func (c *countedObject) ReadAt(p []byte, off int64) (int, error) {
	c.reads++
	return c.Reader.ReadAt(p, off)
}

func (c *countedObject) Close() error { return nil }

// A check that is cancelled tells no damage.
func TestVerifyStored_Cancelled(t *testing.T) {
	_, to := newKey(t)
	b := smallSealed(t, Options{Recipients: []string{to}})
	ctx, cancel := context.WithCancel(t.Context())
	r := opened(t, b, Options{})
	cancel()
	if problems, err := r.VerifyStored(ctx, "monday", nil); !errors.Is(err, context.Canceled) || len(problems) > 0 {
		t.Errorf("cancelled: %v %v", problems, err)
	}
}
