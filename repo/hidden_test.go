package repo

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

// dependent stores a backup of the file bot/x that takes every block of it from
// another backup.
func dependent(t *testing.T, r *Repository, name, on holdfast.BackupName, plain []byte) {
	t.Helper()
	e := fileEntry("bot/x", plain, formDelta, "", "", nil, []extent{{count: blocksOf(int64(len(plain))), ref: 1}})
	putBackup(t, r, name, []reference{{on, "bot/x"}}, []*entry{e}, nil)
}

// chain makes monday, a full, and tuesday, which takes everything from it.
func chain(t *testing.T) (*Repository, *mem.Bucket, []byte) {
	t.Helper()
	r, b := newRepo(t)
	plain := text(100_000, 1)
	p := create(t, r, "monday", CreateOptions{Compress: true})
	put(t, p.Sink("bot"), "x", plain)
	commit(t, p)
	dependent(t, r, "tuesday", "monday", plain)
	return r, b, plain
}

func remove(t *testing.T, r *Repository, name holdfast.BackupName) Deletion {
	t.Helper()
	d, err := r.Delete(t.Context(), name)
	if err != nil {
		t.Fatalf("delete %s: %v", name, err)
	}
	return d
}

// visible gives the names that a list shows.
func visible(t *testing.T, r *Repository) []string {
	t.Helper()
	list, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, i := range list {
		names = append(names, string(i.Name))
	}
	slices.Sort(names)
	return names
}

// relock takes and gives back the lease, as the next writer would.
func relock(t *testing.T, r *Repository) {
	t.Helper()
	lease, err := r.Lock(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := lease.Release(); err != nil {
		t.Fatal(err)
	}
}

// left gives the keys that lie anywhere for a backup.
func left(t *testing.T, b *mem.Bucket, name string) []string {
	t.Helper()
	return slices.DeleteFunc(allKeys(t, b), func(key string) bool {
		return !strings.HasPrefix(key, name+"/") && !strings.HasSuffix(key, "/"+name+".json")
	})
}

func TestDelete_HidesWhatOthersNeed(t *testing.T) {
	r, b, plain := chain(t)
	if err := r.SetPinned(t.Context(), "monday", false); err != nil {
		t.Fatal(err)
	}
	d := remove(t, r, "monday")
	if !d.Hidden || len(d.Freed) > 0 || d.Held == 0 || !slices.Equal(d.NeededBy, []holdfast.BackupName{"tuesday"}) {
		t.Errorf("got %+v", d)
	}
	if got := visible(t, r); !slices.Equal(got, []string{"tuesday"}) {
		t.Errorf("listed: %v", got)
	}
	for what, try := range map[string]func() error{
		"stat":   func() error { _, err := r.Stat(t.Context(), "monday"); return err },
		"open":   func() error { _, err := r.Backup(t.Context(), "monday"); return err },
		"delete": func() error { _, err := r.Delete(t.Context(), "monday"); return err },
		"pin":    func() error { return r.SetPinned(t.Context(), "monday", true) },
	} {
		if err := try(); !errors.Is(err, holdfast.ErrNotFound) || !strings.Contains(holdfast.HintOf(err), "deleted") {
			t.Errorf("%s of a hidden backup: %v, hint %q", what, err, holdfast.HintOf(err))
		}
	}
	if _, err := r.Stat(t.Context(), "mondax"); strings.Contains(holdfast.HintOf(err), "monday") {
		t.Errorf("a hidden backup was suggested: %q", holdfast.HintOf(err))
	}
	if _, err := r.Create(t.Context(), "monday", true, CreateOptions{}); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("the name of a hidden backup was free: %v", err)
	}
	hidden, err := r.Hidden(t.Context())
	if err != nil || len(hidden) != 1 || hidden[0].Name != "monday" || hidden[0].Bytes != d.Held || hidden[0].DeletedAt.IsZero() ||
		!slices.Equal(hidden[0].NeededBy, []holdfast.BackupName{"tuesday"}) {
		t.Errorf("%v %+v", err, hidden)
	}
	relock(t, r) // a writer that comes by changes nothing
	back := open(t, r, "tuesday")
	verify(t, back)
	if got := readAll(t, back, "bot/x"); string(got) != string(plain) {
		t.Error("tuesday reads wrong")
	}

	d = remove(t, r, "tuesday")
	if d.Hidden || len(d.Freed) != 2 || d.Freed[0].Name != "tuesday" || d.Freed[1].Name != "monday" || d.FreedBytes() != hidden[0].Bytes {
		t.Errorf("got %+v", d)
	}
	for _, name := range []string{"monday", "tuesday"} {
		if keys := left(t, b, name); len(keys) > 0 {
			t.Errorf("left behind: %v", keys)
		}
	}
}

// What a hidden backup needs itself is of no use to anybody.
func TestDelete_HiddenNeedsDoNotCount(t *testing.T) {
	r, b, plain := chain(t)
	second := fileEntry("bot/y", plain, formFull, encodingRaw, "bot/y", plain, []extent{{count: blocksOf(int64(len(plain)))}})
	first := fileEntry("bot/x", plain, formDelta, "", "", nil, []extent{{count: blocksOf(int64(len(plain))), ref: 1}})
	putBackup(t, r, "wednesday", []reference{{"monday", "bot/x"}}, []*entry{first, second}, map[string][]byte{"bot/y": plain})
	e := fileEntry("bot/y", plain, formDelta, "", "", nil, []extent{{count: blocksOf(int64(len(plain))), ref: 1}})
	putBackup(t, r, "thursday", []reference{{"wednesday", "bot/y"}}, []*entry{e}, nil)

	remove(t, r, "monday")
	remove(t, r, "tuesday")
	d := remove(t, r, "wednesday")
	if !d.Hidden || len(d.Freed) != 1 || d.Freed[0].Name != "monday" {
		t.Errorf("got %+v", d)
	}
	if keys := left(t, b, "monday"); len(keys) > 0 {
		t.Errorf("left behind: %v", keys)
	}
	verify(t, open(t, r, "thursday"))
}

// While nobody knows what a backup needs, nothing goes.
func TestDelete_KeepsEverythingWhileMetadataIsUnreadable(t *testing.T) {
	r, b, _ := chain(t)
	whole := harm(t, b, "tuesday/"+holdfast.MetadataFile, func(d []byte) []byte { d = slices.Clone(d); d[20] ^= 1; return d })
	d := remove(t, r, "monday")
	if !d.Hidden || !slices.Equal(d.Unreadable, []holdfast.BackupName{"tuesday"}) || len(d.Freed) > 0 {
		t.Errorf("got %+v", d)
	}
	relock(t, r)
	restoreObject(t, b, "tuesday/"+holdfast.MetadataFile, whole)
	verify(t, open(t, r, "tuesday"))

	// An unreadable one that is deleted itself is no reason to keep others.
	harm(t, b, "tuesday/"+holdfast.MetadataFile, func(d []byte) []byte { d = slices.Clone(d); d[20] ^= 1; return d })
	if d := remove(t, r, "tuesday"); d.Hidden || len(d.Freed) != 2 {
		t.Errorf("got %+v", d)
	}
}

func TestTombstone_DamagedHidesAndFreesNothing(t *testing.T) {
	r, b, _ := chain(t)
	remove(t, r, "monday")
	harm(t, b, tombstoneKey("monday"), func(d []byte) []byte { d = slices.Clone(d); d[5] ^= 1; return d })
	if got := visible(t, r); !slices.Equal(got, []string{"tuesday"}) {
		t.Errorf("listed: %v", got)
	}
	if d := remove(t, r, "tuesday"); len(d.Freed) != 1 {
		t.Errorf("got %+v", d)
	}
	relock(t, r)
	hidden, err := r.Hidden(t.Context())
	if err != nil || len(hidden) != 1 || !errors.Is(hidden[0].Err, holdfast.ErrDamaged) || hidden[0].Bytes == 0 {
		t.Fatalf("%v %+v", err, hidden)
	}
	if d := remove(t, r, "monday"); d.Hidden || len(d.Freed) != 1 || d.Freed[0].Name != "monday" {
		t.Errorf("deleted again: %+v", d)
	}
	if keys := left(t, b, "monday"); len(keys) > 0 {
		t.Errorf("left behind: %v", keys)
	}
}

// What a damaged tombstone hides may come back, so what it needs stays too.
func TestTombstone_DamagedKeepsWhatItsBackupNeeds(t *testing.T) {
	r, b, _ := chain(t)
	dependent(t, r, "wednesday", "tuesday", nil)
	remove(t, r, "tuesday")
	harm(t, b, tombstoneKey("tuesday"), func(d []byte) []byte { return d[:len(d)/2] })
	if d := remove(t, r, "monday"); !d.Hidden || !slices.Equal(d.NeededBy, []holdfast.BackupName{"tuesday"}) {
		t.Errorf("got %+v", d)
	}
	if err := b.Delete(t.Context(), tombstoneKey("tuesday")); err != nil {
		t.Fatal(err)
	}
	verify(t, open(t, r, "tuesday"))
}

// A delete that is cut or fails at any operation is finished by the next writer
// or leaves the backup as it was.
func TestDelete_EveryFailureIsFinishedLater(t *testing.T) {
	for n := 0; ; n++ {
		r, b, _ := chain(t)
		dependent(t, r, "wednesday", "monday", nil)
		remove(t, r, "monday")
		remove(t, r, "wednesday")
		ops, failed := 0, false
		var mu sync.Mutex // several backups are looked at side by side
		b.Inject(func(op, key string) error {
			mu.Lock()
			defer mu.Unlock()
			if ops++; ops > n {
				failed = true
				return fmt.Errorf("cut at %s %s", op, key)
			}
			return nil
		})
		d, err := r.Delete(t.Context(), "tuesday")
		b.Inject(nil)
		if failed != (err != nil) {
			t.Fatalf("operation %d: failed %v, reported %v", n, failed, err)
		}
		relock(t, r)
		got := visible(t, r)
		switch {
		case len(got) == 0:
			if keys := append(left(t, b, "monday"), left(t, b, "tuesday")...); len(keys) > 0 && !slices.Equal(keys, []string{stateKey("tuesday")}) {
				t.Errorf("operation %d left %v", n, keys)
			}
		case d.Backup != "":
			t.Errorf("operation %d: reported as deleted, but there are %v", n, got)
		default:
			verify(t, open(t, r, "tuesday"))
		}
		if !failed {
			return
		}
	}
}

// Whatever else lies among the tombstones is left alone.
func TestTombstone_ForeignFilesMeanNothing(t *testing.T) {
	r, b, _ := chain(t)
	for _, key := range []string{deletedDir + "notes.txt", deletedDir + "-x.json"} {
		if err := b.Put(t.Context(), key, []byte("x"), bucket.Replace); err != nil {
			t.Fatal(err)
		}
	}
	relock(t, r)
	if hidden, err := r.Hidden(t.Context()); err != nil || len(hidden) > 0 || len(visible(t, r)) != 2 {
		t.Errorf("%v %+v", err, hidden)
	}
}

// FORMAT.md quotes a tombstone; the quote must be what is written.
func TestTombstone_IsAsTheFormatSays(t *testing.T) {
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	data, err := seal(tombstone{Format: 1, Backup: "scheduled_backup_20241030_143000", DeletedAt: holdfast.At(testTime)})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), "```json\n"+string(data)+"```\n") {
		t.Errorf("FORMAT.md does not quote\n%s", data)
	}
}
