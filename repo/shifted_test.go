package repo

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// shift makes changes to a file that move what follows them by whole blocks: some are
// taken out, put in, moved, or are there twice.
func shift(rnd *rand.Rand, b []byte, seed uint64) []byte {
	b = bytes.Clone(b)
	block := func() int { return rnd.IntN(len(b)/blockSize) * blockSize }
	n := (1 + rnd.IntN(5)) * blockSize
	at := block()
	switch rnd.IntN(4) {
	case 0:
		return slices.Delete(b, at, min(at+n, len(b)))
	case 1:
		return slices.Insert(b, at, noise(n, seed)...)
	case 2:
		piece := bytes.Clone(b[at:min(at+n, len(b))])
		b = slices.Delete(b, at, at+len(piece))
		return slices.Insert(b, block(), piece...)
	}
	return slices.Insert(b, at, bytes.Clone(b[at:min(at+n, len(b))])...)
}

// Blocks that moved are not stored again, whatever reads them: the file system of a
// backup, a check, a compaction, the script.
func TestDelta_FindsBlocksThatMoved(t *testing.T) {
	w := emptyWeek(t, Options{})
	rnd := rand.New(rand.NewPCG(1, 2))
	file := append(noise(9*frameSize+3*blockSize+77, 1), make([]byte, 2*blockSize)...)
	var last holdfast.BackupName
	days := []holdfast.BackupName{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
	for i, day := range days {
		before := w.stored(t)
		w.backUp(t, day, last, map[string][]byte{"notes.jsonl": file})
		if grown := w.stored(t) - before; last != "" && grown > 40*blockSize {
			t.Errorf("%s stores %d bytes of %d", day, grown, len(file))
		}
		last = day
		for range 2 {
			file = shift(rnd, file, uint64(10+i))
		}
	}
	w.check(t, "as made")
	remove(t, w.r, "monday")
	remove(t, w.r, "wednesday")
	compact(t, w.r)
	w.check(t, "compacted")
	root := filepath.Join(t.TempDir(), "repository")
	writeTree(t, w.b, root)
	for _, day := range []string{"tuesday", "saturday"} {
		readByScripts(t, root, day, w.days[day])
	}
}

// What is found again after much that is new is found all the same, but for its first
// few blocks.
func TestDelta_FindsBlocksThatMovedFar(t *testing.T) {
	w := emptyWeek(t, Options{})
	file := noise(20*frameSize, 1)
	w.backUp(t, "monday", "", map[string][]byte{"notes": file})
	before := w.stored(t)
	const inserted = 3 * shiftedDense * blockSize
	longer := slices.Insert(bytes.Clone(file), 7*blockSize, noise(inserted, 2)...)
	w.backUp(t, "tuesday", "monday", map[string][]byte{"notes": longer})
	w.check(t, "as made")
	most := int64(inserted+(shiftedAfter+shiftedEach)*blockSize) * 101 / 100
	if grown := w.stored(t) - before; grown > most {
		t.Errorf("%d bytes are stored, no more than %d should be needed", grown, most)
	}
}

// The search ends where it does not pay, and its memory is given back.
func TestShifted_EndsWhereAllIsNew(t *testing.T) {
	list := newList()
	defer list.close()
	const blocks = 4 * blocksPerFrame
	if _, err := list.Write(noise(blocks*listedHash, 1)); err != nil {
		t.Fatal(err)
	}
	m := shifted{list: newHashList(list, blocks*blockSize, "")}
	for i := range uint64(shiftedAfter + shiftedGive) {
		if _, ok, err := m.find(noise(listedHash, 100+i)); ok || err != nil {
			t.Fatalf("block %d is found: %v, %v", i, ok, err)
		}
	}
	if !m.never || m.known != nil {
		t.Error("it goes on")
	}
}

// A second pass, of a file that changed while it was read, finds them too.
func TestDelta_FindsBlocksThatMovedInASecondPass(t *testing.T) {
	w := emptyWeek(t, Options{})
	first := noise(5*frameSize, 1)
	w.backUp(t, "monday", "", map[string][]byte{"notes": first})
	before := w.stored(t)
	p := create(t, w.r, "tuesday", CreateOptions{Compress: true, Base: "monday", Remember: true})
	f, err := p.Sink("bot").Create(holdfast.Entry{Path: "notes", Mode: 0o600})
	if err != nil {
		t.Fatal(err)
	}
	write := func(data []byte) {
		if _, err := f.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	write(slices.Insert(bytes.Clone(first), 3*blockSize, noise(blockSize, 7)...))
	if err := f.Reset(); err != nil {
		t.Fatal(err)
	}
	second := slices.Delete(bytes.Clone(first), 2*blockSize, 5*blockSize)
	write(second)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	commit(t, p)
	w.days["tuesday"] = map[string][]byte{"bot/notes": second}
	w.check(t, "second pass")
	if grown := w.stored(t) - before; grown > 60*blockSize {
		t.Errorf("%d bytes are stored of %d", grown, len(second))
	}
}
