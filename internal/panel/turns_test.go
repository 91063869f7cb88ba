package panel

import (
	"sync"
	"testing"
)

// What one user asks for is done in his order; nobody waits for another.
func TestTurns_OneUserInHisOrder(t *testing.T) {
	turns := &turns{room: make(chan struct{}, 2), last: map[int64]chan struct{}{}}
	var mu sync.Mutex
	var order []int
	first, second := make(chan struct{}), make(chan struct{})
	turns.take(t.Context(), 1, func() { <-first })
	turns.take(t.Context(), 2, func() { close(second) })
	<-second // although the first has not ended
	close(first)
	for i := range 100 {
		turns.take(t.Context(), 1, func() {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, i)
		})
	}
	turns.work.Wait()
	for i, n := range order {
		if i != n {
			t.Fatalf("the %d. was done as the %d.: %v", n, i, order)
		}
	}
	if len(order) != 100 || len(turns.last) != 0 {
		t.Errorf("%d were done, %d are remembered", len(order), len(turns.last))
	}
}
