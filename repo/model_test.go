package repo

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/bucket/mem"
	"github.com/holdfast-backup/holdfast/internal/durable/crashfs"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

var (
	modelSeed  = flag.Uint64("model.seed", 0, "run TestRepository_AgreesWithAModel with this seed only")
	modelSteps = flag.Int("model.steps", 35, "steps of each run of TestRepository_AgreesWithAModel")
)

// A place is where the repository of a life lies, and what cuts it off.
type lifePlace interface {
	// open gives the bucket; after n more operations that change something
	// nothing works any more, if n is not negative.
	open(t *testing.T, n int) bucket.Bucket
	// reboot ends the cut.
	reboot(t *testing.T, rnd *rand.Rand)
}

// memPlace is a bucket in memory.
type memPlace struct{ b *mem.Bucket }

func (p *memPlace) open(_ *testing.T, n int) bucket.Bucket {
	ops := 0
	p.b.Inject(func(op, key string) error {
		if op != "open" && op != "list" {
			ops++
		}
		if n >= 0 && ops > n {
			return errors.New("cut at " + op + " " + key)
		}
		return nil
	})
	return p.b
}

func (p *memPlace) reboot(*testing.T, *rand.Rand) {
	p.b.Inject(nil)
}

// diskPlace is a directory on a disk that forgets what was not synced.
type diskPlace struct {
	root string
	disk *crashfs.Disk
}

func (p *diskPlace) open(t *testing.T, n int) bucket.Bucket {
	if n < 0 {
		n = 1 << 30
	}
	if p.disk == nil {
		disk, err := crashfs.New(p.root, n)
		if err != nil {
			t.Fatal(err)
		}
		p.disk = disk
	}
	b, err := dir.New(p.root, dir.Options{FS: p.disk})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (p *diskPlace) reboot(t *testing.T, rnd *rand.Rand) {
	modes := crashfs.Modes()
	if err := p.disk.Reboot(modes[rnd.IntN(len(modes))]); err != nil {
		t.Fatal(err)
	}
	if err := p.disk.Close(); err != nil {
		t.Fatal(err)
	}
	p.disk = nil
}

// A life is a repository, and what a simple model says must be in it.
type life struct {
	t     *testing.T
	rnd   *rand.Rand
	place lifePlace
	o     Options
	r     *Repository

	now   time.Time
	made  int
	files map[string][]byte
	live  map[holdfast.BackupName]map[string][]byte
	maybe map[holdfast.BackupName]map[string][]byte // there or not, as a cut left it
	pins  map[holdfast.BackupName]bool
	told  []string // what happened
}

// Whatever is backed up, changed, deleted, pruned, pinned and compacted, and
// wherever that is cut: every backup that must be there restores bit for bit and
// verifies, what was deleted is in no list, and nothing holds space that no
// backup needs.
func TestRepository_AgreesWithAModel(t *testing.T) {
	seeds := []uint64{1, 2, 3, 4, 5, 6}
	if *modelSeed > 0 {
		seeds = []uint64{*modelSeed}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("seed%d", seed), func(t *testing.T) {
			l := newLife(t, seed)
			for step := range *modelSteps {
				l.step()
				l.check()
				if t.Failed() {
					t.Fatalf("step %d; -model.seed=%d repeats it:\n%s", step, seed, strings.Join(l.told, "\n"))
				}
			}
		})
	}
}

// newLife makes an empty repository: every third on a disk, every second
// encrypted.
func newLife(t *testing.T, seed uint64) *life {
	nameDefiners(t)
	l := &life{
		t: t, rnd: rand.New(rand.NewPCG(seed, 11)), now: testTime, files: map[string][]byte{},
		live: map[holdfast.BackupName]map[string][]byte{}, maybe: map[holdfast.BackupName]map[string][]byte{}, pins: map[holdfast.BackupName]bool{},
		o: Options{Cache: t.TempDir()},
	}
	if seed%2 == 0 {
		id, to := newKey(t)
		l.o.Recipients, l.o.Keys = []string{to}, keysOf(id)
	}
	if seed%3 == 0 {
		l.place = &diskPlace{root: filepath.Join(t.TempDir(), "repository")}
		b, err := dir.New(l.place.(*diskPlace).root, dir.Options{})
		if err == nil {
			_, err = Init(t.Context(), b, l.o)
		}
		if err != nil {
			t.Fatal(err)
		}
	} else {
		b := mem.New()
		if _, err := Init(t.Context(), b, l.o); err != nil {
			t.Fatal(err)
		}
		l.place = &memPlace{b}
	}
	l.reopen(-1)
	for i := range 4 {
		l.files[fmt.Sprintf("f%d", i)] = l.content()
	}
	return l
}

func (l *life) reopen(n int) {
	r, err := Open(l.t.Context(), l.place.open(l.t, n), l.o)
	if err != nil {
		l.t.Fatal(err)
	}
	l.r = r
}

func (l *life) tell(format string, args ...any) {
	l.told = append(l.told, fmt.Sprintf(format, args...))
}

// content makes bytes of several kinds and sizes.
func (l *life) content() []byte {
	size := []int{0, 3, blockSize, 20*blockSize + 5, frameSize, frameSize + 7*blockSize + 1, 2*frameSize + 50*blockSize}[l.rnd.IntN(7)]
	switch l.rnd.IntN(3) {
	case 0:
		return noise(size, l.rnd.Uint64N(1<<16))
	case 1:
		return append(make([]byte, size/2), text(size-size/2, l.rnd.Uint64())...)
	}
	return text(size, l.rnd.Uint64())
}

// edit changes some of the files.
func (l *life) edit() {
	for range 1 + l.rnd.IntN(3) {
		names := slices.Sorted(maps.Keys(l.files))
		name := names[l.rnd.IntN(len(names))]
		data := bytes.Clone(l.files[name])
		switch l.rnd.IntN(8) {
		case 0:
			l.files[fmt.Sprintf("f%d", l.rnd.IntN(8))] = l.content()
		case 1:
			if len(names) > 2 {
				delete(l.files, name)
				continue
			}
		case 2:
			delete(l.files, name)
			name = fmt.Sprintf("dir/renamed%d", l.rnd.IntN(4))
		case 3:
			data = data[:l.rnd.IntN(len(data)+1)]
		case 4:
			data = append(data, text(l.rnd.IntN(10*blockSize), l.rnd.Uint64())...)
		default:
			if len(data) > 0 {
				copy(data[l.rnd.IntN(len(data)):], text(1+l.rnd.IntN(2*blockSize), l.rnd.Uint64()))
			}
		}
		l.files[name] = data
	}
}

// step does one thing, in a third of the cases with a cut somewhere in it.
func (l *life) step() {
	l.now = l.now.Add(time.Duration(l.rnd.IntN(30*60)) * time.Minute)
	cut := -1
	if l.rnd.IntN(3) == 0 {
		cut = l.rnd.IntN(70)
	}
	if cut >= 0 {
		if p, ok := l.place.(*diskPlace); ok && p.disk != nil {
			l.shutdown()
		}
		l.reopen(cut)
	}
	err := l.something()
	switch {
	case cut >= 0:
		l.tell("… cut after %d: %v", cut, err)
		l.place.reboot(l.t, l.rnd)
		if l.rnd.IntN(4) == 0 {
			l.o.Cache = l.t.TempDir() // another machine goes on
		}
		l.reopen(-1)
		l.settleMaybe()
	case err != nil:
		l.t.Errorf("without a cut: %v", err)
	}
}

// shutdown ends the disk without a cut.
func (l *life) shutdown() {
	p := l.place.(*diskPlace)
	if err := p.disk.Close(); err != nil {
		l.t.Fatal(err)
	}
	p.disk = nil
}

// something takes the lease and does one thing.
func (l *life) something() (err error) {
	lease, err := l.r.Lock(l.t.Context(), "model")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	switch k := l.rnd.IntN(20); {
	case k < 9 || len(l.live) == 0:
		if l.rnd.IntN(3) > 0 {
			l.edit()
		}
		return l.backUp()
	case k < 13:
		return l.delete(l.anyone())
	case k < 15:
		return l.prune()
	case k < 16:
		return l.pin(l.anyone())
	}
	return l.compact()
}

func (l *life) anyone() holdfast.BackupName {
	names := slices.Sorted(maps.Keys(l.live))
	return names[l.rnd.IntN(len(names))]
}

func (l *life) backUp() error {
	ctx := l.t.Context()
	o := CreateOptions{Compress: l.rnd.IntN(5) > 0, Remember: true}
	if l.rnd.IntN(6) > 0 {
		o.Base, _, _ = l.r.Base(ctx)
	}
	l.made++
	name := holdfast.BackupName(fmt.Sprintf("b%03d", l.made))
	want := map[string][]byte{}
	for path, data := range l.files {
		want["bot/"+path] = data
	}
	l.tell("back up %s, based on %q", name, o.Base)
	l.maybe[name] = want
	p, err := l.r.Create(ctx, name, true, o)
	if err != nil {
		return err
	}
	defer func() { _ = p.Abort(context.WithoutCancel(ctx)) }() // after a cut it cannot
	for _, path := range slices.Sorted(maps.Keys(l.files)) {
		w, err := p.Sink("bot").Create(holdfast.Entry{Path: path, Mode: 0o600, ModTime: l.now})
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, bytes.NewReader(l.files[path])); err != nil {
			return errors.Join(err, w.Discard())
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	if _, err := p.Commit(ctx, &holdfast.Metadata{CreatedAt: holdfast.At(l.now), Trigger: holdfast.TriggerScheduled}); err != nil {
		return err
	}
	l.live[name] = want
	delete(l.maybe, name)
	return nil
}

func (l *life) delete(name holdfast.BackupName) error {
	l.maybe[name] = l.live[name]
	delete(l.live, name)
	d, err := l.r.Delete(l.t.Context(), name)
	l.tell("delete %s: %+v", name, d)
	if d.Backup != "" {
		delete(l.maybe, name)
	}
	if err == nil && d.Hidden == slices.ContainsFunc(d.Freed, func(f Freed) bool { return f.Name == name }) {
		l.t.Errorf("deleted, neither hidden nor freed, or both: %+v", d)
	}
	return err
}

func (l *life) prune() error {
	list, err := l.r.List(l.t.Context())
	if err != nil {
		return err
	}
	var candidates []retention.Candidate
	for _, i := range list {
		candidates = append(candidates, retention.Candidate{Name: i.Name, CreatedAt: i.Metadata.CreatedAt.Time, Trigger: i.Metadata.Trigger, Pinned: i.Pinned, Sources: []string{"bot"}})
	}
	l.tell("prune")
	for _, d := range retention.Plan(candidates, retention.Policy{KeepLast: 2 + l.rnd.IntN(3), Daily: l.rnd.IntN(4)}, l.now) {
		if !d.Remove {
			continue
		}
		if err := l.delete(d.Name); err != nil {
			return err
		}
	}
	return nil
}

func (l *life) pin(name holdfast.BackupName) error {
	pinned := l.rnd.IntN(2) == 0
	l.tell("pin %s: %v", name, pinned)
	delete(l.pins, name) // unknown until it is done
	err := l.r.SetPinned(l.t.Context(), name, pinned)
	if err == nil {
		l.pins[name] = pinned
	}
	return err
}

func (l *life) compact() error {
	plan, err := l.r.PlanCompact(l.t.Context())
	if err != nil {
		return err
	}
	done, err := l.r.Compact(l.t.Context(), CompactOptions{})
	l.tell("compact: %+v", done)
	if err == nil && (len(done.Rewritten) != len(plan.Rewrites) || len(done.Freed) < len(plan.Frees)) {
		l.t.Errorf("planned %+v, done %+v", plan, done)
	}
	return err
}

// settleMaybe finds out what a cut left of what was in hand.
func (l *life) settleMaybe() {
	for _, name := range visible(l.t, l.r) {
		name := holdfast.BackupName(name)
		if want, ok := l.maybe[name]; ok {
			l.live[name] = want
		}
	}
	clear(l.maybe)
}

// check compares the repository with the model.
func (l *life) check() {
	t := l.t
	relock(t, l.r)
	got := visible(t, l.r)
	var want []string
	for name := range l.live {
		want = append(want, string(name))
	}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("there are %v, the model has %v", got, want)
		return
	}
	for name, files := range l.live {
		l.checkBackup(name, files)
	}
	for name, pinned := range l.pins {
		if info, err := l.r.Stat(t.Context(), string(name)); l.live[name] != nil && (err != nil || info.Pinned != pinned) {
			t.Errorf("%s: pinned %v instead of %v (%v)", name, info.Pinned, pinned, err)
		}
	}
	l.checkSpace(got)
}

func (l *life) checkBackup(name holdfast.BackupName, files map[string][]byte) {
	back, err := l.r.Backup(l.t.Context(), name)
	if err != nil {
		l.t.Errorf("%s: %v", name, err)
		return
	}
	defer back.Close()
	problems, err := back.Verify(l.t.Context(), nil)
	if err != nil || len(problems) > 0 {
		l.t.Errorf("%s does not verify: %v %+v", name, err, problems)
	}
	got := contents(l.t, back)
	delete(got, holdfast.MetadataFile)
	if len(got) != len(files) {
		l.t.Errorf("%s has %d files instead of %d", name, len(got), len(files))
	}
	for path, data := range files {
		if !bytes.Equal(got[path], data) {
			l.t.Errorf("%s: %s has other bytes", name, path)
		}
	}
}

// checkSpace looks for what takes space and is of no use.
func (l *life) checkSpace(visible []string) {
	hidden, err := l.r.Hidden(l.t.Context())
	if err != nil {
		l.t.Error(err)
	}
	useful := map[string]bool{".holdfast": true}
	for _, name := range visible {
		useful[name] = true
	}
	for _, h := range hidden {
		useful[string(h.Name)] = true
		if len(h.NeededBy) == 0 || h.Bytes == 0 || h.Err != nil {
			l.t.Errorf("hidden for nothing: %+v", h)
		}
	}
	for info, err := range l.r.b.List(l.t.Context(), "") {
		if err != nil {
			l.t.Fatal(err)
		}
		folder, _, below := strings.Cut(info.Key, "/")
		if below && !useful[folder] || strings.HasPrefix(info.Key, compactDir) {
			l.t.Errorf("%s is of no use", info.Key)
		}
	}
}
