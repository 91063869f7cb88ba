package repo

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

// nameDefiners makes entries name their definers however few extents they have.
func nameDefiners(t *testing.T) {
	before := sameFrom
	sameFrom = 1
	t.Cleanup(func() { sameFrom = before })
}

// scattered changes a block here and there.
func scattered(data []byte, seed uint64) []byte {
	data = bytes.Clone(data)
	for i := 3; (i+1)*blockSize < len(data); i += 7 {
		copy(data[i*blockSize:], text(blockSize, seed+uint64(i)))
	}
	return data
}

// quietWeek is monday, a full; tuesday, in which many blocks changed; and
// wednesday and thursday, which are as tuesday was.
func quietWeek(t *testing.T, o Options) *week {
	t.Helper()
	w := emptyWeek(t, o)
	files := map[string][]byte{"bot.db": text(5*frameSize+77, 1), "still": text(30*blockSize, 2)}
	w.backUp(t, "monday", "", files)
	files = maps.Clone(files)
	files["bot.db"] = scattered(files["bot.db"], 100)
	w.backUp(t, "tuesday", "monday", files)
	w.backUp(t, "wednesday", "tuesday", files)
	w.backUp(t, "thursday", "wednesday", files)
	return w
}

func manifestSize(t *testing.T, r *Repository, name holdfast.BackupName) int64 {
	t.Helper()
	return open(t, r, name).manifest.fileBytes
}

func TestSame_UnchangedFileCostsALine(t *testing.T) {
	w := quietWeek(t, Options{})
	if full, line := manifestSize(t, w.r, "tuesday"), manifestSize(t, w.r, "thursday"); full < 1900 || line > 750 {
		t.Errorf("the manifests take %d and %d bytes", full, line)
	}
	// One step leads to the entry that has the extents, however many
	// backups ago.
	for _, day := range []holdfast.BackupName{"wednesday", "thursday"} {
		back := open(t, w.r, day)
		if to := back.manifest.definers()["bot/bot.db"]; to != (reference{"tuesday", "bot/bot.db"}) {
			t.Errorf("%s takes it over from %+v", day, to)
		}
		if needs := back.Metadata().Needs; !slices.Equal(needs, []holdfast.BackupName{"monday", "tuesday"}) {
			t.Errorf("%s needs %v", day, needs)
		}
	}
	w.check(t, "as written")
	// A change after that has extents of its own again, and what did not
	// change is still taken over.
	files := map[string][]byte{"bot.db": bytes.Clone(w.days["thursday"]["bot/bot.db"]), "still": w.days["thursday"]["bot/still"]}
	copy(files["bot.db"][9*blockSize:], text(blockSize, 7))
	w.backUp(t, "friday", "thursday", files)
	back := open(t, w.r, "friday")
	if len(back.manifest.definers()) != 0 {
		t.Errorf("friday takes over %v", back.manifest.definers())
	}
	if _, _, stored := totals(back.manifest.Entries, "bot"); stored > 2*blockSize {
		t.Errorf("friday stores %d bytes", stored)
	}
	w.check(t, "after a change")
}

// Definers that are deleted stay, hidden, as long as they are named; and a
// compaction may change what they say.
func TestSame_OutlivesItsDefiner(t *testing.T) {
	id, to := newKey(t)
	for _, o := range []Options{{}, {Recipients: []string{to}, Keys: keysOf(id)}} {
		for _, gone := range [][]holdfast.BackupName{
			{"tuesday"}, {"monday"}, {"monday", "tuesday"}, {"monday", "wednesday"}, {"tuesday", "wednesday"}, {"monday", "tuesday", "wednesday"},
		} {
			t.Run(fmt.Sprint(gone, len(o.Recipients)), func(t *testing.T) {
				w := quietWeek(t, o)
				for _, name := range gone {
					remove(t, w.r, name)
				}
				w.check(t, "deleted")
				compact(t, w.r)
				w.check(t, "compacted")
				if left := hiddenOf(t, w.r); len(left) > 0 {
					t.Errorf("still there: %v", left)
				}
				// What was compacted can be deleted in any order.
				for _, name := range visible(t, w.r) {
					if name != "thursday" {
						remove(t, w.r, holdfast.BackupName(name))
					}
				}
				w.check(t, "thursday alone")
				files := map[string][]byte{"bot.db": w.days["thursday"]["bot/bot.db"], "still": w.days["thursday"]["bot/still"]}
				base, _, err := w.r.Base(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				w.backUp(t, "friday", base, files)
				w.check(t, "friday")
			})
		}
	}
}

func hiddenOf(t *testing.T, r *Repository) []Hidden {
	t.Helper()
	list, err := r.Hidden(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A compaction that is cut anywhere leaves backups that are whole, and so does
// deleting any of them then.
func TestSame_CompactionCutAnywhere(t *testing.T) {
	for n := 0; ; n++ {
		w := quietWeek(t, Options{})
		remove(t, w.r, "monday")
		ops := 0
		w.b.Inject(func(op, key string) error {
			if op != "open" && op != "list" {
				if ops++; ops > n {
					return errors.New("cut")
				}
			}
			return nil
		})
		_, err := w.r.Compact(t.Context(), CompactOptions{})
		w.b.Inject(nil)
		w.r = opened(t, w.b, w.r.o)
		lease, e := w.r.Lock(t.Context(), "test") // settles what was cut
		if e == nil {
			e = lease.Release()
		}
		if e != nil {
			t.Fatal(e)
		}
		w.check(t, fmt.Sprint("cut after ", n))
		remove(t, w.r, "tuesday")
		w.check(t, fmt.Sprint("cut after ", n, ", and tuesday deleted"))
		if err == nil || t.Failed() {
			return
		}
	}
}

// What is wrong with the definer is named there, and only the files that need
// it are lost.
func TestSame_DamagedDefinerIsNamed(t *testing.T) {
	harms := map[string]func(t *testing.T, b *mem.Bucket){
		"missing": func(t *testing.T, b *mem.Bucket) {
			if err := b.Delete(t.Context(), "tuesday/"+holdfast.ManifestFile); err != nil {
				t.Fatal(err)
			}
		},
		"damaged": func(t *testing.T, b *mem.Bucket) {
			harm(t, b, "tuesday/"+holdfast.ManifestFile, func(data []byte) []byte { data[len(data)/2] ^= 1; return data })
		},
	}
	for name, do := range harms {
		t.Run(name, func(t *testing.T) {
			w := quietWeek(t, Options{})
			do(t, w.b)
			back := open(t, opened(t, w.b, Options{}), "thursday")
			problems, err := back.Verify(t.Context(), nil)
			if err != nil || len(problems) != 1 || problems[0].Object != "tuesday/"+holdfast.ManifestFile {
				t.Errorf("%v %+v", err, problems)
			}
			if _, err := back.Open("bot/bot.db"); !errors.Is(err, holdfast.ErrDamaged) || !strings.Contains(err.Error(), "tuesday") {
				t.Errorf("opened: %v", err)
			}
			if got := readAll(t, back, "bot/still"); !bytes.Equal(got, w.days["thursday"]["bot/still"]) {
				t.Error("a file that does not need the definer reads wrong")
			}
		})
	}
}

// A definer that has other bytes, or names another itself, is refused.
func TestSame_OnlyTheSameFileDefines(t *testing.T) {
	w := quietWeek(t, Options{})
	back := open(t, w.r, "thursday")
	e := back.manifest.Entries[slices.IndexFunc(back.manifest.Entries, func(e *entry) bool { return e.Same > 0 })]
	for what, change := range map[string]func(e *entry){
		"digest": func(e *entry) { e.Digest = "blake3:" + strings.Repeat("0", 64) },
		"size":   func(e *entry) { e.Size++ },
	} {
		other := *e
		change(&other)
		if _, err := back.extents(&other); !errors.Is(err, holdfast.ErrDamaged) {
			t.Errorf("another %s: %v", what, err)
		}
	}
	there, err := back.other("tuesday")
	if err != nil {
		t.Fatal(err)
	}
	there.view.tree.entries["bot/bot.db"].Same = 1
	if _, err := back.extents(e); !errors.Is(err, holdfast.ErrDamaged) {
		t.Errorf("a chain: %v", err)
	}
}

// The scripts that read without holdfast follow the one step too.
func TestSame_ScriptReads(t *testing.T) {
	w := quietWeek(t, Options{})
	root := filepath.Join(t.TempDir(), "repository")
	writeTree(t, w.b, root)
	readByScripts(t, root, "thursday", w.days["thursday"])
}

// A machine that can encrypt but not decrypt names definers too.
func TestSame_ByAHostThatCannotRead(t *testing.T) {
	id, to := newKey(t)
	w := quietWeek(t, Options{Recipients: []string{to}})
	w.r = opened(t, w.b, Options{Keys: keysOf(id)})
	w.check(t, "by the owner of the key")
	back := open(t, w.r, "thursday")
	if to := back.manifest.definers()["bot/bot.db"]; to.Backup != "tuesday" {
		t.Errorf("thursday takes over %+v", to)
	}
}

// A copy leads to the copy of the definer.
func TestSame_Copies(t *testing.T) {
	w := quietWeek(t, Options{})
	replica := &week{b: mem.New(), days: w.days}
	replica.r = newReplica(t, w.r, replica.b)
	for _, day := range []holdfast.BackupName{"monday", "tuesday", "wednesday", "thursday"} {
		if _, err := w.r.Copy(t.Context(), day, replica.r, CopyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	replica.check(t, "copied")
	remove(t, replica.r, "tuesday")
	replica.check(t, "with a hidden definer")
	compact(t, replica.r)
	replica.check(t, "compacted")
}
