package panel

import (
	"context"
	"sync"

	"github.com/go-telegram/bot/models"
)

// turns let what people ask for be done side by side, and what one of them asks for in the
// order in which he did.
type turns struct {
	room chan struct{}
	work sync.WaitGroup

	mu   sync.Mutex
	last map[int64]chan struct{} // of each user, closed when his last update has been handled
}

// take handles an update of a user when those before it have been handled. It waits while
// there is no room.
func (t *turns) take(ctx context.Context, user int64, handle func()) {
	select {
	case t.room <- struct{}{}:
	case <-ctx.Done():
		return
	}
	done := make(chan struct{})
	t.mu.Lock()
	before := t.last[user]
	t.last[user] = done
	t.mu.Unlock()
	t.work.Go(func() {
		defer func() {
			close(done)
			t.mu.Lock()
			if t.last[user] == done {
				delete(t.last, user)
			}
			t.mu.Unlock()
			<-t.room
		}()
		if before != nil {
			select {
			case <-before:
			case <-ctx.Done():
				return
			}
		}
		handle()
	})
}

// userOf is who has caused an update; 0: nobody that the panel answers.
func userOf(u *models.Update) int64 {
	switch {
	case u.CallbackQuery != nil:
		return u.CallbackQuery.From.ID
	case u.Message != nil && u.Message.From != nil:
		return u.Message.From.ID
	}
	return 0
}
