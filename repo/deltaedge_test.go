package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

// passes writes a file in several passes.
func passes(t *testing.T, s holdfast.Sink, path string, states ...[]byte) {
	t.Helper()
	w, err := s.Create(holdfast.Entry{Path: path, Mode: 0o600, ModTime: testTime})
	if err != nil {
		t.Fatal(err)
	}
	for i, data := range states {
		if i > 0 {
			if err := w.Reset(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// edited gives data with blocks changed and another end.
func edited(data []byte, end int, seed uint64, blocks ...int) []byte {
	data = append(bytes.Clone(data), noise(max(0, end), seed)...)
	if end < 0 {
		data = data[:len(data)+end]
	}
	for _, b := range blocks {
		copy(data[b*blockSize:], noise(min(blockSize, len(data)-b*blockSize), seed+uint64(b)))
	}
	return data
}

// A further pass adds to the first only what neither it nor the base has, even
// where the first one ended within a block.
func TestDelta_FurtherPasses(t *testing.T) {
	base := text(6*frameSize+500, 1)
	last := 6 * blocksPerFrame
	for what, states := range map[string][][]byte{
		"nothing changes": {base, base},
		"back to base":    {edited(base, 0, 1, 3, 99), base},
		"more":            {edited(base, 0, 1, 3, 99), edited(edited(base, 0, 1, 3, 99), 0, 2, 200)},
		"partly back":     {edited(base, 0, 1, 3, 99), edited(base, 0, 1, 3)},
		"again":           {edited(base, 0, 1, 3), edited(base, 0, 2, 3), edited(base, 0, 3, 3)},
		"last block":      {edited(base, 0, 1, last), edited(base, 0, 2, last)},
		"last then more":  {edited(base, 0, 1, 5, last), edited(edited(base, 0, 1, 5, last), 0, 2, 7)},
		"grows":           {edited(base, 0, 1, 5), edited(base, 3000, 2, 5), edited(base, 9000, 3, 5)},
		"shrinks":         {edited(base, 700, 1, 5), edited(base, -700, 2, 5), edited(base, -3*frameSize, 3, 5)},
		"becomes small":   {edited(base, 0, 1, 5), base[:100]},
		"becomes nothing": {edited(base, 0, 1, 5), {}},
		"zeros":           {edited(base, 0, 1, 5), make([]byte, 6*frameSize)},
		"small first":     {base[:frameSize+10], edited(base, 0, 2, 3)},
	} {
		for _, compress := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/compress=%v", what, compress), func(t *testing.T) {
				r, _ := remembered(t, base)
				p := create(t, r, "tuesday", CreateOptions{Compress: compress, Base: "monday", Remember: true})
				passes(t, p.Sink("bot"), "bot.db", states...)
				want := states[len(states)-1]
				if got := readAll(t, p.FS(), "bot/bot.db"); !bytes.Equal(got, want) {
					t.Error("reads back wrong")
				}
				_, _, stored := p.SourceTotals("bot")
				if p.Stored() != stored {
					t.Errorf("counted %d stored bytes, there are %d", p.Stored(), stored)
				}
				commit(t, p)
				back := open(t, r, "tuesday")
				verify(t, back)
				if !bytes.Equal(readAll(t, back, "bot/bot.db"), want) {
					t.Error("wrong bytes")
				}
				if f := fileOf(t, back, "bot/bot.db"); f.Stored > 8*(blockSize+100) {
					t.Errorf("%+v", f)
				}
				// What was remembered of the last pass serves the next backup.
				if e := back.view.tree.entries["bot/bot.db"]; e.Size > frameSize {
					list, err := r.memory().hashes(t.Context(), e.Digest, e.Size)
					if err != nil {
						t.Fatalf("remembered hashes: %v", err)
					}
					list.close()
				}
				after := edited(want, 5000, 9)
				p = based(t, r, "wednesday")
				put(t, p.Sink("bot"), "bot.db", after)
				commit(t, p)
				back = open(t, r, "wednesday")
				verify(t, back)
				if f := fileOf(t, back, "bot/bot.db"); !bytes.Equal(readAll(t, back, "bot/bot.db"), after) || f.Stored > 3*blockSize {
					t.Errorf("the next one: %+v, or wrong bytes", f)
				}
			})
		}
	}
}

// A file in which every other block changes has bounded extents.
func TestDelta_BoundsItsExtents(t *testing.T) {
	fine, most := fineDelta, maxDelta
	t.Cleanup(func() { fineDelta, maxDelta = fine, most })
	fineDelta, maxDelta = 100, 120
	base := text(60*frameSize, 1)
	after := bytes.Clone(base)
	for b := 0; b < 60*blocksPerFrame; b += 2 {
		if b/blocksPerFrame%3 == 2 {
			continue // some frames stay as they are
		}
		copy(after[b*blockSize:], "changed")
	}
	clear(after[50*frameSize : 52*frameSize])
	second := edited(after, 0, 3, 1, 500, 2000, 3700)
	r, _ := remembered(t, base)
	p := based(t, r, "tuesday")
	passes(t, p.Sink("bot"), "bot.db", after)
	commit(t, p)
	p = based(t, r, "wednesday")
	passes(t, p.Sink("bot"), "bot.db", after, second)
	commit(t, p)
	for name, want := range map[holdfast.BackupName][]byte{"tuesday": after, "wednesday": second} {
		back := open(t, r, name)
		verify(t, back)
		if !bytes.Equal(readAll(t, back, "bot/bot.db"), want) {
			t.Errorf("%s: wrong bytes", name)
		}
		n := 0
		for _, e := range back.manifest.Entries {
			n += len(e.Extents)
		}
		if n > maxDelta+blocksPerFrame {
			t.Errorf("%s has %d extents", name, n)
		}
	}
}

// A file found under another name, or in two places, costs nothing; what is
// written beside the sources is literal, or a reference.
func TestDelta_RenamedAndLiteralFiles(t *testing.T) {
	b := mem.New()
	r := rememberingRepo(t, b, t.TempDir())
	big, memories := text(7*frameSize+3, 1), text(2*frameSize, 2)
	write := func(p *Pending, data []byte) {
		t.Helper()
		err := p.WriteFile(holdfast.MemoriesFile, func(w io.Writer) error { _, err := w.Write(data); return err })
		if err != nil {
			t.Fatal(err)
		}
	}
	p := create(t, r, "monday", CreateOptions{Compress: true, Remember: true})
	put(t, p.Sink("bot"), "big", big)
	put(t, p.Sink("bot"), "small", big[:5000])
	write(p, memories)
	commit(t, p)

	p = based(t, r, "tuesday")
	for _, name := range []string{"big", "moved/big", "twice", "small/er"} {
		if name == "small/er" {
			put(t, p.Sink("bot"), name, big[:5000])
		} else {
			put(t, p.Sink("bot"), name, big)
		}
	}
	write(p, memories)
	if p.Stored() != 0 {
		t.Errorf("renamed and unchanged files store %d bytes", p.Stored())
	}
	commit(t, p)
	verify(t, open(t, r, "tuesday"))
	if keys := allKeys(t, b); slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, "tuesday/bot") }) {
		t.Errorf("objects %v", keys)
	}

	changed := edited(memories, 10, 5, 3)
	p = based(t, r, "wednesday")
	write(p, changed)
	commit(t, p)
	back := open(t, r, "wednesday")
	verify(t, back)
	if f := fileOf(t, back, holdfast.MemoriesFile); f.Form != formFull || f.Stored != f.Size {
		t.Errorf("changed memories are not literal: %+v", f)
	}
}

// Reading a delta opens the payloads its extents lead to, and no other.
func TestDelta_ReadsWithoutAChain(t *testing.T) {
	data := text(8*frameSize, 1)
	r, b := remembered(t, data)
	for i, day := range []holdfast.BackupName{"tuesday", "wednesday", "thursday"} {
		data = edited(data, 0, uint64(i), i*blocksPerFrame, 7*blocksPerFrame)
		p := based(t, r, day)
		put(t, p.Sink("bot"), "bot.db", data)
		commit(t, p)
	}
	back := open(t, r, "thursday")
	f, err := back.Open("bot/bot.db")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var mu sync.Mutex
	var opened []string
	b.Inject(func(op, key string) error {
		mu.Lock()
		defer mu.Unlock()
		if op == "open" && strings.Contains(key, "/bot/") {
			opened = append(opened, key)
		}
		return nil
	})
	defer b.Inject(nil)
	at := func(block int, want ...string) {
		t.Helper()
		opened = nil
		p := make([]byte, blockSize)
		if _, err := f.(io.ReaderAt).ReadAt(p, int64(block)*blockSize); err != nil || !bytes.Equal(p, data[block*blockSize:(block+1)*blockSize]) {
			t.Errorf("block %d: %v, or wrong bytes", block, err)
		}
		if !slices.Equal(opened, want) {
			t.Errorf("block %d opened %v instead of %v", block, opened, want)
		}
	}
	at(7*blocksPerFrame, "thursday/bot/bot.db.delta")
	at(blocksPerFrame, "wednesday/bot/bot.db.delta")
	at(4*blocksPerFrame, "monday/bot/bot.db.zst")
	at(5 * blocksPerFrame)
}

// Writers side by side, as a source with several files uses them.
func TestDelta_WritersSideBySide(t *testing.T) {
	b := mem.New()
	r := rememberingRepo(t, b, t.TempDir())
	states := make([][]byte, 6)
	for i := range states {
		states[i] = text((i+1)*frameSize+i*1000, uint64(i%4)) // some alike
	}
	for step := range 3 {
		o := CreateOptions{Compress: true, Remember: true}
		if step > 0 {
			o.Base = holdfast.BackupName(fmt.Sprintf("backup%d", step-1))
		}
		p := create(t, r, holdfast.BackupName(fmt.Sprintf("backup%d", step)), o)
		var wg sync.WaitGroup
		for i := range states {
			if step > 0 {
				states[i] = edited(states[i], i*100, uint64(step), i, i*20)
			}
			wg.Go(func() {
				w, err := p.Sink("bot").Create(holdfast.Entry{Path: fmt.Sprint(i), Mode: 0o600, ModTime: testTime})
				if err == nil {
					_, err = w.Write(states[i])
				}
				if err == nil && i%2 == 0 {
					if err = w.Reset(); err == nil {
						_, err = w.Write(states[i])
					}
				}
				if err == nil {
					err = w.Close()
				}
				if err != nil {
					t.Error(err)
				}
				p.Unchanged("bot")
			})
		}
		wg.Wait()
		commit(t, p)
		back := open(t, r, p.Name())
		verify(t, back)
		for i, want := range states {
			if !bytes.Equal(readAll(t, back, fmt.Sprintf("bot/%d", i)), want) {
				t.Errorf("step %d: %d reads wrong", step, i)
			}
		}
	}
}

// A delta that is given up leaves nothing, neither in the repository nor in
// the folder that remembers.
func TestDelta_GivenUpLeavesNothing(t *testing.T) {
	root := filepath.Join(t.TempDir(), "repository")
	store, err := dir.New(root, dir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := rememberingRepo(t, store, t.TempDir())
	data := text(9*frameSize, 1)
	p := create(t, r, "monday", CreateOptions{Compress: true, Remember: true})
	put(t, p.Sink("bot"), "bot.db", data)
	commit(t, p)
	before := contents(t, os.DirFS(root))

	p = based(t, r, "tuesday")
	after := noise(9*frameSize, 3)
	s := p.Sink("bot")
	w, err := s.Create(holdfast.Entry{Path: "bot.db"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(after); err != nil {
		t.Fatal(err)
	}
	if err := w.Discard(); err != nil {
		t.Fatal(err)
	}
	if p.Stored() != 0 {
		t.Errorf("%d bytes still counted", p.Stored())
	}
	passes(t, s, "bot.db", after, data, after[:frameSize])
	passes(t, s, "bot.db", after, data)
	if p.Stored() != 0 || !p.Unchanged("bot") {
		t.Errorf("%d bytes stored of an unchanged file", p.Stored())
	}
	w, err = s.Create(holdfast.Entry{Path: "bot.db"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(after); err != nil {
		t.Fatal(err)
	}
	if err := p.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	compare(t, contents(t, os.DirFS(root)), before)
	if name, why, err := r.Base(t.Context()); name != "monday" {
		t.Errorf("base %q, %q, %v", name, why, err)
	}
}

// What fails on the way to the payload of a delta ends the writer, in each
// pass.
func TestDelta_FailuresReachTheWriter(t *testing.T) {
	base, after := text(30*frameSize, 1), text(30*frameSize, 2)
	full := errors.New("no space left on device")
	for what, c := range map[string]struct {
		o    CreateOptions
		harm func(b *mem.Bucket, cancel func())
		want error
	}{
		"disk full": {harm: func(b *mem.Bucket, _ func()) {
			b.Inject(func(op, _ string) error {
				if op == "write" {
					return full
				}
				return nil
			})
		}, want: full},
		"limit":     {o: CreateOptions{MaxStored: 100_000}, harm: func(*mem.Bucket, func()) {}, want: holdfast.ErrRefused},
		"cancelled": {harm: func(_ *mem.Bucket, cancel func()) { cancel() }, want: context.Canceled},
	} {
		for again := range 2 {
			r, b := remembered(t, base)
			ctx, cancel := context.WithCancel(t.Context())
			c.o.Compress, c.o.Base = true, "monday"
			p, err := r.Create(ctx, "tuesday", true, c.o)
			if err != nil {
				t.Fatal(err)
			}
			w, err := p.Sink("bot").Create(holdfast.Entry{Path: "bot.db"})
			if err == nil && again > 0 {
				_, err = w.Write(base)
				err = errors.Join(err, w.Reset())
			}
			if err != nil {
				t.Fatal(err)
			}
			c.harm(b, cancel)
			_, err = w.Write(after)
			if e := w.Close(); err == nil {
				err = e
			}
			if !errors.Is(err, c.want) {
				t.Errorf("%s, pass %d: %v", what, again+1, err)
			}
			b.Inject(nil)
			if err := p.Abort(ctx); err != nil {
				t.Errorf("%s: abort: %v", what, err)
			}
			cancel()
			for _, key := range allKeys(t, b) {
				if strings.HasPrefix(key, "tuesday/") {
					t.Errorf("%s leaves %s", what, key)
				}
			}
		}
	}
}
