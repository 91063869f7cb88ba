package repo

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

// A week is a full and the deltas after it, with what each must give back.
type week struct {
	r    *Repository
	b    *mem.Bucket
	days map[string]map[string][]byte
}

// backUp makes a backup of files, a delta of on if that is not empty.
func (w *week) backUp(t *testing.T, name, on holdfast.BackupName, files map[string][]byte) {
	t.Helper()
	p := create(t, w.r, name, CreateOptions{Compress: true, Base: on, Remember: true})
	for _, path := range slices.Sorted(maps.Keys(files)) {
		put(t, p.Sink("bot"), path, files[path])
	}
	commit(t, p)
	want := map[string][]byte{}
	for path, data := range files {
		want["bot/"+path] = data
	}
	w.days[string(name)] = want
}

func emptyWeek(t *testing.T, o Options) *week {
	t.Helper()
	w := &week{b: mem.New(), days: map[string]map[string][]byte{}}
	o.Cache = t.TempDir()
	r, err := Init(t.Context(), w.b, o)
	if err != nil {
		t.Fatal(err)
	}
	w.r = r
	return w
}

// newWeek makes monday, a full, and three deltas: of tuesday and wednesday each
// changes a little, thursday brings a file of its own.
func newWeek(t *testing.T, o Options) *week {
	t.Helper()
	w := emptyWeek(t, o)
	files := map[string][]byte{
		"bot.db":     text(3*frameSize+20*blockSize+77, 1),
		"noise":      noise(frameSize+3*blockSize+5, 2),
		"sparse":     append(make([]byte, 2*frameSize), text(9*blockSize, 3)...),
		"unchanged":  text(30*blockSize, 4),
		"tiny":       []byte("tiny"),
		"sub/a b'\\": text(40*blockSize+1, 5),
	}
	w.backUp(t, "monday", "", files)
	edit := func(name string, block int, seed uint64) {
		data := bytes.Clone(files[name])
		copy(data[block*blockSize:], text(2*blockSize, seed))
		files[name] = data
	}
	files = maps.Clone(files)
	edit("bot.db", 5, 10)
	files["noise"] = append(bytes.Clone(files["noise"]), noise(100, 11)...)
	w.backUp(t, "tuesday", "monday", files)
	files = maps.Clone(files)
	edit("bot.db", 100, 12)
	edit("sub/a b'\\", 3, 13)
	w.backUp(t, "wednesday", "tuesday", files)
	files = maps.Clone(files)
	files["new"] = text(20*blockSize+9, 14)
	edit("bot.db", 5, 15)
	delete(files, "tiny")
	w.backUp(t, "thursday", "wednesday", files)
	return w
}

// check reads and verifies what is visible.
func (w *week) check(t *testing.T, when string) {
	t.Helper()
	for _, name := range visible(t, w.r) {
		back, err := w.r.Backup(t.Context(), holdfast.BackupName(name))
		if err != nil {
			t.Errorf("%s: %v", when, err)
			continue
		}
		if problems, err := back.Verify(t.Context(), nil); err != nil || len(problems) > 0 {
			t.Errorf("%s: verify %s: %v %+v", when, name, err, problems)
		}
		if problems, err := w.r.VerifyStored(t.Context(), holdfast.BackupName(name), nil); err != nil || len(problems) > 0 {
			t.Errorf("%s: verify the stored bytes of %s: %v %+v", when, name, err, problems)
		}
		got := contents(t, back)
		for path, want := range w.days[name] {
			if !bytes.Equal(got[path], want) {
				t.Errorf("%s: %s of %s reads wrong", when, path, name)
			}
		}
		if len(got) != len(w.days[name])+1 { // and the metadata
			t.Errorf("%s: %s has %d files", when, name, len(got))
		}
		if err := back.Close(); err != nil {
			t.Error(err)
		}
	}
}

// stored sums everything that lies in the repository.
func (w *week) stored(t *testing.T) int64 {
	t.Helper()
	sum := int64(0)
	for info, err := range w.b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		sum += info.Size
	}
	return sum
}

func compact(t *testing.T, r *Repository) Compaction {
	t.Helper()
	done, err := r.Compact(t.Context(), CompactOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func TestCompact_FreesHiddenBackupsNow(t *testing.T) {
	w := newWeek(t, Options{})
	before := w.stored(t)
	remove(t, w.r, "monday")
	plan, err := w.r.PlanCompact(t.Context())
	if err != nil || len(plan.Rewrites) != 3 || plan.Rewrites[0].Backup != "tuesday" || len(plan.Frees) != 1 || plan.Writes == 0 {
		t.Fatalf("%v %+v", err, plan)
	}
	w.check(t, "planned")
	var told int64
	done, err := w.r.Compact(t.Context(), CompactOptions{Progress: func(name holdfast.BackupName, done, total int64) {
		if done > total {
			t.Errorf("%s: %d of %d bytes", name, done, total)
		}
		told++
	}})
	if err != nil || len(done.Rewritten) != 3 || len(done.Freed) != 1 || done.Freed[0].Name != "monday" || told == 0 {
		t.Fatalf("%v %+v", err, done)
	}
	w.check(t, "compacted")
	if keys := left(t, w.b, "monday"); len(keys) > 0 {
		t.Errorf("left behind: %v", keys)
	}
	// Only one took the blocks over: nothing is stored twice.
	if after := w.stored(t); after > before {
		t.Errorf("%d bytes before, %d after", before, after)
	}
	if hidden, err := w.r.Hidden(t.Context()); err != nil || len(hidden) > 0 {
		t.Errorf("%v %+v", err, hidden)
	}
	if again := compact(t, w.r); len(again.Rewritten)+len(again.Freed) > 0 {
		t.Errorf("there was something to do again: %+v", again)
	}

	// It can go on: a delta of the compacted, and the next compaction.
	files := map[string][]byte{}
	for path, data := range w.days["thursday"] {
		files[strings.TrimPrefix(path, "bot/")] = data
	}
	if base, why, err := w.r.Base(t.Context()); err != nil || base != "thursday" {
		t.Errorf("the next backup would be full: %v %q", err, why)
	}
	w.backUp(t, "friday", "thursday", files)
	remove(t, w.r, "tuesday")
	remove(t, w.r, "thursday")
	done = compact(t, w.r)
	if len(done.Freed) != 2 {
		t.Errorf("got %+v", done)
	}
	w.check(t, "compacted twice")
	if d := remove(t, w.r, "friday"); d.Hidden {
		t.Errorf("got %+v", d)
	}
	w.check(t, "at the end")
}

// A cut or failure after any operation leaves every backup whole.
func TestCompact_EveryFailureLeavesWholeBackups(t *testing.T) {
	for n := 0; ; n++ {
		w := newWeek(t, Options{})
		remove(t, w.r, "monday")
		remove(t, w.r, "wednesday")
		ops, failed := 0, ""
		w.b.Inject(func(op, key string) error {
			if op == "write" || op == "open" || op == "list" {
				return nil // nothing is changed by these
			}
			if ops++; ops > n {
				failed = op + " " + key
				return errors.New("cut")
			}
			return nil
		})
		_, err := w.r.Compact(t.Context(), CompactOptions{})
		w.b.Inject(nil)
		if (failed != "") != (err != nil) {
			t.Fatalf("%d: failed %q, reported %v", n, failed, err)
		}
		for _, name := range visible(t, w.r) { // readers do not wait for the next writer
			problems, err := open(t, w.r, holdfast.BackupName(name)).Verify(t.Context(), nil)
			if err != nil || slices.ContainsFunc(problems, func(p holdfast.Problem) bool { return p.Severity != holdfast.Warning }) {
				t.Errorf("at %s: %v %+v", failed, err, problems)
			}
			problems, err = w.r.VerifyStored(t.Context(), holdfast.BackupName(name), nil)
			if err != nil || slices.ContainsFunc(problems, func(p holdfast.Problem) bool { return p.Severity != holdfast.Warning }) {
				t.Errorf("at %s: stored bytes: %v %+v", failed, err, problems)
			}
		}
		relock(t, w.r)
		w.check(t, "after "+failed)
		if keys := slices.DeleteFunc(allKeys(t, w.b), func(key string) bool { return !strings.HasPrefix(key, compactDir) }); len(keys) > 0 {
			t.Errorf("at %s: left behind: %v", failed, keys)
		}
		compact(t, w.r)
		w.check(t, "again after "+failed)
		if hidden, err := w.r.Hidden(t.Context()); err != nil || len(hidden) > 0 {
			t.Errorf("at %s: %v %+v", failed, err, hidden)
		}
		if failed == "" {
			return
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}

// Damage is not passed on: the backup stays as it was.
func TestCompact_RefusesDamage(t *testing.T) {
	w := newWeek(t, Options{})
	remove(t, w.r, "monday")
	before := harm(t, w.b, "monday/bot/bot.db.zst", func(d []byte) []byte { d = bytes.Clone(d); d[len(d)/2] ^= 1; return d })
	keys := allKeys(t, w.b)
	_, err := w.r.Compact(t.Context(), CompactOptions{})
	if !errors.Is(err, holdfast.ErrDamaged) || !strings.Contains(err.Error(), "monday/bot/bot.db.zst") {
		t.Errorf("got %v", err)
	}
	if now := allKeys(t, w.b); !slices.Equal(now, keys) {
		t.Errorf("the failure left %v", slices.DeleteFunc(now, func(key string) bool { return slices.Contains(keys, key) }))
	}
	restoreObject(t, w.b, "monday/bot/bot.db.zst", before)
	w.check(t, "repaired")
}

func TestCompact_RefusesWhileMetadataIsUnreadable(t *testing.T) {
	w := newWeek(t, Options{})
	remove(t, w.r, "monday")
	harm(t, w.b, "thursday/"+holdfast.MetadataFile, func(d []byte) []byte { return d[:9] })
	if _, err := w.r.Compact(t.Context(), CompactOptions{}); !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), "thursday") {
		t.Errorf("got %v", err)
	}
}

// Every changed byte of a compacted backup is found like that of any other.
func TestCompact_DamageIsFound(t *testing.T) {
	w := newWeek(t, Options{})
	remove(t, w.r, "monday")
	compact(t, w.r)
	for _, key := range allKeys(t, w.b) {
		if !strings.HasPrefix(key, "tuesday/") {
			continue
		}
		obj, err := w.b.Open(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		for i := range int64(20) {
			at := obj.Size() * i / 20
			before := harm(t, w.b, key, func(d []byte) []byte { d = bytes.Clone(d); d[at] ^= 16; return d })
			back, err := w.r.Backup(t.Context(), "tuesday")
			var problems []holdfast.Problem
			if err == nil {
				problems, err = back.Verify(t.Context(), nil)
			}
			if err != nil && !errors.Is(err, holdfast.ErrDamaged) || err == nil && len(problems) == 0 {
				t.Errorf("byte %d of %s: %v %v", at, key, err, problems)
			}
			restoreObject(t, w.b, key, before)
		}
	}
}

// A reader that opened the backup before is told what happened.
func TestCompact_ReaderOfTheOldStateIsTold(t *testing.T) {
	w := newWeek(t, Options{})
	remove(t, w.r, "monday")
	old := open(t, w.r, "tuesday")
	compact(t, w.r)
	if _, err := old.Verify(t.Context(), nil); !errors.Is(err, errCompacted) || errors.Is(err, holdfast.ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

// The scripts that read without holdfast read compacted backups too.
func TestCompact_ScriptReads(t *testing.T) {
	w := newWeek(t, Options{})
	remove(t, w.r, "monday")
	compact(t, w.r)
	root := filepath.Join(t.TempDir(), "repository")
	writeTree(t, w.b, root)
	for _, day := range []string{"tuesday", "thursday"} {
		readByScripts(t, root, day, w.days[day])
	}
}

// readByScripts reads a backup without holdfast.
func readByScripts(t *testing.T, root, day string, files map[string][]byte) {
	t.Helper()
	script := readerScript(t)
	rescue, err := filepath.Abs(filepath.Join("..", "docs", "rescue", "restore.py"))
	if err != nil {
		t.Fatal(err)
	}
	run(t, filepath.Join(root, day), "sha256sum", "-c", "--quiet", holdfast.SumsFile)
	for path, want := range files {
		if got := run(t, root, "python3", script, root, day, path); got != string(want) {
			t.Errorf("the script reads %s of %s wrong", path, day)
		}
	}
	out := tempDir(t)
	run(t, root, "python3", rescue, root, day, out)
	for path, want := range files {
		if got, err := os.ReadFile(filepath.Join(out, filepath.FromSlash(path))); err != nil || !bytes.Equal(got, want) {
			t.Errorf("restore.py restores %s of %s wrong: %v", path, day, err)
		}
	}
}

// writeTree writes what is in b into a folder.
func writeTree(t *testing.T, b *mem.Bucket, root string) {
	t.Helper()
	for _, key := range allKeys(t, b) {
		data, err := readSmall(t.Context(), b, key)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(root, filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCompact_EncryptedBackups(t *testing.T) {
	id, to := newKey(t)
	w := newWeek(t, Options{Recipients: []string{to}, Keys: keysOf(id)})
	remove(t, w.r, "monday")

	keyless := opened(t, w.b, Options{})
	if _, err := keyless.Compact(t.Context(), CompactOptions{}); !errors.Is(err, holdfast.ErrRefused) || !errors.Is(err, ErrNoKey) || holdfast.HintOf(err) == "" {
		t.Errorf("without a key: %v", err)
	}
	done := compact(t, w.r)
	if len(done.Rewritten) != 3 || len(done.Freed) != 1 {
		t.Errorf("got %+v", done)
	}
	w.check(t, "compacted")
	for _, key := range allKeys(t, w.b) {
		if strings.HasPrefix(key, "tuesday/") && !strings.HasSuffix(key, sealedExt) && !strings.HasSuffix(key, holdfast.MetadataFile) && !strings.HasSuffix(key, holdfast.SumsFile) {
			t.Errorf("%s is not encrypted", key)
		}
	}
	back := open(t, w.r, "tuesday")
	if needs := back.Metadata().Needs; len(needs) > 0 || back.Metadata().StoredBytes != done.Rewritten[0].After {
		t.Errorf("the private metadata is the old: %+v", back.Metadata())
	}
}

func TestMovedBlocks_AgreeWithAModel(t *testing.T) {
	from, model := reference{"x", "f"}, map[int64]string{}
	mb := movedBlocks{}
	for i, add := range [][2]int64{{10, 5}, {0, 3}, {12, 10}, {2, 9}, {40, 1}, {0, 60}} {
		to := reference{holdfast.BackupName(fmt.Sprint("b", i)), "f"}
		mb.add(from, add[0], add[1], to, 1000)
		for k := range add[1] {
			if _, ok := model[add[0]+k]; !ok {
				model[add[0]+k] = fmt.Sprint(to.Backup, " ", 1000+k)
			}
		}
		for at := range int64(70) {
			for count := int64(1); at+count <= 70; count += 7 {
				next := at
				mb.split(from, at, count, func(piece, n int64, m *movedRun) {
					if piece != next || n <= 0 {
						t.Fatalf("after %d: piece %d+%d of %d+%d", i, piece, n, at, count)
					}
					for k := range n {
						got := ""
						if m != nil {
							got = fmt.Sprint(m.to.Backup, " ", m.now+k)
						}
						if got != model[piece+k] {
							t.Fatalf("after %d: block %d is at %q, want %q", i, piece+k, got, model[piece+k])
						}
					}
					next += n
				})
				if next != at+count {
					t.Fatalf("after %d: %d+%d covered until %d", i, at, count, next)
				}
			}
		}
	}
}
