package engine_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// What a delta would refer to was lost or has rotted: the newest backup must be
// whole all the same, and say what it met.
func TestBackup_DamageBelowADeltaMakesAFull(t *testing.T) {
	const payload = "first/bot/bot_database.db.zst"
	flip := func(data []byte) []byte { data[len(data)/2] ^= 0x40; return data }
	cut := func(data []byte) []byte { return data[:len(data)/2] }
	for _, c := range []struct {
		what   string
		damage func(*world) error
		before string // the state is set to this first
	}{
		{"a payload is gone, nothing changed", func(w *world) error { return w.bucket.Delete(w.t.Context(), payload) }, ""},
		{"a payload was cut, nothing changed", func(w *world) error { return w.bucket.Corrupt(payload, cut) }, ""},
		{"a manifest has rotted, nothing changed", func(w *world) error { return w.bucket.Corrupt("first/manifest.json", flip) }, ""},
		{"a payload has rotted, and the source is read for its check", func(w *world) error { return w.bucket.Corrupt(payload, flip) }, "more"},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := newWorld(t).remembering()
			random := rand.New(rand.NewPCG(1, 2))
			var lines strings.Builder
			for range 20000 {
				fmt.Fprintf(&lines, "%016x\n", random.Uint64())
			}
			long := lines.String()
			write(t, w.bot.path, long)
			w.backup("first")
			if r := w.backup("second"); r.Form.Base != "first" {
				t.Fatalf("the second is a %s", r.Form)
			}
			if err := c.damage(w); err != nil {
				t.Fatal(err)
			}
			if c.before != "" {
				write(t, w.bot.path, long+c.before)
			}
			want := read(t, w.bot.path)
			third := w.backup("third")
			if third.Form.Base != "" || third.Backup.Metadata.Parent != "" || len(third.Backup.Metadata.Needs) > 0 {
				t.Errorf("the third is a %s and needs %v", third.Form, third.Backup.Metadata.Needs)
			}
			if len(third.Problems) != 1 || third.Problems[0].Object != "second" || third.Problems[0].Severity != holdfast.Warning || third.Problems[0].Hint == "" {
				t.Errorf("it says %+v", third.Problems)
			}
			write(t, w.bot.path, "lost")
			w.restore(engine.RestoreRequest{Name: "third"})
			if got := read(t, w.bot.path); got != want {
				t.Errorf("restored %d bytes, want %d", len(got), len(want))
			}
			if names := w.leftovers(); len(names) > 0 {
				t.Errorf("left over: %v", names)
			}
			if r := w.backup("fourth"); r.Form.Base != "third" {
				t.Errorf("the fourth is a %s", r.Form)
			}
		})
	}
}
