package repo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

// saveVersion makes a backup of one file, remembered, on the base if there is
// one.
func saveVersion(t testing.TB, r *Repository, name holdfast.BackupName, data []byte) *Pending {
	t.Helper()
	base, _, err := r.Base(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := create(t, r, name, CreateOptions{Compress: true, Remember: true, Base: base})
	put(t, p.Sink("bot"), "bot.db", data)
	return p
}

// A host that cannot read still makes deltas, and whoever has the key reads
// them.
func TestEncrypted_DeltasNeedNoKey(t *testing.T) {
	id, to := newKey(t)
	b := mem.New()
	data := text(30*frameSize, 1)
	o := Options{Recipients: []string{to}, Cache: t.TempDir()}
	if _, err := Init(t.Context(), b, o); err != nil {
		t.Fatal(err)
	}
	commit(t, saveVersion(t, opened(t, b, o), "monday", data))
	copy(data[9*frameSize+17:], "changed on tuesday")
	w := opened(t, b, o)
	if readable, err := w.Readable(t.Context()); readable || err != nil {
		t.Errorf("the host reads without a key: %v", err)
	}
	info := commit(t, saveVersion(t, w, "tuesday", data))
	if !slices.Equal(info.Metadata.Needs, []holdfast.BackupName{"monday"}) || info.Metadata.StoredBytes > frameSize {
		t.Fatalf("not a delta: %d bytes, needs %v", info.Metadata.StoredBytes, info.Metadata.Needs)
	}
	if problems, err := w.VerifyStored(t.Context(), "tuesday", nil); err != nil || len(problems) > 0 {
		t.Errorf("stored bytes: %v %v", err, problems)
	}
	reader := opened(t, b, Options{Keys: keysOf(id)})
	if readable, err := reader.Readable(t.Context()); !readable || err != nil {
		t.Errorf("the key does not read: %v", err)
	}
	back := open(t, reader, "tuesday")
	verify(t, back)
	if !bytes.Equal(readAll(t, back, "bot/bot.db"), data) {
		t.Error("wrong bytes")
	}
}

// What new recipients cannot read must not be needed by what is encrypted to
// them.
func TestEncrypted_OtherRecipientsBeginWithAFull(t *testing.T) {
	_, first := newKey(t)
	id, second := newKey(t)
	b := mem.New()
	cache := t.TempDir()
	data := text(10*frameSize, 1)
	if _, err := Init(t.Context(), b, Options{Recipients: []string{first}}); err != nil {
		t.Fatal(err)
	}
	commit(t, saveVersion(t, opened(t, b, Options{Cache: cache}), "monday", data))

	r := opened(t, b, Options{Cache: cache, Recipients: []string{second}, Keys: keysOf(id)})
	base, why, err := r.Base(t.Context())
	if base != "" || !strings.Contains(why, "recipients") || err != nil {
		t.Errorf("base is %q because %q, %v", base, why, err)
	}
	p := saveVersion(t, r, "tuesday", data)
	notices := p.Notices()
	commit(t, p)
	if len(notices) != 1 || !strings.Contains(notices[0].Message, first) {
		t.Errorf("notices of the change: %+v", notices)
	}
	if got := opened(t, b, Options{}).Encryption().Recipients; !slices.Equal(got, []string{second}) {
		t.Errorf("repository.json names %v", got)
	}
	verify(t, open(t, r, "tuesday"))
	if _, err := r.Backup(t.Context(), "monday"); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("monday opens for the new recipient: %v", err)
	}
	p = saveVersion(t, r, "wednesday", data)
	if n := p.Notices(); len(n) != 0 {
		t.Errorf("told again: %+v", n)
	}
	if info := commit(t, p); len(info.Metadata.Needs) != 1 {
		t.Error("the second backup to the same recipients is no delta")
	}
}

func TestEncryption_TurnedOnLater(t *testing.T) {
	for name, o := range map[string]func(to string) Options{
		"recipient":  func(to string) Options { return Options{Recipients: []string{to}} },
		"passphrase": func(string) Options { return Options{ByPassphrase: true, Keys: passphraseOf("correct horse")} },
	} {
		t.Run(name, func(t *testing.T) {
			id, to := newKey(t)
			b := mem.New()
			cache := t.TempDir()
			data := text(10*frameSize, 1)
			if _, err := Init(t.Context(), b, Options{}); err != nil {
				t.Fatal(err)
			}
			commit(t, saveVersion(t, opened(t, b, Options{Cache: cache}), "monday", data))
			o := o(to)
			o.Cache = cache
			r := opened(t, b, o)
			p := saveVersion(t, r, "tuesday", data)
			if n := p.Notices(); len(n) != 1 || n[0].Severity != holdfast.Warning || !strings.Contains(n[0].Message, "not encrypted") {
				t.Errorf("notices: %+v", n)
			}
			if info := commit(t, p); !info.Metadata.Encrypted || len(info.Metadata.Needs) > 0 {
				t.Errorf("tuesday: encrypted %t, needs %v", info.Metadata.Encrypted, info.Metadata.Needs)
			}
			keys := keysOf(id)
			if name == "passphrase" {
				keys = passphraseOf("correct horse")
			}
			// Nothing but repository.json tells the next process.
			reader := opened(t, b, Options{Keys: keys})
			verify(t, open(t, reader, "monday"))
			verify(t, open(t, reader, "tuesday"))
			verify(t, open(t, opened(t, b, Options{}), "monday"))
			if !reader.Encrypts() {
				t.Error("the next backup would not be encrypted")
			}
		})
	}
}

func TestRotateKey_OldAndNewBackupsOpen(t *testing.T) {
	b := mem.New()
	r, err := Init(t.Context(), b, Options{ByPassphrase: true, Keys: passphraseOf("correct horse")})
	if err != nil {
		t.Fatal(err)
	}
	saveSmall(t, r, "monday", "one")
	before := r.Encryption().Recipients
	if err := r.RotateKey(t.Context(), "battery staple"); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(before, r.Encryption().Recipients) {
		t.Error("the recipient is the former one")
	}
	saveSmall(t, r, "tuesday", "two")
	verify(t, open(t, r, "monday")) // the process that rotated need not ask again
	verify(t, open(t, r, "tuesday"))

	fresh := opened(t, b, Options{Keys: passphraseOf("battery staple")})
	verify(t, open(t, fresh, "monday"))
	verify(t, open(t, fresh, "tuesday"))
	if _, err := opened(t, b, Options{Keys: passphraseOf("correct horse")}).Backup(t.Context(), "monday"); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("the former passphrase opens: %v", err)
	}

	recipients := fresh.Encryption().Recipients
	if err := fresh.ChangePassphrase(t.Context(), "third"); err != nil {
		t.Fatal(err)
	}
	again := opened(t, b, Options{Keys: passphraseOf("third")})
	if !slices.Equal(again.Encryption().Recipients, recipients) {
		t.Error("another passphrase changed the key")
	}
	verify(t, open(t, again, "monday"))
}

func TestRotateKey_RefusesRecipients(t *testing.T) {
	_, to := newKey(t)
	for _, o := range []Options{{}, {Recipients: []string{to}}} {
		r, err := Init(t.Context(), mem.New(), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.RotateKey(t.Context(), "x"); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), "encrypt_to") {
			t.Errorf("%v, hint %q", err, holdfast.HintOf(err))
		}
	}
}

// cutBucket fails every Put after the first few.
type cutBucket struct {
	bucket.Bucket
	left int
}

var errPowerCut = errors.New("cut")

func (c *cutBucket) Put(ctx context.Context, key string, data []byte, mode bucket.PutMode) error {
	if c.left--; c.left < 0 {
		return errPowerCut
	}
	return c.Bucket.Put(ctx, key, data, mode)
}

// Whatever write a rotation is cut at, one of the passphrases opens everything,
// the repository is whole, and the rotation can be made again.
func TestRotateKey_CutAtEveryWrite(t *testing.T) {
	for n := range 4 {
		b := mem.New()
		r, err := Init(t.Context(), b, Options{ByPassphrase: true, Keys: passphraseOf("old")})
		if err != nil {
			t.Fatal(err)
		}
		saveSmall(t, r, "monday", "one")
		err = opened(t, &cutBucket{b, n}, Options{Keys: passphraseOf("old")}).RotateKey(t.Context(), "new")
		if n < 3 != errors.Is(err, errPowerCut) {
			t.Fatalf("cut after %d writes: %v", n, err)
		}
		var now *Repository
		for _, pass := range []string{"old", "new"} {
			try := opened(t, b, Options{Keys: passphraseOf(pass)})
			if _, err := try.Backup(t.Context(), "monday"); err == nil {
				now = try
			}
		}
		if now == nil {
			t.Fatalf("cut after %d writes: neither passphrase opens", n)
		}
		verify(t, open(t, now, "monday"))
		saveSmall(t, now, "tuesday", "two")
		verify(t, open(t, now, "tuesday"))
		if err := now.RotateKey(t.Context(), "newer"); err != nil {
			t.Fatal(err)
		}
		last := opened(t, b, Options{Keys: passphraseOf("newer")})
		verify(t, open(t, last, "monday"))
		verify(t, open(t, last, "tuesday"))
	}
}

// The first key is never written over, even if its maker was cut before
// repository.json knew of it.
func TestInit_CutAfterTheIdentity(t *testing.T) {
	o := Options{ByPassphrase: true, Keys: passphraseOf("correct horse")}
	b := mem.New()
	if _, err := Init(t.Context(), &cutBucket{b, 1}, o); !errors.Is(err, errPowerCut) {
		t.Fatal(err)
	}
	first, err := readSmall(t.Context(), b, identityFile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Init(t.Context(), b, Options{ByPassphrase: true, Keys: passphraseOf("another")}); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("with another passphrase: %v", err)
	}
	r, err := Init(t.Context(), b, o)
	if err != nil {
		t.Fatal(err)
	}
	saveSmall(t, r, "monday", "one")
	verify(t, open(t, opened(t, b, Options{Keys: passphraseOf("correct horse")}), "monday"))
	if now, err := readSmall(t.Context(), b, identityFile); err != nil || !bytes.Equal(now, first) {
		t.Errorf("the identity file was written over: %v", err)
	}
}

func TestInit_FindsTheEncryptionAgain(t *testing.T) {
	b := smallSealed(t, Options{ByPassphrase: true, Keys: passphraseOf("correct horse")})
	before := opened(t, b, Options{}).Encryption()
	if err := b.Delete(t.Context(), repositoryFile); err != nil {
		t.Fatal(err)
	}
	r, err := Init(t.Context(), b, Options{Keys: passphraseOf("correct horse")})
	if err != nil {
		t.Fatal(err)
	}
	after := r.Encryption()
	if !slices.Equal(before.Recipients, after.Recipients) || after.Identity != before.Identity || !slices.Equal(before.IdentitySHA256, after.IdentitySHA256) {
		t.Errorf("%+v became %+v", before, after)
	}
	verify(t, open(t, r, "monday"))
	saveSmall(t, r, "tuesday", "two")
	verify(t, open(t, r, "tuesday"))
}

// Nothing in the open tells what is in a backup.
func TestEncrypted_TellsNothing(t *testing.T) {
	const canary = "canary7541"
	id, to := newKey(t)
	b := mem.New()
	r, err := Init(t.Context(), b, Options{Recipients: []string{to}})
	if err != nil {
		t.Fatal(err)
	}
	p := create(t, r, "monday", CreateOptions{Compress: true})
	put(t, p.Sink("bot"), canary+"/"+canary+".db", bytes.Repeat([]byte(canary), 10_000))
	put(t, p.Sink("bot"), "raw", []byte(canary))
	for _, e := range []holdfast.Entry{
		{Path: "dir" + canary, Mode: fs.ModeDir | 0o700, ModTime: testTime},
		{Path: "link" + canary, Mode: fs.ModeSymlink | 0o777, ModTime: testTime, Link: canary},
	} {
		if err := p.Sink("bot").Add(e); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{holdfast.MemoryInfoFile, holdfast.MemoriesFile, holdfast.MemoryDir + "/" + canary + ".json"} {
		err := p.WriteFile(path, func(w io.Writer) error {
			_, err := io.WriteString(w, canary)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	rows := int64(7)
	full := &holdfast.Metadata{
		CreatedAt: holdfast.At(testTime), Type: holdfast.Enhanced, IncludesMemory: true, RAGMode: "enhanced", Trigger: holdfast.TriggerManual,
		DatabaseInfo: holdfast.DatabaseInfo{TotalRecords: 7, DatabasePath: "/srv/" + canary},
		Sources: []holdfast.SourceMetadata{
			{Name: "bot", Kind: holdfast.KindSQLite, Path: "/srv/" + canary, Method: canary, Memory: []string{canary}, Facts: holdfast.Facts{SQLite: &holdfast.SQLiteFacts{
				Tables: map[string]int64{canary: 7}, Rows: &rows, JournalMode: canary, Encoding: canary, QuickCheck: holdfast.CheckOK,
			}}},
			{Name: "rag", Kind: holdfast.KindChroma, Facts: holdfast.Facts{Chroma: &holdfast.ChromaFacts{
				Collections: []holdfast.ChromaCollection{{ID: canary, Name: canary}}, Records: 8, JournalMode: canary, Schema: holdfast.ChromaSchema{Release: canary},
			}}},
		},
		Problems: []holdfast.Problem{{Source: "bot", Object: canary, Severity: holdfast.Incomplete, Message: canary, Hint: canary}},
		Note:     canary, Host: canary, ToolVersion: "1.0.0",
	}
	if _, err := p.Commit(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	err = r.AddProof(t.Context(), "monday", holdfast.Proof{Kind: holdfast.ProofVerify, Problems: []holdfast.Problem{{Source: "bot", Object: canary, Severity: holdfast.Damaged, Message: canary, Hint: canary}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range allKeys(t, b) {
		data, err := readSmall(t.Context(), b, key)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(key, canary) || bytes.Contains(data, []byte(canary)) {
			t.Errorf("%s tells what is private: %.300q", key, data)
		}
	}

	// What retention and lists need is there, and with a key everything.
	info, err := r.Stat(t.Context(), "monday")
	if err != nil {
		t.Fatal(err)
	}
	m := info.Metadata
	if n, ok := m.Sources[0].Facts.Records(); !ok || n != 7 || m.DatabaseInfo.TotalRecords != 7 || m.Sources[0].StoredBytes == 0 {
		t.Errorf("the numbers are not in the open: %+v", m)
	}
	if len(m.Problems) != 1 || m.Problems[0].Severity != holdfast.Incomplete || m.Problems[0].Source != "bot" {
		t.Errorf("problems in the open: %+v", m.Problems)
	}
	back := open(t, opened(t, b, Options{Keys: keysOf(id)}), "monday").Metadata()
	if back.Note != canary || back.Host != canary || back.Sources[0].Path != "/srv/"+canary || back.Sources[0].Facts.SQLite.Tables[canary] != 7 || back.Problems[0].Message != canary {
		t.Errorf("the metadata did not come back whole: %+v", back)
	}
	if info.Metadata.StoredBytes != back.StoredBytes || !back.Encrypted {
		t.Errorf("the two disagree: %+v", back)
	}
}

// The headers of stored files name the recipients and nobody else.
func TestEncrypted_HeadersNameOnlyTheRecipients(t *testing.T) {
	_, to := newKey(t)
	_, second := newKey(t)
	b := smallSealed(t, Options{Recipients: []string{to, second}})
	seen := 0
	for _, key := range allKeys(t, b) {
		if !strings.HasSuffix(key, sealedExt) {
			continue
		}
		seen++
		data, err := readSmall(t.Context(), b, key)
		if err != nil {
			t.Fatal(err)
		}
		header, err := age.ExtractHeader(bytes.NewReader(data))
		if n := strings.Count(string(header), "\n-> "); err != nil || n != 2 {
			t.Errorf("%s has %d recipients, want 2: %v", key, n, err)
		}
	}
	if seen != 3 {
		t.Errorf("%d encrypted files, want manifest, metadata and a payload", seen)
	}
}

// That the stored bytes of an encrypted backup are as they were proves nothing,
// and pushes no real proof out.
func TestProofs_OfStoredBytes(t *testing.T) {
	_, to := newKey(t)
	b := smallSealed(t, Options{Recipients: []string{to}})
	r := opened(t, b, Options{})
	add := func(kind holdfast.ProofKind, ok bool) Info {
		t.Helper()
		if err := r.AddProof(t.Context(), "monday", holdfast.Proof{At: holdfast.At(testTime), Kind: kind, OK: ok}); err != nil {
			t.Fatal(err)
		}
		info, err := r.Stat(t.Context(), "monday")
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	if _, proven := add(holdfast.ProofStored, true).Proven(); proven {
		t.Error("stored bytes alone make the backup proven")
	}
	add(holdfast.ProofVerify, true)
	var info Info
	for range 3 * maxProofs {
		info = add(holdfast.ProofStored, true)
	}
	if p, proven := info.Proven(); !proven || p.Kind != holdfast.ProofVerify || info.Disproven() {
		t.Errorf("the proof is lost: %+v", info.Proofs)
	}
	info = add(holdfast.ProofStored, false)
	if _, proven := info.Proven(); proven || !info.Disproven() {
		t.Error("damaged stored bytes leave the backup proven")
	}
	if info = add(holdfast.ProofStored, true); !info.Disproven() {
		t.Error("a check without a key takes back what failed")
	}
}
