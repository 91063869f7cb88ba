package repo

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// putBackup stores a backup of handmade entries and payloads, sealed as Commit
// would.
func putBackup(t *testing.T, r *Repository, name holdfast.BackupName, refs []reference, entries []*entry, payloads map[string][]byte) {
	t.Helper()
	ctx := t.Context()
	for key, data := range payloads {
		if err := r.b.Put(ctx, string(name)+"/"+key, data, bucket.Replace); err != nil {
			t.Fatal(err)
		}
	}
	m := &manifest{Format: 1, Backup: name, Refs: refs, Entries: entries}
	var text bytes.Buffer
	if err := m.write(&text); err != nil {
		t.Fatal(err)
	}
	var needs []holdfast.BackupName
	for _, ref := range refs {
		if !slices.Contains(needs, ref.Backup) {
			needs = append(needs, ref.Backup)
		}
	}
	stored := int64(0)
	for _, e := range entries {
		stored += e.StoredSize
	}
	data, err := seal(marker{
		Metadata: &holdfast.Metadata{
			BackupName: name, Format: 1, CreatedAt: holdfast.At(testTime), Needs: needs, StoredBytes: stored, Sources: []holdfast.SourceMetadata{},
		},
		ManifestSHA256: m.sha256,
	})
	if err != nil {
		t.Fatal(err)
	}
	var sums bytes.Buffer
	if err := writeSums(&sums, expectedSums(m, data)); err != nil {
		t.Fatal(err)
	}
	for file, data := range map[string][]byte{holdfast.ManifestFile: text.Bytes(), holdfast.SumsFile: sums.Bytes(), holdfast.MetadataFile: data} {
		if err := r.b.Put(ctx, string(name)+"/"+file, data, bucket.Replace); err != nil {
			t.Fatal(err)
		}
	}
}

// fileEntry describes a file with the given plaintext and payload.
func fileEntry(path string, plain []byte, form, encoding, payload string, stored []byte, xs []extent) *entry {
	e := newEntry(path, holdfast.Entry{Mode: 0o600, ModTime: testTime})
	d := newFileDigest()
	d.add(hashAll(plain), int64(len(plain)))
	e.Size, e.Digest, e.Form, e.Extents = int64(len(plain)), d.String(), form, xs
	if payload != "" {
		e.Encoding, e.Payload, e.StoredSize, e.StoredSHA256 = encoding, payload, int64(len(stored)), sumOf(stored)
	}
	if encoding == encodingRaw {
		for off := 0; off < len(stored); off += frameSize {
			hashes, _ := hashBlocks(stored[off:min(off+frameSize, len(stored))], nil)
			sum := groupCheck(hashes)
			e.Groups = append(e.Groups, sum[:]...)
		}
	}
	return e
}

// hashAll hashes more than a frame.
func hashAll(plain []byte) (hashes []blockHash) {
	for off := 0; off < len(plain); off += frameSize {
		hashes, _ = hashBlocks(plain[off:min(off+frameSize, len(plain))], hashes)
	}
	return hashes
}

// seekable compresses plain as a payload.
func seekable(plain []byte) []byte {
	var out []byte
	var table seekTableWriter
	for off := 0; off < len(plain); off += frameSize {
		piece := plain[off:min(off+frameSize, len(plain))]
		packed := encoder().EncodeAll(piece, nil)
		table.add(len(packed), len(piece))
		out = append(out, packed...)
	}
	return append(out, table.frame()...)
}

// Whoever wrote a delta, by hand or with another program: what FORMAT.md allows
// is read.
func TestBackup_ReadsDeltasOfOtherBackups(t *testing.T) {
	r, root := dirRepo(t)
	base := text(3*frameSize+10*blockSize+123, 1)
	p := create(t, r, "monday", CreateOptions{Compress: true})
	put(t, p.Sink("bot"), "bot.db", base)
	rawBase := noise(frameSize+5*blockSize, 2)
	put(t, p.Sink("bot"), "raw", rawBase)
	commit(t, p)

	// Tuesday: block 5 and the tail changed, blocks 70 to 79 became a hole.
	tuesday := bytes.Clone(base)
	copy(tuesday[5*blockSize:], text(blockSize, 9))
	clear(tuesday[70*blockSize : 80*blockSize])
	tail := len(base) / blockSize
	tuesday = append(tuesday[:tail*blockSize], text(2*blockSize+77, 10)...)
	blocks := blocksOf(int64(len(tuesday)))
	changed := append(bytes.Clone(tuesday[5*blockSize:6*blockSize]), tuesday[tail*blockSize:]...)
	stored := seekable(changed)
	delta := fileEntry("bot/bot.db", tuesday, formDelta, encodingZstd, "bot/bot.db.delta.zst", stored, []extent{
		{block: 0, count: 5, at: 0, ref: 1},
		{block: 5, count: 1, at: 0},
		{block: 6, count: 64, at: 6, ref: 1},
		{block: 80, count: int64(tail) - 80, at: 80, ref: 1},
		{block: int64(tail), count: blocks - int64(tail), at: 1},
	})
	unchanged := fileEntry("bot/raw", rawBase, formDelta, "", "", nil, []extent{{block: 0, count: blocksOf(int64(len(rawBase))), ref: 2}})
	refs := []reference{{"monday", "bot/bot.db"}, {"monday", "bot/raw"}}
	putBackup(t, r, "tuesday", refs, []*entry{delta, unchanged}, map[string][]byte{"bot/bot.db.delta.zst": stored})

	back := open(t, r, "tuesday")
	verify(t, back)
	dir := tempDir(t)
	if err := back.Extract(t.Context(), "bot", dir, durable.OS, nil); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{"bot.db": tuesday, "raw": rawBase} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s extracted wrong: %v", name, err)
		}
		if got := readAll(t, back, "bot/"+name); !bytes.Equal(got, want) {
			t.Errorf("%s reads wrong", name)
		}
	}

	script := readerScript(t)
	for name, want := range map[string][]byte{"bot/bot.db": tuesday, "bot/raw": rawBase} {
		if got := run(t, root, "python3", script, root, "tuesday", name); got != string(want) {
			t.Errorf("the script of FORMAT.md reads %s wrong", name)
		}
	}

	// Damage in Monday's payload is named where it is.
	payload := filepath.Join(root, "monday", "bot", "bot.db.zst")
	data, err := os.ReadFile(payload)
	if err != nil {
		t.Fatal(err)
	}
	data[100] ^= 4
	if err := os.WriteFile(payload, data, 0o600); err != nil {
		t.Fatal(err)
	}
	problems, err := open(t, r, "tuesday").Verify(t.Context(), nil)
	if err != nil || len(problems) != 1 || problems[0].Object != "monday/bot/bot.db.zst" {
		t.Errorf("damage in a reference: %v %+v", err, problems)
	}
	if err := os.Remove(filepath.Join(root, "monday", holdfast.MetadataFile)); err != nil {
		t.Fatal(err)
	}
	_, err = fs.ReadFile(open(t, r, "tuesday"), "bot/raw")
	if !errors.Is(err, holdfast.ErrDamaged) || !strings.Contains(err.Error(), "monday") {
		t.Errorf("missing reference: %v", err)
	}
}

// Hostile manifests are sealed properly; only their content is wrong.
func TestBackup_RefusesHostileManifests(t *testing.T) {
	plain := []byte("hello")
	good := func() *entry {
		return fileEntry("bot/x", plain, formFull, encodingRaw, "bot/x", plain, []extent{{count: 1}})
	}
	link := func(path, target string) *entry {
		return newEntry(path, holdfast.Entry{Mode: fs.ModeSymlink | 0o777, ModTime: testTime, Link: target})
	}
	change := func(f func(*entry)) []*entry {
		e := good()
		f(e)
		return []*entry{e}
	}
	for what, entries := range map[string][]*entry{
		"absolute path":        change(func(e *entry) { e.Path = "/etc/passwd" }),
		"path upwards":         change(func(e *entry) { e.Path = "bot/../../x" }),
		"empty path":           change(func(e *entry) { e.Path = "" }),
		"the root itself":      change(func(e *entry) { e.Path = "." }),
		"nul in a path":        change(func(e *entry) { e.Path = "bot/\x00" }),
		"the marker":           change(func(e *entry) { e.Path = holdfast.MetadataFile }),
		"payload upwards":      change(func(e *entry) { e.Payload = "../monday/x" }),
		"payload is manifest":  change(func(e *entry) { e.Payload = holdfast.ManifestFile }),
		"negative size":        change(func(e *entry) { e.Size = -1 }),
		"wrong size":           change(func(e *entry) { e.Size = 6 }),
		"huge size":            change(func(e *entry) { e.Size = 1 << 62; e.StoredSize = 1 << 62 }),
		"no digest":            change(func(e *entry) { e.Digest = "" }),
		"unknown form":         change(func(e *entry) { e.Form = "magic" }),
		"unknown type":         change(func(e *entry) { e.Type = "device" }),
		"unknown encoding":     change(func(e *entry) { e.Encoding = "gzip" }),
		"mode in words":        change(func(e *entry) { e.Mode = "rwx!" }),
		"time in words":        change(func(e *entry) { e.ModTime = "yesterday" }),
		"groups missing":       change(func(e *entry) { e.Groups = nil }),
		"extent too long":      change(func(e *entry) { e.Extents = []extent{{count: 2}} }),
		"extent backwards":     change(func(e *entry) { e.Extents = []extent{{count: -1}} }),
		"extent elsewhere":     change(func(e *entry) { e.Extents = []extent{{count: 1, at: 7}} }),
		"extents overlap":      change(func(e *entry) { e.Extents = []extent{{count: 1}, {count: 1}} }),
		"reference unknown":    change(func(e *entry) { e.Extents = []extent{{count: 1, ref: 3}}; e.Form = formDelta }),
		"twice":                {good(), good()},
		"payload of two files": {good(), fileEntry("bot/y", plain, formFull, encodingRaw, "bot/x", plain, []extent{{count: 1}})},
		"below a file":         {good(), fileEntry("bot/x/y", plain, formFull, encodingRaw, "bot/y", plain, []extent{{count: 1}})},
		"below a link":         {link("bot/l", "/etc"), fileEntry("bot/l/y", plain, formFull, encodingRaw, "bot/y", plain, []extent{{count: 1}})},
		"link to nothing":      {link("bot/l", "")},
		"directory with bytes": change(func(e *entry) { e.Type = typeDir }),
	} {
		t.Run(what, func(t *testing.T) {
			r, _ := newRepo(t)
			putBackup(t, r, "evil", []reference{{"other", "x"}}, entries, map[string][]byte{"bot/x": plain})
			_, err := r.Backup(t.Context(), "evil")
			if damaged, ok := errors.AsType[*holdfast.DamagedError](err); !ok || damaged.Problems[0].Object != holdfast.ManifestFile {
				t.Errorf("got %v", err)
			}
		})
	}
	r, _ := newRepo(t)
	putBackup(t, r, "fine", nil, []*entry{good()}, map[string][]byte{"bot/x": plain})
	verify(t, open(t, r, "fine"))
}

// A newer format is refused, not called damaged.
func TestNewerFormat_IsRefused(t *testing.T) {
	r, b := newRepo(t)
	data, err := seal(struct {
		Format   int    `json:"format"`
		New      bool   `json:"new"`
		Checksum string `json:"checksum"`
	}{Format: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), "future/"+holdfast.MetadataFile, data, bucket.Replace); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Backup(t.Context(), "future"); !errors.Is(err, holdfast.ErrRefused) || holdfast.HintOf(err) == "" {
		t.Errorf("newer backup: %v", err)
	}
	if err := b.Put(t.Context(), repositoryFile, data, bucket.Replace); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), b, Options{}); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("newer repository: %v", err)
	}
}
