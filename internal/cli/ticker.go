package cli

import (
	"fmt"
	"sync"
	"time"
)

// A ticker shows on a terminal how far a walk over rows has come; elsewhere it is
// silent.
type ticker struct {
	mu    sync.Mutex
	ui    *ui
	last  time.Time
	shown bool
}

// tickEvery is how often the line may change.
const tickEvery = 200 * time.Millisecond

func newTicker(u *ui) *ticker { return &ticker{ui: u, last: time.Now()} }

// rows tells how many rows of a table were looked at; a total of zero is not known.
func (t *ticker) rows(source, table string, done, total int64) {
	if !t.ui.terminal || t.ui.quiet {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.last) < tickEvery {
		return
	}
	t.last, t.shown = time.Now(), true
	of := ""
	if total > 0 {
		of = " of " + number(total)
	}
	fmt.Fprintf(t.ui.err, "\r\x1b[K%s/%s: %s%s rows", cut(source, cellWidth), middle(table, cellWidth), number(done), of)
}

// clear takes the line away.
func (t *ticker) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shown {
		fmt.Fprint(t.ui.err, "\r\x1b[K")
		t.shown = false
	}
}
