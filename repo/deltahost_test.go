package repo

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

// A host that has no key makes deltas of what it cannot read any more, and
// whoever has one reads them.
func TestDelta_HostWithoutAKey(t *testing.T) {
	b := mem.New()
	id, to := newKey(t)
	host, err := Init(t.Context(), b, Options{Recipients: []string{to}, Cache: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	states := map[holdfast.BackupName][]byte{"monday": text(9*frameSize+5, 1)}
	states["tuesday"] = edited(states["monday"], 900, 2, 3, 40, 500)
	states["wednesday"] = edited(states["tuesday"], -5000, 3, 3, 41)
	still := text(70_000, 4)
	for _, day := range []holdfast.BackupName{"monday", "tuesday", "wednesday"} {
		o := CreateOptions{Compress: true, Remember: true}
		if day != "monday" {
			base, why, err := host.Base(t.Context())
			if base == "" || err != nil {
				t.Fatalf("no base for %s: %q, %v", day, why, err)
			}
			o.Base = base
		}
		p := create(t, host, day, o)
		put(t, p.Sink("bot"), "bot.db", states[day])
		put(t, p.Sink("bot"), "still", still)
		commit(t, p)
		if day == "monday" {
			continue
		}
		if files, _, stored := p.SourceTotals("bot"); files != 2 || stored > 6*(blockSize+200) {
			t.Errorf("%s stores %d bytes", day, stored)
		}
		if _, err := fs.ReadFile(p.FS(), "bot/still"); !errors.Is(err, holdfast.ErrRefused) && !errors.Is(err, holdfast.ErrNotFound) {
			t.Errorf("%s: what only a key opens reads back as %v", day, err)
		}
	}
	owner := opened(t, b, Options{Keys: keysOf(id)})
	for day, want := range states {
		back := open(t, owner, day)
		verify(t, back)
		if !bytes.Equal(readAll(t, back, "bot/bot.db"), want) || !bytes.Equal(readAll(t, back, "bot/still"), still) {
			t.Errorf("%s reads wrong", day)
		}
	}
}

// A base whose own references lead to a hidden backup is as good as any.
func TestDelta_OverHiddenBackups(t *testing.T) {
	data := text(5*frameSize, 1)
	r, _ := remembered(t, data)
	second := edited(data, 0, 2, 7)
	p := based(t, r, "tuesday")
	put(t, p.Sink("bot"), "bot.db", second)
	commit(t, p)
	if _, err := r.Delete(t.Context(), "monday"); err != nil {
		t.Fatal(err)
	}
	third := edited(second, 100, 3, 9)
	p = based(t, r, "wednesday")
	put(t, p.Sink("bot"), "bot.db", third)
	if !bytes.Equal(readAll(t, p.FS(), "bot/bot.db"), third) {
		t.Error("reads back wrong")
	}
	commit(t, p)
	if _, err := r.Delete(t.Context(), "tuesday"); err != nil {
		t.Fatal(err)
	}
	back := open(t, r, "wednesday")
	verify(t, back)
	if !bytes.Equal(readAll(t, back, "bot/bot.db"), third) {
		t.Error("wrong bytes")
	}
	if m := back.Metadata(); !slices.Equal(m.Needs, []holdfast.BackupName{"monday", "tuesday"}) {
		t.Errorf("needs %v", m.Needs)
	}
}
