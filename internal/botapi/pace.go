package botapi

import (
	"context"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// What Telegram asks bots to keep to: a message a second in a chat, twenty a minute in a
// group, thirty a second in all. A few at once are let through.
const (
	chatEvery  = time.Second
	chatBurst  = 5
	groupEvery = 3 * time.Second
	groupBurst = 10
	allEvery   = time.Second / 30
	allBurst   = 30
	// mostChats bounds what is remembered of chats.
	mostChats = 1000
)

// pace holds calls back that would be refused.
type pace struct {
	now func() time.Time

	mu    sync.Mutex
	all   *rate.Limiter
	chats map[string]*room
}

// A room is the pace of one chat.
type room struct {
	*rate.Limiter
	until time.Time // when Telegram wants to hear of it again
}

// await waits until a call is due. The chat is nil for one that shows nothing in a chat.
func (p *pace) await(ctx context.Context, chat any, wait func(context.Context, time.Duration) error) error {
	now := p.now()
	p.mu.Lock()
	if p.all == nil {
		p.all = rate.NewLimiter(rate.Every(allEvery), allBurst)
	}
	delay := p.all.ReserveN(now, 1).DelayFrom(now)
	if chat != nil {
		one := p.room(key(chat))
		delay = max(delay, one.ReserveN(now, 1).DelayFrom(now), one.until.Sub(now))
	}
	p.mu.Unlock()
	if err := context.Cause(ctx); err != nil || delay <= 0 {
		return err
	}
	return wait(ctx, delay)
}

// hold keeps every call from a chat for a while, as Telegram asked.
func (p *pace) hold(chat any, wait time.Duration) {
	if chat == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.room(key(chat))
	if until := p.now().Add(wait); until.After(one.until) {
		one.until = until
	}
}

// held tells for how long Telegram does not want to hear of a chat.
func (p *pace) held(chat any) time.Duration {
	if chat == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if one := p.chats[key(chat)]; one != nil {
		return one.until.Sub(p.now())
	}
	return 0
}

// room gives the pace of a chat. The lock is held.
func (p *pace) room(chat string) *room {
	if one := p.chats[chat]; one != nil {
		return one
	}
	if p.chats == nil || len(p.chats) >= mostChats {
		p.chats = map[string]*room{}
	}
	one := &room{Limiter: rate.NewLimiter(rate.Every(chatEvery), chatBurst)}
	if strings.HasPrefix(chat, "-") || strings.HasPrefix(chat, "@") {
		one.Limiter = rate.NewLimiter(rate.Every(groupEvery), groupBurst)
	}
	p.chats[chat] = one
	return one
}
