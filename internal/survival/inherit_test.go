package survival

import (
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// Two storages went within the second that their store tells: the newer one, which
// had not settled yet, is counted, and not lost behind the older.
func TestInherit_StorageThatTellsWholeSeconds(t *testing.T) {
	stored := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	at := func(ms int) holdfast.Time { return holdfast.At(stored.Add(time.Duration(ms) * time.Millisecond)) }
	settled := repo.Instance{ID: "older", Modified: stored, Since: at(-5000), Seen: at(100), Starts: 5, Kept: 3, Wiped: 1}
	open := repo.Instance{ID: "newer", Modified: stored, Since: at(300), Seen: at(700), Starts: 2, Kept: 1, Open: true}
	for name, past := range map[string][]repo.Instance{
		"the older first": {settled, open},
		"the newer first": {open, settled},
	} {
		t.Run(name, func(t *testing.T) {
			var s state
			s.reborn("run", at(900))
			s.inherit(past, at(900))
			if s.me.Starts != 8 || s.me.Kept != 4 || s.me.Wiped != 3 {
				t.Errorf("%d starts, %d kept, %d wiped; want 8, 4, 3", s.me.Starts, s.me.Kept, s.me.Wiped)
			}
		})
	}
}
