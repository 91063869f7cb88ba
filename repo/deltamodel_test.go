package repo

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

// modelFile is what a file of the model holds. version goes into its stamp and
// changes with every change of the bytes.
type modelFile struct {
	data    []byte
	version int
}

// A deltaModel is a source of a few files with a history of backups.
type deltaModel struct {
	t     *testing.T
	rnd   *rand.Rand
	r     *Repository
	alien *Repository // another one with much the same files

	files   map[string]modelFile
	version int
	history []modelBackup
	caches  []string // copies of the cache as it was
}

type modelBackup struct {
	name  holdfast.BackupName
	files map[string]modelFile
}

// Whatever happens to files and to what is remembered, every backup of a chain
// of fulls and deltas gives back every byte, and as long as nothing happens to
// what is remembered, stores little more than what changed.
func TestDelta_ChainsAgreeWithAModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed%d", seed), func(t *testing.T) {
			m := newDeltaModel(t, seed)
			for step := range 22 {
				m.change()
				m.backup(step, m.disturb())
				if t.Failed() {
					t.Fatalf("step %d of seed %d", step, seed)
				}
			}
			for _, b := range m.history {
				m.check(b)
			}
		})
	}
}

func newDeltaModel(t *testing.T, seed uint64) *deltaModel {
	if seed%2 == 1 {
		nameDefiners(t)
	}
	b := mem.New()
	alien, err := initAt(t.Context(), mem.New(), Options{Cache: t.TempDir()}, "another", testTime)
	if err != nil {
		t.Fatal(err)
	}
	m := &deltaModel{
		t: t, rnd: rand.New(rand.NewPCG(seed, 7)), alien: alien,
		r: rememberingRepo(t, b, t.TempDir()), files: map[string]modelFile{},
	}
	for _, name := range []string{"a", "b", "dir/c", "dir/d"} {
		m.set(name, m.content())
	}
	return m
}

func (m *deltaModel) set(name string, data []byte) {
	m.version++
	m.files[name] = modelFile{data, m.version}
}

// content makes bytes of all kinds and of sizes around those that matter.
func (m *deltaModel) content() []byte {
	size := []int{0, 1, 100, blockSize, blockSize + 1, frameSize - 1, frameSize, frameSize + 1, 2 * frameSize, 5*frameSize + 77, 9 * frameSize}[m.rnd.IntN(11)]
	var b []byte
	for len(b) < size {
		n := min(size-len(b), 1+m.rnd.IntN(2*frameSize))
		b = append(b, m.piece(n)...)
	}
	return b
}

func (m *deltaModel) piece(n int) []byte {
	switch m.rnd.IntN(4) {
	case 0:
		return make([]byte, n)
	case 1:
		return noise(n, m.rnd.Uint64N(1000))
	}
	return text(n, m.rnd.Uint64N(1000))
}

// change makes what may happen between two backups.
func (m *deltaModel) change() {
	for range m.rnd.IntN(4) {
		names := slices.Sorted(maps.Keys(m.files))
		name := names[m.rnd.IntN(len(names))]
		f := m.files[name]
		switch m.rnd.IntN(8) {
		case 0: // rename
			delete(m.files, name)
			m.files[fmt.Sprintf("renamed%d", m.version)] = f
			m.version++
		case 1: // delete, and a folder in its place
			if len(names) > 2 {
				delete(m.files, name)
				m.set(name+"/inside", m.content())
			}
		case 2:
			m.set(fmt.Sprintf("new%d", m.version), m.content())
		case 3: // replace
			m.set(name, m.content())
		default:
			m.set(name, m.edit(f.data))
		}
	}
}

// edit changes some pages, and perhaps the end, or moves blocks about.
func (m *deltaModel) edit(b []byte) []byte {
	b = bytes.Clone(b)
	for len(b) >= 8*blockSize && m.rnd.IntN(4) == 0 {
		b = shift(m.rnd, b, m.rnd.Uint64N(1000))
	}
	for range m.rnd.IntN(12) {
		if len(b) == 0 {
			break
		}
		at := m.rnd.IntN(len(b))
		n := min(len(b)-at, []int{1, 50, blockSize, 3 * blockSize, frameSize}[m.rnd.IntN(5)])
		copy(b[at:at+n], m.piece(n))
	}
	switch m.rnd.IntN(5) {
	case 0:
		b = append(b, m.piece(1+m.rnd.IntN(frameSize))...)
	case 1:
		b = b[:m.rnd.IntN(len(b)+1)]
	}
	return b
}

// disturb harms what is remembered, now and then, and tells whether it did.
func (m *deltaModel) disturb() bool {
	dir := filepath.Join(m.r.o.Cache, m.r.id)
	switch m.rnd.IntN(12) {
	case 0: // lost
		m.must(os.RemoveAll(dir))
	case 1, 2, 3: // one file damaged
		list, err := os.ReadDir(dir)
		if err != nil || len(list) == 0 {
			return true
		}
		m.damage(filepath.Join(dir, list[m.rnd.IntN(len(list))].Name()))
	case 4: // an older copy
		if len(m.caches) == 0 {
			return true
		}
		m.must(os.RemoveAll(dir))
		m.must(os.CopyFS(dir, os.DirFS(m.caches[m.rnd.IntN(len(m.caches))])))
	case 5: // that of another repository
		if len(m.history) == 0 {
			return true
		}
		m.must(os.RemoveAll(dir))
		m.must(m.alien.b.RemoveTree(m.t.Context(), string(m.lastName()), holdfast.MetadataFile))
		p := create(m.t, m.alien, m.lastName(), CreateOptions{Remember: true})
		for name, f := range m.files {
			m.write(p, name, modelFile{m.edit(f.data), f.version}, false)
		}
		commit(m.t, p)
		m.version++
		m.must(os.CopyFS(dir, os.DirFS(filepath.Join(m.alien.o.Cache, m.alien.id))))
	default:
		return false
	}
	return true
}

// lastName is that of the last backup; another repository may have one too.
func (m *deltaModel) lastName() holdfast.BackupName { return m.history[len(m.history)-1].name }

// damage changes a file in one of the ways in which files get damaged.
func (m *deltaModel) damage(name string) {
	data, err := os.ReadFile(name)
	m.must(err)
	switch m.rnd.IntN(5) {
	case 0:
		data = nil
	case 1:
		data = data[:m.rnd.IntN(len(data)+1)]
	case 2:
		data = append(data, m.piece(32)...)
	case 3:
		clear(data)
	default:
		if len(data) > 0 {
			data[m.rnd.IntN(len(data))] ^= 1 << m.rnd.IntN(8)
		}
	}
	m.must(os.WriteFile(name, data, 0o600))
}

func (m *deltaModel) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// backup makes one, full or delta, and checks it against the model.
func (m *deltaModel) backup(step int, disturbed bool) {
	o := CreateOptions{Compress: m.rnd.IntN(4) > 0, Remember: m.rnd.IntN(5) > 0}
	if m.rnd.IntN(6) > 0 {
		base, _, err := m.r.Base(m.t.Context())
		m.must(err)
		o.Base = base
	}
	p := create(m.t, m.r, holdfast.BackupName(fmt.Sprintf("backup%d", step)), o)
	passes := m.rnd.IntN(3) == 0
	for name, f := range m.files {
		m.write(p, name, f, passes)
	}
	m.expectUnchanged(p)
	if m.rnd.IntN(3) == 0 {
		for name, f := range m.files {
			if got := readAll(m.t, p.FS(), "src/"+name); !bytes.Equal(got, f.data) {
				m.t.Errorf("%s reads back wrong", name)
			}
		}
	}
	if m.rnd.IntN(10) == 0 {
		return // given up
	}
	commit(m.t, p)
	if p.base != nil && !disturbed && !passes && len(p.Notices()) == 0 {
		m.expectSmall(p)
	}
	made := modelBackup{p.name, maps.Clone(m.files)}
	m.history = append(m.history, made)
	m.check(made)
	m.check(m.history[m.rnd.IntN(len(m.history))])
	if o.Remember && m.rnd.IntN(3) == 0 {
		kept := m.t.TempDir()
		m.must(os.RemoveAll(kept))
		m.must(os.CopyFS(kept, os.DirFS(filepath.Join(m.r.o.Cache, m.r.id))))
		m.caches = append(m.caches, kept)
	}
}

// write captures one file, perhaps after passes that saw something else.
func (m *deltaModel) write(p *Pending, name string, f modelFile, passes bool) {
	m.t.Helper()
	stamp := fmt.Sprintf("version %d", f.version)
	e := holdfast.Entry{Path: name, Mode: fs.FileMode(0o600 | m.rnd.IntN(8)), ModTime: testTime}
	s := p.Sink("src")
	if m.rnd.IntN(2) == 0 {
		reused, err := s.Reuse(e, stamp)
		m.must(err)
		if reused {
			return
		}
	}
	w, err := s.Create(e)
	m.must(err)
	for passes && m.rnd.IntN(3) > 0 {
		m.feed(w, m.edit(f.data))
		w.Stamp("wrong")
		m.must(w.Reset())
	}
	m.feed(w, f.data)
	if m.rnd.IntN(4) > 0 {
		w.Stamp(stamp)
	}
	m.must(w.Close())
}

func (m *deltaModel) feed(w holdfast.FileWriter, b []byte) {
	for len(b) > 0 {
		n := min(len(b), 1+m.rnd.IntN(2*frameSize))
		var err error
		if m.rnd.IntN(2) == 0 && bytes.Count(b[:n], []byte{0}) == n {
			err = w.Skip(int64(n))
		} else {
			_, err = w.Write(b[:n])
		}
		m.must(err)
		b = b[n:]
	}
}

// before gives the files of a backup of the history.
func (m *deltaModel) before(name holdfast.BackupName) map[string]modelFile {
	for _, b := range m.history {
		if b.name == name {
			return b.files
		}
	}
	return nil
}

func (m *deltaModel) expectUnchanged(p *Pending) {
	want := p.base != nil
	if want {
		old := m.before(p.base.name)
		want = len(old) == len(m.files)
		for name, f := range m.files {
			was, ok := old[name]
			want = want && ok && bytes.Equal(was.data, f.data)
		}
	}
	if got := p.Unchanged("src"); got != want {
		m.t.Errorf("unchanged is %v instead of %v", got, want)
	}
}

// expectSmall compares what was stored with what changed.
func (m *deltaModel) expectSmall(p *Pending) {
	old := m.before(p.base.name)
	known := map[string]bool{}
	for _, f := range old {
		known[string(f.data)] = true
	}
	for _, f := range open(m.t, m.r, p.name).Files() {
		name, ok := bytes.CutPrefix([]byte(f.Path), []byte("src/"))
		if !ok {
			continue
		}
		data, was := m.files[string(name)].data, old[string(name)].data
		limit := int64(len(data) + 200 + len(data)/100)
		switch {
		case known[string(data)]:
			limit = 0
		case len(was) > frameSize && len(data) >= frameSize:
			limit = 200 + changedBytes(was, data)*101/100
		}
		if f.Stored > limit {
			m.t.Errorf("%s in %s stores %d bytes of %d, no more than %d should be needed", f.Path, p.name, f.Stored, len(data), limit)
		}
	}
}

// changedBytes counts the bytes of the blocks of b that a does not have there.
func changedBytes(a, b []byte) (n int64) {
	for off := 0; off < len(b); off += blockSize {
		now := b[off:min(off+blockSize, len(b))]
		var was []byte
		if off < len(a) {
			was = a[off:min(off+blockSize, len(a))]
		}
		if !bytes.Equal(now, was) && (len(now) < blockSize || !isZero(now)) {
			n += int64(len(now))
		}
	}
	return n
}

// check reads a whole backup.
func (m *deltaModel) check(b modelBackup) {
	m.t.Helper()
	back := open(m.t, m.r, b.name)
	verify(m.t, back)
	for name, f := range b.files {
		if got := readAll(m.t, back, "src/"+name); !bytes.Equal(got, f.data) {
			m.t.Errorf("%s of %s reads wrong", name, b.name)
		}
	}
	if files, _, _ := totals(back.manifest.Entries, "src"); files != int64(len(b.files)) {
		m.t.Errorf("%s has %d files instead of %d", b.name, files, len(b.files))
	}
	for _, e := range back.manifest.Entries {
		for _, x := range e.Extents {
			if x.ref > 0 && back.manifest.Refs[x.ref-1].Backup == b.name {
				m.t.Errorf("%s refers to itself", b.name)
			}
		}
	}
}
